//! Saying two schemas as one.

use super::tree::{Json, Members};

/// Adds to `members` what `other` says beyond them; properties are united.
pub(super) fn merge(members: &mut Members, other: &Members) {
    for (name, value) in other.iter() {
        match (members.get(name), value) {
            (None, _) => members.set(name, value.clone()),
            (Some(Json::Object(own)), Json::Object(more)) if name == "properties" => {
                let mut all = own.clone();
                for (property, schema) in more.iter() {
                    all.set_default(property, || schema.clone());
                }
                members.set(name, Json::Object(all));
            }
            _ => {}
        }
    }
}

/// The names that a part requires.
pub(super) fn required(members: &Members) -> Vec<String> {
    members
        .get("required")
        .and_then(Json::as_items)
        .unwrap_or_default()
        .iter()
        .filter_map(Json::as_text)
        .collect()
}

/// Sets the names that a part requires, each once; nothing where there is none.
pub(super) fn set_required(members: &mut Members, names: impl IntoIterator<Item = String>) {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    if !all.is_empty() {
        members.set(
            "required",
            Json::Array(all.iter().map(|name| Json::text(name)).collect()),
        );
    }
}

/// Each item once, where it first stood.
pub(super) fn distinct(items: impl IntoIterator<Item = Json>) -> Vec<Json> {
    let mut all: Vec<Json> = Vec::new();
    for item in items {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}
