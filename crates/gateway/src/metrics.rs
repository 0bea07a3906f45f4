//! Prometheus metrics: the only file that names them.
//!
//! Labels are enums or configured names, never what a client or an upstream sent.

use std::fmt;

use lingate_store::Recorder;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Content type of the text that [`Metrics::text`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const SECONDS: [f64; 14] = [
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
const OVERHEAD_SECONDS: [f64; 10] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25,
];

/// One exchange, as it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub client_wire: &'static str,
    pub upstream_wire: &'static str,
    pub lane: &'static str,
    pub provider: String,
    /// `2xx`, `4xx`, `5xx`, `aborted` (the client left) or `broken` (after the commit).
    pub outcome: &'static str,
}

/// One try of one upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct AttemptLabels {
    pub provider: String,
    pub outcome: &'static str,
}

/// Another key or target, after a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FailoverLabels {
    /// The class of the failure.
    pub reason: &'static str,
}

/// A step from an asked name to its candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StepLabels {
    /// `rule`, `small`, `images`, `overflow`, `model`, `direct`, `alias` or `default`.
    pub step: &'static str,
}

/// A target that a request is kept from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct UnfitLabels {
    pub provider: String,
    /// `images`, `documents`, `tool` or `context`.
    pub reason: &'static str,
}

/// Where only so many requests may be at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct GateLabels {
    /// `provider` or `key`, for a client's.
    pub gate: &'static str,
    /// As configured.
    pub name: String,
}

/// A request that got no place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusalLabels {
    pub gate: &'static str,
    pub name: String,
    /// `full`, or `timeout` when it has waited.
    pub reason: &'static str,
}

/// Where a measurement belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ProviderLabels {
    pub provider: String,
}

/// Tokens of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TokenLabels {
    pub provider: String,
    pub kind: &'static str,
}

/// A repair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct QuirkLabels {
    pub quirk: String,
    pub provider: String,
}

/// Something odd in a reply that was dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CaseLabels {
    /// One of the names that stages give to such cases.
    pub case: &'static str,
}

/// A tool call that was held against its tool's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ToolCallLabels {
    pub provider: String,
    /// `yes`, `repaired` (mended before the client got it) or `no`.
    pub valid: &'static str,
}

/// An attempt to put another configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReloadLabels {
    /// `applied`, `unchanged` or `refused`.
    pub outcome: &'static str,
}

/// A request that is no exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    pub route: &'static str,
}

/// Every metric of the gateway.
pub(crate) struct Metrics {
    pub price_models: Gauge,
    pub cost: Family<ProviderLabels, Counter>,
    registry: Registry,
    pub requests: Family<RequestLabels, Counter>,
    pub attempts: Family<AttemptLabels, Counter>,
    pub failovers: Family<FailoverLabels, Counter>,
    pub routed: Family<StepLabels, Counter>,
    pub left_out: Family<UnfitLabels, Counter>,
    pub queue_inside: Family<GateLabels, Gauge>,
    pub queue_waiting: Family<GateLabels, Gauge>,
    pub queue_wait: Family<GateLabels, Histogram>,
    pub queue_refused: Family<RefusalLabels, Counter>,
    pub other_requests: Family<RouteLabels, Counter>,
    pub unknown_endpoints: Counter,
    pub refused_sources: Counter,
    pub panics: Counter,
    pub in_flight: Gauge,
    pub duration: Family<ProviderLabels, Histogram>,
    pub ttft: Family<ProviderLabels, Histogram>,
    pub overhead: Histogram,
    pub tokens: Family<TokenLabels, Counter>,
    pub quirk_hits: Family<QuirkLabels, Counter>,
    pub diagnostics: Family<CaseLabels, Counter>,
    pub losses: Family<ProviderLabels, Counter>,
    pub tool_calls: Family<ToolCallLabels, Counter>,
    pub reloads: Family<ReloadLabels, Counter>,
}

/// The OpenMetrics text with one empty sample of every metric, labels included: for the reference page.
#[must_use]
pub fn metrics_reference() -> String {
    let metrics = Metrics::new();
    // Every field by name, so that a new family cannot be left out: without a sample it has no line in the text.
    let Metrics {
        registry: _,
        price_models: _,
        cost,
        requests,
        attempts,
        failovers,
        routed,
        left_out,
        queue_inside,
        queue_waiting,
        queue_wait,
        queue_refused,
        other_requests,
        unknown_endpoints: _,
        refused_sources: _,
        panics: _,
        in_flight: _,
        duration,
        ttft,
        overhead: _,
        tokens,
        quirk_hits,
        diagnostics,
        losses,
        tool_calls,
        reloads,
    } = &metrics;
    drop(reloads.get_or_create(&ReloadLabels::default()));
    drop(tool_calls.get_or_create(&ToolCallLabels::default()));
    drop(requests.get_or_create(&RequestLabels::default()));
    drop(attempts.get_or_create(&AttemptLabels::default()));
    drop(failovers.get_or_create(&FailoverLabels::default()));
    drop(routed.get_or_create(&StepLabels::default()));
    drop(left_out.get_or_create(&UnfitLabels::default()));
    for gauges in [queue_inside, queue_waiting] {
        drop(gauges.get_or_create(&GateLabels::default()));
    }
    drop(queue_wait.get_or_create(&GateLabels::default()));
    drop(queue_refused.get_or_create(&RefusalLabels::default()));
    drop(other_requests.get_or_create(&RouteLabels::default()));
    for histograms in [duration, ttft] {
        drop(histograms.get_or_create(&ProviderLabels::default()));
    }
    drop(tokens.get_or_create(&TokenLabels::default()));
    drop(cost.get_or_create(&ProviderLabels::default()));
    drop(quirk_hits.get_or_create(&QuirkLabels::default()));
    drop(diagnostics.get_or_create(&CaseLabels::default()));
    drop(losses.get_or_create(&ProviderLabels::default()));
    metrics.text()
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("lingate"),
            price_models: Gauge::default(),
            cost: Family::default(),
            requests: Family::default(),
            attempts: Family::default(),
            failovers: Family::default(),
            routed: Family::default(),
            left_out: Family::default(),
            queue_inside: Family::default(),
            queue_waiting: Family::default(),
            queue_wait: Family::new_with_constructor(seconds),
            queue_refused: Family::default(),
            other_requests: Family::default(),
            unknown_endpoints: Counter::default(),
            refused_sources: Counter::default(),
            panics: Counter::default(),
            in_flight: Gauge::default(),
            duration: Family::new_with_constructor(seconds),
            ttft: Family::new_with_constructor(seconds),
            overhead: Histogram::new(OVERHEAD_SECONDS),
            tokens: Family::default(),
            quirk_hits: Family::default(),
            diagnostics: Family::default(),
            losses: Family::default(),
            tool_calls: Family::default(),
            reloads: Family::default(),
        };
        metrics.register();
        metrics
    }

    /// With how the record is doing.
    pub(crate) fn recording(mut self, recorder: Recorder) -> Self {
        let collector = RecordCollector(recorder);
        self.registry.register_collector(Box::new(collector));
        self
    }

    /// The OpenMetrics text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "cost_micro_usd",
            "What the tokens of exchanges cost, in millionths of a US dollar, where the price is known",
            self.cost.clone(),
        );
        registry.register(
            "price_models",
            "Models in the price table of the configuration; 0 while the bundled one is used",
            self.price_models.clone(),
        );
        registry.register(
            "requests",
            "Exchanges, by how they were answered",
            self.requests.clone(),
        );
        registry.register(
            "attempts",
            "Tries of an upstream, by how they ended",
            self.attempts.clone(),
        );
        registry.register(
            "failovers",
            "Attempts at another key or target, by what the one before failed of",
            self.failovers.clone(),
        );
        registry.register(
            "routed",
            "Steps from the names that were asked for to their candidates",
            self.routed.clone(),
        );
        registry.register(
            "left_out",
            "Targets that a request was kept from, by what they cannot take of it",
            self.left_out.clone(),
        );
        registry.register(
            "queue_inside",
            "Requests that hold a place where only so many may be at a time",
            self.queue_inside.clone(),
        );
        registry.register(
            "queue_waiting",
            "Requests that wait for such a place",
            self.queue_waiting.clone(),
        );
        registry.register_with_unit(
            "queue_wait",
            "Time that requests waited for such a place",
            Unit::Seconds,
            self.queue_wait.clone(),
        );
        registry.register(
            "queue_refused",
            "Requests that got no such place, by why",
            self.queue_refused.clone(),
        );
        registry.register(
            "other_requests",
            "Requests that are no exchange",
            self.other_requests.clone(),
        );
        registry.register(
            "unknown_endpoints",
            "Requests for paths nobody knows",
            self.unknown_endpoints.clone(),
        );
        registry.register(
            "refused_sources",
            "Requests for foreign hosts or from web pages",
            self.refused_sources.clone(),
        );
        registry.register(
            "panics",
            "Exchanges ended by a fault of the gateway",
            self.panics.clone(),
        );
        registry.register("in_flight", "Exchanges under way", self.in_flight.clone());
        registry.register_with_unit(
            "request_duration",
            "Accept to last byte",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register_with_unit(
            "ttft",
            "Accept to first content",
            Unit::Seconds,
            self.ttft.clone(),
        );
        registry.register_with_unit(
            "overhead",
            "Accept to upstream call",
            Unit::Seconds,
            self.overhead.clone(),
        );
        registry.register(
            "tokens",
            "Tokens, by kind, as upstreams told them",
            self.tokens.clone(),
        );
        registry.register(
            "quirk_hits",
            "Repairs that changed something",
            self.quirk_hits.clone(),
        );
        registry.register(
            "diagnostics",
            "Exchanges in whose reply something odd was noticed and dealt with, by the name of the case",
            self.diagnostics.clone(),
        );
        registry.register(
            "losses",
            "Things a translation could not carry",
            self.losses.clone(),
        );
        registry.register(
            "tool_calls",
            "Tool calls held against their tools' schemas, where they are validated",
            self.tool_calls.clone(),
        );
        registry.register(
            "config_reloads",
            "Attempts to put another configuration in force, by what became of them",
            self.reloads.clone(),
        );
    }
}

/// Reads the record's own counts when metrics are asked for.
#[derive(Debug)]
struct RecordCollector(Recorder);

impl Collector for RecordCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let state = self.0.state();
        let counts = &state.counts;
        let gauges = [
            (
                "record_degraded",
                "Whether something keeps the record from being written",
                i64::from(state.degraded.is_some()),
            ),
            (
                "record_queued_rows",
                "Rows that wait for the record's writer",
                i64::try_from(state.queued_rows).unwrap_or(i64::MAX),
            ),
            (
                "record_queued_bytes",
                "Bytes that wait for the record's writer",
                i64::try_from(state.queued_bytes).unwrap_or(i64::MAX),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let counters = [
            (
                "record_rows",
                "Ended exchanges that are on disk",
                counts.written,
            ),
            (
                "record_bodies_shed",
                "Exchanges whose bodies went because the queue was full",
                counts.bodies_shed,
            ),
            (
                "record_bodies_failed",
                "Exchanges whose bodies could not be written",
                counts.bodies_failed,
            ),
            (
                "record_rows_sampled",
                "Exchanges that went well and kept only their numbers, because the queue was filling up",
                counts.rows_sampled,
            ),
            (
                "record_rows_reduced",
                "Exchanges that kept only their numbers, because the queue was full",
                counts.rows_reduced,
            ),
            (
                "record_lost",
                "Exchanges of which nothing is kept",
                counts.lost,
            ),
            (
                "record_write_failures",
                "Writes of the record that failed and are tried again",
                counts.failures,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_metric() {
        let text = Metrics::new().text();
        for name in [
            "lingate_in_flight",
            "lingate_unknown_endpoints",
            "lingate_refused_sources",
            "lingate_panics",
            "lingate_overhead_seconds",
        ] {
            assert!(text.contains(name), "{name} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
