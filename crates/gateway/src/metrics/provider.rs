//! The metrics of one provider, looked up once: what an exchange counts at its end is then free of hashing.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use lingate_wire::turn::Usage;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::gaps::GapHistogram;
use super::{AttemptLabels, Metrics, ProviderLabels, TokenLabels};

/// How attempts end.
const OUTCOMES: [&str; 4] = ["served", "failed", "continued", "aborted"];
/// What tokens are told apart by, in the order of [`counts`].
const KINDS: [&str; 6] = [
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
];

/// What is counted for one provider.
pub(crate) struct ProviderMetrics {
    pub duration: Histogram,
    pub ttft: Histogram,
    pub attempt_duration: Histogram,
    pub output_rate: Histogram,
    pub gaps: GapHistogram,
    pub losses: Counter,
    pub cost: Counter,
    tokens: [Counter; KINDS.len()],
    attempts: [Counter; OUTCOMES.len()],
}

impl ProviderMetrics {
    fn of(metrics: &Metrics, id: &str) -> Self {
        let labels = ProviderLabels {
            provider: id.to_owned(),
        };
        let tokens = KINDS.map(|kind| {
            let provider = id.to_owned();
            let counter = metrics
                .tokens
                .get_or_create(&TokenLabels { provider, kind });
            counter.clone()
        });
        let attempts = OUTCOMES.map(|outcome| {
            let provider = id.to_owned();
            let labels = AttemptLabels { provider, outcome };
            metrics.attempts.get_or_create(&labels).clone()
        });
        Self {
            duration: metrics.duration.get_or_create(&labels).clone(),
            ttft: metrics.ttft.get_or_create(&labels).clone(),
            attempt_duration: metrics.attempt_duration.get_or_create(&labels).clone(),
            output_rate: metrics.output_rate.get_or_create(&labels).clone(),
            gaps: metrics.gaps.get_or_create(&labels).clone(),
            losses: metrics.losses.get_or_create(&labels).clone(),
            cost: metrics.cost.get_or_create(&labels).clone(),
            tokens,
            attempts,
        }
    }

    /// Tokens as an upstream told them.
    pub(crate) fn count_tokens(&self, usage: &Usage) {
        for (counter, count) in self.tokens.iter().zip(counts(usage)) {
            if let Some(count) = count {
                counter.inc_by(count);
            }
        }
    }

    /// An attempt ended in this way.
    pub(crate) fn count_attempt(&self, outcome: &str) {
        let mut all = OUTCOMES.iter().zip(&self.attempts);
        if let Some((_, counter)) = all.find(|(own, _)| **own == outcome) {
            counter.inc();
        }
    }
}

const fn counts(usage: &Usage) -> [Option<u64>; KINDS.len()] {
    [
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
    ]
}

/// Those of all providers that were asked. Ids are configured, so that there are few.
#[derive(Default)]
pub(super) struct Providers(RwLock<HashMap<String, Arc<ProviderMetrics>>>);

impl Metrics {
    /// The metrics of a provider.
    pub(crate) fn provider(&self, id: &str) -> Arc<ProviderMetrics> {
        let Providers(all) = &self.providers;
        if let Some(own) = all.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Arc::clone(own);
        }
        let own = Arc::new(ProviderMetrics::of(self, id));
        let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(id.to_owned()).or_insert(own))
    }
}
