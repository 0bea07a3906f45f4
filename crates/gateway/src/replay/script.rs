//! What a recorded exchange met, played to the exchange that is run in its place.
//!
//! Everything that lay outside the gateway, or in what it knew at the time, is decided here: whom each attempt asks, when
//! it begins, what comes back and when, and what was learnt until then. What the exchange does beyond that is a
//! departure: it is noted, and the attempt fails.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};

use http::{Response, StatusCode};
use lingate_quirk::Repair;
use lingate_route::Candidate;
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::{Instant, sleep_until};

use crate::lane::calibration::Calibration;
use crate::upstream::body::UpstreamBody;

/// The part of everybody else in one exchange.
#[derive(Default)]
pub(crate) struct Script {
    pub(super) steps: Vec<Step>,
    /// What ended it that was no attempt's fault, and when.
    pub(super) refused: Option<(Instant, Failure)>,
    pub(super) limited_s: Option<u64>,
    /// The client left, so what was still to come is not known.
    pub(super) is_open_ended: bool,
    pub(super) departure: OnceLock<String>,
}

/// One attempt as it was made.
pub(crate) struct Step {
    pub candidate: Candidate,
    /// The place of the key that was shown among its provider's.
    pub key: usize,
    /// What the upstream was known to need.
    pub repairs: Vec<Repair>,
    /// The conversation was known to have moved here.
    pub is_moved: bool,
    /// From input tokens as estimated by bytes to the number that was told.
    pub(super) ratio: Option<f64>,
    /// When it was begun.
    pub(super) started: Instant,
    /// When its request went out; limits on waiting begin there.
    pub(super) sent: Instant,
    pub(super) reply: Mutex<Played>,
    /// A head came.
    pub(super) has_head: bool,
    /// The end of the body was seen, whole or broken.
    pub(super) has_end: bool,
}

/// What came back.
pub(crate) enum Played {
    /// A reply, from this instant on.
    Reply(Instant, Box<Response<UpstreamBody>>),
    /// Nothing but a failure of the way there.
    Fault(Instant, Failure),
    /// Nothing, as long as anybody waited.
    Silence,
    /// It was given out.
    Gone,
}

impl Script {
    /// Attempt `number`, from 1.
    pub(crate) fn step(&self, number: u32) -> Option<&Step> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.steps.get(index)
    }

    /// All attempts, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    /// Adds those who were asked and would not be considered today.
    pub(crate) fn complete(&self, candidates: &mut Vec<Candidate>) {
        for step in &self.steps {
            if step.place(candidates).is_none() {
                candidates.push(step.candidate.clone());
            }
        }
    }

    /// Waits for the time at which attempt `number` was begun.
    ///
    /// # Errors
    /// If it was not made: what kept it from being made, else a departure.
    pub(crate) async fn begin(&self, number: u32, asks: &str) -> Result<&Step, Failure> {
        if let Some(step) = self.step(number) {
            sleep_until(step.started).await;
            return Ok(step);
        }
        match &self.refused {
            Some((at, failure)) => {
                sleep_until(*at).await;
                Err(failure.clone())
            }
            // Its turn had not come.
            None if self.is_open_ended => std::future::pending().await,
            None => Err(self.departs(format!(
                "attempt {number} asks {asks}, and there was no such attempt"
            ))),
        }
    }

    /// Whether something other than an attempt ended it.
    pub(crate) const fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Seconds until the first limit of all was over, where that was told.
    pub(crate) const fn limited_s(&self) -> Option<u64> {
        self.limited_s
    }

    /// Waits for the time at which the request of attempt `number` went out.
    pub(crate) async fn sends(&self, number: u32) {
        if let Some(step) = self.step(number) {
            sleep_until(step.sent).await;
        }
    }

    /// What attempt `number` got, when it got it.
    pub(crate) async fn answer(&self, number: u32) -> Result<Response<UpstreamBody>, Failure> {
        let played = self.step(number).map(|step| {
            let mut reply = step.reply.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *reply, Played::Gone)
        });
        match played {
            Some(Played::Reply(at, response)) => {
                sleep_until(at).await;
                Ok(*response)
            }
            Some(Played::Fault(at, failure)) => {
                sleep_until(at).await;
                Err(failure)
            }
            Some(Played::Silence) => std::future::pending().await,
            Some(Played::Gone) | None => Err(self.departs(format!(
                "attempt {number} sends a request that was not sent"
            ))),
        }
    }

    /// How the exchange went another way than it was recorded, if it did.
    pub(crate) fn departure(&self) -> Option<String> {
        self.departure.get().cloned()
    }

    /// Notes that the exchange goes another way than it went; gives what ends it.
    pub(crate) fn departs(&self, what: String) -> Failure {
        let what = self.departure.get_or_init(|| what);
        Failure::new(FailureKind::Server, format!("not as recorded: {what}"))
    }
}

impl Step {
    /// Its place among candidates. One whose entry in the configuration is gone counts as any of its provider and model.
    pub(crate) fn place(&self, candidates: &[Candidate]) -> Option<usize> {
        let own = &self.candidate;
        let is_alike =
            |other: &Candidate| other.provider == own.provider && other.model == own.model;
        let is_same = |other: &Candidate| is_alike(other) && other.target == own.target;
        let place = candidates.iter().position(is_same);
        place.or_else(|| candidates.iter().position(is_alike))
    }

    /// Whether a head came, so that no limit ended the wait for one.
    pub(crate) const fn has_head(&self) -> bool {
        self.has_head
    }

    /// Whether the reply was read to its end, so that no limit ended it.
    pub(crate) const fn has_end(&self) -> bool {
        self.has_end
    }

    /// Has its input estimated as it was.
    pub(crate) fn teach(&self, calibration: &Calibration, provider: &str, model: &str) {
        if let Some(ratio) = self.ratio {
            calibration.bytes.set(provider, model, ratio);
        }
    }
}

/// A reply that came at an instant.
pub(super) fn reply(
    at: Instant,
    status: StatusCode,
    headers: http::HeaderMap,
    body: crate::upstream::played::PlayedBody,
) -> Played {
    let mut response = Response::new(UpstreamBody::Played(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Played::Reply(at, Box::new(response))
}

/// Pieces of a body by where they end and when they came.
pub(super) fn pieces(
    body: &bytes::Bytes,
    arrivals: impl IntoIterator<Item = (usize, Instant)>,
    otherwise: Instant,
) -> VecDeque<(Instant, bytes::Bytes)> {
    let mut all = VecDeque::new();
    let (mut from, mut last) = (0, otherwise);
    for (end, at) in arrivals {
        let end = end.min(body.len());
        if end > from {
            all.push_back((at, body.slice(from..end)));
            (from, last) = (end, at);
        }
    }
    if from < body.len() {
        all.push_back((last, body.slice(from..)));
    }
    all
}
