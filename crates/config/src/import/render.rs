//! The draft as TOML, in the order in which people read it: what is asked for by default, then who serves, then names.

use std::fmt::Write as _;

use super::Imported;
use super::draft::{Draft, DraftModel, DraftProvider};

/// The configuration's text.
pub(super) fn rendered(draft: Draft) -> Imported {
    let mut out =
        String::from("# Written by `lingate import`. `lingate check` shows what it leads to.\n");
    let mut head = String::new();
    for (key, value) in [("default", &draft.default), ("small", &draft.small)] {
        if let Some(value) = value {
            line(&mut head, key, &quoted(value));
        }
    }
    if !head.is_empty() {
        out.push('\n');
        out.push_str(&head);
    }
    if let Some(listen) = &draft.listen {
        out.push_str("\n[server]\n");
        line(&mut out, "listen", &quoted(listen));
    }
    for (name, hash) in &draft.client_keys {
        table(&mut out, &["keys", name]);
        line(&mut out, "secret", &quoted(hash));
    }
    for provider in &draft.providers {
        self::provider(&mut out, provider);
    }
    for model in &draft.models {
        self::model(&mut out, model);
    }
    if !draft.aliases.is_empty() {
        out.push_str("\n[aliases]\n");
        for (name, to) in &draft.aliases {
            line(&mut out, &key(name), &quoted(to));
        }
    }
    for (when, to) in &draft.rules {
        out.push_str("\n[[rules]]\n");
        line(&mut out, "when", when);
        line(&mut out, "use", &quoted(to));
    }
    if let Some(attempts) = draft.attempts {
        out.push_str("\n[failover]\n");
        line(&mut out, "attempts", &attempts.to_string());
    }
    Imported {
        text: out,
        secrets: draft.secrets,
        notes: draft.notes,
    }
}

fn provider(out: &mut String, provider: &DraftProvider) {
    table(out, &["providers", &provider.id]);
    if let Some(preset) = &provider.preset {
        line(out, "preset", &quoted(preset));
    }
    if let Some(url) = &provider.base_url {
        line(out, "base_url", &referring(url));
    }
    if let Some(wire) = provider.speaks {
        line(out, "speaks", &format!("[{}]", quoted(wire.name())));
    }
    match provider.keys.as_slice() {
        [] => {}
        [key] => line(out, "api_key", &referring(key)),
        keys => {
            let keys: Vec<String> = keys.iter().map(|key| referring(key)).collect();
            line(out, "api_keys", &format!("[{}]", keys.join(", ")));
        }
    }
    for (key, value) in &provider.extra {
        line(out, key, value);
    }
}

fn model(out: &mut String, model: &DraftModel) {
    match &model.profile {
        Some(profile) => table(out, &["profiles", profile, "models", &model.name]),
        None => table(out, &["models", &model.name]),
    }
    let target = |(to, weight): &(String, u32)| match weight {
        1 => quoted(to),
        weight => format!("{{ to = {}, weight = {weight} }}", quoted(to)),
    };
    let targets: Vec<String> = model.targets.iter().map(target).collect();
    line(out, "targets", &format!("[{}]", targets.join(", ")));
    for (key, value) in &model.extra {
        line(out, key, value);
    }
}

fn table(out: &mut String, path: &[&str]) {
    let path: Vec<String> = path.iter().map(|part| key(part)).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n[{}]", path.join("."));
}

fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

/// A key, quoted if it has to be.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        literal(name)
    }
}

/// A text in quotes that stands for itself: what would be a reference here is none where it comes from.
pub(super) fn quoted(text: &str) -> String {
    literal(&text.replace("${", "$${"))
}

/// A text in quotes that may begin with a variable, as [`super::draft::as_reference`] writes it; the rest stands for itself.
pub(super) fn referring(text: &str) -> String {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let reference = text
        .strip_prefix("${")
        .and_then(|behind| behind.split_once('}'))
        .filter(|(name, _)| is_name(name));
    match reference {
        Some((name, rest)) => literal(&format!("${{{name}}}{}", rest.replace("${", "$${"))),
        None => quoted(text),
    }
}

fn literal(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Any value, inline.
pub(super) fn inline(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let member = |(name, value): (&String, &serde_json::Value)| {
                format!("{} = {}", key(name), inline(value))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{ {} }}", members.join(", "))
        }
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        serde_json::Value::String(text) => quoted(text),
        // TOML has no null; an empty text stands in for it.
        serde_json::Value::Null => quoted(""),
        other => other.to_string(),
    }
}
