//! Where a request goes, and why: names, targets left out or alone, moves from one to another.

use std::time::Duration;

use lingate_route::{Fitting, LeftOut};

use super::Draft;
use crate::metrics::{FailoverLabels, UnfitLabels};

impl Draft {
    /// Where the request goes, and who is left out because they cannot take it.
    pub(crate) fn routed(&self, fitting: &Fitting) {
        let steps = &fitting.resolution.steps;
        for step in steps {
            self.metrics.count_step(step.name());
        }
        for LeftOut { candidate, unfit } in &fitting.left_out {
            let target = format!("{}/{}", candidate.provider, candidate.model);
            tracing::info!(
                exchange.id = %self.id,
                target,
                reason = unfit.name(),
                "left out {target}: {unfit}",
            );
            let labels = UnfitLabels {
                provider: candidate.provider.to_string(),
                reason: unfit.name(),
            };
            self.metrics.left_out.get_or_create(&labels).inc();
        }
        // A name that stands for itself needs no explanation.
        if steps.iter().any(|step| step.destination().is_some()) {
            let mut details = self.details();
            if !details.route.is_empty() {
                details.route.push_str(", ");
            }
            details.route.push_str(&fitting.resolution.why());
        }
    }

    /// A target is left alone for the reason given, for this long yet.
    pub(crate) fn skipped(&self, target: &str, reason: &'static str, wait: Duration) {
        tracing::info!(
            exchange.id = %self.id,
            target,
            reason,
            wait_s = wait.as_secs(),
            "skipped {target}: {reason}",
        );
    }

    /// No target is well: this one is asked once anyway.
    pub(crate) fn last_resort(&self, target: &str) {
        tracing::info!(exchange.id = %self.id, target, "no target is well; {target} is asked anyway");
    }

    /// The session goes on at another target, which does not hold the prompt cache of the one before.
    pub(crate) fn moved(&self, from: &str, to: &str, reason: &'static str, tokens: u64) {
        tracing::info!(
            exchange.id = %self.id,
            from,
            to,
            reason,
            tokens.cached = tokens,
            "session moves from {from} to {to}: {reason}",
        );
    }

    /// Another key or target is asked after a failure of the class given.
    pub(crate) fn failed_over(&self, reason: &'static str, to: &str) {
        tracing::info!(exchange.id = %self.id, reason, "going on at {to}: {reason}");
        self.because(reason);
        let labels = FailoverLabels { reason };
        self.metrics.failovers.get_or_create(&labels).inc();
    }
}
