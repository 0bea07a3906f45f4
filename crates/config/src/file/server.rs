//! `[server]`, `[keys.NAME]`, `[budget]`, `[loops]`, `[record]`, `[failover]` and `[log]`.

use std::time::Duration;

use lingate_price::MicroUsd;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Bodies, LogFormat, LogLevel};
use crate::value::{BudgetText, DurationText, KeyHashText, LimitText, SizeText};

/// The listener.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerEntry {
    /// `IP:PORT`; 127.0.0.1:8484 if left out. Other than loopback needs keys and hosts.
    #[schemars(extend("format" = "lingate-address"))]
    pub(crate) listen: Option<String>,
    /// Further Host names that may be asked for, beside loopback names.
    pub(crate) hosts: Vec<String>,
    /// How long running requests may go on after a stop; 600s if left out.
    pub(crate) drain: Option<DurationText>,
    /// Largest request body; 32MiB if left out.
    pub(crate) max_body: Option<SizeText>,
    /// Names of client keys that may use dashboard and API from elsewhere than loopback.
    pub(crate) admin_keys: Vec<String>,
}

/// A client key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyEntry {
    /// `sha256:...`; `lingate keys add NAME` makes one.
    pub(crate) secret: KeyHashText,
    /// Globs of model names the key may ask for; every one if left out.
    #[serde(default)]
    pub(crate) models: Option<Vec<String>>,
    /// Requests at a time.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) concurrency: Option<u32>,
    /// What the key may spend; `[budget]` holds beside it.
    #[serde(default)]
    pub(crate) budget: BudgetEntry,
}

/// What may be spent.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BudgetEntry {
    /// In a day, UTC, in US dollars: `20 USD`.
    pub(crate) day: Option<BudgetText>,
    /// In a session, in US dollars: `5 USD`.
    pub(crate) session: Option<BudgetText>,
}

impl BudgetEntry {
    pub(crate) fn amounts(&self) -> (Option<MicroUsd>, Option<MicroUsd>) {
        (self.day.map(|text| text.0), self.session.map(|text| text.0))
    }
}

/// What happens when a session repeats one tool call with the same outcome over and over.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LoopsEntry {
    /// The same call with the same result, so many times: the record, the log and the status line say so. 0 never.
    pub(crate) warn_after: u32,
    /// So many times: the session's requests are refused until it does something else. 0 never.
    pub(crate) stop_after: u32,
}

impl Default for LoopsEntry {
    fn default() -> Self {
        Self {
            warn_after: 5,
            stop_after: 0,
        }
    }
}

/// The record of requests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RecordEntry {
    /// Where it is kept; `$XDG_DATA_HOME/lingate` if left out.
    pub(crate) dir: Option<String>,
    /// Which bodies are kept.
    pub(crate) bodies: Bodies,
    /// Days after which rows are deleted.
    #[schemars(range(min = 1))]
    pub(crate) keep_days: u32,
    /// Size above which the oldest are deleted.
    pub(crate) keep_bytes: SizeText,
    /// A file or URL that replaces the bundled price table.
    pub(crate) prices: String,
    /// Whether a request is refused when it cannot be recorded.
    pub(crate) fail_closed: bool,
}

impl Default for RecordEntry {
    fn default() -> Self {
        Self {
            dir: None,
            bodies: Bodies::default(),
            keep_days: 30,
            keep_bytes: SizeText(5 << 30),
            prices: String::new(),
            fail_closed: false,
        }
    }
}

/// What happens when an upstream fails.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FailoverEntry {
    /// Targets tried for one request.
    #[schemars(range(min = 1, max = 12))]
    pub(crate) attempts: u32,
    /// Everything before the first content, all attempts together; local presets have none.
    pub(crate) deadline: LimitText,
    /// When an upstream is left alone for a while.
    pub(crate) breaker: BreakerEntry,
}

impl Default for FailoverEntry {
    fn default() -> Self {
        Self {
            attempts: 3,
            deadline: LimitText(Some(Duration::from_secs(270))),
            breaker: BreakerEntry::default(),
        }
    }
}

/// When an upstream is left alone for a while.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BreakerEntry {
    /// Failures in a row that open it.
    #[schemars(range(min = 1))]
    pub(crate) consecutive: u32,
    /// Share of failures within the window that opens it.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) ratio: f64,
    /// The window of the ratio.
    pub(crate) window: DurationText,
    /// How long it stays open at first.
    pub(crate) open: DurationText,
    /// How long it stays open at most.
    pub(crate) open_max: DurationText,
}

impl Default for BreakerEntry {
    fn default() -> Self {
        let seconds = |seconds| DurationText(Duration::from_secs(seconds));
        Self {
            consecutive: 5,
            ratio: 0.5,
            window: seconds(30),
            open: seconds(15),
            open_max: seconds(300),
        }
    }
}

/// What is logged.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogEntry {
    /// How much.
    pub(crate) level: LogLevel,
    /// In which form.
    pub(crate) format: LogFormat,
}
