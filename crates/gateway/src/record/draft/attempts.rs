//! Attempts: each begins, is translated and sent, and ends once, with a log line of its own if it failed.

use lingate_quirk::Change;
use lingate_store::{Attempt, SmolStr};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;
use lingate_wire::turn::{Event, Failure, Losses};

use super::{AttemptEnd, Details, Draft};
use crate::clock;
use crate::metrics::{FailureLabels, ProviderLabels};
use crate::relay::chain::Tally;
use crate::relay::witness::told;

impl Draft {
    /// An attempt begins. Returns its number, from 1.
    pub(crate) fn attempt(&self, provider: &str, model: &str, wire: Wire, lane: Lane) -> u32 {
        let mut details = self.details();
        if details.provider != provider {
            provider.clone_into(&mut details.provider);
            details.series = None;
        }
        model.clone_into(&mut details.upstream_model);
        details.upstream_wire = Some(wire);
        details.lane = Some(lane);
        details.attempts += 1;
        details.is_attempting = true;
        details.attempt_began = Some(clock::now());
        details.observation = None;
        let number = details.attempts;
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt(Attempt {
                number: u16::try_from(number).unwrap_or(u16::MAX),
                provider: provider.into(),
                model: model.into(),
                wire: SmolStr::new_static(wire.name()),
                lane: SmolStr::new_static(lane.name()),
                ..Attempt::default()
            });
        }
        number
    }

    /// The attempt's request is ready to go out.
    pub(crate) fn translated(&self, quirks: &[&'static str], changes: Vec<Change>, losses: Losses) {
        let mut details = self.details();
        if let Some(gathered) = &mut details.gathered {
            gathered.translated(quirks, changes);
        }
        details.quirks = quirks.iter().map(|&name| name.to_owned()).collect();
        details.losses = losses;
        if details.overhead.is_none() {
            details.overhead = Some(clock::now() - self.accepted);
        }
    }

    /// The attempt's request goes out once more, for this reason: an attempt of its own.
    pub(crate) fn attempt_again(&self, reason: &str) {
        let mut details = self.details();
        details.attempts += 1;
        details.is_attempting = true;
        details.attempt_began = Some(clock::now());
        let number = u16::try_from(details.attempts).unwrap_or(u16::MAX);
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt_again(number, reason);
        }
    }

    /// The kept connection that the attempt's request went out over was being closed: it went out once more.
    pub(crate) fn sent_again(&self) {
        let mut details = self.details();
        tracing::debug!(
            exchange.id = %self.id,
            attempt.n = details.attempts,
            provider.id = %details.provider,
            "a kept connection to {} was closed; the request goes out over a new one",
            details.provider,
        );
        let provider = details.provider.clone();
        let labels = ProviderLabels { provider };
        self.metrics.resends.get_or_create(&labels).inc();
        if let Some(gathered) = &mut details.gathered {
            gathered.mark("sent_again");
        }
    }

    /// A quirk made a reply of what the provider said in a failure.
    pub(crate) fn recovered(&self, quirk: &str, words: &str, reply: &[Event]) {
        let mut details = self.details();
        details.quirks.push(quirk.to_owned());
        if let Some(gathered) = &mut details.gathered {
            gathered.recovered(quirk, words, &told(reply));
        }
    }

    /// An attempt ended; a failed one gets its own log line.
    pub(crate) fn attempt_ended(&self, end: AttemptEnd, failure: Option<&Failure>) {
        let mut details = self.details();
        if let Some(failure) = failure {
            tracing::warn!(
                exchange.id = %self.id,
                attempt.n = details.attempts,
                provider.id = %details.provider,
                upstream.model = %details.upstream_model,
                upstream.status = failure.upstream_status,
                reason = ?failure.kind,
                "attempt {} at {} failed: {}",
                details.attempts,
                details.provider,
                failure.message,
            );
            let labels = FailureLabels {
                provider: details.provider.clone(),
                reason: failure.kind.name(),
            };
            self.metrics.failures.get_or_create(&labels).inc();
        }
        let outcome = match end {
            AttemptEnd::Served => "served",
            AttemptEnd::Failed => "failed",
            AttemptEnd::Aborted => "aborted",
        };
        self.count_attempt(&mut details, outcome);
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt_ended(outcome, failure.map(|failure| &*failure.message));
        }
        if end == AttemptEnd::Failed {
            self.spend(&mut details);
        }
    }

    /// An attempt's reply is complete, and another attempt continues it for the reason given. What it used counts.
    pub(crate) fn attempt_went_on(&self, reason: &'static str, tally: &Tally) {
        self.tally(tally);
        let mut details = self.details();
        tracing::info!(
            exchange.id = %self.id,
            attempt.n = details.attempts,
            provider.id = %details.provider,
            upstream.model = %details.upstream_model,
            tokens.output = details.usage.output,
            reason,
            "attempt {} at {} goes on: {reason}",
            details.attempts,
            details.provider,
        );
        self.spend(&mut details);
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt_ended("continued", Some(reason));
            gathered.because(reason);
        }
        self.count_attempt(&mut details, "continued");
    }

    fn count_attempt(&self, details: &mut Details, outcome: &str) {
        details.is_attempting = false;
        let began = details.attempt_began.take();
        let own = self.series(details);
        own.count_attempt(outcome);
        if let Some(began) = began {
            let time = clock::now() - began;
            own.attempt_duration.observe(time.as_secs_f64());
        }
    }
}
