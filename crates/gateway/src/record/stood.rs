//! What a replay has to know of an exchange besides its bodies (`store::Stood`), gathered as it happens.

use http::HeaderMap;
use http::header::LOCATION;
use lingate_route::Candidate;
use lingate_store::{Fault, Met, MetTarget};
use lingate_wire::turn::Failure;

use super::gathered::Gathered;
use super::tape::BodyEnd;
use crate::exchange::upstream::Upstream;

/// Most bytes of a redirect's target that are kept.
const LONGEST_LOCATION: usize = 200;

impl Gathered {
    /// The client's query.
    pub(crate) fn queried(&mut self, query: Option<&str>) {
        self.details.stood.query = query.and_then(framing);
    }

    /// The next attempt goes to this candidate: what is known of it by now.
    pub(crate) fn goes_to(
        &mut self,
        candidate: &Candidate,
        upstream: &Upstream<'_>,
        repairs: Vec<String>,
        moved: bool,
    ) {
        let number = self.details.attempts.len() + 1;
        let is_renamed = *candidate.model != *upstream.model;
        self.details.stood.attempts.push(Met {
            attempt: u16::try_from(number).unwrap_or(u16::MAX),
            target: candidate.target.as_ref().map(|target| MetTarget {
                profile: target.profile.clone(),
                model: target.model.to_string(),
                index: target.index,
            }),
            model: is_renamed.then(|| candidate.model.to_string()),
            repairs,
            moved,
            ..Met::default()
        });
    }

    /// The same request goes out once more, as the attempt of this number.
    pub(super) fn stands_again(&mut self, attempt: u16) {
        if let Some(last) = self.details.stood.attempts.last() {
            let again = Met {
                attempt,
                target: last.target.clone(),
                model: last.model.clone(),
                repairs: last.repairs.clone(),
                moved: last.moved,
                estimate: last.estimate,
                ..Met::default()
            };
            self.details.stood.attempts.push(again);
        }
    }

    /// Input tokens as estimated by bytes alone, and with what was learnt.
    pub(crate) fn estimated(&mut self, raw: u64, told: u64) {
        self.met(|met| met.estimate = (raw.max(1) != told).then_some((raw, told)));
    }

    /// Its request begins to be sent.
    pub(crate) fn is_sending(&mut self) {
        let at = self.since_us();
        self.met(|met| met.sent_us = Some(at));
    }

    /// The reply's head is there.
    pub(crate) fn head_came(&mut self, headers: &HeaderMap) {
        let at = self.since_us();
        let location = headers.get(LOCATION).and_then(|to| to.to_str().ok());
        let location = location.and_then(|to| to.split(['?', '#']).next());
        let location = location.map(|to| to.chars().take(LONGEST_LOCATION).collect());
        self.met(|met| {
            met.head_us = Some(at);
            met.location = location;
        });
    }

    /// No head came, for a reason that no reply tells.
    pub(crate) fn no_head_came(&mut self, failure: &Failure) {
        let fault = fault(failure, self.since_us());
        self.met(|met| met.fault = Some(fault));
    }

    /// No attempt is made, or none any more, for a reason that lies with no attempt.
    pub(crate) fn refused(&mut self, failure: &Failure) {
        let at = self.since_us();
        self.details.stood.refused = Some(fault(failure, at));
    }

    /// Every target that could be asked is limited, for so many seconds yet.
    pub(crate) fn limited(&mut self, seconds: u64) {
        self.details.stood.limited_s = Some(seconds);
    }

    /// How the body of an attempt's reply ended, if anybody saw that.
    pub(super) fn body_ended(&mut self, attempt: u16, end: Option<BodyEnd>) {
        let mut all = self.details.stood.attempts.iter_mut();
        let met = all.find(|met| met.attempt == attempt);
        let (Some(met), Some(end)) = (met, end) else {
            return;
        };
        match end.failure {
            Some(failure) => met.fault = Some(fault(&failure, end.at_us)),
            None => met.end_us = Some(end.at_us),
        }
    }

    /// Changes what is known of the attempt in flight.
    fn met(&mut self, change: impl FnOnce(&mut Met)) {
        let number = self.details.attempts.last();
        let number = number.map_or(0, |attempt| attempt.number);
        let all = &mut self.details.stood.attempts;
        match all.last_mut() {
            Some(last) if last.attempt == number => change(last),
            // The same request once more, with another token.
            last => {
                let before = last.cloned().unwrap_or_default();
                let mut met = Met {
                    attempt: number,
                    sent_us: None,
                    head_us: None,
                    location: None,
                    end_us: None,
                    fault: None,
                    ..before
                };
                change(&mut met);
                all.push(met);
            }
        }
    }
}

/// The pairs of a query that decide how an answer is framed, and no others: one may hold a key.
fn framing(query: &str) -> Option<String> {
    let is_framing = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        matches!(name, "alt" | "$alt" | "%24alt" | "beta")
    };
    let pairs: Vec<&str> = query.split('&').filter(is_framing).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

fn fault(failure: &Failure, at_us: u64) -> Fault {
    Fault {
        kind: failure.kind.name().to_owned(),
        message: failure.message.clone(),
        status: failure.upstream_status,
        retry_after: failure.retry_after,
        should_retry: failure.should_retry,
        at_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_query_is_not_kept() {
        let check = |query: &str, expected: Option<&str>| {
            assert_eq!(framing(query).as_deref(), expected, "{query}");
        };
        check("key=AIzaSecret&alt=sse", Some("alt=sse"));
        check("beta=true", Some("beta=true"));
        check("%24alt=sse&beta=true", Some("%24alt=sse&beta=true"));
        check("key=alt", None);
        check("", None);
    }
}
