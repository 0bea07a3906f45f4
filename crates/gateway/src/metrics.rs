//! Prometheus metrics: the only file that names them.
//!
//! Labels are enums or configured names, never what a client or an upstream sent.

mod breakers;
mod gaps;
mod labels;
mod provider;
mod record;

use std::sync::Mutex;

use lingate_store::Recorder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use breakers::text;
use gaps::GapHistogram;
pub(crate) use labels::{
    AttemptLabels, BudgetLabels, BudgetLevelLabels, CaseLabels, ErrorLabels, FailoverLabels,
    FailureLabels, GateLabels, LoopLabels, ProviderLabels, QuirkLabels, RefusalLabels,
    ReloadLabels, RequestLabels, RouteLabels, StepLabels, StopLabels, TargetLabels, TokenLabels,
    ToolCallLabels, UnfitLabels,
};
pub(crate) use provider::{ProviderMetrics, RequestKind};
use provider::{Providers, Ready};
use record::RecordCollector;

/// Content type of the text that [`Metrics::text`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const SECONDS: [f64; 14] = [
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
const TOKENS_PER_SECOND: [f64; 12] = [
    1.0, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0,
];
const OVERHEAD_SECONDS: [f64; 10] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25,
];

/// Every metric of the gateway.
pub(crate) struct Metrics {
    pub price_models: Gauge,
    pub cost: Family<ProviderLabels, Counter>,
    registry: Registry,
    pub requests: Family<RequestLabels, Counter>,
    pub attempts: Family<AttemptLabels, Counter>,
    pub failovers: Family<FailoverLabels, Counter>,
    pub resends: Family<ProviderLabels, Counter>,
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
    pub attempt_duration: Family<ProviderLabels, Histogram>,
    pub failures: Family<FailureLabels, Counter>,
    pub errors: Family<ErrorLabels, Counter>,
    pub stops: Family<StopLabels, Counter>,
    pub output_rate: Family<ProviderLabels, Histogram>,
    pub gaps: Family<ProviderLabels, GapHistogram>,
    breakers: Family<TargetLabels, Gauge>,
    providers: Providers,
    /// Of `routed`, by the name of the step.
    steps: Ready<&'static str>,
    /// Held while metrics are read.
    scraped: Mutex<()>,
    pub overhead: Histogram,
    pub tokens: Family<TokenLabels, Counter>,
    pub quirk_hits: Family<QuirkLabels, Counter>,
    pub diagnostics: Family<CaseLabels, Counter>,
    pub losses: Family<ProviderLabels, Counter>,
    pub tool_calls: Family<ToolCallLabels, Counter>,
    pub reloads: Family<ReloadLabels, Counter>,
    pub budget_used: Family<BudgetLabels, Gauge>,
    pub budget_warnings: Family<BudgetLevelLabels, Counter>,
    pub budget_refused: Family<BudgetLabels, Counter>,
    pub loops: Family<LoopLabels, Counter>,
}

/// The OpenMetrics text with one empty sample of every metric, labels included: for the reference page.
#[must_use]
pub fn metrics_reference() -> String {
    let mut metrics = Metrics::new();
    let collector = RecordCollector(None);
    metrics.registry.register_collector(Box::new(collector));
    // Every field by name, so that a new family cannot be left out: without a sample it has no line in the text.
    let Metrics {
        registry: _,
        price_models: _,
        cost,
        requests,
        attempts,
        failovers,
        resends,
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
        attempt_duration,
        failures,
        errors,
        stops,
        output_rate,
        gaps,
        breakers: _,
        providers: _,
        steps: _,
        scraped: _,
        overhead: _,
        tokens,
        quirk_hits,
        diagnostics,
        losses,
        tool_calls,
        reloads,
        budget_used,
        budget_warnings,
        budget_refused,
        loops,
    } = &metrics;
    drop(reloads.get_or_create(&ReloadLabels::default()));
    drop(budget_used.get_or_create(&BudgetLabels::default()));
    drop(budget_refused.get_or_create(&BudgetLabels::default()));
    drop(budget_warnings.get_or_create(&BudgetLevelLabels::default()));
    drop(loops.get_or_create(&LoopLabels::default()));
    drop(tool_calls.get_or_create(&ToolCallLabels::default()));
    drop(requests.get_or_create(&RequestLabels::default()));
    drop(attempts.get_or_create(&AttemptLabels::default()));
    drop(failovers.get_or_create(&FailoverLabels::default()));
    drop(resends.get_or_create(&ProviderLabels::default()));
    drop(routed.get_or_create(&StepLabels::default()));
    drop(left_out.get_or_create(&UnfitLabels::default()));
    for gauges in [queue_inside, queue_waiting] {
        drop(gauges.get_or_create(&GateLabels::default()));
    }
    drop(queue_wait.get_or_create(&GateLabels::default()));
    drop(queue_refused.get_or_create(&RefusalLabels::default()));
    drop(other_requests.get_or_create(&RouteLabels::default()));
    for histograms in [duration, ttft, attempt_duration, output_rate] {
        drop(histograms.get_or_create(&ProviderLabels::default()));
    }
    drop(gaps.get_or_create(&ProviderLabels::default()));
    drop(failures.get_or_create(&FailureLabels::default()));
    drop(errors.get_or_create(&ErrorLabels::default()));
    drop(stops.get_or_create(&StopLabels::default()));
    metrics.name_breakers();
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
            resends: Family::default(),
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
            attempt_duration: Family::new_with_constructor(seconds),
            failures: Family::default(),
            errors: Family::default(),
            stops: Family::default(),
            output_rate: Family::new_with_constructor(|| Histogram::new(TOKENS_PER_SECOND)),
            gaps: Family::default(),
            breakers: Family::default(),
            providers: Providers::default(),
            steps: Ready::new(),
            scraped: Mutex::default(),
            overhead: Histogram::new(OVERHEAD_SECONDS),
            tokens: Family::default(),
            quirk_hits: Family::default(),
            diagnostics: Family::default(),
            losses: Family::default(),
            tool_calls: Family::default(),
            reloads: Family::default(),
            budget_used: Family::default(),
            budget_warnings: Family::default(),
            budget_refused: Family::default(),
            loops: Family::default(),
        };
        metrics.register();
        metrics
    }

    /// With how the record is doing.
    pub(crate) fn recording(mut self, recorder: Recorder) -> Self {
        let collector = RecordCollector(Some(recorder));
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
            "resends",
            "Requests that went out once more because a kept connection was being closed",
            self.resends.clone(),
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
            "attempt_duration",
            "A try of an upstream, from its beginning to its end",
            Unit::Seconds,
            self.attempt_duration.clone(),
        );
        registry.register(
            "attempt_failures",
            "Tries of an upstream that failed, by what of",
            self.failures.clone(),
        );
        registry.register(
            "errors",
            "Exchanges that ended with an error for the client, by its kind",
            self.errors.clone(),
        );
        registry.register(
            "stops",
            "Replies by why they ended; those that call tools end with `tool_use`",
            self.stops.clone(),
        );
        registry.register(
            "output_tokens_per_second",
            "How fast streams came: tokens of a reply over the time from its first content to its end",
            self.output_rate.clone(),
        );
        registry.register_with_unit(
            "stream_gap",
            "Time between two pieces of a stream, as they came from the upstream",
            Unit::Seconds,
            self.gaps.clone(),
        );
        registry.register(
            "breaker_state",
            "How a configured target stands: 0 in use, 1 half open, 2 left alone after failures, or its model is not there",
            self.breakers.clone(),
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
            "budget_used_percent",
            "How much of a day's budget is spent, since the last charge against it",
            self.budget_used.clone(),
        );
        registry.register(
            "budget_warnings",
            "Budgets that were spent to this level, in percent",
            self.budget_warnings.clone(),
        );
        registry.register(
            "budget_refused",
            "Exchanges that were refused because a budget is spent",
            self.budget_refused.clone(),
        );
        registry.register(
            "loops",
            "Exchanges of conversations that repeat one tool call with the same result",
            self.loops.clone(),
        );
        registry.register(
            "config_reloads",
            "Attempts to put another configuration in force, by what became of them",
            self.reloads.clone(),
        );
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
