//! One exchange, run on virtual time.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use lingate_config::Config;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::recorded::Recorded;
use super::{Answer, Outcome, Reason, Replayed};
use crate::clock;
use crate::exchange::run::{self, Call, RequestBody};
use crate::front::keys::Caller;
use crate::front::respond::Body;
use crate::front::route::{Route, matched};
use crate::record::allowed;
use crate::shared::Shared;

/// An exchange that runs longer than this does not end.
const MOST_TIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Timers go by milliseconds, so what is left to be read when a client left may come that much later.
const SLACK: Duration = Duration::from_millis(50);
/// An answer that is longer than the recorded one by this is no longer read.
const MOST_BEYOND: usize = 64 * 1024;

/// How the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Whatever there is.
    Eager,
    /// Each piece when it was read then.
    Recorded,
}

/// What an exchange came to.
pub(super) struct Performed {
    pub answer: Answer,
    /// How it went another way than it was recorded.
    pub departure: Option<String>,
}

impl Performed {
    pub(super) fn into_replayed(self, outcome: Outcome) -> Replayed {
        Replayed {
            outcome,
            answer: self.answer,
        }
    }
}

/// Runs a recorded exchange.
pub(super) async fn perform(
    config: &Arc<Config>,
    recorded: &Recorded,
    pace: Pace,
) -> Result<Performed, Reason> {
    let accepted = clock::now();
    let script = recorded.script(config, accepted)?;
    let call = call(config, recorded, accepted)?;
    let shared = Arc::new(Shared::replaying(Arc::clone(config), script));
    let until = match recorded.is_open_ended() {
        true => {
            let left = recorded.mark("last_byte").unwrap_or_default();
            accepted + Duration::from_micros(left) + SLACK
        }
        false => accepted + MOST_TIME,
    };
    let mut answer = Answer::default();
    let response = timeout_at(until, run::run(Arc::clone(&shared), call)).await;
    let is_over = match response {
        Ok(response) => {
            answer.status = Some(response.status().as_u16());
            answer.headers = allowed(response.headers());
            read(
                response.into_body(),
                &mut answer.body,
                recorded,
                pace,
                accepted,
                until,
            )
            .await
        }
        Err(_elapsed) => false,
    };
    if !is_over && !recorded.is_open_ended() {
        return Err(Reason::Endless);
    }
    let departure = shared.script.as_ref().and_then(|script| script.departure());
    Ok(Performed { answer, departure })
}

/// The recorded request, as it comes in anew.
fn call(config: &Config, recorded: &Recorded, accepted: Instant) -> Result<Call, Reason> {
    let row = &recorded.exchange;
    let path = || Reason::Path(row.path.clone());
    let found = matched(&row.path, |_| false);
    let Some(Route::Reply(wire)) = found.route else {
        return Err(path());
    };
    let caller = match &row.key {
        None => Caller::Anybody,
        Some(name) => {
            let key = config.keys.iter().find(|key| key.name == *name);
            let key = key.ok_or_else(|| Reason::ClientKey(name.clone()))?;
            Caller::Key(Box::new(key.clone()))
        }
    };
    let uri = match &recorded.details.stood.query {
        Some(query) => format!("{}?{query}", row.path),
        None => row.path.clone(),
    };
    let request = Request::builder().method(Method::POST).uri(uri).body(());
    let (mut parts, ()) = request.map_err(|_| path())?.into_parts();
    parts.headers = recorded.request_headers();
    let body = ByteString::try_from(recorded.request.clone()).map_err(|_| Reason::NoRequest)?;
    let read = recorded.mark("body_read").unwrap_or_default();
    Ok(Call {
        wire,
        profile: row.profile.clone(),
        facts: found.facts,
        accepted,
        caller,
        parts,
        body: RequestBody::Recorded(body, accepted + Duration::from_micros(read)),
        id: row.id,
    })
}

/// Reads an answer to its end, or as far as it is of interest. Tells whether that was it.
async fn read(
    mut body: Body,
    out: &mut Vec<u8>,
    recorded: &Recorded,
    pace: Pace,
    accepted: Instant,
    until: Instant,
) -> bool {
    let mut arrivals = recorded.arrivals.iter().peekable();
    loop {
        if pace == Pace::Recorded {
            let read = out.len() as u64;
            while arrivals.next_if(|arrival| arrival.end <= read).is_some() {}
            if let Some(next) = arrivals.peek() {
                sleep_until(accepted + Duration::from_micros(next.at_us)).await;
            }
        }
        match timeout_at(until, body.frame()).await {
            Err(_elapsed) => return false,
            // Answers of ours cannot fail.
            Ok(None | Some(Err(_))) => return true,
            Ok(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    out.extend_from_slice(bytes);
                }
            }
        }
        if out.len() > recorded.answer.len() + MOST_BEYOND {
            return true;
        }
    }
}
