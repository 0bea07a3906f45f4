//! The wire's own schemas, a dialect of OpenAPI 3.0, as JSON Schema: types in capitals, `nullable`, counts as strings.

use crate::gemini::member;
use crate::json::{Kind, Value, Writer};

/// Writes a schema as JSON Schema.
pub(super) fn json_schema(schema: Value<'_>) -> String {
    let mut json = Writer::default();
    write(schema, &mut json);
    String::from_utf8(json.into_bytes()).unwrap_or_default()
}

fn write(schema: Value<'_>, json: &mut Writer) {
    if schema.kind() != Kind::Object {
        json.raw(schema.raw());
        return;
    }
    let is_nullable = member::get(schema, "nullable").and_then(Value::bool) == Some(true);
    json.begin_object();
    for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
        let key = member::camel(&key);
        match &*key {
            "type" => kind(value, is_nullable, json),
            "properties" => {
                json.key("properties").begin_object();
                for (name, property) in value.members() {
                    json.member(&name);
                    write(property, json);
                }
                json.end_object();
            }
            "items" | "additionalProperties" => {
                json.member(&key);
                write(value, json);
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                json.member(&key).begin_array();
                value.items().for_each(|item| write(item, json));
                if is_nullable && key == "anyOf" {
                    json.raw(r#"{"type":"null"}"#);
                }
                json.end_array();
            }
            // Proto JSON writes 64-bit numbers as strings.
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties" => match value.str().and_then(|text| text.parse().ok()) {
                Some(number) => {
                    json.member(&key).u64(number);
                }
                None => {
                    json.member(&key).raw(value.raw());
                }
            },
            "enum" if is_nullable => {
                json.key("enum").begin_array();
                for item in value.items() {
                    json.raw(item.raw());
                }
                json.null().end_array();
            }
            "example" => {
                json.key("examples")
                    .begin_array()
                    .raw(value.raw())
                    .end_array();
            }
            "nullable" | "propertyOrdering" => {}
            _ => {
                json.member(&key).raw(value.raw());
            }
        }
    }
    json.end_object();
}

fn kind(value: Value<'_>, is_nullable: bool, json: &mut Writer) {
    let Some(name) = value.str() else {
        json.key("type").raw(value.raw());
        return;
    };
    let name = name.to_ascii_lowercase();
    if name == "type_unspecified" {
        return;
    }
    json.key("type");
    if is_nullable && name != "null" {
        json.begin_array().str(&name).str("null").end_array();
    } else {
        json.str(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    #[track_caller]
    fn check(openapi: &str, expected: &str) {
        let doc = scan(&openapi.into()).unwrap();
        assert_eq!(json_schema(doc.root()), expected);
    }

    #[test]
    fn every_difference_is_translated() {
        check(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["a","b"]},"n":{"type":"INTEGER","format":"int32","minimum":1}},"required":["n"],"propertyOrdering":["n"]}"#,
            r#"{"type":"object","properties":{"type":{"type":["string","null"],"enum":["a","b",null]},"n":{"type":"integer","format":"int32","minimum":1}},"required":["n"]}"#,
        );
        check(
            r#"{"type":"ARRAY","min_items":"2","items":{"any_of":[{"type":"NUMBER"},{"type":"BOOLEAN"}],"nullable":true},"example":[1]}"#,
            r#"{"type":"array","minItems":2,"items":{"anyOf":[{"type":"number"},{"type":"boolean"},{"type":"null"}]},"examples":[[1]]}"#,
        );
        check(
            r#"{"type":"TYPE_UNSPECIFIED","description":"x","title":null}"#,
            r#"{"description":"x"}"#,
        );
        let own = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
        check(own, own);
    }
}
