//! The configuration: one TOML file, the presets, the environment, and nothing else.
//!
//! [`Config::load`] reads, validates and resolves everything at once and answers with either a [`Config`] that
//! needs no further checks or every problem with its place and a hint. All of it is a function of the file and an
//! [`Environment`], so `lingate check` and the tests need no server. Everything per provider is data in
//! `providers/*.toml`.

mod config;
mod document;
mod environment;
mod file;
mod gcp;
pub mod import;
mod load;
mod preset;
mod problem;
mod provider;
mod proxy;
mod reference;
mod report;
mod resolve;
mod secret;
mod settings;
mod url;
mod value;

pub use config::{
    Breaker, Budget, ClientKey, Config, Context, Failover, FoundKey, Images, Log, Loops,
    ModelSettings, Record, Server, Sources, TargetSettings,
};
pub use environment::{Environment, FixedEnvironment, SystemEnvironment};
pub use gcp::{GcpCredential, GcpCredentialError, ServiceAccount, User};
pub use load::LoadOptions;
pub use preset::{ModelFacts, Preset, ThinkingFact, preset, presets};
pub use problem::{Place, Problem, Problems};
pub use provider::{DEMO, Health, KeyRef, Kind, Provider, Timeouts, is_loopback};
pub use proxy::Proxy;
pub use secret::Secret;
pub use settings::{
    AnthropicApi, Auth, Billing, Bodies, HttpVersion, LogFormat, LogLevel, Modality, Pool,
    ToolFormat, ValidateToolCalls,
};
pub use value::{DEFAULT_LISTEN, KeyHash};

/// Local tokens that `lingate run` and `lingate env` hand to clients start with this; one found under a provider's
/// variable is our own and no provider key.
pub const LOCAL_TOKEN_PREFIX: &str = "lingate-local";
