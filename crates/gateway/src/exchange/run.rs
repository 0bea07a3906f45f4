//! One client request, from its body to its answer. Read this first: it is the table of contents.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::FutureExt as _;
use http::header::{CONTENT_ENCODING, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use hyper::body::Incoming;
use lingate_wire::Wire;
use lingate_wire::bridge::{self, PathFacts};
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::Instant;
use uuid::Uuid;

use super::answering::{client_side, describe, failing_stream, streamed, whole};
use super::asked::Asked;
use super::attempts::Attempts;
use crate::front::body::{self, Unread};
use crate::front::encoding::Coding;
use crate::front::keys::Caller;
use crate::front::respond::{self, Body, REQUEST_ID};
use crate::govern;
use crate::record::{Draft, Ending};
use crate::relay::answer::Answer;
use crate::relay::stream::{Attempts as _, ClientSide, ClientStream};
use crate::shared::Shared;

/// Waiting after which a stream's head goes out before there is content: the client's banner comes at 20 s.
const COMMIT_DELAY: Duration = Duration::from_secs(10);

/// A request for a reply, past the front.
pub(crate) struct Call {
    pub wire: Wire,
    pub profile: Option<String>,
    pub facts: PathFacts,
    /// When the head of the request was there.
    pub accepted: Instant,
    pub caller: Caller,
    pub parts: Parts,
    pub body: RequestBody,
    /// The exchange's: everything that is minted derives from it.
    pub id: Uuid,
}

/// A request's body.
pub(crate) enum RequestBody {
    /// It comes in, with these content codings.
    Arriving(Incoming, Vec<Coding>),
    /// It was recorded, and is there at this instant.
    Recorded(ByteString, Instant),
}

impl RequestBody {
    /// All of it, without its content codings.
    pub(super) async fn received(
        self,
        shared: &Shared,
        headers: &mut HeaderMap,
    ) -> Result<Bytes, Unread> {
        match self {
            Self::Arriving(body, codings) => {
                let bytes = body::received(shared, body, codings).await?;
                headers.remove(CONTENT_ENCODING);
                Ok(bytes)
            }
            Self::Recorded(body, at) => {
                tokio::time::sleep_until(at).await;
                Ok(body.into_bytes())
            }
        }
    }
}

impl Call {
    /// What was asked for, without the profile.
    pub(super) fn path(&self) -> &str {
        let path = self.parts.uri.path();
        let profile = self.profile.as_deref();
        let rest = profile.and_then(|profile| path.strip_prefix('/')?.strip_prefix(profile));
        rest.unwrap_or(path)
    }
}

/// Runs an exchange. Whatever happens, the client gets an answer in its own wire and the draft is closed once.
pub(crate) async fn run(shared: Arc<Shared>, call: Call) -> Response<Body> {
    let draft = Draft::open(
        call.id,
        call.accepted,
        call.wire,
        Arc::clone(&shared.metrics),
        Arc::clone(&shared.calibration),
    );
    let draft = Arc::new(draft);
    draft.record(&shared.books, call.path());
    let wire = call.wire;
    let answered = AssertUnwindSafe(answer(&shared, call, &draft))
        .catch_unwind()
        .await;
    let result = answered.unwrap_or_else(|_panic| {
        shared.metrics.panics.inc();
        draft.panicked();
        Err(Failure::new(
            FailureKind::Server,
            "a fault in the gateway ended this request",
        )
        .into())
    });
    let refused = |failure: &Failure| respond::failure(failure, wire, &draft.id_text());
    let mut response = match result {
        Ok(response) => response,
        // Hardly anybody hears it: the draft ends as one whose client is gone.
        Err(Unread::Left) => {
            let mut response = refused(&Unread::Left.into());
            describe(response.headers_mut(), &draft);
            return response;
        }
        Err(Unread::Refused(failure)) => {
            let response = refused(&failure);
            draft.end(Ending::Answered, Some(failure));
            response
        }
    };
    draft.status(response.status().as_u16());
    describe(response.headers_mut(), &draft);
    if matches!(wire, Wire::Chat | Wire::Responses) {
        // The OpenAI SDKs look for the request's id under this name.
        let id = response.headers().get(REQUEST_ID).cloned();
        if let Some(id) = id {
            response.headers_mut().entry("x-request-id").or_insert(id);
        }
    }
    draft.gather(|gathered| gathered.hear(&response));
    response
}

/// Whether the client is Codex, which ends its work on a status that says "later", and waits on the same words in a stream.
fn is_codex(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    agent.is_some_and(|agent| agent.starts_with(b"codex"))
}

/// A failure before anything was sent: by its status, or as a stream that fails for who reads it only there.
fn refusal(
    failure: Failure,
    reads_failures_in_stream: bool,
    side: &ClientSide,
    draft: &Draft,
) -> Result<Response<Body>, Failure> {
    if !reads_failures_in_stream || !bridge::is_told_in_stream(side.wire, &failure) {
        return Err(failure);
    }
    let response = failing_stream(&failure, side, draft);
    draft.end(Ending::Broken, Some(failure));
    Ok(response)
}

/// ① read · ② resolve · ③ attempts · ④ answer, early if they take long.
async fn answer(
    shared: &Arc<Shared>,
    mut call: Call,
    draft: &Arc<Draft>,
) -> Result<Response<Body>, Unread> {
    if let Some(why) = shared.books.refuses() {
        return Err(why.into());
    }
    let headers = &mut call.parts.headers;
    let body = call.body.received(shared, headers).await?;
    let asked = (shared.histories)
        .scan(call.wire, call.caller.name(), &body)
        .and_then(|scanned| {
            let (profile, facts, parts) = (call.profile, call.facts, call.parts);
            Asked::read(call.wire, profile, facts, parts, scanned)
        })
        .inspect_err(|_| {
            draft.gather(|gathered| {
                gathered.mark("body_read");
                gathered.open(body.clone());
            });
        })?
        .remembering(&shared.learnt.kept, &call.caller);
    draft.asked(&asked);
    draft.gather(|gathered| gathered.queried(asked.query.as_deref()));
    call.caller.may_ask(&asked.peek.model.decode())?;

    let side = client_side(&asked, draft);
    let (is_stream, options) = (asked.peek.stream, side.options);
    let reads_failures_in_stream = is_stream && is_codex(&asked.headers);
    let begun = govern::admit(shared, &asked, draft);
    let attempts = match begun.and_then(|()| Attempts::new(shared, asked, draft)) {
        Ok(attempts) => attempts,
        Err(failure) => {
            return Ok(refusal(failure, reads_failures_in_stream, &side, draft)?);
        }
    };
    if !is_stream {
        // On the heap: a future is moved whole, together with everything that awaits it.
        let answer = Box::pin(attempts.answer()).await?;
        return Ok(whole(answer, &side, draft));
    }

    let mut attempts = Box::new(attempts).run();
    let process = Arc::clone(&shared.process);
    let draft = Arc::clone(draft);
    tokio::select! {
        biased;
        reached = &mut attempts => match reached.result {
            Err(failure) => Ok(refusal(failure, reads_failures_in_stream, &side, &draft)?),
            Ok(Answer::Live(mut live)) => {
                draft.first_content();
                let headers = std::mem::take(&mut live.headers);
                let stream = ClientStream::live(live, reached.attempts, side, draft, process);
                Ok(streamed(stream, headers, &options))
            }
            Ok(other) => Ok(whole(other, &side, &draft)),
        },
        () = tokio::time::sleep(COMMIT_DELAY) => {
            let stream = ClientStream::waiting(attempts, side, draft, process);
            Ok(streamed(stream, HeaderMap::new(), &options))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request, StatusCode};
    use lingate_config::{Config, FixedEnvironment, LoadOptions};
    use lingate_store::{self as store, End, Exchange, Reader, Store};

    use super::*;
    use crate::clock;
    use crate::gateway::Options;
    use crate::shared::Process;

    /// An exchange on a runtime without timers, where whoever waits for a time panics: what the client got, and its row.
    fn panicking() -> (StatusCode, Exchange) {
        let dir = tempfile::tempdir().unwrap();
        let record = Store::open(dir.path(), store::Options::default(), clock::wall()).unwrap();
        let options = Options {
            recorder: Some(record.recorder()),
            ..Options::default()
        };
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, "", &LoadOptions::default(), &environment).unwrap();
        let process = Arc::new(Process::new(&config, &options));
        let metrics = Arc::clone(&process.metrics);
        let shared = Shared::first(process, Arc::new(config), String::new()).unwrap();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/messages")
            .body(());
        let call = Call {
            wire: Wire::Anthropic,
            profile: None,
            facts: PathFacts::default(),
            accepted: clock::now(),
            caller: Caller::Anybody,
            parts: request.unwrap().into_parts().0,
            body: RequestBody::Recorded(ByteString::from_static("{}"), clock::now()),
            id: Uuid::from_u128(7),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let response = runtime.unwrap().block_on(run(Arc::new(shared), call));
        let status = response.status();
        drop(response);
        assert!(metrics.text().contains("lingate_panics_total 1\n"));
        assert!(record.recorder().flush(Duration::from_secs(60)));
        let reader = Reader::open(dir.path()).unwrap();
        (
            status,
            reader.get(Uuid::from_u128(7)).unwrap().unwrap().exchange,
        )
    }

    #[test]
    fn a_fault_of_ours_is_answered_and_has_its_row() {
        let (status, row) = panicking();
        assert!(status.is_server_error(), "{status}");
        let told = (row.end, row.status);
        assert_eq!(told, (Some(End::Panic), Some(status.as_u16())), "{row:?}");
        assert_eq!(row.error_kind.as_deref(), Some("server"));
        let error = row.error.unwrap_or_default();
        assert!(error.contains("a fault in the gateway"), "{error}");
    }
}
