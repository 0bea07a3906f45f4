//! One way to load a text, and what the tests look at in the outcome.

use std::path::PathBuf;

use lingate_config::{Config, FixedEnvironment, LoadOptions, Provider};
use lingate_wire::Wire;

/// Quirk names as a gateway would pass them.
pub(crate) const QUIRKS: &[&str] = &["deepseek", "kimi-k2", "minimax", "moonshot", "zai"];

pub(crate) fn environment(variables: &[(&str, &str)]) -> FixedEnvironment {
    FixedEnvironment::new(
        [("HOME", "/home/user")]
            .into_iter()
            .chain(variables.iter().copied()),
    )
}

/// The configuration of `text`, or every problem as it is shown.
pub(crate) fn load_in(text: &str, environment: &FixedEnvironment) -> Result<Config, String> {
    let options = LoadOptions {
        quirks: QUIRKS,
        ..LoadOptions::default()
    };
    Config::from_text(
        Some(PathBuf::from("lingate.toml")),
        text,
        &options,
        environment,
    )
    .map_err(|problems| problems.to_string())
}

pub(crate) fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    load_in(text, &environment(variables))
}

/// The problems of a text that must have some.
pub(crate) fn problems(text: &str, variables: &[(&str, &str)]) -> String {
    match load(text, variables) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems,
    }
}

pub(crate) fn provider<'c>(config: &'c Config, id: &str) -> &'c Provider {
    config
        .provider(id)
        .unwrap_or_else(|| panic!("no provider {id}"))
}

pub(crate) fn endpoint(provider: &Provider, wire: Wire) -> String {
    provider
        .endpoint(wire)
        .map_or_else(|| "none".to_owned(), ToString::to_string)
}
