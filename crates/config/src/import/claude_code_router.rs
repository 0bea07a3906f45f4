//! claude-code-router's `config.json`: providers with their endpoints, and a router of `provider,model`.

use std::collections::BTreeMap;

use lingate_wire::Wire;
use serde_json::Value;

use super::draft::{Draft, Found, NO_URL};
use super::render::{inline, referring};
use super::section::Section;

/// Its threshold for `longContext`.
const LONG: f64 = 60_000.0;

pub(super) fn read(mut root: Section, draft: &mut Draft) {
    let host_place = root.place("HOST");
    let host = root.text("HOST");
    let port = root.number("PORT");
    draft.listen_on(host.as_deref().map(|host| (host, host_place)), port);
    let place = root.place("APIKEY");
    if let Some(key) = root.text("APIKEY") {
        draft.client_key("ccr", &key, place);
    }
    let place = root.place("PROXY_URL");
    let proxy = root
        .text("PROXY_URL")
        .map(|proxy| match proxy.contains('@') {
            true => draft.reference("UPSTREAM_PROXY", &proxy, place),
            false => proxy,
        });
    let timeout = root.number("API_TIMEOUT_MS");
    root.of_no_account(&[
        "LOG",
        "LOG_LEVEL",
        "CLAUDE_PATH",
        "NON_INTERACTIVE_MODE",
        "StatusLine",
    ]);
    let why = "is code of that system; a repair here is a quirk (`lingate quirks`), a route a rule";
    root.without_meaning(&["CUSTOM_ROUTER_PATH", "transformers"], why, draft);

    let mut ids = BTreeMap::new();
    for mut provider in root.sections("Providers") {
        let name = provider.text("name").unwrap_or_default();
        if let Some(id) = self::provider(&mut provider, &name, draft) {
            if let Some(entry) = draft.provider(&id) {
                if let Some(proxy) = &proxy {
                    entry.set("proxy", referring(proxy));
                }
                if let Some(ms) = timeout {
                    let seconds = (ms / 1000.0).ceil().max(1.0);
                    entry.set(
                        "timeouts",
                        format!("{{ headers = \"{seconds}s\", first_content = \"{seconds}s\" }}"),
                    );
                }
            }
            ids.insert(name, id);
        }
        provider.rest(draft);
    }
    router(root.section("Router"), &ids, draft);
    root.rest(draft);
}

fn provider(provider: &mut Section, name: &str, draft: &mut Draft) -> Option<String> {
    let mut transformer = provider.section("transformer");
    let used = transformer.take("use");
    let names = transformer_names(used.as_ref());
    let uses = |name: &str| names.iter().any(|used| used.eq_ignore_ascii_case(name));
    let wire = if uses("anthropic") {
        Some(Wire::Anthropic)
    } else if uses("gemini") {
        Some(Wire::Gemini)
    } else {
        None
    };
    let url_place = provider.place("api_base_url");
    let Some(url) = provider.text("api_base_url") else {
        draft.note(url_place, "without an address there is no provider");
        return None;
    };
    let key_place = provider.place("api_key");
    let key = provider.text("api_key");
    let found = Found {
        name,
        url: &url,
        url_place: &url_place,
        wire,
        key: key.as_deref().map(|key| (key, key_place)),
    };
    let Some(id) = draft.provider_at(&found) else {
        draft.note(url_place, NO_URL);
        return None;
    };
    // Models need no list here: `provider/model` is a name.
    let models = provider.texts("models");
    transformers(used, &id, &models, &transformer.place("use"), draft);
    for (model, mut own) in transformer.named_sections() {
        let place = own.place("use");
        let used = own.take("use");
        transformers(used, &id, &[model], &place, draft);
        own.rest(draft);
    }
    transformer.rest(draft);
    Some(id)
}

fn transformer_names(used: Option<&Value>) -> Vec<String> {
    let items = used.and_then(Value::as_array).into_iter().flatten();
    let name = |item: &Value| {
        let name = item.as_str().or_else(|| item.get(0)?.as_str());
        name.map(str::to_owned)
    };
    items.filter_map(name).collect()
}

/// What the options of transformers say. What the transformers themselves do is done by quirks here.
fn transformers(
    used: Option<Value>,
    provider: &str,
    models: &[String],
    place: &str,
    draft: &mut Draft,
) {
    let Some(Value::Array(items)) = used else {
        return;
    };
    for item in items {
        let (Some(name), Some(options)) = (item.get(0).and_then(Value::as_str), item.get(1)) else {
            continue;
        };
        let limit = options.get("max_tokens").and_then(Value::as_u64);
        let routing = options
            .get("provider")
            .or_else(|| options.get("providerOrder"));
        match (limit, routing) {
            (Some(limit), _) => {
                for name in models {
                    let model = draft.model(None, name);
                    model.serve(format!("{provider}/{name}"), 1);
                    model.set("max_output", limit.to_string());
                }
            }
            (None, Some(routing)) if !is_empty(routing) => {
                let routing = match routing {
                    Value::Array(order) => serde_json::json!({ "order": order }),
                    other => other.clone(),
                };
                let body = format!("{{ provider = {} }}", inline(&routing));
                let is_set = draft
                    .provider(provider)
                    .is_some_and(|entry| entry.set("body", body));
                if !is_set {
                    let text = "another model of the provider has other options: write them into its target's `body`";
                    draft.note(place.to_owned(), text);
                }
            }
            _ => draft.note(
                place.to_owned(),
                format!("the options of the transformer `{name}` have no counterpart"),
            ),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|o| o.is_empty())
}

fn router(mut router: Section, ids: &BTreeMap<String, String>, draft: &mut Draft) {
    let threshold = router.number("longContextThreshold").unwrap_or(LONG);
    let mut target = |key: &str, draft: &mut Draft| {
        let place = router.place(key);
        let text = router.text(key)?;
        let (provider, model) = text.split_once(',')?;
        let id = ids.get(provider.trim());
        if id.is_none() {
            draft.note(place, format!("there is no provider `{}`", provider.trim()));
        }
        Some(format!("{}/{}", id?, model.trim()))
    };
    draft.default = target("default", draft);
    draft.small = target("background", draft);
    let long = format!("{{ tokens_over = {threshold} }}");
    for (key, when) in [
        ("webSearch", "{ tool = \"web_search*\" }"),
        ("image", "{ image = true }"),
        ("longContext", long.as_str()),
        ("think", "{ thinking = true }"),
    ] {
        if let Some(to) = target(key, draft) {
            draft.rules.push((when.to_owned(), to));
        }
    }
    router.rest(draft);
}
