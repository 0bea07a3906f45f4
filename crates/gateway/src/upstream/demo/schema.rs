//! The smallest value that a JSON Schema of the simple kind accepts.

use serde_json::{Map, Value, json};

/// What goes where a text is wanted.
pub(super) const TEXT: &str = "lingate demo";

/// Deepest nesting that is filled in; deeper is `null`.
const MAX_DEPTH: usize = 16;

/// A value for `schema`, with every property that an object names. References are not followed.
pub(super) fn example(schema: &Value) -> Value {
    filled(schema, 0)
}

fn filled(schema: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(value) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return value.clone();
    }
    if let Some(choice) = ["anyOf", "oneOf", "allOf"]
        .iter()
        .find_map(|key| schema.get(*key)?.get(0))
    {
        return filled(choice, depth + 1);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => schema.get("properties").map(|_| "object"),
    };
    match kind {
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let members = properties.into_iter().flatten();
            Value::Object(
                members
                    .map(|(key, own)| (key.clone(), filled(own, depth + 1)))
                    .collect::<Map<_, _>>(),
            )
        }
        Some("array") => {
            let n_items = schema
                .get("minItems")
                .and_then(Value::as_u64)
                .unwrap_or(0)
                .min(8);
            let item = schema.get("items").unwrap_or(&Value::Null);
            (0..n_items).map(|_| filled(item, depth + 1)).collect()
        }
        Some("number" | "integer") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        Some("boolean") => json!(false),
        Some("null") => Value::Null,
        Some(_) | None => json!(TEXT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_schemas_are_met() {
        let check =
            |schema: Value, expected: Value| assert_eq!(example(&schema), expected, "{schema}");
        check(json!({"type": "string"}), json!("lingate demo"));
        check(
            json!({"type": "object", "properties": {"title": {"type": "string"}, "branch": {"type": ["string", "null"]}}}),
            json!({"title": "lingate demo", "branch": "lingate demo"}),
        );
        check(
            json!({"properties": {"n": {"type": "integer", "minimum": 3}, "ok": {"type": "boolean"}}}),
            json!({"n": 3, "ok": false}),
        );
        check(json!({"enum": ["a", "b"]}), json!("a"));
        check(json!({"const": 7}), json!(7));
        check(
            json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
            json!(null),
        );
        check(
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            json!(["lingate demo"]),
        );
        check(json!(true), json!("lingate demo"));
    }
}
