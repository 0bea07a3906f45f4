//! All providers: those of the file, those a key in the environment adds, and the demo.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use lingate_wire::Wire;

use super::Inputs;
use super::keys::{self, EnvironmentKey};
use super::provider::{Given, provider};
use crate::file::{File, ProviderEntry};
use crate::preset::{Preset, preset, presets};
use crate::provider::{DEMO, Kind, Provider, Timeouts};
use crate::report::{Report, did_you_mean};
use crate::settings::{AnthropicApi, Auth, HttpVersion, Pool};

/// The providers, in the order of the file, then of the presets, the demo last.
pub(super) fn providers(file: &File, inputs: &Inputs<'_>, report: &mut Report) -> Vec<Provider> {
    let found = match file.from_env {
        true => keys::from_environment(inputs.environment),
        false => Vec::new(),
    };
    let mut providers = Vec::new();
    for (id, entry) in file.providers.iter() {
        if !is_id(id) {
            let hint = "use letters, digits, `-`, `_` and `.`, and not `demo`, which is built in";
            let message = format!("`{id}` cannot be a provider's id");
            report.error(&["providers", id], message, Some(hint.to_owned()));
            continue;
        }
        let preset = preset_of(id, entry, report);
        let keys = keys::from_file(id, inputs.document, report);
        let given = Given {
            id,
            entry,
            preset,
            keys,
        };
        providers.push(provider(given, &found, inputs, report));
    }
    add_from_environment(&mut providers, &found, inputs, report);
    providers.push(demo());
    providers
}

/// Providers that a key in the environment adds: one for each preset that the file does not mention.
fn add_from_environment(
    providers: &mut Vec<Provider>,
    found: &[EnvironmentKey],
    inputs: &Inputs<'_>,
    report: &mut Report,
) {
    let entry = ProviderEntry::default();
    for preset in presets() {
        let keys = found
            .iter()
            .filter(|key| key.auto && key.preset.name == preset.name);
        let keys: Vec<_> = keys.map(EnvironmentKey::to_key).collect();
        let mentioned = |provider: &Provider| {
            provider.id == preset.name || provider.preset.is_some_and(|own| own.name == preset.name)
        };
        if keys.is_empty() || providers.iter().any(mentioned) {
            continue;
        }
        let given = Given {
            id: &preset.name,
            entry: &entry,
            preset: Some(preset),
            keys,
        };
        providers.push(provider(given, found, inputs, report));
    }
}

/// The preset an entry starts from.
fn preset_of(id: &str, entry: &ProviderEntry, report: &mut Report) -> Option<&'static Preset> {
    let names = || presets().iter().map(|preset| preset.name.as_str());
    if let Some(name) = &entry.preset {
        let found = preset(name);
        if found.is_none() {
            let message = format!("no preset `{name}`");
            let hint = did_you_mean(name, names()).or_else(|| {
                Some(format!(
                    "presets: {}",
                    names().collect::<Vec<_>>().join(", ")
                ))
            });
            report.error(&["providers", id, "preset"], message, hint);
        }
        return found;
    }
    let found = preset(id);
    if found.is_none() && entry.base_url.is_none() {
        let message = format!("provider `{id}` has no `base_url`");
        let hint = did_you_mean(id, names())
            .map(|hint| format!("{hint} A preset brings its own"))
            .or_else(|| {
                Some(format!(
                    "only a preset brings its own: {}",
                    names().collect::<Vec<_>>().join(", ")
                ))
            });
        report.error(&["providers", id], message, hint);
    }
    found
}

/// An id stands before the slash of `provider/model`.
fn is_id(id: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty() && id != DEMO && id.chars().all(valid)
}

/// The built-in provider: no URL, no key, no limits to wait for.
fn demo() -> Provider {
    Provider {
        id: DEMO.to_owned(),
        kind: Kind::Demo,
        preset: None,
        display_name: "Demo".to_owned(),
        enabled: true,
        speaks: vec![Wire::Chat],
        auth: Auth::None,
        keys: Vec::new(),
        pool: Pool::FillFirst,
        billing: None,
        concurrency: None,
        proxy: None,
        ca_file: None,
        quirks: Vec::new(),
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            headers: None,
            first_content: None,
            idle: None,
        },
        has_deadline: false,
        health: None,
        http: HttpVersion::Auto,
        cache_hints: None,
        anthropic_api: AnthropicApi::default(),
        betas: None,
        session_header: None,
        model_suffix: String::new(),
        headers: HeaderMap::new(),
        body: serde_json::Map::new(),
        endpoints: BTreeMap::new(),
        models_url: None,
        hosts: Vec::new(),
    }
}
