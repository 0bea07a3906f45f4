//! A recorded exchange, read whole, and the script that it makes.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lingate_config::Config;
use lingate_quirk::Repair;
use lingate_route::{Candidate, TargetRef};
use lingate_store::{
    self as store, Arrival, Attempt, BodyKind, Details, End, Exchange, Fault, Kept, Met, Reader,
    Record,
};
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::Instant;
use uuid::Uuid;

use super::Reason;
use super::script::{Played, Script, Step, pieces, reply};
use crate::upstream::played::{PlayedBody, PlayedEnd};

/// An exchange as the record holds it, with its bodies.
pub struct Recorded {
    pub(super) exchange: Exchange,
    pub(super) details: Details,
    pub(super) request: Bytes,
    pub(super) answer: Bytes,
    pub(super) arrivals: Vec<Arrival>,
    replies: HashMap<u16, (Bytes, Vec<Arrival>)>,
}

impl Recorded {
    /// Reads an exchange; `None` if there is none of this id.
    ///
    /// # Errors
    /// The record cannot be read, or is damaged.
    pub fn read(reader: &Reader, id: Uuid) -> Result<Option<Result<Self, Reason>>, store::Error> {
        let Some(Record {
            exchange, details, ..
        }) = reader.get(id)?
        else {
            return Ok(None);
        };
        if let Some(reason) = unfit(&exchange, &details) {
            return Ok(Some(Err(reason)));
        }
        let body = |kind, attempt| reader.body(id, kind, attempt);
        let Some(request) = body(BodyKind::ClientRequest, None)? else {
            return Ok(Some(Err(Reason::NotKept)));
        };
        let answer = body(BodyKind::ClientResponse, None)?;
        // Who leaves before the answer begins leaves none.
        if answer.is_none() && !is_open_ended(&exchange) {
            return Ok(Some(Err(Reason::NotKept)));
        }
        let mut replies = HashMap::new();
        for attempt in &details.attempts {
            if attempt.status.is_none() {
                continue;
            }
            match body(BodyKind::ProviderResponse, Some(attempt.number))? {
                Some(kept) => replies.insert(attempt.number, (kept.bytes.into(), kept.arrivals)),
                None => return Ok(Some(Err(Reason::NotKept))),
            };
        }
        let (answer, arrivals) = answer.map_or_else(Default::default, |kept| {
            (Bytes::from(kept.bytes), kept.arrivals)
        });
        Ok(Some(Ok(Self {
            request: request.bytes.into(),
            exchange,
            details,
            answer,
            arrivals,
            replies,
        })))
    }

    /// Its row.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Whether the answer broke off with its client, so that only its beginning tells.
    pub(super) fn is_open_ended(&self) -> bool {
        is_open_ended(&self.exchange)
    }

    /// A moment of it, in microseconds since accept.
    pub(super) fn mark(&self, what: &str) -> Option<u64> {
        let mut marks = self.details.timings.iter();
        marks.find(|mark| mark.what == what).map(|mark| mark.at_us)
    }

    /// The client's headers that were kept.
    pub(super) fn request_headers(&self) -> HeaderMap {
        headers(&self.details.client_request_headers)
    }

    /// What it met, for an exchange that is accepted at this instant.
    ///
    /// # Errors
    /// If the configuration has no longer what it takes.
    pub(super) fn script(&self, config: &Config, accepted: Instant) -> Result<Script, Reason> {
        let stood = &self.details.stood;
        let steps = self.details.attempts.iter();
        let steps = steps.map(|attempt| self.step(attempt, config, accepted));
        Ok(Script {
            steps: steps.collect::<Result<_, _>>()?,
            refused: (stood.refused.as_ref())
                .map(|fault| (after(accepted, fault.at_us), failure(fault))),
            limited_s: stood.limited_s,
            is_open_ended: self.is_open_ended(),
            departure: OnceLock::new(),
        })
    }

    fn step(&self, attempt: &Attempt, config: &Config, accepted: Instant) -> Result<Step, Reason> {
        let provider = config.provider(&attempt.provider);
        let provider = provider
            .filter(|provider| provider.enabled)
            .ok_or_else(|| Reason::Provider(attempt.provider.to_string()))?;
        let client = self.exchange.client_wire;
        let wire = client.map(|wire| provider.wire_for(wire).name());
        if wire != Some(attempt.wire.as_str()) {
            return Err(Reason::Wire {
                provider: attempt.provider.to_string(),
                then: attempt.wire.to_string(),
                now: wire.unwrap_or_default().to_owned(),
            });
        }
        let key = match &attempt.key {
            None => 0,
            Some(label) => (provider.keys.iter())
                .position(|key| key.label == *label)
                .ok_or_else(|| Reason::Key(label.clone()))?,
        };
        let mut met = self.details.stood.attempts.iter();
        let met = met.rfind(|met| met.attempt <= attempt.number).cloned();
        let met = met.unwrap_or_default();
        let is_own = met.attempt == attempt.number;
        let bare = attempt.model.strip_suffix(provider.model_suffix.as_str());
        let model = met.model.clone().or_else(|| bare.map(str::to_owned));
        Ok(Step {
            candidate: Candidate {
                provider: attempt.provider.as_str().into(),
                model: model.as_deref().unwrap_or(&attempt.model).into(),
                weight: 1,
                target: met.target.as_ref().map(|target| TargetRef {
                    profile: target.profile.clone(),
                    model: target.model.as_str().into(),
                    index: target.index,
                }),
            },
            key,
            repairs: met.repairs.iter().filter_map(|name| repair(name)).collect(),
            is_moved: met.moved,
            ratio: met.estimate.map(|(raw, told)| ratio(raw, told)),
            has_head: attempt.status.is_some(),
            has_end: is_own && (met.end_us.is_some() || met.fault.is_some()),
            started: after(accepted, attempt.started_us),
            sent: after(accepted, met.sent_us.filter(|_| is_own).unwrap_or_default()),
            reply: Mutex::new(self.played(attempt, is_own.then_some(&met), accepted)),
        })
    }

    fn played(&self, attempt: &Attempt, met: Option<&Met>, accepted: Instant) -> Played {
        let fault = met.and_then(|met| met.fault.as_ref());
        let status = attempt
            .status
            .and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status else {
            return fault.map_or(Played::Silence, |fault| {
                Played::Fault(after(accepted, fault.at_us), failure(fault))
            });
        };
        let mut headers = headers(&attempt.response_headers);
        if let Some(to) = met.and_then(|met| HeaderValue::from_str(met.location.as_ref()?).ok()) {
            headers.insert(http::header::LOCATION, to);
        }
        let (bytes, arrivals) = self
            .replies
            .get(&attempt.number)
            .cloned()
            .unwrap_or_default();
        let first = arrivals.first().map(|first| first.at_us);
        let head = met.and_then(|met| met.head_us).or(first);
        let head = after(accepted, head.unwrap_or(attempt.started_us));
        let arrivals = arrivals.iter().map(|arrival| {
            let end = usize::try_from(arrival.end).unwrap_or(usize::MAX);
            (end, after(accepted, arrival.at_us))
        });
        let pieces = pieces(&bytes, arrivals, head);
        let last = pieces.back().map_or(head, |(at, _)| *at);
        let end = match (fault, met.map(|met| met.end_us)) {
            (Some(fault), _) => PlayedEnd::Broken(after(accepted, fault.at_us), failure(fault)),
            (None, Some(Some(at))) => PlayedEnd::Whole(after(accepted, at)),
            (None, Some(None)) => PlayedEnd::Unseen,
            // Older records do not say.
            (None, None) => PlayedEnd::Whole(last),
        };
        reply(head, status, headers, PlayedBody::new(pieces, end))
    }
}

/// Why an exchange cannot be run again, as its row tells.
fn unfit(exchange: &Exchange, details: &Details) -> Option<Reason> {
    let is_count = ["/count_tokens", ":countTokens"];
    if is_count.iter().any(|end| exchange.path.ends_with(end)) {
        return Some(Reason::Count);
    }
    let Some(end) = exchange.end else {
        return Some(Reason::Running);
    };
    if end == End::Killed {
        return Some(Reason::Killed);
    }
    if exchange.kept != Kept::All {
        return Some(Reason::NotKept);
    }
    let mut marks = details.timings.iter();
    if marks.any(|mark| mark.what.contains("_cut ")) {
        return Some(Reason::NotWhole);
    }
    let mut marks = details.timings.iter();
    if !marks.any(|mark| mark.what == "body_read") {
        return Some(Reason::NoRequest);
    }
    None
}

/// Whether the answer ended with something that no replay sees.
fn is_open_ended(exchange: &Exchange) -> bool {
    matches!(exchange.end, Some(End::ClientGone | End::Shutdown))
}

fn headers(kept: &[store::Header]) -> HeaderMap {
    let pairs = kept.iter().filter_map(|store::Header(name, value)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        Some((name, HeaderValue::try_from(value.as_str()).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

fn after(accepted: Instant, us: u64) -> Instant {
    let at = accepted.checked_add(Duration::from_micros(us));
    at.unwrap_or(accepted)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "token counts are far below 2^52"
)]
fn ratio(raw: u64, told: u64) -> f64 {
    told as f64 / raw.max(1) as f64
}

fn failure(fault: &Fault) -> Failure {
    let kind = (KINDS.into_iter()).find(|kind| kind.name() == fault.kind);
    let mut failure = Failure::new(kind.unwrap_or(FailureKind::Server), fault.message.clone());
    failure.upstream_status = fault.status;
    failure.retry_after = fault.retry_after;
    failure.should_retry = fault.should_retry;
    failure
}

/// Every kind that the state of things can raise.
const KINDS: [FailureKind; 25] = [
    FailureKind::InvalidRequest,
    FailureKind::Authentication,
    FailureKind::Permission,
    FailureKind::Billing,
    FailureKind::Budget,
    FailureKind::Loop,
    FailureKind::NotFound,
    FailureKind::UnknownPath,
    FailureKind::MethodNotAllowed,
    FailureKind::UnsupportedMediaType,
    FailureKind::MisdirectedRequest,
    FailureKind::Conflict,
    FailureKind::RequestTimeout,
    FailureKind::TooLarge,
    FailureKind::HeadTooLarge,
    FailureKind::ContextOverflow {
        tokens: None,
        maximum: None,
    },
    FailureKind::RateLimit,
    FailureKind::Overloaded,
    FailureKind::Timeout,
    FailureKind::Server,
    FailureKind::UpstreamCredential,
    FailureKind::Truncated,
    FailureKind::Malformed,
    FailureKind::EmptyReply,
    FailureKind::BrokenToolCall,
];

/// A repair as the record names it.
pub(crate) fn named(repair: Repair) -> String {
    match repair {
        Repair::ReasoningPlaceholder => "reasoning_placeholder".to_owned(),
        Repair::OutputLimit(tokens) => format!("output_limit:{tokens}"),
        Repair::ModelOutputLimit(tokens) => format!("model_output_limit:{tokens}"),
        Repair::Thinking => "thinking".to_owned(),
        Repair::NoThinking => "no_thinking".to_owned(),
    }
}

fn repair(name: &str) -> Option<Repair> {
    let (name, number) = match name.split_once(':') {
        Some((name, number)) => (name, number.parse().ok()),
        None => (name, None),
    };
    match name {
        "reasoning_placeholder" => Some(Repair::ReasoningPlaceholder),
        "output_limit" => number.map(Repair::OutputLimit),
        "model_output_limit" => number.map(Repair::ModelOutputLimit),
        "thinking" => Some(Repair::Thinking),
        "no_thinking" => Some(Repair::NoThinking),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_read_as_they_are_named() {
        for known in [
            Repair::ReasoningPlaceholder,
            Repair::OutputLimit(8192),
            Repair::ModelOutputLimit(4096),
            Repair::Thinking,
            Repair::NoThinking,
        ] {
            assert_eq!(repair(&named(known)), Some(known), "{known:?}");
        }
        assert_eq!(repair("of_tomorrow"), None);
        assert_eq!(repair("output_limit"), None);
    }

    #[test]
    fn every_kind_of_failure_comes_back() {
        for kind in KINDS {
            let fault = Fault {
                kind: kind.name().to_owned(),
                message: "said".to_owned(),
                retry_after: Some(7),
                ..Fault::default()
            };
            let failure = failure(&fault);
            assert_eq!(failure.kind, kind);
            assert_eq!(failure.retry_after, Some(7));
        }
        // Does not compile when there is a kind more.
        let place = |kind: FailureKind| match kind {
            FailureKind::InvalidRequest
            | FailureKind::Authentication
            | FailureKind::Permission
            | FailureKind::Billing
            | FailureKind::Budget
            | FailureKind::Loop
            | FailureKind::NotFound
            | FailureKind::UnknownPath
            | FailureKind::MethodNotAllowed
            | FailureKind::UnsupportedMediaType
            | FailureKind::MisdirectedRequest
            | FailureKind::Conflict
            | FailureKind::RequestTimeout
            | FailureKind::TooLarge
            | FailureKind::HeadTooLarge
            | FailureKind::ContextOverflow { .. }
            | FailureKind::RateLimit
            | FailureKind::Overloaded
            | FailureKind::Timeout
            | FailureKind::Server
            | FailureKind::UpstreamCredential
            | FailureKind::Truncated
            | FailureKind::Malformed
            | FailureKind::EmptyReply
            | FailureKind::BrokenToolCall => KINDS.iter().position(|own| *own == kind),
        };
        assert!(KINDS.into_iter().all(|kind| place(kind).is_some()));
    }
}
