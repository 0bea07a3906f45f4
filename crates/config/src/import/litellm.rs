//! LiteLLM's `config.yaml`: deployments under names, a router, fallbacks. Its names of providers are the presets'
//! `price_names`.

use serde_json::Value;

use super::draft::{Draft, Found, NO_URL, preset_called};
use super::render::{quoted, referring};
use super::section::Section;
use crate::preset::{preset, presets};

pub(super) fn read(mut root: Section, draft: &mut Draft) {
    let mut names = Vec::new();
    for mut entry in root.sections("model_list") {
        let name = entry.text("model_name").unwrap_or_default();
        let mut params = entry.section("litellm_params");
        if let Some((id, model)) = deployment(&mut params, draft) {
            serve(&name, &id, &model, &mut params, draft);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        params.rest(draft);
        let mut info = entry.section("model_info");
        info.of_no_account(&["id", "mode", "base_model"]);
        info.rest(draft);
        entry.rest(draft);
    }
    settings(root.section("litellm_settings"), draft);
    router(root.section("router_settings"), &names, draft);
    general(root.section("general_settings"), draft);
    let why = "set it in the environment of `lingate serve`";
    root.without_meaning(&["environment_variables"], why, draft);
    draft.default = draft.default.take().or_else(|| {
        let model = draft.models.first();
        model.map(|model| model.name.clone())
    });
    root.rest(draft);
}

/// Who serves a deployment, and the model's name there.
fn deployment(params: &mut Section, draft: &mut Draft) -> Option<(String, String)> {
    let place = params.place("model");
    let full = params.text("model")?;
    let base_place = params.place("api_base");
    let base = params.text("api_base").or_else(|| params.text("base_url"));
    let key_place = params.place("api_key");
    let key = params.text("api_key");
    let key = key.as_deref().map(|key| (key, key_place));
    let (prefix, model) = match full.split_once('/') {
        Some((prefix, model)) => (Some(prefix), model),
        None => (None, full.as_str()),
    };
    if let Some(base) = base {
        let wire = prefix.and_then(|prefix| prefix.parse().ok());
        let found = Found {
            name: "",
            url: &base,
            url_place: &base_place,
            wire,
            key,
        };
        let Some(id) = draft.provider_at(&found) else {
            draft.note(base_place, NO_URL);
            return None;
        };
        return Some((id, model.to_owned()));
    }
    let preset = match prefix {
        Some(prefix) => preset_called(prefix),
        None if model.starts_with("claude") => preset("anthropic"),
        None => presets()
            .iter()
            .find(|preset| preset.models().any(|(known, _)| known == model)),
    };
    let Some(preset) = preset else {
        let text = format!(
            "no preset serves `{full}`: write `[providers.NAME]` with its `base_url`, and the model's target"
        );
        draft.note(place, text);
        return None;
    };
    let id = draft.provider_of(preset, key);
    let mut written = Vec::new();
    for (ours, variable) in preset.variables.iter() {
        let value = variable.also.iter().find_map(|theirs| params.text(theirs));
        if let Some(value) = value {
            let value = super::draft::as_reference(&value).unwrap_or(value);
            written.push(format!("{ours} = {}", referring(&value)));
        }
    }
    let variables = format!("{{ {} }}", written.join(", "));
    let is_set = written.is_empty()
        || draft
            .provider(&id)
            .is_some_and(|entry| entry.set("variables", variables));
    if !is_set {
        let text =
            format!("`{id}` has other `variables` already: write a second provider for this model");
        draft.note(place, text);
    }
    Some((id, model.to_owned()))
}

fn serve(name: &str, id: &str, model: &str, params: &mut Section, draft: &mut Draft) {
    let weight = params.number("weight").unwrap_or(1.0).round().max(1.0);
    let weight = format!("{weight}").parse().unwrap_or(1);
    let max = params.number("max_tokens");
    let temperature = params.number("temperature");
    let per_million = |price: f64| {
        let text = format!("{:.6}", price * 1_000_000.0);
        quoted(text.trim_end_matches('0').trim_end_matches('.'))
    };
    let input = params.number("input_cost_per_token");
    let output = params.number("output_cost_per_token");
    params.of_no_account(&["stream_timeout", "timeout", "tags", "max_retries"]);
    let why = "hosts say when they have enough, and a key waits as long as they say";
    params.without_meaning(&["rpm", "tpm"], why, draft);
    if name.contains('*') {
        match (name, model) {
            ("*", "*") => draft.default = Some(format!("{id}/*")),
            _ => draft
                .aliases
                .push((name.to_owned(), format!("{id}/{model}"))),
        }
        return;
    }
    let entry = draft.model(None, name);
    entry.serve(format!("{id}/{model}"), weight);
    if let Some(max) = max {
        entry.set("max_output", max.to_string());
    }
    if let Some(temperature) = temperature {
        entry.set("temperature", temperature.to_string());
    }
    if let (Some(input), Some(output)) = (input, output) {
        let price = format!(
            "{{ input = {}, output = {} }}",
            per_million(input),
            per_million(output)
        );
        entry.set("price", price);
    }
}

fn settings(mut settings: Section, draft: &mut Draft) {
    fallbacks(&mut settings, draft);
    settings.of_no_account(&[
        "drop_params",
        "modify_params",
        "set_verbose",
        "json_logs",
        "num_retries",
        "request_timeout",
        "telemetry",
        "turn_off_message_logging",
        "redact_user_api_key_info",
    ]);
    settings.rest(draft);
}

fn router(mut router: Section, names: &[String], draft: &mut Draft) {
    fallbacks(&mut router, draft);
    let place = router.place("routing_strategy");
    if let Some(theirs) = router.text("routing_strategy") {
        let ours = match theirs.as_str() {
            "simple-shuffle" => Some("weighted_random"),
            "least-busy" | "usage-based-routing" | "usage-based-routing-v2" => Some("spread"),
            "latency-based-routing" => Some("least_latency"),
            _ => None,
        };
        match ours {
            Some(ours) => {
                let several = |name: &&String| {
                    let model = draft.models.iter().find(|model| model.name == **name);
                    model.is_some_and(|model| model.targets.len() > 1)
                };
                let several: Vec<String> = names.iter().filter(several).cloned().collect();
                for name in several {
                    draft.model(None, &name).set("strategy", quoted(ours));
                }
            }
            None => draft.note(place, format!("the strategy `{theirs}` has no counterpart")),
        }
    }
    for (alias, to) in router.section("model_group_alias").named_texts() {
        draft.aliases.push((alias, to));
    }
    router.of_no_account(&[
        "num_retries",
        "timeout",
        "allowed_fails",
        "cooldown_time",
        "retry_after",
        "enable_pre_call_checks",
    ]);
    router.rest(draft);
}

/// `fallbacks` and `context_window_fallbacks`: lists of `{name: [names]}`.
fn fallbacks(section: &mut Section, draft: &mut Draft) {
    for mut entry in section.sections("fallbacks") {
        for name in entry.names() {
            let targets: Vec<_> = entry
                .texts(&name)
                .iter()
                .filter_map(|to| draft.models.iter().find(|model| model.name == *to))
                .flat_map(|model| model.targets.clone())
                .collect();
            if targets.is_empty() || !draft.models.iter().any(|model| model.name == name) {
                draft.note(entry.place(&name), "names a model that is not there");
                continue;
            }
            let model = draft.model(None, &name);
            targets
                .into_iter()
                .for_each(|(to, weight)| model.serve(to, weight));
        }
        entry.rest(draft);
    }
    for mut entry in section.sections("context_window_fallbacks") {
        for name in entry.names() {
            let to = entry.texts(&name).into_iter().next();
            let has = |name: &str| draft.models.iter().any(|model| model.name == name);
            match to {
                Some(to) if has(&name) && has(&to) => {
                    draft.model(None, &name).set("overflow", quoted(&to));
                }
                _ => draft.note(entry.place(&name), "names a model that is not there"),
            }
        }
        entry.rest(draft);
    }
}

fn general(mut general: Section, draft: &mut Draft) {
    let place = general.place("master_key");
    if let Some(Value::String(key)) = general.take("master_key") {
        draft.client_key("master", &key, place);
    }
    let why = "keys and the record need no database here";
    general.without_meaning(&["database_url", "store_model_in_db"], why, draft);
    general.rest(draft);
}
