//! The draft of an exchange's record: opened at accept, closed exactly once, whatever happens.
//!
//! Everybody who works on the exchange holds the same draft; when the last of them lets go (answered, failed, client
//! gone, panic, shutdown) it writes its one log line and counts its metrics ([`close`]).

mod attempts;
mod charges;
mod close;
mod reply;
mod way;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lingate_config::Billing;
use lingate_price::{MicroUsd, Rates};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;
use lingate_wire::turn::{Failure, Losses, StopReason, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use super::books::{Books, Priced};
use super::gathered::Gathered;
use super::hits::Telling;
use crate::clock;
use crate::exchange::asked::Asked;
use crate::govern::Account;
use crate::lane::calibration::Calibration;
use crate::metrics::{Metrics, ProviderMetrics};
use crate::relay::chain::Said;
use crate::tokens::{Observation, Size};

/// One exchange, as it becomes known.
pub(crate) struct Draft {
    /// The record's id.
    pub id: Uuid,
    /// When the request was accepted.
    pub accepted: Instant,
    client_wire: Wire,
    metrics: Arc<Metrics>,
    calibration: Arc<Calibration>,
    /// Whether there is a record to tell: asked before the lock is taken for it.
    is_recorded: AtomicBool,
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
    /// The client asked for a stream.
    is_stream: bool,
    /// How the name led to the upstream, if it does not stand for itself.
    route: String,
    queued: Duration,
    provider: String,
    /// Its metrics, once they were asked for.
    series: Option<Arc<ProviderMetrics>>,
    upstream_model: String,
    upstream_wire: Option<Wire>,
    lane: Option<Lane>,
    attempts: u32,
    /// The last attempt has not ended.
    is_attempting: bool,
    attempt_began: Option<Instant>,
    quirks: Vec<String>,
    /// Cases that were noticed in the reply, each once.
    noticed: Vec<&'static str>,
    losses: Losses,
    /// Input tokens by bytes alone, and by what was learnt of the upstream.
    raw_estimate: Size,
    /// Waits for the input tokens that the attempt's upstream tells, if the request is counted.
    observation: Option<Arc<Observation>>,
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
    /// What was paid last: the model and the table it is from, and the rates.
    paid: Option<Box<Paid>>,
    /// Of the attempts that have ended.
    cost: Option<MicroUsd>,
    /// Something was used whose price is not known.
    is_unpriced: bool,
    /// How the attempt in flight or the last is paid for.
    billing: Option<Billing>,
    /// What of the cost no subscription pays for.
    billed: MicroUsd,
    /// Who pays; none where nothing is spent.
    account: Option<Arc<Account>>,
    /// What somebody should look at, each once.
    warnings: Vec<&'static str>,
    /// The same for the client's eyes: headers of the answer.
    notices: Vec<(&'static str, String)>,
    /// What only the record wants to know; none where nothing is recorded.
    gathered: Option<Box<Gathered>>,
}

/// What the tokens of an attempt were counted with.
struct Paid {
    model: String,
    table: String,
    rates: Rates,
}

/// What the client is told of its exchange.
pub(crate) struct Told<'a> {
    /// Lane of the attempt in flight or the last; none before the first.
    pub lane: Option<Lane>,
    /// Its provider.
    pub provider: &'a str,
    pub attempts: u32,
    /// Quirks that changed something so far.
    pub quirks: &'a [String],
    /// Headers with what is to be looked at.
    pub notices: &'a [(&'static str, String)],
    /// Gateway time before the upstream call.
    pub overhead: Option<Duration>,
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
            is_recorded: AtomicBool::new(false),
            details: Mutex::default(),
        }
    }

    /// Its id as it is told.
    pub(crate) fn id_text(&self) -> String {
        let mut text = Uuid::encode_buffer();
        self.id.hyphenated().encode_lower(&mut text).to_owned()
    }

    /// Has it recorded; `path` is what was asked, without the profile.
    pub(crate) fn record(&self, books: &Books, path: &str) {
        let gathered = Gathered::new(books, self.id, self.accepted, self.client_wire, path);
        if let Some(gathered) = gathered {
            self.details().gathered = Some(Box::new(gathered));
            self.is_recorded.store(true, Ordering::Relaxed);
        }
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
            gathered.received(asked, &model, session);
        }
        details.model = model.into_owned();
        details.session = session.map(str::to_owned);
        details.is_stream = asked.peek.stream;
    }

    /// Tells the record something, where there is one.
    pub(crate) fn gather<T>(&self, tell: impl FnOnce(&mut Gathered) -> T) -> Option<T> {
        if !self.is_recorded.load(Ordering::Relaxed) {
            return None;
        }
        self.details().gathered.as_deref_mut().map(tell)
    }

    /// What a record of it is to be told.
    pub(crate) fn telling(&self) -> Telling {
        self.gather(|gathered| gathered.wants()).unwrap_or_default()
    }

    /// The attempt that comes next is made because of this.
    pub(crate) fn because(&self, reason: &str) {
        self.gather(|gathered| gathered.because(reason));
    }

    /// It had to wait for a place this long.
    pub(crate) fn queued(&self, wait: Duration) {
        self.details().queued += wait;
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

    /// The client's answer is complete, or broken off for the reason given.
    pub(crate) fn end(&self, ending: Ending, failure: Option<Failure>) {
        let mut details = self.details();
        details.ending = ending;
        details.failure = failure;
    }

    /// This attempt's request is counted, too.
    pub(crate) fn observed(&self, observation: Arc<Observation>) {
        self.details().observation = Some(observation);
    }

    /// Wall-clock time now.
    pub(crate) fn wall(&self) -> jiff::Timestamp {
        clock::during(&self.id, self.accepted)
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

    /// Has the client told what it may know of it.
    pub(crate) fn tell(&self, tell: impl FnOnce(&Told<'_>)) {
        let details = self.details();
        tell(&Told {
            lane: details.lane,
            provider: &details.provider,
            attempts: details.attempts,
            quirks: &details.quirks,
            notices: &details.notices,
            overhead: details.overhead,
        });
    }

    /// The metrics of the attempt's provider.
    fn series(&self, details: &mut Details) -> Arc<ProviderMetrics> {
        let Details {
            series, provider, ..
        } = details;
        Arc::clone(series.get_or_insert_with(|| self.metrics.provider(provider)))
    }

    /// A panic elsewhere leaves the details readable: they are plain data.
    fn details(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
