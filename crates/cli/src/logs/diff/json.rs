//! What is different between two JSON documents, by path.
//!
//! Lists are aligned, so that one item more is one change: tools by their names, everything else by what is equal. Paths
//! count as in the later document, but for what only the earlier one has.

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Change {
    /// Where, as `tools[3].description`.
    pub(super) path: String,
    /// What became of it.
    pub(super) kind: Kind,
    /// The earlier value; `None` if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Value>,
    /// The later value; `None` if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Value>,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Added,
    Removed,
    Changed,
    /// The same, elsewhere in its list.
    Moved,
    /// The same text, as a string instead of a list of one text, or the other way round.
    Respelled,
}

/// Every difference, in the later document's order; what is gone stands where it was.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                if !after.contains_key(name) {
                    push(found, member(path, name), Some(value), None);
                }
            }
            for (name, value) in after {
                let path = member(path, name);
                match before.get(name) {
                    None => push(found, path, None, Some(value)),
                    Some(before) => compare(&path, before, value, found),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => match (names(before), names(after)) {
            (Some(old), Some(new)) => by_name(path, (before, &old), (after, &new), found),
            _ => by_likeness(path, before, after, found),
        },
        _ => match (only_text(before), only_text(after)) {
            (Some(one), Some(other)) if one == other => found.push(Change {
                path: path.to_owned(),
                kind: Kind::Respelled,
                before: Some(before.clone()),
                after: Some(after.clone()),
            }),
            (Some(one), Some(other)) => push(found, path.to_owned(), Some(one), Some(other)),
            _ => push(found, path.to_owned(), Some(before), Some(after)),
        },
    }
}

/// A text, be it a string or a list of one text: wires take both for the same.
fn only_text(value: &Value) -> Option<&Value> {
    match value {
        Value::String(_) => Some(value),
        Value::Array(items) => match items.as_slice() {
            [only] => only.get("text").filter(|text| text.is_string()),
            _ => None,
        },
        _ => None,
    }
}

fn push(found: &mut Vec<Change>, path: String, before: Option<&Value>, after: Option<&Value>) {
    let kind = match (before, after) {
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
        _ => Kind::Changed,
    };
    found.push(Change {
        path,
        kind,
        before: before.cloned(),
        after: after.cloned(),
    });
}

/// The names of a list of tools; `None` for every other list.
fn names(items: &[Value]) -> Option<Vec<&str>> {
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        // A message that a tool answers with has a name, too, but a role with it.
        let own = item.get("role").is_none().then(|| item.get("name"))?;
        let name = own
            .or_else(|| item.get("function")?.get("name"))?
            .as_str()?;
        if names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn by_name(
    path: &str,
    (before, old): (&[Value], &[&str]),
    (after, new): (&[Value], &[&str]),
    found: &mut Vec<Change>,
) {
    for (at, (item, name)) in before.iter().zip(old).enumerate() {
        if !new.contains(name) {
            push(found, format!("{path}[{at}]"), Some(item), None);
        }
    }
    let stayed = |names: &[&str], others: &[&str], at: usize| {
        let names = names.iter().take(at);
        names.filter(|name| others.contains(name)).count()
    };
    for (at, (item, name)) in after.iter().zip(new).enumerate() {
        let path = format!("{path}[{at}]");
        let was = old.iter().position(|known| known == name);
        let Some((was, before)) = was.and_then(|was| Some((was, before.get(was)?))) else {
            push(found, path, None, Some(item));
            continue;
        };
        if stayed(old, new, was) != stayed(new, old, at) {
            found.push(Change {
                path: path.clone(),
                kind: Kind::Moved,
                before: Some(was.into()),
                after: Some((*name).into()),
            });
        }
        compare(&path, before, item, found);
    }
}

fn by_likeness(path: &str, before: &[Value], after: &[Value], found: &mut Vec<Change>) {
    let texts = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
    let at = |index: usize| format!("{path}[{index}]");
    for op in capture_diff_slices(Algorithm::Myers, &texts(before), &texts(after)) {
        let (old, new) = match op {
            DiffOp::Equal { .. } => continue,
            DiffOp::Delete {
                old_index,
                old_len,
                new_index,
            } => (old_index..old_index + old_len, new_index..new_index),
            DiffOp::Insert {
                old_index,
                new_index,
                new_len,
            } => (old_index..old_index, new_index..new_index + new_len),
            DiffOp::Replace {
                old_index,
                old_len,
                new_index,
                new_len,
            } => (
                old_index..old_index + old_len,
                new_index..new_index + new_len,
            ),
        };
        for step in 0..old.len().max(new.len()) {
            let one = old
                .clone()
                .nth(step)
                .and_then(|index| Some((index, before.get(index)?)));
            let other = new
                .clone()
                .nth(step)
                .and_then(|index| Some((index, after.get(index)?)));
            match (one, other) {
                (Some((_, one)), Some((index, other))) => compare(&at(index), one, other, found),
                (Some((index, one)), None) => push(found, at(index), Some(one), None),
                (None, Some((index, other))) => push(found, at(index), None, Some(other)),
                (None, None) => {}
            }
        }
    }
}

/// The path of a member.
pub(super) fn member(path: &str, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$');
    match (
        path.is_empty(),
        !name.is_empty() && name.bytes().all(is_plain),
    ) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{}]", Value::from(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: Value, after: Value, expected: &[(&str, Kind)]) {
        let found = changes(&before, &after);
        let found: Vec<_> = found
            .iter()
            .map(|change| (&*change.path, change.kind))
            .collect();
        assert_eq!(found, expected, "{before} -> {after}");
    }

    fn tool(name: &str, description: &str) -> Value {
        json!({"type": "function", "function": {"name": name, "description": description}})
    }

    #[test]
    fn members_and_values() {
        use Kind::{Added, Changed, Removed};
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(
            json!({"a": 1, "b": {"c": "x"}}),
            json!({"a": 2, "b": {"c": "y"}}),
            &[("a", Changed), ("b.c", Changed)],
        );
        check(
            json!({"a": 1}),
            json!({"b": 1}),
            &[("a", Removed), ("b", Added)],
        );
        check(
            json!({"x.y": 1}),
            json!({"x.y": 2}),
            &[("[\"x.y\"]", Changed)],
        );
        check(
            json!({"a": {"": 1}}),
            json!({"a": {"": 2}}),
            &[("a[\"\"]", Changed)],
        );
        check(json!([1]), json!({"a": 1}), &[("", Changed)]);
    }

    #[test]
    fn lists_are_aligned() {
        use Kind::{Added, Changed, Removed};
        let message = |text: &str| json!({"role": "user", "content": text});
        let [a, b, c, d] = ["a", "b", "c", "d"].map(message);
        check(
            json!({"m": [a, b]}),
            json!({"m": [a, b, c]}),
            &[("m[2]", Added)],
        );
        check(
            json!({"m": [a, b, c]}),
            json!({"m": [b, c]}),
            &[("m[0]", Removed)],
        );
        check(
            json!({"m": [a, b, c]}),
            json!({"m": [a, d, c]}),
            &[("m[1].content", Changed)],
        );
        check(
            json!({"m": [a, b]}),
            json!({"m": [c, a, b]}),
            &[("m[0]", Added)],
        );
        check(
            json!([a, b, c]),
            json!([a]),
            &[("[1]", Removed), ("[2]", Removed)],
        );
        check(
            json!({"m": [a, b]}),
            json!({"m": [a, c, d]}),
            &[("m[1].content", Changed), ("m[2]", Added)],
        );
    }

    #[test]
    fn a_text_is_the_same_however_it_is_spelled() {
        let text = |text: &str| json!([{"type": "text", "text": text, "cache_control": {}}]);
        check(
            json!({"a": text("x")}),
            json!({"a": "x"}),
            &[("a", Kind::Respelled)],
        );
        check(
            json!({"a": "x"}),
            json!({"a": text("x")}),
            &[("a", Kind::Respelled)],
        );
        let found = changes(&json!("x"), &text("y"));
        assert_eq!(
            found[0].after,
            Some(json!("y")),
            "texts are compared as texts"
        );
        check(json!("x"), json!([1]), &[("", Kind::Changed)]);
    }

    #[test]
    fn tools_are_known_by_their_names() {
        use Kind::{Added, Changed, Moved, Removed};
        let [read, bash, edit] = ["Read", "Bash", "Edit"].map(|name| tool(name, "x"));
        let other = tool("Edit", "y");
        check(
            json!({"tools": [read, edit]}),
            json!({"tools": [bash, read, other]}),
            &[
                ("tools[0]", Added),
                ("tools[2].function.description", Changed),
            ],
        );
        check(
            json!({"tools": [read, bash]}),
            json!({"tools": [bash]}),
            &[("tools[0]", Removed)],
        );
        check(
            json!({"tools": [read, bash]}),
            json!({"tools": [bash, read]}),
            &[("tools[0]", Moved), ("tools[1]", Moved)],
        );
    }
}
