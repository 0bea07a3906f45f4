//! A Codex provider as cc-switch keeps it: the key in `auth`, the rest as the text of a `config.toml`.

use lingate_wire::Wire;
use serde_json::Value;

use super::draft::{Draft, Found};
use super::section::Section;

/// Adds the provider; its id and model.
pub(super) fn read(
    name: &str,
    settings: &mut Section,
    draft: &mut Draft,
) -> Option<(String, Option<String>)> {
    let place = settings.place("config");
    let text = settings.text("config").unwrap_or_default();
    let Ok(config) = toml::from_str::<Value>(&text) else {
        draft.note(place, "is not TOML");
        return None;
    };
    let mut auth = settings.section("auth");
    let key_place = auth.place("OPENAI_API_KEY");
    let key = auth.text("OPENAI_API_KEY");
    auth.of_no_account(&["tokens", "last_refresh", "auth_mode"]);
    auth.rest(draft);
    let chosen = config.get("model_provider").and_then(Value::as_str)?;
    let provider = config.get("model_providers")?.get(chosen)?;
    let url = provider.get("base_url").and_then(Value::as_str)?;
    let wire = match provider.get("wire_api").and_then(Value::as_str) {
        Some("chat") => Wire::Chat,
        _ => Wire::Responses,
    };
    let found = Found {
        name,
        url,
        url_place: &place,
        wire: Some(wire),
        key: key.as_deref().map(|key| (key, key_place)),
    };
    let id = draft.provider_at(&found)?;
    let model = config.get("model").and_then(Value::as_str);
    Some((id, model.map(str::to_owned)))
}
