//! The metrics of one provider, looked up once: what an exchange counts at its end is then free of hashing.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;
use lingate_wire::turn::Usage;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::gaps::GapHistogram;
use super::{
    AttemptLabels, Metrics, ProviderLabels, RequestLabels, StepLabels, StopLabels, TokenLabels,
};

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
    id: String,
    pub duration: Histogram,
    pub ttft: Histogram,
    pub attempt_duration: Histogram,
    pub output_rate: Histogram,
    pub gaps: GapHistogram,
    pub losses: Counter,
    pub cost: Counter,
    tokens: [Counter; KINDS.len()],
    attempts: [Counter; OUTCOMES.len()],
    requests: Ready<RequestKind>,
    stops: Ready<&'static str>,
}

/// What exchanges at one provider are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestKind {
    pub client_wire: &'static str,
    pub upstream_wire: &'static str,
    pub lane: &'static str,
    pub outcome: &'static str,
}

/// Counters of further labels, each looked up once. Few occur, so that one after the other is asked.
pub(super) struct Ready<K>(RwLock<Vec<(K, Counter)>>);

impl<K: Copy + PartialEq> Ready<K> {
    pub(super) const fn new() -> Self {
        Self(RwLock::new(Vec::new()))
    }

    fn inc(&self, key: K, look_up: impl FnOnce() -> Counter) {
        let Self(all) = self;
        let known = all.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = known.iter().find(|(own, _)| *own == key) {
            counter.inc();
            return;
        }
        drop(known);
        let counter = look_up();
        counter.inc();
        let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have looked it up meanwhile: to the same counter.
        if all.iter().all(|(own, _)| *own != key) {
            all.push((key, counter));
        }
    }
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
            requests: Ready::new(),
            stops: Ready::new(),
            id: id.to_owned(),
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

    /// An exchange ended whose last attempt was made here.
    pub(crate) fn count_request(&self, metrics: &Metrics, kind: RequestKind) {
        self.requests.inc(kind, || {
            let labels = RequestLabels {
                client_wire: kind.client_wire,
                upstream_wire: kind.upstream_wire,
                lane: kind.lane,
                provider: self.id.clone(),
                outcome: kind.outcome,
            };
            metrics.requests.get_or_create(&labels).clone()
        });
    }

    /// A reply ended for this reason.
    pub(crate) fn count_stop(&self, metrics: &Metrics, reason: &'static str) {
        self.stops.inc(reason, || {
            let provider = self.id.clone();
            let labels = StopLabels { provider, reason };
            metrics.stops.get_or_create(&labels).clone()
        });
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
    /// A name led on by this step.
    pub(crate) fn count_step(&self, step: &'static str) {
        self.steps.inc(step, || {
            self.routed.get_or_create(&StepLabels { step }).clone()
        });
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_look_up_at_once_is_held_once() {
        let ready = Ready::new();
        let counter = Counter::default();
        ready.inc("key", || {
            ready.inc("key", || counter.clone());
            counter.clone()
        });
        ready.inc("key", || unreachable!("it is held"));
        assert_eq!((ready.0.read().unwrap().len(), counter.get()), (1, 3));
    }

    #[test]
    fn what_is_held_ready_counts_where_it_belongs() {
        let metrics = Metrics::new();
        let kind = |lane, outcome| RequestKind {
            client_wire: "chat",
            upstream_wire: "chat",
            lane,
            outcome,
        };
        let counted = [
            ("one", kind("translated", "2xx"), "end"),
            ("one", kind("translated", "2xx"), "end"),
            ("one", kind("translated", "4xx"), "length"),
            ("one", kind("passthrough", "2xx"), "end"),
            ("two", kind("translated", "2xx"), "end"),
        ];
        for (provider, kind, stop) in counted {
            let own = metrics.provider(provider);
            own.count_request(&metrics, kind);
            own.count_stop(&metrics, stop);
            metrics.count_step(stop);
        }
        let steps = |step| metrics.routed.get_or_create(&StepLabels { step }).get();
        assert_eq!((steps("end"), steps("length"), steps("x")), (4, 1, 0));
        let requests = |provider: &str, kind: RequestKind| {
            let labels = RequestLabels {
                client_wire: kind.client_wire,
                upstream_wire: kind.upstream_wire,
                lane: kind.lane,
                provider: provider.to_owned(),
                outcome: kind.outcome,
            };
            metrics.requests.get_or_create(&labels).get()
        };
        let stops = |provider: &str, reason| {
            let provider = provider.to_owned();
            let labels = StopLabels { provider, reason };
            metrics.stops.get_or_create(&labels).get()
        };
        assert_eq!(requests("one", kind("translated", "2xx")), 2);
        assert_eq!(requests("one", kind("translated", "4xx")), 1);
        assert_eq!(requests("one", kind("passthrough", "2xx")), 1);
        assert_eq!(requests("two", kind("translated", "2xx")), 1);
        assert_eq!(requests("two", kind("translated", "4xx")), 0);
        assert_eq!((stops("one", "end"), stops("one", "length")), (3, 1));
        assert_eq!((stops("two", "end"), stops("two", "length")), (1, 0));
    }
}
