//! The end of an exchange: its row, its metrics, its log line.

use std::fmt::{self, Display};
use std::time::Duration;

use lingate_config::Billing;
use lingate_price::MicroUsd;
use lingate_store::{self as record, End, Exchange};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;

use super::{AttemptEnd, Details, Draft, Ending};
use crate::clock;
use crate::metrics::{CaseLabels, ErrorLabels, QuirkLabels, RequestKind};

/// Losses of an exchange that its log line names; the rest is counted.
const LOSSES_LOGGED: usize = 10;

impl Drop for Draft {
    fn drop(&mut self) {
        let total = clock::now() - self.accepted;
        if self.details().is_attempting {
            // Nobody waited for its end.
            self.attempt_ended(AttemptEnd::Aborted, None);
        }
        let mut details = self.details();
        self.count(&mut details, total);
        if let Some(told) = details.usage.total_input() {
            let (provider, model) = (&details.provider, &details.upstream_model);
            let bytes = &self.calibration.bytes;
            bytes.learn(provider, model, details.raw_estimate, told);
            if let Some(observation) = &details.observation {
                observation.told(told);
            }
        }
        let last = details.usage;
        self.charge(&mut details, &last);
        let earlier = details.earlier;
        details.usage.add(&earlier);
        if let Some(gathered) = details.gathered.take() {
            gathered.close(|row, told| details.record(row, told, total));
        }
        tracing::info!(
            exchange.id = %self.id,
            client.wire = self.client_wire.name(),
            model = %Bare(&details.model),
            provider.id = %Bare(&details.provider),
            upstream.model = %Bare(&details.upstream_model),
            upstream.wire = details.upstream_wire.map(Wire::name),
            lane = details.lane.map(Lane::name),
            status = details.status,
            outcome = outcome(&details),
            attempts = details.attempts,
            tokens.input = details.usage.total_input(),
            tokens.cache_read = details.usage.cache_read,
            tokens.output = details.usage.output,
            cost_usd = details.cost.map(MicroUsd::decimal),
            quirks = details.quirks.join(","),
            noticed = details.noticed.join(","),
            losses = details.losses.told(LOSSES_LOGGED).join(","),
            ttft_ms = details.ttft.map(millis),
            duration_ms = millis(total),
            session = details.session.as_deref(),
            route = (!details.route.is_empty()).then_some(details.route.as_str()),
            queued_ms = (!details.queued.is_zero()).then(|| millis(details.queued)),
            error = details.failure.as_ref().map(|failure| failure.message.as_str()),
            "{} {} -> {} {}",
            details.status.as_ref().map_or(&"-" as &dyn Display, |status| status),
            Bare(&details.model),
            Bare(&details.provider),
            Bare(&details.upstream_model),
        );
    }
}

/// A text for the log as it is: texts by themselves look for a width to be padded to first, in every exchange's line.
struct Bare<'a>(&'a str);

impl Display for Bare<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Draft {
    fn count(&self, details: &mut Details, total: Duration) {
        let metrics = &self.metrics;
        metrics.in_flight.dec();
        self.count_tokens(details);
        let own = self.series(details);
        let kind = RequestKind {
            client_wire: self.client_wire.name(),
            upstream_wire: details.upstream_wire.map_or("none", Wire::name),
            lane: details.lane.map_or("none", Lane::name),
            outcome: outcome(details),
        };
        own.count_request(metrics, kind);
        own.duration.observe(total.as_secs_f64());
        if let Some(ttft) = details.ttft {
            own.ttft.observe(ttft.as_secs_f64());
            if let Some(rate) = rate(details, total.saturating_sub(ttft)) {
                own.output_rate.observe(rate);
            }
        }
        if let Some(overhead) = details.overhead {
            metrics.overhead.observe(overhead.as_secs_f64());
        }
        if !details.losses.is_empty() {
            own.losses.inc_by(details.losses.len() as u64);
        }
        if let Some(failure) = &details.failure {
            let labels = ErrorLabels {
                client_wire: self.client_wire.name(),
                kind: failure.kind.name(),
            };
            metrics.errors.get_or_create(&labels).inc();
        }
        if let Some(stop) = details.summary.stop {
            own.count_stop(metrics, stop.name());
        }
        for quirk in &details.quirks {
            let labels = QuirkLabels {
                quirk: quirk.clone(),
                provider: details.provider.clone(),
            };
            metrics.quirk_hits.get_or_create(&labels).inc();
        }
        for &case in &details.noticed {
            let labels = CaseLabels { case };
            metrics.diagnostics.get_or_create(&labels).inc();
        }
    }
}

impl Details {
    /// What goes into the record's row, and behind it.
    fn record(&self, row: &mut Exchange, told: &mut record::Details, total: Duration) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        row.model.clone_from(&self.model);
        row.upstream_wire = self.upstream_wire;
        row.lane = self.lane.map(|lane| lane.name().to_owned());
        row.upstream_model = some(&self.upstream_model);
        row.provider = some(&self.provider);
        row.status = self.status;
        row.end = Some(match self.ending {
            _ if self.is_panic => End::Panic,
            Ending::Aborted => End::ClientGone,
            Ending::Answered => End::Answered,
            Ending::Broken => End::Broken,
        });
        row.attempts = u16::try_from(self.attempts).unwrap_or(u16::MAX);
        row.usage = self.usage;
        // The sum of what is known is not the cost.
        let cost = self.cost.filter(|_| !self.is_unpriced);
        row.cost_micro_usd = cost.and_then(|cost| i64::try_from(cost.0).ok());
        // An exchange that was billed in part was billed.
        row.billing = self.billing.map(|billing| match billing {
            Billing::Subscription if self.billed == MicroUsd(0) => record::Billing::Subscription,
            Billing::Subscription | Billing::Metered => record::Billing::Metered,
        });
        let billed = row.billing.map(|_| self.billed.0);
        row.billed_micro_usd = billed.and_then(|billed| i64::try_from(billed).ok());
        row.warnings = (self.warnings.iter())
            .map(|&warning| warning.to_owned())
            .collect();
        row.duration_ms = Some(millis(total));
        row.ttft_ms = self.ttft.map(millis);
        row.commit_ms = row.ttft_ms;
        row.overhead_us = self
            .overhead
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        row.stop = self.summary.stop.map(|stop| stop.name().to_owned());
        row.preview = some(&self.summary.said.preview);
        row.tools.clone_from(&self.summary.said.tools);
        row.quirks.clone_from(&self.quirks);
        row.losses = u32::try_from(self.losses.len()).unwrap_or(u32::MAX);
        if let Some(failure) = &self.failure {
            row.error_kind = Some(failure.kind.name().to_owned());
            row.error = Some(failure.message.clone());
        }
        told.noticed = self.noticed.iter().map(|&case| case.to_owned()).collect();
        told.losses = self.losses.told(usize::MAX);
        let asked = self.priced.as_ref();
        let asked = asked.map(|priced| self.paid_at(priced, priced.price.rates));
        told.price = self.paid.as_deref().or(asked.as_ref()).map(|paid| {
            let rates = paid.rates;
            record::Price {
                table: paid.table.clone(),
                model: paid.model.clone(),
                input: Some(rates.input.0),
                cache_read: Some(rates.cache_read.0),
                cache_write_5m: Some(rates.cache_write_5m.0),
                cache_write_1h: Some(rates.cache_write_1h.0),
                output: Some(rates.output.0),
            }
        });
    }
}

/// A number in JSON, too, where larger integers would be text.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Shorter replies say nothing about how fast an upstream is.
const LEAST_TIME: Duration = Duration::from_millis(50);

/// How fast a reply came, in tokens a second, `time` after its first content. What came in several attempts, or was read
/// whole, has no such number.
#[expect(clippy::cast_precision_loss, reason = "a rate for a histogram")]
fn rate(details: &Details, time: Duration) -> Option<f64> {
    let output = details.usage.output.filter(|&output| output > 1)?;
    let is_measured = details.is_stream && details.attempts == 1 && time >= LEAST_TIME;
    is_measured.then(|| output as f64 / time.as_secs_f64())
}

/// A bounded word for how the client fared.
fn outcome(details: &Details) -> &'static str {
    match (details.ending, details.status) {
        (Ending::Aborted, _) => "aborted",
        (Ending::Broken, _) => "broken",
        (Ending::Answered, Some(200..300)) => "2xx",
        (Ending::Answered, Some(400..500)) => "4xx",
        (Ending::Answered, _) => "5xx",
    }
}
