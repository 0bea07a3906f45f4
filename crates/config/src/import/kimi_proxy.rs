//! Kimi Proxy's `model-config.yaml` and `.env`.
//!
//! Its variables are ours where they name keys, projects and options of a preset; the models of the same name are
//! variants, served by a strategy.

use super::draft::{Address, CUT, Draft, Found};
use super::render::{inline, quoted, referring};
use super::section::Section;
use super::{ImportError, Source, dotenv, yaml};
use crate::environment::FixedEnvironment;
use crate::preset::{Preset, preset, presets};
use crate::resolve::environment_options;

/// How it runs, and where it keeps its log.
const OWN: [&str; 12] = [
    "PORT",
    "HOST",
    "MODEL_CONFIG",
    "MODEL_CONFIG_PATH",
    "LOG_DB_PATH",
    "LOG_BLOB_ROOT",
    "LIVESTORE_BATCH",
    "LIVESTORE_MAX_RECORDS",
    "LOG_LEVEL",
    "CACHE_DIR",
    "NODE_ENV",
    "VITE_API_URL",
];

pub(super) fn read(sources: &[Source<'_>], draft: &mut Draft) -> Result<(), ImportError> {
    let is_env = |source: &&Source<'_>| {
        let name = source.name.rsplit('/').next().unwrap_or_default();
        name.contains(".env") || name.ends_with("env")
    };
    let mut variables = Vec::new();
    for source in sources.iter().filter(is_env) {
        let found = dotenv::variables(source.text);
        environment(source.name, &found, draft);
        variables.extend(found);
    }
    let of = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let attempts = of("ENSURE_TOOL_CALL_MAX_ATTEMPTS");
    if let Some(text) = of("MODEL_CONFIG") {
        let name = "MODEL_CONFIG";
        let source = Source { name, text };
        models(Section::root(name, yaml(&source)?), attempts, draft);
    }
    for source in sources.iter().filter(|source| !is_env(source)) {
        models(Section::root(source.name, yaml(source)?), attempts, draft);
    }
    draft.default = draft.models.first().map(|model| model.name.clone());
    leave_out_unused_twins(draft);
    Ok(())
}

/// One credential serves several presets; of those only what the models use.
fn leave_out_unused_twins(draft: &mut Draft) {
    let targets: Vec<String> = draft
        .models
        .iter()
        .flat_map(|model| model.targets.iter().map(|(to, _)| to.clone()))
        .collect();
    let is_used = |id: &str| {
        targets.iter().any(|to| {
            to.split_once('/')
                .is_some_and(|(provider, _)| provider == id)
        })
    };
    let mut seen: Vec<Vec<String>> = Vec::new();
    draft.providers.retain(|provider| {
        let is_twin = !provider.keys.is_empty() && seen.contains(&provider.keys);
        seen.push(provider.keys.clone());
        !is_twin || is_used(&provider.id)
    });
}

fn environment(file: &str, variables: &[(String, String)], draft: &mut Draft) {
    let of = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let place = |name: &str| format!("{file}: {name}");
    let host = of("HOST").map(|host| (host, place("HOST")));
    draft.listen_on(host, of("PORT").and_then(|port| port.parse().ok()));
    let mut used: Vec<String> = OWN.iter().map(|name| (*name).to_owned()).collect();
    used.push("ENSURE_TOOL_CALL_MAX_ATTEMPTS".to_owned());
    let fixed = FixedEnvironment::new(
        variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    for preset in presets() {
        let Some((variable, key)) = preset.env.iter().find_map(|name| Some((name, of(name)?)))
        else {
            continue;
        };
        used.extend(preset.env.iter().cloned());
        let settings: Vec<(&str, String)> = preset
            .variables
            .iter()
            .filter_map(|(name, variable)| {
                let value = variable.env.iter().find_map(|name| of(name))?;
                Some((name, value.to_owned()))
            })
            .collect();
        for (_, variable) in preset.variables.iter() {
            used.extend(variable.env.iter().cloned());
        }
        let is_open = |name: &str| {
            let set = settings.iter().any(|(known, _)| *known == name);
            !set && preset
                .variables
                .iter()
                .any(|(known, told)| known == name && told.default.is_none() && told.by.is_none())
        };
        if !preset.auto || preset.variables.iter().any(|(name, _)| is_open(name)) {
            continue;
        }
        let base = variable
            .strip_suffix("_API_KEY")
            .map(|stem| format!("{stem}_BASE_URL"));
        let url = base.as_deref().and_then(of);
        let url_place = place(base.as_deref().unwrap_or_default());
        used.extend(base);
        let key = (key, place(variable));
        let id = match url {
            Some(url) => {
                let found = Found {
                    name: &preset.name,
                    url,
                    url_place: &url_place,
                    wire: None,
                    key: Some(key),
                };
                draft.provider_at(&found)
            }
            // A credential's path is no secret, and its file stays where it is.
            None if preset.provider.auth == Some(crate::Auth::Gcp) => {
                let id = draft.provider_of(preset, None);
                if let Some(entry) = draft.provider(&id) {
                    entry.keys = vec![format!("${{{variable}}}")];
                }
                let text = "stays where it is: set the variable for lingate as well";
                if !draft.notes.iter().any(|note| note.place == key.1) {
                    draft.note(key.1, text);
                }
                Some(id)
            }
            None => Some(draft.provider_of(preset, Some(key))),
        };
        let Some(entry) = id.and_then(|id| draft.provider(&id)) else {
            continue;
        };
        if !settings.is_empty() {
            let settings: Vec<String> = settings
                .iter()
                .map(|(name, value)| format!("{name} = {}", referring(value)))
                .collect();
            entry.set("variables", format!("{{ {} }}", settings.join(", ")));
        }
        let (body, suffix) = environment_options(preset, &fixed);
        if !body.is_empty() {
            entry.set("body", inline(&body.into()));
        }
        if let Some(suffix) = suffix {
            entry.set("model_suffix", quoted(&suffix));
        }
        used.extend(preset.options.iter().map(|(name, _)| name.to_owned()));
        let mut cut = Vec::new();
        for (wire, variable) in &preset.endpoint_env {
            let wire = lingate_wire::Wire::from(*wire);
            if let Some(url) = of(variable)
                && wire == lingate_wire::Wire::Chat
            {
                let address = Address::of(url);
                cut.extend(address.is_cut.then(|| place(variable)));
                entry.base_url = Some(address.url);
                entry.speaks = Some(wire);
            }
            used.push(variable.clone());
        }
        for place in cut {
            draft.note(place, CUT);
        }
    }
    let why = "replies are streamed as they come";
    for (name, value) in variables {
        let is_used = used.contains(name) || value.is_empty();
        match name.as_str() {
            "STREAM_DELAY" | "STREAM_CHUNK_SIZE" => draft.note(place(name), why),
            _ if !is_used => draft.note(place(name), "has no counterpart"),
            _ => {}
        }
    }
}

fn models(mut root: Section, attempts: Option<&str>, draft: &mut Draft) {
    let default = root.text("default_strategy");
    let mut stated: Vec<(Option<String>, String)> = Vec::new();
    for mut entry in root.sections("models") {
        let name = entry.text("name").unwrap_or_default();
        let profile = entry.text("profile");
        let place = entry.place("provider");
        let provider = entry.text("provider").unwrap_or_default();
        let upstream = entry.text("model").unwrap_or_else(|| name.clone());
        let strategy = entry.text("strategy");
        let ensures = entry.flag("ensure_tool_call") == Some(true);
        let weight = entry.number("weight").filter(|weight| *weight >= 1.0);
        let weight = format!("{}", weight.unwrap_or(1.0).round());
        let why = "is ignored there too: keys stand in `provider_config`";
        entry.without_meaning(&["apiKey"], why, draft);
        let config = entry.section("provider_config");
        let Some(id) = self::provider(&provider, &upstream, config, &place, draft) else {
            entry.rest(draft);
            continue;
        };
        let group = (profile.clone(), name.clone());
        // The first variant that states a strategy decides for all.
        let is_first = !stated.contains(&group);
        let model = draft.model(profile.as_deref(), &name);
        model.serve(format!("{id}/{upstream}"), weight.parse().unwrap_or(1));
        if let Some(strategy) = strategy.filter(|_| is_first) {
            model.extra.retain(|(key, _)| *key != "strategy");
            model.set("strategy", quoted(&strategy));
            stated.push(group);
        } else if let Some(default) = &default {
            model.set("strategy", quoted(default));
        }
        if ensures {
            model.set("ensure_tool_call", "true".to_owned());
            if let Some(attempts) = attempts {
                model.set("ensure_tool_call_max_attempts", attempts.to_owned());
            }
        }
        entry.rest(draft);
    }
    for model in &mut draft.models {
        // With one variant there is nothing to choose.
        if model.targets.len() < 2 {
            model.extra.retain(|(key, _)| *key != "strategy");
        }
    }
    root.rest(draft);
}

/// The provider of a variant: the global one, or one of its own.
fn provider(
    name: &str,
    model: &str,
    mut config: Section,
    place: &str,
    draft: &mut Draft,
) -> Option<String> {
    let known = of_model(name, model);
    let key_place = config.place("apiKey");
    let key = config.text("apiKey");
    let key = key.as_deref().map(|key| (key, key_place));
    let variables_place = config.place("location");
    let mut variables = Vec::new();
    for (theirs, ours) in [("projectId", "project"), ("location", "location")] {
        if let Some(value) = config.text(theirs) {
            let value = super::draft::as_reference(&value).unwrap_or(value);
            variables.push(format!("{ours} = {}", referring(&value)));
        }
    }
    let credential_place = config.place("credentials");
    let credential = config
        .text("credentials")
        .or_else(|| config.text("credentialsPath"));
    let url_place = config.place("baseUrl");
    let url = config
        .text("endpointOverride")
        .or_else(|| config.text("baseUrl"));
    let why = "is asked for by the client, or by `thinking` of the model";
    config.without_meaning(&["thinkingConfig"], why, draft);
    config.rest(draft);
    let id = match (url, known) {
        (Some(url), _) => {
            let url = super::draft::as_reference(&url).unwrap_or(url);
            let found = Found {
                name,
                url: &url,
                url_place: &url_place,
                wire: None,
                key,
            };
            draft.provider_at(&found)
        }
        (None, Some(preset)) => {
            let credential = credential.as_deref().map(|text| (text, credential_place));
            Some(draft.provider_of(preset, key.or(credential)))
        }
        (None, None) => None,
    };
    let Some(id) = id else {
        draft.note(
            place.to_owned(),
            format!("nothing is known of a provider `{name}`"),
        );
        return None;
    };
    let written = format!("{{ {} }}", variables.join(", "));
    let is_set = variables.is_empty()
        || draft
            .provider(&id)
            .is_some_and(|entry| entry.set("variables", written));
    if !is_set {
        let text =
            format!("`{id}` has other `variables` already: write a second provider for this model");
        draft.note(variables_place, text);
    }
    Some(id)
}

/// The preset of a provider's name; where models have a wire of their own at it, the preset that speaks that.
fn of_model(name: &str, model: &str) -> Option<&'static Preset> {
    let families = ["claude", "gemini"];
    let family = families.iter().find(|family| model.starts_with(**family));
    let own = family.and_then(|family| preset(&format!("{name}-{family}")));
    own.or_else(|| preset(name))
}
