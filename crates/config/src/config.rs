//! The configuration as the gateway uses it: validated, resolved, immutable.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use lingate_price::{MicroUsd, Rates};
use lingate_quirk::{Instruction, MaxTokensField, ReasoningHistory, Temperature, Thinking};
use lingate_route::{Candidate, Table, TargetRef};

use crate::problem::{Problem, Problems};
use crate::provider::{Provider, is_loopback};
use crate::proxy::Proxy;
use crate::settings::{Bodies, LogFormat, LogLevel, Modality, ToolFormat, ValidateToolCalls};
use crate::value::KeyHash;

/// Everything the gateway runs on. Holds secrets: has no `Debug`.
pub struct Config {
    /// The listener.
    pub server: Server,
    /// Client keys; empty means none is asked.
    pub keys: Vec<ClientKey>,
    /// What all clients together may spend in a day, and each session.
    pub budget: Budget,
    /// What happens when a session repeats itself.
    pub loops: Loops,
    /// The record of requests.
    pub record: Record,
    /// Those of the file, then those of the environment, then the demo.
    pub providers: Vec<Provider>,
    /// The environment's proxy, for hosts that are no providers.
    pub proxy: Option<Arc<Proxy>>,
    /// Which of them serves which name.
    pub routes: Table,
    /// What happens when an upstream fails.
    pub failover: Failover,
    /// What is logged.
    pub log: Log,
    /// What was found where.
    pub sources: Sources,
    /// What works but should be looked at.
    pub warnings: Vec<Problem>,
    /// By profile and model name.
    pub(crate) models: BTreeMap<(Option<String>, String), ModelSettings>,
}

/// The listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Address and port; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Further Host names that may be asked for, in lower case.
    pub hosts: Vec<String>,
    /// How long running requests may go on after a stop.
    pub drain: Duration,
    /// Largest request body, bytes.
    pub max_body: u64,
    /// Names of client keys that may use dashboard and API from elsewhere than loopback.
    pub admin_keys: Vec<String>,
}

/// A client key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// Its name, for logs and limits.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: KeyHash,
    /// Globs of names it may ask for; none means every one.
    pub models: Option<Vec<String>>,
    /// Requests at a time.
    pub concurrency: Option<u32>,
    /// What it may spend.
    pub budget: Budget,
}

impl ClientKey {
    /// Whether it may ask for `model`.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        let matches = |glob: &String| lingate_route::glob_matches(glob, model);
        self.models
            .as_ref()
            .is_none_or(|globs| globs.iter().any(matches))
    }
}

/// What may be spent; none means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// In a day, UTC.
    pub day: Option<MicroUsd>,
    /// In a session.
    pub session: Option<MicroUsd>,
}

/// What happens when a session repeats one tool call with the same result; none means nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loops {
    /// After so many times it is said.
    pub warn_after: Option<NonZeroU32>,
    /// After so many times the session's requests are refused.
    pub stop_after: Option<NonZeroU32>,
}

/// The record of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is kept; none if there is no home directory to keep it in.
    pub dir: Option<PathBuf>,
    /// Which bodies are kept.
    pub bodies: Bodies,
    /// Days after which rows are deleted.
    pub keep_days: u32,
    /// Bytes above which the oldest are deleted.
    pub keep_bytes: u64,
    /// A file or URL that replaces the bundled price table.
    pub prices: Option<String>,
    /// Whether a request is refused when it cannot be recorded.
    pub fail_closed: bool,
}

/// What happens when an upstream fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Failover {
    /// Targets tried for one request.
    pub attempts: u32,
    /// Everything before the first content, all attempts together.
    pub deadline: Option<Duration>,
    /// When an upstream is left alone for a while.
    pub breaker: Breaker,
}

/// When an upstream is left alone for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    /// Failures in a row that open it.
    pub consecutive: u32,
    /// Share of failures within the window that opens it, 0 to 1.
    pub ratio: f64,
    /// The window of the ratio.
    pub window: Duration,
    /// How long it stays open at first.
    pub open: Duration,
    /// How long it stays open at most.
    pub open_max: Duration,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// In which form.
    pub format: LogFormat,
}

/// What was found where: for the ready line and `check`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The file, if there was one.
    pub file: Option<PathBuf>,
    /// Every key in use, by label and origin, in order of the providers.
    pub keys: Vec<FoundKey>,
    /// Whether default and small model were chosen for want of a word in the file.
    pub default_chosen: bool,
}

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundKey {
    /// The provider's id.
    pub provider: String,
    /// `provider#1`.
    pub label: String,
    /// `environment variable NAME`, `lingate.toml:12`.
    pub origin: String,
}

/// Settings of one configured model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSettings {
    /// Context window.
    pub context: Context,
    /// Output limit in tokens.
    pub max_output: Option<u64>,
    /// What the model reads, if configured.
    pub input: Option<Vec<Modality>>,
    /// What becomes of images for a text-only model.
    pub images: Images,
    /// Whether the model is asked to think.
    pub thinking: Thinking,
    /// What becomes of assistant turns whose reasoning is missing.
    pub reasoning_history: ReasoningHistory,
    /// Model to use when the context does not fit.
    pub overflow: Option<String>,
    /// An answer without a tool call is asked for again, up to this many attempts in all (1 to 5); `None` leaves it.
    pub ensure_tool_call: Option<u32>,
    /// What becomes of calls that do not fit the tool's schema.
    pub validate_tool_calls: ValidateToolCalls,
    /// Overrides the price table.
    pub price: Option<Rates>,
    /// The field that carries the output limit on the Chat wire.
    pub max_tokens_field: MaxTokensField,
    /// How tools are described to the model.
    pub tool_format: ToolFormat,
    /// Globs of the tools the model is told about.
    pub tools_allowed: Vec<String>,
    /// Text for the system prompt, and where it goes.
    pub instruction: Option<Instruction>,
    /// Keeps only this many of the last turns.
    pub max_turns: Option<u32>,
    /// What becomes of the client's temperature.
    pub temperature: Temperature,
    pub(crate) targets: Vec<TargetSettings>,
}

/// A model without an entry in the file: everything as the client and the facts have it.
impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            context: Context::Facts,
            max_output: None,
            input: None,
            images: Images::Omit,
            thinking: Thinking::Auto,
            reasoning_history: ReasoningHistory::Auto,
            overflow: None,
            ensure_tool_call: None,
            validate_tool_calls: ValidateToolCalls::Off,
            price: None,
            max_tokens_field: MaxTokensField::Auto,
            tool_format: ToolFormat::Native,
            tools_allowed: vec!["*".to_owned()],
            instruction: None,
            max_turns: None,
            temperature: Temperature::Client,
            targets: Vec::new(),
        }
    }
}

/// Settings of one target of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetSettings {
    /// Context window in tokens, if configured.
    pub context: Option<u64>,
    /// Added to requests, over the provider's; values are marked sensitive.
    pub headers: HeaderMap,
    /// Merged into request bodies, over the provider's.
    pub body: serde_json::Map<String, serde_json::Value>,
}

/// Where a model's context window is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The smallest of the targets' facts.
    Facts,
    /// The file, in tokens.
    Tokens(u64),
    /// Asked from the server.
    Auto,
}

/// What becomes of images for a text-only model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// A placeholder stands in for them.
    Omit,
    /// The request goes to this model.
    Route(String),
}

impl Config {
    /// The provider of that id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// Settings of the configured model a candidate comes from; none for `provider/model`.
    #[must_use]
    pub fn model_settings(&self, candidate: &Candidate) -> Option<&ModelSettings> {
        let TargetRef { profile, model, .. } = candidate.target.as_ref()?;
        self.models.get(&(profile.clone(), model.to_string()))
    }

    /// Settings of the very target a candidate comes from; none for `provider/model`.
    #[must_use]
    pub fn target_settings(&self, candidate: &Candidate) -> Option<&TargetSettings> {
        let index = candidate.target.as_ref()?.index;
        self.model_settings(candidate)?.targets.get(index)
    }

    /// Refuses an upstream that is the gateway's own listener: requests would go in circles.
    ///
    /// # Errors
    /// Names every provider that points at `listen`.
    pub fn refuse_own_listener(&self, listen: SocketAddr) -> Result<(), Problems> {
        let problems: Vec<Problem> = self
            .own_listeners(listen)
            .map(|(_, problem)| problem)
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(problems))
        }
    }

    /// The ids of providers that point at `listen`, each with its problem.
    pub(crate) fn own_listeners(
        &self,
        listen: SocketAddr,
    ) -> impl Iterator<Item = (&str, Problem)> {
        let own = self.providers.iter().filter(move |provider| {
            let itself = |(host, port): &(String, u16)| {
                *port == listen.port() && self.is_own_host(host, listen)
            };
            provider.enabled && provider.hosts.iter().any(itself)
        });
        own.map(move |provider| {
            let message = format!(
                "provider `{}` points at lingate's own address {listen}",
                provider.id
            );
            let hint = "give it the upstream's `base_url`".to_owned();
            (provider.id.as_str(), Problem::new(message, Some(hint)))
        })
    }

    fn is_own_host(&self, host: &str, listen: SocketAddr) -> bool {
        let address = listen.ip();
        let reaches_loopback = address.is_loopback() || address.is_unspecified();
        host.parse() == Ok(address)
            || (reaches_loopback && is_loopback(host))
            || self.server.hosts.iter().any(|own| own == host)
    }

    /// JSON Schema of the file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        crate::file::schema()
    }

    /// `docs/generated/config.md`, written from the schema.
    #[must_use]
    pub fn reference() -> String {
        crate::reference::reference(&Self::schema())
    }
}
