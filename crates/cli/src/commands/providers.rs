//! `lingate providers`: the providers of the configuration, and the presets that a key or an entry would add.

use lingate_config::{Auth, Environment, Kind, Provider, presets};
use serde_json::json;

use crate::args::Report;
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// Lists providers: those in use first, then the presets that are not.
pub(crate) fn run(args: Report, environment: &dyn Environment) -> Result<(), Failure> {
    let config = load(args.file.config.as_deref(), Listen::default(), environment)?.config;
    let configured = |name: &str| {
        let mut own = config
            .providers
            .iter()
            .filter_map(|provider| provider.preset);
        own.any(|preset| preset.name == name)
    };
    let others: Vec<_> = presets()
        .iter()
        .filter(|preset| !configured(&preset.name))
        .collect();

    if args.format.json {
        let configured = config.providers.iter().map(|provider| {
            json!({
                "id": provider.id,
                "name": provider.display_name,
                "configured": true,
                "enabled": provider.enabled,
                "wires": wires(provider),
                "auth": auth(provider.auth),
                "keys": provider.keys.iter().map(|key| json!({ "label": key.label, "origin": key.origin })).collect::<Vec<_>>(),
                "endpoints": endpoints(provider),
                "quirks": provider.quirks,
            })
        });
        let others = others.iter().map(|preset| {
            json!({
                "id": preset.name,
                "name": preset.display_name,
                "configured": false,
                "variables": preset.env,
                "key_page": preset.key_page,
                "docs": preset.docs,
            })
        });
        return output::json_lines(configured.chain(others));
    }

    let configured = config.providers.iter().map(|provider| {
        [
            provider.id.clone(),
            wires(provider).join(", "),
            state(provider),
        ]
    });
    let others = others.iter().map(|preset| {
        let wanted = match (preset.env.first(), &preset.key_page) {
            (Some(variable), Some(page)) if preset.auto => {
                format!("not in use: set {variable}, made at {page}")
            }
            (Some(variable), None) if preset.auto => format!("not in use: set {variable}"),
            _ => format!(
                "not in use: add [providers.{}] to the configuration",
                preset.name
            ),
        };
        [preset.name.clone(), String::new(), wanted]
    });
    output::table(
        ["provider", "wires", "state"],
        &configured.chain(others).collect::<Vec<_>>(),
    )
}

/// What stands in the way of using it, or where its keys are from.
pub(super) fn state(provider: &Provider) -> String {
    if !provider.enabled {
        return "disabled".to_owned();
    }
    match (provider.kind, provider.auth) {
        (Kind::Demo, _) => "built in".to_owned(),
        (Kind::Upstream, Auth::None) => "needs no key".to_owned(),
        (Kind::Upstream, Auth::Client) => "the client's own key".to_owned(),
        (Kind::Upstream, Auth::Bearer | Auth::XApiKey | Auth::Both | Auth::Gcp) => {
            match provider.keys.as_slice() {
                [] => "no key".to_owned(),
                keys => {
                    let origins: Vec<&str> = keys.iter().map(|key| key.origin.as_str()).collect();
                    format!("key from {}", origins.join(", "))
                }
            }
        }
    }
}

/// Wire names, the preferred one first.
pub(super) fn wires(provider: &Provider) -> Vec<&'static str> {
    provider.speaks.iter().map(|wire| wire.name()).collect()
}

/// The final URL of each wire.
pub(super) fn endpoints(provider: &Provider) -> serde_json::Map<String, serde_json::Value> {
    let spoken = provider.speaks.iter();
    let with_url = spoken.filter_map(|wire| {
        let url = provider.endpoint(*wire)?;
        Some((wire.name().to_owned(), provider.shown(url).into()))
    });
    with_url.collect()
}

fn auth(auth: Auth) -> &'static str {
    match auth {
        Auth::Bearer => "bearer",
        Auth::XApiKey => "x-api-key",
        Auth::Both => "both",
        Auth::Gcp => "gcp",
        Auth::None => "none",
        Auth::Client => "client",
    }
}
