//! The schema as a whole: an object with `properties` and `required`, and the definitions it refers to.
//!
//! The root must say `"type": "object"`, and beside `anyOf` it must not. Where the two meet, the alternatives are
//! folded into one object: all their properties, and those required that every alternative requires.

use super::merge::{merge, required, set_required};
use super::node;
use super::refs::Context;
use super::tree::{Json, Members};

/// How often alternatives may be inside alternatives.
const MAX_DEPTH: usize = 8;

/// What a tool without input takes. `required` is an array at the root even where nothing is.
pub(super) fn empty() -> Json {
    Json::Object(Members::from_iter([
        ("type".to_owned(), Json::word("object")),
        ("properties".to_owned(), Json::Object(Members::default())),
        ("required".to_owned(), Json::Array(Vec::new())),
    ]))
}

/// Whether a schema is one of objects, or could be.
pub(super) fn is_object(schema: &Json) -> bool {
    schema.as_members().is_some_and(may_be_object)
}

/// The schema inside the subset.
pub(super) fn sanitise(schema: &Json) -> Json {
    let Some(root) = schema.as_members().filter(|root| may_be_object(root)) else {
        return empty();
    };
    let mut context = Context::new(root);
    let mut members = flattened(root.clone(), &context, 0);
    for place in ["$defs", "definitions", "$ref"] {
        members.remove(place);
    }
    members.set("type", Json::word("object"));
    members.set_default("properties", || Json::Object(Members::default()));
    members.set_default("required", || Json::Array(Vec::new()));
    let mut members = node::typed(members, "object", &mut context);
    members.set_default("properties", || Json::Object(Members::default()));
    members.set_default("required", || Json::Array(Vec::new()));

    let definitions: Members = context
        .definitions()
        .map(|(name, definition)| (name.to_owned(), definition))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(name, definition)| (name, node::sanitise(definition, &mut context)))
        .collect();
    if !definitions.is_empty() {
        members.set("$defs", Json::Object(definitions));
    }
    in_received_order(members, root)
}

/// The root with its references and alternatives folded into one object.
pub(super) fn united(root: Members, context: &Context<'_>) -> Members {
    let mut root = flattened(root, context, 0);
    for word in ["enum", "const", "not", "$ref"] {
        root.remove(word);
    }
    root
}

/// Whether the root can be the object that a tool's input is.
fn may_be_object(root: &Members) -> bool {
    match root.get("type") {
        None => true,
        Some(Json::Array(types)) => types
            .iter()
            .any(|name| name.as_text().as_deref() == Some("object")),
        Some(name) => name.as_text().as_deref() == Some("object"),
    }
}

/// Folds references and alternatives into one object.
fn flattened(mut members: Members, context: &Context<'_>, depth: usize) -> Members {
    if let Some(target) = reference(&members, context) {
        merge(&mut members, target);
    }
    for combiner in ["allOf", "anyOf", "oneOf"] {
        let Some(Json::Array(branches)) = members.remove(combiner) else {
            continue;
        };
        if depth >= MAX_DEPTH {
            continue;
        }
        let branches: Vec<Members> = branches
            .iter()
            .filter_map(Json::as_members)
            .filter(|branch| may_be_object(branch))
            .map(|branch| flattened(branch.clone(), context, depth + 1))
            .collect();
        let own = required(&members);
        let all = if combiner == "allOf" {
            branches.iter().flat_map(required).collect()
        } else {
            in_all(&branches)
        };
        for branch in &branches {
            merge(&mut members, branch);
        }
        set_required(&mut members, own.into_iter().chain(all));
    }
    members
}

fn reference<'s>(members: &Members, context: &Context<'s>) -> Option<&'s Members> {
    context.resolved(&members.get("$ref")?.as_text()?)
}

/// The names that every branch requires.
fn in_all(branches: &[Members]) -> Vec<String> {
    let mut lists = branches.iter().map(required);
    let first = lists.next().unwrap_or_default();
    lists.fold(first, |all, list| {
        all.into_iter().filter(|name| list.contains(name)).collect()
    })
}

/// Puts the members back where they stood, so that a schema that needed no change is recognised as such.
fn in_received_order(mut members: Members, root: &Members) -> Json {
    let mut ordered = Members::default();
    for (name, _) in root.iter() {
        if let Some(value) = members.remove(name) {
            ordered.set(name, value);
        }
    }
    for (name, value) in members.iter() {
        ordered.set(name, value.clone());
    }
    Json::Object(ordered)
}
