//! cc-switch: `config.json` of its earlier versions, the rows of its database's `providers` as JSON, or one provider's
//! settings file (`{"env": {...}}`).

use lingate_wire::Wire;
use serde_json::Value;

use super::codex;
use super::draft::{Draft, Found, NO_URL};
use super::section::Section;

/// Claude Code's variables for its models, with the names that they decide.
const MODELS: [(&str, &str); 4] = [
    ("ANTHROPIC_DEFAULT_OPUS_MODEL", "claude-opus-*"),
    ("ANTHROPIC_DEFAULT_SONNET_MODEL", "claude-sonnet-*"),
    ("ANTHROPIC_DEFAULT_FABLE_MODEL", "claude-fable-*"),
    ("ANTHROPIC_REASONING_MODEL", "claude-*-thinking"),
];
const SMALL: [&str; 2] = [
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
];

pub(super) fn read(mut root: Section, draft: &mut Draft) {
    root.of_no_account(&["version"]);
    for row in root.sections("[]") {
        row_of_database(row, draft);
    }
    let settings = root.section("env");
    if !settings.names().is_empty() {
        claude("", settings, draft.default.is_none(), draft);
    }
    for app in ["claude", "codex"] {
        let mut section = root.section(app);
        let current = section.text("current");
        for (id, mut provider) in section.section("providers").named_sections() {
            let name = provider.text("name").unwrap_or_else(|| id.clone());
            let is_current = current.as_deref() == Some(&id);
            let settings = provider.section("settingsConfig");
            of_app(app, &name, settings, is_current, draft);
            about(&mut provider);
            provider.rest(draft);
        }
        section.rest(draft);
    }
    let why = "is not for a gateway";
    root.without_meaning(&["mcp", "prompts", "skills"], why, draft);
    if draft.default.is_none() {
        let first = draft.providers.first();
        draft.default = first.map(|provider| format!("{}/*", provider.id));
    }
    root.rest(draft);
}

/// `sqlite3 -json cc-switch.db "select * from providers"`.
fn row_of_database(mut row: Section, draft: &mut Draft) {
    let app = row.text("app_type").unwrap_or_default();
    let name = row.text("name").unwrap_or_default();
    let is_current =
        matches!(row.take("is_current"), Some(Value::Number(n)) if n.as_u64() == Some(1));
    let place = row.place("settings_config");
    let settings = match row.take("settings_config") {
        Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::Null),
        Some(other) => other,
        None => Value::Null,
    };
    let settings = Section::root(&place, settings);
    of_app(&app, &name, settings, is_current, draft);
    about(&mut row);
    row.rest(draft);
}

/// What describes a provider to people.
fn about(provider: &mut Section) {
    provider.of_no_account(&[
        "id",
        "name",
        "category",
        "cost_multiplier",
        "createdAt",
        "created_at",
        "icon",
        "iconColor",
        "icon_color",
        "in_failover_queue",
        "isPartner",
        "limit_daily_usd",
        "limit_monthly_usd",
        "meta",
        "notes",
        "provider_type",
        "sortIndex",
        "sort_index",
        "websiteUrl",
        "website_url",
    ]);
}

fn of_app(app: &str, name: &str, mut settings: Section, is_current: bool, draft: &mut Draft) {
    match app {
        "claude" => {
            let env = settings.section("env");
            claude(name, env, is_current, draft);
            // The rest is the client's own.
        }
        "codex" => {
            let place = settings.place("config");
            match codex::read(name, &mut settings, draft) {
                Some((id, model)) => {
                    if is_current && let Some(model) = model {
                        draft
                            .aliases
                            .push(("gpt-*".to_owned(), format!("{id}/{model}")));
                    }
                }
                None => draft.note(
                    place,
                    "a login, or no provider with an address: nothing to route to",
                ),
            }
            settings.rest(draft);
        }
        other => {
            let text = format!("providers of `{other}` are not imported: write `[providers.NAME]`");
            draft.note(settings.place(""), text);
        }
    }
}

fn claude(name: &str, mut env: Section, is_current: bool, draft: &mut Draft) {
    let place = env.place("ANTHROPIC_BASE_URL");
    let Some(url) = env.text("ANTHROPIC_BASE_URL") else {
        draft.note(place, "without an address it is the client's own login: `auth = \"client\"` in `[providers.anthropic]`");
        return;
    };
    let key_place = env.place("ANTHROPIC_AUTH_TOKEN");
    let key = env
        .text("ANTHROPIC_AUTH_TOKEN")
        .or_else(|| env.text("ANTHROPIC_API_KEY"));
    let found = Found {
        name,
        url: &url,
        url_place: &place,
        wire: Some(Wire::Anthropic),
        key: key.as_deref().map(|key| (key, key_place)),
    };
    let Some(id) = draft.provider_at(&found) else {
        draft.note(place, NO_URL);
        return;
    };
    let default = env.text("ANTHROPIC_MODEL");
    let small = SMALL.iter().find_map(|key| env.text(key));
    env.of_no_account(&SMALL);
    let named: Vec<(&str, String)> = MODELS
        .iter()
        .filter_map(|(key, glob)| Some((*glob, env.text(key)?)))
        .collect();
    if is_current {
        let model = default.as_deref().unwrap_or("*");
        draft.default = Some(format!("{id}/{model}"));
        draft.small = small.map(|small| format!("{id}/{small}"));
        for (glob, model) in named {
            if Some(model.as_str()) != default.as_deref() {
                draft
                    .aliases
                    .push((glob.to_owned(), format!("{id}/{model}")));
            }
        }
    }
    // What else stands there is for the client itself, such as `API_TIMEOUT_MS`.
}
