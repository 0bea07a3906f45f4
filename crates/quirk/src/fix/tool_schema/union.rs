//! Alternatives. `anyOf` is the only combiner there is, and each branch says its own type.

use super::merge::{distinct, merge, required, set_required};
use super::node;
use super::refs::Context;
use super::tree::{Json, Members};

/// Most branches of an `anyOf`.
const MAX_BRANCHES: usize = 10;

/// Alternatives, beside `members` of their parent.
pub(super) fn any_of(members: Members, branches: &[Json], context: &mut Context<'_>) -> Json {
    let concrete: Vec<&Json> = branches
        .iter()
        .filter(|branch| !is_null_schema(branch))
        .collect();
    match concrete.as_slice() {
        [] => node::plain(node::with_type(members, "null"), context),
        // A value that may be missing need not be told to be null.
        [only] => {
            let Some(branch) = only.as_members() else {
                return node::plain(members, context);
            };
            let mut merged = branch.clone();
            for name in node::ANNOTATIONS {
                if let Some(own) = members.get(name) {
                    merged.set(name, own.clone());
                }
            }
            push_down(&mut merged, &members);
            node::sanitise(&Json::Object(merged), context)
        }
        _ => {
            let branches = branches.iter().map(|branch| {
                if is_null_schema(branch) {
                    return node::of_type("null");
                }
                let mut branch = branch.as_members().cloned().unwrap_or_default();
                if !branch.has("$ref") {
                    push_down(&mut branch, &members);
                }
                node::sanitise(&Json::Object(branch), context)
            });
            let branches = distinct(branches);
            of_branches(members, branches)
        }
    }
}

/// Says in a branch what its parent says, since the parent may not.
fn push_down(branch: &mut Members, parent: &Members) {
    let mut shared = parent.clone();
    shared.retain(|name, _| !node::ANNOTATIONS.contains(&name) && name != "default");
    let names: Vec<String> = required(branch)
        .into_iter()
        .chain(required(&shared))
        .collect();
    merge(branch, &shared);
    set_required(branch, names);
}

/// Finished branches under the annotations of their parent.
pub(super) fn of_branches(mut members: Members, mut branches: Vec<Json>) -> Json {
    members
        .retain(|name, value| node::ANNOTATIONS.contains(&name) && value.type_name() == "string");
    if let Some((name, values)) = one_enum(&branches) {
        members.set("type", Json::word(&name));
        members.set("enum", Json::Array(values));
        return Json::Object(members);
    }
    if let [only] = branches.as_slice()
        && let Some(only) = only.as_members()
    {
        // Annotations of the branch stay out where it is a reference.
        if only.has("$ref") {
            return Json::Object(only.clone());
        }
        merge(&mut members, only);
        return Json::Object(members);
    }
    branches.truncate(MAX_BRANCHES);
    members.set("anyOf", Json::Array(branches));
    Json::Object(members)
}

/// Branches that only list values of one type are one list; that there may be none need not be said.
fn one_enum(branches: &[Json]) -> Option<(String, Vec<Json>)> {
    let mut name = None;
    let mut values = Vec::new();
    for branch in branches.iter().filter(|branch| !is_null_schema(branch)) {
        let branch = branch.as_members()?;
        let own = branch.get("type")?.as_text()?;
        if name.get_or_insert_with(|| own.clone()) != &own {
            return None;
        }
        values.extend(branch.get("enum")?.as_items()?.iter().cloned());
    }
    Some((name?, distinct(values)))
}

fn is_null_schema(part: &Json) -> bool {
    let Some(members) = part.as_members() else {
        return false;
    };
    let is_typed_null = members.get("type").and_then(Json::as_text).as_deref() == Some("null");
    let is_null_const = members.get("const").is_some_and(Json::is_null);
    let is_null_enum = members
        .get("enum")
        .and_then(Json::as_items)
        .is_some_and(|values| !values.is_empty() && values.iter().all(Json::is_null));
    is_typed_null || is_null_const || (is_null_enum && !members.has("type"))
}
