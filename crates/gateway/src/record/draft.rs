//! The draft of an exchange's record: opened at accept, closed exactly once, whatever happens.
//!
//! Everybody who works on the exchange holds the same draft; when the last of them lets go (answered, failed, client
//! gone, panic, shutdown) it writes its one log line and counts its metrics.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lingate_price::MicroUsd;
use lingate_route::{Fitting, LeftOut};
use lingate_store::{self as record, Attempt, End, Exchange};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;
use lingate_wire::stage::Note;
use lingate_wire::turn::{Failure, StopReason, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use super::books::{Books, Priced};
use super::gathered::{Gathered, hit};
use crate::clock;
use crate::exchange::asked::Asked;
use crate::lane::calibration::Calibration;
use crate::metrics::{
    AttemptLabels, CaseLabels, FailoverLabels, Metrics, ProviderLabels, QuirkLabels, RequestLabels,
    StepLabels, TokenLabels, ToolCallLabels, UnfitLabels,
};
use crate::relay::chain::{Said, Tally};
use crate::relay::policing::JudgedCall;
use crate::tokens::Size;

/// One exchange, as it becomes known.
pub(crate) struct Draft {
    /// The record's id.
    pub id: Uuid,
    /// When the request was accepted.
    pub accepted: Instant,
    client_wire: Wire,
    metrics: Arc<Metrics>,
    calibration: Arc<Calibration>,
    details: Mutex<Details>,
}

/// A reply in short.
#[derive(Default)]
struct Summary {
    stop: Option<StopReason>,
    said: Said,
}

#[derive(Default)]
struct Details {
    model: String,
    session: Option<String>,
    /// How the name led to the upstream, if it does not stand for itself.
    route: String,
    queued: Duration,
    provider: String,
    upstream_model: String,
    upstream_wire: Option<Wire>,
    lane: Option<Lane>,
    attempts: u32,
    /// The last attempt has not ended.
    is_attempting: bool,
    quirks: Vec<String>,
    /// Cases that were noticed in the reply, each once.
    noticed: Vec<&'static str>,
    losses: Vec<String>,
    /// Input tokens by bytes alone, and by what was learnt of the upstream.
    raw_estimate: Size,
    /// Input tokens by a tokenizer, once they are counted.
    pieces: Arc<OnceLock<Size>>,
    input_estimate: u64,
    overhead: Option<Duration>,
    ttft: Option<Duration>,
    status: Option<u16>,
    /// Of the attempt in flight or the last.
    usage: Usage,
    /// Of the attempts before it: they are paid for, too.
    earlier: Usage,
    failure: Option<Failure>,
    ending: Ending,
    is_panic: bool,
    summary: Summary,
    /// What the upstream of the attempt in flight asks for its tokens.
    priced: Option<Priced>,
    /// Of the attempts that have ended.
    cost: Option<MicroUsd>,
    /// Something was used whose price is not known.
    is_unpriced: bool,
    /// What only the record wants to know; none where nothing is recorded.
    gathered: Option<Box<Gathered>>,
}

/// How an exchange ended for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Ending {
    /// The client left before its answer was complete, or the gateway was ended.
    #[default]
    Aborted,
    /// Answered whole, be it with an error status.
    Answered,
    /// Broken off after content had been sent.
    Broken,
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptEnd {
    /// It serves the answer.
    Served,
    /// It failed, before its first content or behind it.
    Failed,
    /// The client left while it was answering.
    Aborted,
}

impl Draft {
    pub(crate) fn open(
        id: Uuid,
        accepted: Instant,
        client_wire: Wire,
        metrics: Arc<Metrics>,
        calibration: Arc<Calibration>,
    ) -> Self {
        metrics.in_flight.inc();
        Self {
            id,
            accepted,
            client_wire,
            metrics,
            calibration,
            details: Mutex::default(),
        }
    }

    /// Has it recorded; `path` is what was asked, without the profile.
    pub(crate) fn recorded(self, books: &Books, path: &str) -> Self {
        let gathered = Gathered::new(books, self.id, self.accepted, self.client_wire, path);
        self.details().gathered = gathered.map(Box::new);
        self
    }

    /// A fault of ours ended it.
    pub(crate) fn panicked(&self) {
        self.details().is_panic = true;
    }

    /// What the client asked for.
    pub(crate) fn asked(&self, asked: &Asked) {
        let (model, session) = (asked.peek.model.decode(), asked.session());
        let mut details = self.details();
        if let Some(gathered) = &mut details.gathered {
            gathered.received(asked, &model, session.as_deref());
        }
        model.into_owned().clone_into(&mut details.model);
        details.session = session;
    }

    /// What the upstream of the next attempt asks for its tokens; `None` is "unpriced".
    pub(crate) fn priced(&self, priced: Option<Priced>) {
        self.details().priced = priced;
    }

    /// Tells the record something, where there is one.
    pub(crate) fn gather<T>(&self, tell: impl FnOnce(&mut Gathered) -> T) -> Option<T> {
        self.details().gathered.as_deref_mut().map(tell)
    }

    /// Where the request goes, and who is left out because they cannot take it.
    pub(crate) fn routed(&self, fitting: &Fitting) {
        let steps = &fitting.resolution.steps;
        for step in steps {
            let labels = StepLabels { step: step.name() };
            self.metrics.routed.get_or_create(&labels).inc();
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
                provider: candidate.provider.clone(),
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

    /// It had to wait for a place this long.
    pub(crate) fn queued(&self, wait: Duration) {
        self.details().queued += wait;
    }

    /// An attempt begins. Returns its number, from 1.
    pub(crate) fn attempt(&self, provider: &str, model: &str, wire: Wire, lane: Lane) -> u32 {
        let mut details = self.details();
        provider.clone_into(&mut details.provider);
        model.clone_into(&mut details.upstream_model);
        details.upstream_wire = Some(wire);
        details.lane = Some(lane);
        details.attempts += 1;
        details.is_attempting = true;
        details.pieces = Arc::default();
        let number = details.attempts;
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt(Attempt {
                number: u16::try_from(number).unwrap_or(u16::MAX),
                provider: provider.to_owned(),
                model: model.to_owned(),
                wire: wire.name().to_owned(),
                lane: lane.name().to_owned(),
                ..Attempt::default()
            });
        }
        number
    }

    /// The attempt's request is ready to go out.
    pub(crate) fn translated(
        &self,
        quirks: &[&'static str],
        losses: impl IntoIterator<Item = String>,
    ) {
        let mut details = self.details();
        details.quirks = quirks.iter().map(|&name| name.to_owned()).collect();
        details.losses = losses.into_iter().collect();
        if details.overhead.is_none() {
            details.overhead = Some(clock::now() - self.accepted);
        }
    }

    /// A quirk changed something after the request was sent and before the reply was read.
    pub(crate) fn repaired(&self, quirk: &str) {
        self.details().quirks.push(quirk.to_owned());
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
        }
        details.is_attempting = false;
        let labels = AttemptLabels {
            provider: details.provider.clone(),
            outcome: match end {
                AttemptEnd::Served => "served",
                AttemptEnd::Failed => "failed",
                AttemptEnd::Aborted => "aborted",
            },
        };
        self.metrics.attempts.get_or_create(&labels).inc();
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt_ended(labels.outcome, failure.map(|failure| &*failure.message));
        }
        if end == AttemptEnd::Failed {
            self.spend(&mut details);
        }
    }

    /// What an attempt that has ended used counts, whatever follows.
    fn spend(&self, details: &mut Details) {
        self.count_tokens(details);
        let usage = std::mem::take(&mut details.usage);
        details.charge(&usage);
        details.earlier.add(&usage);
    }

    /// What the attempt in flight has used so far.
    pub(crate) fn used(&self, usage: &Usage) {
        self.details().usage = usage.believable();
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
        details.is_attempting = false;
        if let Some(gathered) = &mut details.gathered {
            gathered.attempt_ended("continued", Some(reason));
        }
        let labels = AttemptLabels {
            provider: details.provider.clone(),
            outcome: "continued",
        };
        self.metrics.attempts.get_or_create(&labels).inc();
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
        let labels = FailoverLabels { reason };
        self.metrics.failovers.get_or_create(&labels).inc();
    }

    /// Calls of a reply were held against their tools' schemas.
    pub(crate) fn judged_calls(&self, calls: &[JudgedCall]) {
        for call in calls {
            let labels = ToolCallLabels {
                provider: self.provider(),
                valid: match (&call.complaint, call.was_invalid) {
                    (Some(_), _) => "no",
                    (None, true) => "repaired",
                    (None, false) => "yes",
                },
            };
            self.metrics.tool_calls.get_or_create(&labels).inc();
        }
    }

    /// First content is there.
    pub(crate) fn first_content(&self) {
        let mut details = self.details();
        if details.ttft.is_none() {
            details.ttft = Some(clock::now() - self.accepted);
            if let Some(gathered) = &mut details.gathered {
                gathered.mark("commit");
            }
        }
    }

    /// The status that went out.
    pub(crate) fn status(&self, status: u16) {
        self.details().status = Some(status);
    }

    /// What the reply amounted to.
    pub(crate) fn tally(&self, tally: &Tally) {
        let mut details = self.details();
        details.usage = tally.usage.believable();
        details.summary.stop = tally.stop.or(details.summary.stop);
        if !tally.said.preview.is_empty() || !tally.said.tools.is_empty() {
            details.summary.said = tally.said.clone();
        }
        for note in &tally.notes {
            match note {
                Note::Hit(name) if !details.quirks.iter().any(|own| own == name) => {
                    details.quirks.push((*name).to_owned());
                }
                Note::Loss(loss) => details.losses.push(loss.path.clone()),
                Note::Diag(case) if !details.noticed.contains(case) => details.noticed.push(case),
                Note::Hit(_) | Note::Diag(_) => {}
            }
        }
    }

    /// The client's answer is complete, or broken off for the reason given.
    pub(crate) fn end(&self, ending: Ending, failure: Option<Failure>) {
        let mut details = self.details();
        details.ending = ending;
        details.failure = failure;
    }

    /// Input tokens as estimated before the upstream tells.
    pub(crate) fn set_input_estimate(&self, tokens: Size) {
        let mut details = self.details();
        details.raw_estimate = tokens;
        details.input_estimate =
            self.calibration
                .bytes
                .applied(&details.provider, &details.upstream_model, tokens);
    }

    /// Where the count of this attempt's request is to be left.
    pub(crate) fn pieces(&self) -> Arc<OnceLock<Size>> {
        Arc::clone(&self.details().pieces)
    }

    /// Input tokens as estimated before the upstream tells; 0 for a passthrough, which tells itself.
    pub(crate) fn input_estimate(&self) -> u64 {
        self.details().input_estimate
    }

    /// Attempts so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.details().attempts
    }

    /// The provider of the attempt in flight.
    pub(crate) fn provider(&self) -> String {
        self.details().provider.clone()
    }

    /// The lane of the attempt in flight.
    pub(crate) fn lane(&self) -> Option<Lane> {
        self.details().lane
    }

    /// Quirks that changed something so far.
    pub(crate) fn quirks(&self) -> Vec<String> {
        self.details().quirks.clone()
    }

    /// Gateway time before the upstream call.
    pub(crate) fn overhead(&self) -> Option<Duration> {
        self.details().overhead
    }

    /// A panic elsewhere leaves the details readable: they are plain data.
    fn details(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, details: &Details, total: Duration) {
        let metrics = &self.metrics;
        metrics.in_flight.dec();
        let provider = || ProviderLabels {
            provider: details.provider.clone(),
        };
        let labels = RequestLabels {
            client_wire: self.client_wire.name(),
            upstream_wire: details.upstream_wire.map_or("none", Wire::name),
            lane: details.lane.map_or("none", Lane::name),
            provider: details.provider.clone(),
            outcome: outcome(details),
        };
        metrics.requests.get_or_create(&labels).inc();
        metrics
            .duration
            .get_or_create(&provider())
            .observe(total.as_secs_f64());
        if let Some(ttft) = details.ttft {
            metrics
                .ttft
                .get_or_create(&provider())
                .observe(ttft.as_secs_f64());
        }
        if let Some(overhead) = details.overhead {
            metrics.overhead.observe(overhead.as_secs_f64());
        }
        if !details.losses.is_empty() {
            metrics
                .losses
                .get_or_create(&provider())
                .inc_by(details.losses.len() as u64);
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
        self.count_tokens(details);
    }

    fn count_tokens(&self, details: &Details) {
        let metrics = &self.metrics;
        let usage = &details.usage;
        for (kind, count) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
        ] {
            if let Some(count) = count {
                let labels = TokenLabels {
                    provider: details.provider.clone(),
                    kind,
                };
                metrics.tokens.get_or_create(&labels).inc_by(count);
            }
        }
    }
}

impl Details {
    /// What an attempt used is paid for at its upstream's price.
    fn charge(&mut self, usage: &Usage) {
        if usage.is_empty() {
            return;
        }
        let priced = self.priced.as_ref();
        match priced.and_then(|priced| priced.price.cost(usage)) {
            Some(cost) => {
                let before = self.cost.unwrap_or_default();
                self.cost = Some(before.saturating_add(cost));
            }
            None => self.is_unpriced = true,
        }
    }

    /// What goes into the record's row, and behind it.
    fn record(&self, row: &mut Exchange, told: &mut record::Details, total: Duration) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
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
        told.hits = (self.quirks.iter())
            .map(|quirk| hit(quirk, self.attempts))
            .collect();
        told.noticed = self.noticed.iter().map(|&case| case.to_owned()).collect();
        told.losses.clone_from(&self.losses);
        told.price = self.priced.as_ref().map(|priced| {
            let rates = priced.price.rates;
            record::Price {
                table: priced.table.clone(),
                model: self.upstream_model.clone(),
                input: Some(rates.input.0),
                cache_read: Some(rates.cache_read.0),
                cache_write_5m: Some(rates.cache_write_5m.0),
                cache_write_1h: Some(rates.cache_write_1h.0),
                output: Some(rates.output.0),
            }
        });
    }
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

impl Drop for Draft {
    fn drop(&mut self) {
        let total = clock::now() - self.accepted;
        if self.details().is_attempting {
            // Nobody waited for its end.
            self.attempt_ended(AttemptEnd::Aborted, None);
        }
        let mut details = self.details();
        self.count(&details, total);
        if let Some(told) = details.usage.total_input() {
            let (provider, model) = (&details.provider, &details.upstream_model);
            let pieces = details.pieces.get().copied().unwrap_or_default();
            let Calibration {
                bytes,
                pieces: by_pieces,
            } = &*self.calibration;
            bytes.learn(provider, model, details.raw_estimate, told);
            by_pieces.learn(provider, model, pieces, told);
        }
        let last = details.usage;
        details.charge(&last);
        let earlier = details.earlier;
        details.usage.add(&earlier);
        if let Some(cost) = details.cost {
            let labels = ProviderLabels {
                provider: details.provider.clone(),
            };
            self.metrics.cost.get_or_create(&labels).inc_by(cost.0);
        }
        if let Some(gathered) = details.gathered.take() {
            gathered.close(|row, told| details.record(row, told, total));
        }
        tracing::info!(
            exchange.id = %self.id,
            client.wire = self.client_wire.name(),
            model = %details.model,
            provider.id = %details.provider,
            upstream.model = %details.upstream_model,
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
            losses = details.losses.join(","),
            ttft_ms = details.ttft.map(|ttft| ttft.as_millis()),
            duration_ms = total.as_millis(),
            session = details.session.as_deref(),
            route = (!details.route.is_empty()).then_some(details.route.as_str()),
            queued_ms = (!details.queued.is_zero()).then(|| details.queued.as_millis()),
            error = details.failure.as_ref().map(|failure| failure.message.as_str()),
            "{} {} -> {} {}",
            details.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
            details.model,
            details.provider,
            details.upstream_model,
        );
    }
}
