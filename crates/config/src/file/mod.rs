//! The file's keys, as the types they are read into: the one source of the parser, the schema and the reference
//! page. Doc comments here are what an editor shows.

mod model;
mod ordered;
mod provider;
mod server;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use model::{
    ContextEntry, ModelEntry, RuleEntry, TargetEntry, TargetTable, TemperatureEntry,
    TemperatureWord,
};
pub(crate) use ordered::Ordered;
pub(crate) use provider::{BaseUrlEntry, ProviderEntry, WireName};
pub(crate) use server::{
    BudgetEntry, FailoverEntry, KeyEntry, LogEntry, LoopsEntry, RecordEntry, ServerEntry,
};

/// The configuration file of lingate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "lingate configuration")]
pub(crate) struct File {
    /// What an unknown model name gets: a model, `provider/model`, or `provider/*`, which keeps the asked name.
    pub(crate) default: Option<String>,
    /// What `claude-haiku-*` and background requests get.
    pub(crate) small: Option<String>,
    /// Whether provider keys in the environment add providers.
    pub(crate) from_env: bool,
    /// The listener.
    pub(crate) server: ServerEntry,
    /// Client keys, by name. None on loopback: none asked.
    pub(crate) keys: Ordered<KeyEntry>,
    /// What all clients together may spend, and each session.
    pub(crate) budget: BudgetEntry,
    /// What happens when a session repeats itself.
    pub(crate) loops: LoopsEntry,
    /// The record of requests.
    pub(crate) record: RecordEntry,
    /// Providers, by id. A preset's name brings its settings; each can be overridden.
    pub(crate) providers: Ordered<ProviderEntry>,
    /// What a client may ask for, by name.
    pub(crate) models: Ordered<ModelEntry>,
    /// Further names: exact beats longest literal beats `*`, which captures and may be used once on the right.
    pub(crate) aliases: Ordered<String>,
    /// Looked at before everything else; the first that matches decides.
    pub(crate) rules: Vec<RuleEntry>,
    /// Entries for requests under `/{profile}/v1/...`, by profile.
    pub(crate) profiles: Ordered<ProfileEntry>,
    /// What happens when an upstream fails.
    pub(crate) failover: FailoverEntry,
    /// What is logged.
    pub(crate) log: LogEntry,
}

impl Default for File {
    fn default() -> Self {
        Self {
            default: None,
            small: None,
            from_env: true,
            server: ServerEntry::default(),
            keys: Ordered::default(),
            budget: BudgetEntry::default(),
            loops: LoopsEntry::default(),
            record: RecordEntry::default(),
            providers: Ordered::default(),
            models: Ordered::default(),
            aliases: Ordered::default(),
            rules: Vec::new(),
            profiles: Ordered::default(),
            failover: FailoverEntry::default(),
            log: LogEntry::default(),
        }
    }
}

/// What a profile sees before the global entries; other profiles' entries it never sees.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProfileEntry {
    /// The default under this profile.
    pub(crate) default: Option<String>,
    /// The small model under this profile.
    pub(crate) small: Option<String>,
    /// Models of this profile.
    pub(crate) models: Ordered<ModelEntry>,
    /// Aliases of this profile.
    pub(crate) aliases: Ordered<String>,
}

/// The schema of the file.
pub(crate) fn schema() -> serde_json::Value {
    schemars::schema_for!(File).into()
}
