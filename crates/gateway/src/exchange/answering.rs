//! From what the attempts come to, to the client's response.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use lingate_wire::bridge::ReplyOptions;
use lingate_wire::gemini::Framing;
use lingate_wire::turn::{Failure, FailureKind};
use lingate_wire::{anthropic, bridge};
use uuid::Uuid;

use super::asked::Asked;
use crate::clock;
use crate::front::respond::{self, Body, LINGATE_ID, REQUEST_ID, set, set_number};
use crate::record::{Draft, Ending};
use crate::relay::answer::{Answer, Whole, WholeBody};
use crate::relay::chain::{Tally, folded};
use crate::relay::stream::{ClientSide, ClientStream};

const LANE: HeaderName = HeaderName::from_static("x-lingate-lane");
const PROVIDER: HeaderName = HeaderName::from_static("x-lingate-provider");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-lingate-attempts");
const QUIRKS: HeaderName = HeaderName::from_static("x-lingate-quirks");
const OVERHEAD: HeaderName = HeaderName::from_static("x-lingate-overhead-us");

/// How the answer is to be written.
pub(super) fn client_side(asked: &Asked, draft: &Draft) -> ClientSide {
    ClientSide {
        wire: asked.wire,
        model: asked.peek.model.clone(),
        created: u64::try_from(clock::accepted(&draft.id).as_second()).unwrap_or(0),
        options: asked.options,
    }
}

/// A stream; `headers` are what is to be told of the upstream's.
pub(super) fn streamed(
    stream: ClientStream,
    headers: HeaderMap,
    options: &ReplyOptions,
) -> Response<Body> {
    let content_type = match options.framing {
        Framing::Sse => "text/event-stream; charset=utf-8",
        Framing::Array => "application/json; charset=utf-8",
    };
    let mut response = Response::new(stream.into_body());
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A failure as a stream that fails at once, for a client that reads it only there.
pub(super) fn failing_stream(
    failure: &Failure,
    side: &ClientSide,
    draft: &Draft,
) -> Response<Body> {
    let context = side.reply_context(draft);
    let mut encoder = bridge::stream_encoder_with(side.wire, context, &side.options);
    let mut body = Vec::new();
    encoder.fail(failure, &mut body);
    respond::whole(StatusCode::OK, "text/event-stream; charset=utf-8", body)
}

/// An answer that is not streamed.
pub(super) fn whole(answer: Answer, side: &ClientSide, draft: &Draft) -> Response<Body> {
    let whole = match answer {
        Answer::Whole(whole) => whole,
        Answer::Refused(whole, failure) => {
            draft.end(Ending::Answered, Some(failure));
            return written(*whole, side, draft);
        }
        // A request that is not streamed is never answered by a stream.
        Answer::Live(_) => return respond::empty(StatusCode::INTERNAL_SERVER_ERROR),
    };
    draft.first_content();
    draft.tally(&whole.tally);
    draft.end(Ending::Answered, None);
    written(*whole, side, draft)
}

fn written(whole: Whole, side: &ClientSide, draft: &Draft) -> Response<Body> {
    let (bytes, is_verbatim) = match whole.body {
        WholeBody::Verbatim(bytes) => (bytes, true),
        WholeBody::Events(events) => {
            let context = side.reply_context(draft);
            let bytes =
                bridge::encode_response_with(side.wire, &folded(events), &context, &side.options);
            (bytes.into(), false)
        }
    };
    let mut response = respond::json(whole.status, bytes);
    let headers = response.headers_mut();
    for (name, value) in &whole.headers {
        if is_verbatim || name != CONTENT_TYPE {
            headers.insert(name, value.clone());
        }
    }
    response
}

/// A thread's history is kept by its provider; the SDKs send the whole of it when told so in the right form.
pub(super) fn thread_refused(draft: &Draft) -> Answer {
    let (status, body) = anthropic::encode_thread_unsupported(&draft.id_text());
    let whole = Whole {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        headers: HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]),
        body: WholeBody::Verbatim(body.into()),
        tally: Tally::default(),
    };
    let failure = Failure::new(
        FailureKind::InvalidRequest,
        "message threads are not kept here",
    );
    Answer::Refused(Box::new(whole), failure)
}

/// The headers that every proxied reply carries.
pub(super) fn describe(headers: &mut HeaderMap, draft: &Draft) {
    let mut id = Uuid::encode_buffer();
    let id = draft.id.hyphenated().encode_lower(&mut id);
    if !headers.contains_key(&REQUEST_ID) {
        set(headers, REQUEST_ID, id);
    }
    set(headers, LINGATE_ID, id);
    draft.tell(|told| {
        if let Some(lane) = told.lane {
            headers.insert(LANE, HeaderValue::from_static(lane.name()));
            set(headers, PROVIDER, told.provider);
        }
        set_number(headers, ATTEMPTS, told.attempts.into());
        if !told.quirks.is_empty() {
            set(headers, QUIRKS, &told.quirks.join(","));
        }
        for (header, notice) in told.notices {
            set(headers, HeaderName::from_static(header), notice);
        }
        if let Some(overhead) = told.overhead {
            let micros = u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX);
            set_number(headers, OVERHEAD, micros);
        }
    });
}
