//! One client request, from its body to its answer. Read this first: it is the table of contents.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use lingate_wire::bridge::Lane;
use lingate_wire::turn::{Failure, FailureKind};
use lingate_wire::{Wire, anthropic, bridge};

use tokio::time::Instant;

use super::asked::Asked;
use super::attempt::{self, WHOLE_WAIT};
use super::retry::{Next, Retries};
use super::upstream::{Upstream, resolution};
use crate::front::body;
use crate::front::keys::Caller;
use crate::front::respond::{self, Body, LINGATE_ID, REQUEST_ID, set};
use crate::record::{AttemptEnd, Draft, Ending};
use crate::relay::answer::{Answer, Whole, WholeBody};
use crate::relay::chain::Tally;
use crate::relay::stream::{Attempts, ClientSide, ClientStream};
use crate::shared::Shared;
use crate::{clock, ids};

/// Waiting after which a stream's head goes out before there is content: the client's banner comes at 20 s.
const COMMIT_DELAY: Duration = Duration::from_secs(10);

/// A request for a reply, past the front.
pub(crate) struct Call {
    pub wire: Wire,
    pub profile: Option<String>,
    /// When the head of the request was there.
    pub accepted: Instant,
    pub caller: Caller,
    pub parts: Parts,
    pub body: Incoming,
}

/// Runs an exchange. Whatever happens, the client gets an answer in its own wire and the draft is closed once.
pub(crate) async fn run(shared: Arc<Shared>, call: Call) -> Response<Body> {
    let draft = Arc::new(Draft::open(
        ids::exchange(),
        call.accepted,
        call.wire,
        Arc::clone(&shared.metrics),
        Arc::clone(&shared.calibration),
    ));
    let wire = call.wire;
    let answered = AssertUnwindSafe(answer(&shared, call, &draft))
        .catch_unwind()
        .await;
    let result = answered.unwrap_or_else(|_panic| {
        shared.metrics.panics.inc();
        Err(Failure::new(
            FailureKind::Server,
            "a fault in the gateway ended this request",
        ))
    });
    let mut response = result.unwrap_or_else(|failure| {
        let response = respond::failure(&failure, wire, &draft.id.to_string());
        draft.end(Ending::Answered, Some(failure));
        response
    });
    draft.status(response.status().as_u16());
    describe(response.headers_mut(), &draft);
    if wire == Wire::Chat {
        // The OpenAI SDKs look for the request's id under this name.
        let id = response.headers().get(REQUEST_ID).cloned();
        if let Some(id) = id {
            response.headers_mut().entry("x-request-id").or_insert(id);
        }
    }
    response
}

/// ① read · ② resolve · ③ attempts · ④ answer, early if they take long.
async fn answer(
    shared: &Arc<Shared>,
    call: Call,
    draft: &Arc<Draft>,
) -> Result<Response<Body>, Failure> {
    let body = body::read(
        call.body,
        shared.config.server.max_body,
        shared.limits.body_idle,
    )
    .await?;
    let asked = Asked::read(call.wire, call.profile, call.parts, &body)?;
    draft.asked(&asked.peek.model.decode(), asked.session().as_deref());
    call.caller.may_ask(&asked.peek.model.decode())?;

    let side = client_side(&asked);
    let is_stream = asked.peek.stream;
    if !is_stream {
        let answer = Box::pin(attempts(shared, &asked, draft)).await?;
        return Ok(whole_response(answer, &side, draft));
    }

    let (task_shared, task_draft) = (Arc::clone(shared), Arc::clone(draft));
    let mut attempts: Attempts =
        Box::pin(async move { attempts(&task_shared, &asked, &task_draft).await });
    let (stream, headers) = tokio::select! {
        biased;
        outcome = &mut attempts => {
            let mut live = match outcome? {
                Answer::Live(live) => live,
                other => return Ok(whole_response(other, &side, draft)),
            };
            draft.first_content();
            let headers = std::mem::take(&mut live.headers);
            (ClientStream::live(live, side, Arc::clone(draft), Arc::clone(&shared.metrics)), headers)
        }
        () = tokio::time::sleep(COMMIT_DELAY) => {
            (ClientStream::waiting(attempts, side, Arc::clone(draft), Arc::clone(&shared.metrics)), HeaderMap::new())
        }
    };
    let mut response = Response::new(stream.into_body());
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The one attempt loop: up to an answer or the last failure, within the deadline.
async fn attempts(shared: &Shared, asked: &Asked, draft: &Arc<Draft>) -> Result<Answer, Failure> {
    let candidates = resolution(&shared.routes.table(), asked)?.candidates;
    // Resolution never gives an empty list.
    let Some(candidate) = candidates.first() else {
        return Err(Failure::new(
            FailureKind::NotFound,
            "nothing serves this model",
        ));
    };
    let mut upstream = Upstream::of(&shared.config, candidate, asked.wire)?;
    upstream.refuses_foreign_thinking = shared.learnt.moved.holds(asked, &upstream);
    if asked.is_thread() && upstream.lane(asked) == Lane::Translate {
        return Ok(thread_refused(draft));
    }
    let provider = upstream.provider;
    let attempts = attempts_at(shared, asked, upstream, draft);
    let deadline = shared
        .config
        .failover
        .deadline
        .filter(|_| provider.has_deadline)
        .map(|deadline| {
            if asked.peek.stream {
                deadline
            } else {
                deadline.max(WHOLE_WAIT)
            }
        });
    match deadline {
        None => attempts.await,
        Some(deadline) => tokio::time::timeout_at(draft.accepted + deadline, attempts)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Failure::new(
                    FailureKind::Timeout,
                    format!(
                        "provider `{}` gave no content within {} s (`failover.deadline`)",
                        provider.id,
                        deadline.as_secs()
                    ),
                ))
            }),
    }
}

/// A thread's history is kept by its provider; the SDKs send the whole of it when told so in the right form.
fn thread_refused(draft: &Draft) -> Answer {
    let (status, body) = anthropic::encode_thread_unsupported(&draft.id.to_string());
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

async fn attempts_at(
    shared: &Shared,
    asked: &Asked,
    mut upstream: Upstream<'_>,
    draft: &Arc<Draft>,
) -> Result<Answer, Failure> {
    let mut settings = shared.learnt.settings(&upstream);
    let mut retries = Retries::default();
    loop {
        match attempt::run(shared, asked, &upstream, &settings, draft).await {
            Ok(answer) => {
                draft.attempt_ended(AttemptEnd::Served, None);
                shared.learnt.keep(asked, &upstream, &retries);
                return Ok(answer);
            }
            Err(failed) => {
                draft.attempt_ended(AttemptEnd::Failed, Some(&failed.failure));
                match retries.next(failed, asked, &mut upstream, &mut settings) {
                    Next::Retry => {}
                    Next::Finish(result) => return result,
                }
            }
        }
    }
}

fn client_side(asked: &Asked) -> ClientSide {
    ClientSide {
        wire: asked.wire,
        model: asked.peek.model.clone(),
        created: u64::try_from(clock::wall().as_second()).unwrap_or(0),
        sends_usage: asked.wants_stream_usage(),
    }
}

fn whole_response(answer: Answer, side: &ClientSide, draft: &Draft) -> Response<Body> {
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
        WholeBody::Reply(reply) => {
            let bytes = bridge::encode_response(side.wire, &reply, &side.reply_context(draft));
            (bytes.into(), false)
        }
    };
    let mut response = respond::json(whole.status, bytes);
    for (name, value) in &whole.headers {
        if is_verbatim || name != CONTENT_TYPE {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// The headers that every proxied reply carries.
fn describe(headers: &mut HeaderMap, draft: &Draft) {
    let id = draft.id.to_string();
    set(headers, LINGATE_ID, &id);
    if !headers.contains_key(REQUEST_ID) {
        set(headers, REQUEST_ID, &id);
    }
    let name = HeaderName::from_static;
    if let Some(lane) = draft.lane() {
        set(headers, name("x-lingate-lane"), lane.name());
        set(headers, name("x-lingate-provider"), &draft.provider());
    }
    set(
        headers,
        name("x-lingate-attempts"),
        &draft.attempts().to_string(),
    );
    let quirks = draft.quirks();
    if !quirks.is_empty() {
        set(headers, name("x-lingate-quirks"), &quirks.join(","));
    }
    if let Some(overhead) = draft.overhead() {
        set(
            headers,
            name("x-lingate-overhead-us"),
            &overhead.as_micros().to_string(),
        );
    }
}
