//! The documents that are written member by member elsewhere (`providers.rs`, `reload.rs`, `front/switch.rs`,
//! `front/control.rs`), as types for the description alone. `tests/it/api.rs` holds what is sent against them.
#![expect(dead_code, reason = "only their schemas are used")]

use schemars::JsonSchema;

/// How the providers stand.
#[derive(JsonSchema)]
pub(super) struct Providers {
    /// In the order of the configuration.
    providers: Vec<Provider>,
    /// How well tool calls fitted their schemas, where they were checked.
    models: Vec<ToolCalls>,
    /// Requests inside and waiting, where `concurrency` is set.
    queues: Vec<Gate>,
}

/// How a provider stands.
#[derive(JsonSchema)]
pub(super) struct Provider {
    /// Its name in the configuration.
    id: String,
    /// Its name for people.
    name: String,
    /// The worst of what is known.
    state: ProviderState,
    /// Whether the configuration has it on.
    enabled: bool,
    /// Whether an operator took it out.
    drained: bool,
    /// Requests under way.
    in_flight: u32,
    /// Its keys, in the order of the configuration.
    keys: Vec<Key>,
    /// Models that were asked since the start.
    targets: Vec<Target>,
    /// The last probe with each key.
    probes: Vec<Probe>,
}

/// The worst of what is known of a provider.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum ProviderState {
    /// All is well.
    Ok,
    /// Some of it is out.
    Degraded,
    /// All of it is out.
    Down,
    /// Sent nothing new, by an operator's word.
    Drained,
    /// Off in the configuration.
    Disabled,
}

/// How a key stands.
#[derive(JsonSchema)]
struct Key {
    /// From 1.
    index: u32,
    /// Names it.
    label: String,
    /// `ok` or `out`.
    state: String,
    /// Why it is out: `quota` or `credential`.
    reason: Option<String>,
    /// Until when.
    until: Option<String>,
    /// Requests under way with it.
    in_flight: u32,
    /// Models it cannot ask for now.
    limits: Vec<Limit>,
}

/// A model that a key cannot ask for now.
#[derive(JsonSchema)]
struct Limit {
    /// The model.
    model: String,
    /// `rate-limit` or `forbidden`.
    reason: String,
    /// Until when.
    until: String,
}

/// How a model of a provider stands.
#[derive(JsonSchema)]
struct Target {
    /// The model, as the provider knows it.
    model: String,
    /// `ok`, `out` or `probation`.
    state: String,
    /// Why it is not `ok`.
    reason: Option<String>,
    /// Until when.
    until: Option<String>,
    /// Requests under way.
    in_flight: u32,
    /// The median time to the first content of the last successes.
    ttft_p50_ms: Option<u64>,
    /// What became of the last request.
    last: Option<LastRequest>,
}

/// What became of a target's last request.
#[derive(JsonSchema)]
struct LastRequest {
    /// When.
    at: String,
    /// `served`, or the class of the failure.
    outcome: String,
}

/// A probe.
#[derive(JsonSchema)]
struct Probe {
    /// When.
    at: String,
    /// With which key; null for a provider that takes none.
    key: Option<String>,
    /// What it found.
    verdict: String,
    /// What the provider answered.
    status: Option<u16>,
    /// In whose words.
    words: String,
}

/// How well a model's tool calls fitted.
#[derive(JsonSchema)]
struct ToolCalls {
    /// The provider.
    provider: String,
    /// The model.
    model: String,
    /// Calls that were checked.
    tool_calls: u64,
    /// The part of them that fitted.
    schema_accuracy: Option<f64>,
}

/// A provider or key with `concurrency`.
#[derive(JsonSchema)]
struct Gate {
    /// `provider` or `key`.
    gate: String,
    /// Its name.
    name: String,
    /// How many may be inside.
    concurrency: u64,
    /// How many are.
    inside: u64,
    /// How many wait.
    waiting: u64,
}

/// The configuration in force.
#[derive(JsonSchema)]
pub(super) struct InForce {
    /// Counts configurations, from 1.
    generation: u64,
    /// Names it.
    config: String,
    /// The last attempt to load another.
    reload: Option<Reload>,
}

/// A reload.
#[derive(JsonSchema)]
struct Reload {
    /// When.
    at: String,
    /// `file`, `signal` or `api`.
    trigger: String,
    /// `applied`, `unchanged` or `refused`.
    outcome: String,
    /// What is wrong with what was refused.
    problems: Vec<String>,
}

/// The default model.
#[derive(JsonSchema)]
pub(super) struct Default {
    /// The one in force.
    default: Option<String>,
    /// The one that the configuration names.
    configured: Option<String>,
    /// Whether somebody switched it.
    switched: bool,
}

/// Which model is to be the default.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DefaultWish {
    /// A model's name; null for the configured one.
    model: Option<String>,
}

/// The gateway ends.
#[derive(JsonSchema)]
pub(super) struct Stopping {
    /// `stopping`.
    status: String,
}
