//! Tables of schemas: S1 to S12, and what Moonshot's own validator refuses.

use super::*;

/// Checks a schema of one property `p`.
#[track_caller]
fn property(before: &str, after: &str) {
    let wrap = |schema: &str| {
        format!(r#"{{"type":"object","properties":{{"p":{schema}}},"required":["p"]}}"#)
    };
    root(&wrap(before), &wrap(after));
}

/// Checks a whole schema; `after` being `before` means that not a byte changes.
#[track_caller]
fn root(before: &str, after: &str) {
    let sanitised = sanitised(Some(&before.into()));
    assert_eq!(sanitised.as_deref().unwrap_or(before), after, "{before}");
    assert_eq!(
        sanitised.is_some(),
        before != after,
        "rewritten without need: {before}"
    );
    let again = super::sanitised(Some(&after.into()));
    assert_eq!(again, None, "not stable: {after}");
}

#[test]
fn s1_missing_types_are_inferred() {
    property(
        r#"{"description":"x"}"#,
        r#"{"description":"x","type":"string"}"#,
    );
    property(r#"{}"#, r#"{"type":"string"}"#);
    property(r#"true"#, r#"{"type":"string"}"#);
    property(
        r#"{"items":{"description":"x"}}"#,
        r#"{"items":{"description":"x","type":"string"},"type":"array"}"#,
    );
    property(
        r#"{"properties":{"a":{"description":"x"}}}"#,
        r#"{"properties":{"a":{"description":"x","type":"string"}},"type":"object"}"#,
    );
    property(r#"{"minimum":1}"#, r#"{"minimum":1,"type":"number"}"#);
    property(
        r#"{"default":true}"#,
        r#"{"default":true,"type":"boolean"}"#,
    );
}

#[test]
fn s2_s7_s8_s9_values_are_of_one_type_and_say_something() {
    property(
        r#"{"enum":[true,false]}"#,
        r#"{"enum":[true,false],"type":"boolean"}"#,
    );
    property(r#"{"enum":[1,2]}"#, r#"{"enum":[1,2],"type":"integer"}"#);
    property(r#"{"enum":[1,2.5]}"#, r#"{"enum":[1,2.5],"type":"number"}"#);
    property(r#"{"const":"a"}"#, r#"{"enum":["a"],"type":"string"}"#);
    property(
        r#"{"type":"string","enum":["a",null,""]}"#,
        r#"{"type":"string","enum":["a"]}"#,
    );
    property(
        r#"{"type":"string","enum":[null,""]}"#,
        r#"{"type":"string"}"#,
    );
    property(
        r#"{"type":"string","nullable":true,"default":null,"enum":["a","",null]}"#,
        r#"{"type":"string","enum":["a"]}"#,
    );
    property(
        r#"{"type":"object","enum":[{"a":1}]}"#,
        r#"{"type":"object","enum":[{"a":1}]}"#,
    );
    property(
        r#"{"type":"integer","enum":["a","b"]}"#,
        r#"{"type":"string","enum":["a","b"]}"#,
    );
    property(
        r#"{"enum":["a",1]}"#,
        r#"{"anyOf":[{"type":"string","enum":["a"]},{"type":"integer","enum":[1]}]}"#,
    );
}

#[test]
fn s3_nothing_stands_beside_a_reference() {
    let with = |part: &str, place: &str| {
        format!(
            r##"{{"type":"object","properties":{{"p":{part}}},"required":[],"{place}":{{"P":{{"type":"string"}}}}}}"##
        )
    };
    let kept = with(r##"{"$ref":"#/$defs/P"}"##, "$defs");
    root(&kept, &kept);
    root(
        &with(r##"{"$ref":"#/$defs/P","description":"x"}"##, "$defs"),
        &kept,
    );
    root(
        &with(
            r##"{"allOf":[{"$ref":"#/$defs/P"}],"description":"x"}"##,
            "$defs",
        ),
        &kept,
    );
    root(
        &with(
            r##"{"anyOf":[{"$ref":"#/$defs/P"},{"type":"null"}]}"##,
            "$defs",
        ),
        &kept,
    );
    root(
        &with(r##"{"$ref":"#/definitions/P"}"##, "definitions"),
        &kept,
    );
}

#[test]
fn references_elsewhere_are_put_in_place() {
    root(
        r##"{"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a"}},"required":[]}"##,
        r##"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":[]}"##,
    );
    property(
        r##"{"$ref":"https://example.com/schema"}"##,
        r##"{"type":"object"}"##,
    );
    property(r##"{"$ref":"#/$defs/absent"}"##, r##"{"type":"object"}"##);
    // A cycle ends somewhere.
    let cyclic = r##"{"type":"object","properties":{"a":{"type":"array","items":{"$ref":"#/properties/a"}}},"required":[]}"##;
    assert!(
        sanitised(Some(&cyclic.into()))
            .unwrap()
            .contains(r#""items":{"type":"object"}"#)
    );
}

#[test]
fn s4_s5_s6_alternatives_say_their_own_type() {
    property(
        r#"{"type":"string","anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"type":"string"}"#,
    );
    property(
        r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#,
    );
    property(
        r#"{"anyOf":[{"enum":["mysql","postgresql",""]},{"type":"null"}]}"#,
        r#"{"enum":["mysql","postgresql"],"type":"string"}"#,
    );
    property(
        r#"{"type":"object","anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"b":{"type":"string"}},"required":["b","c"]}]}"#,
        r#"{"anyOf":[{"properties":{"a":{"type":"string"}},"type":"object"},{"properties":{"b":{"type":"string"}},"required":["b"],"type":"object"}]}"#,
    );
    property(
        r#"{"description":"d","oneOf":[{"const":"a","description":"first"},{"const":"b"}]}"#,
        r#"{"description":"d","type":"string","enum":["a","b"]}"#,
    );
    property(
        r#"{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}},{"type":"null"}],"default":null}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}},{"type":"null"}]}"#,
    );
    property(
        r#"{"anyOf":[{"type":"null"},{"type":"string"},{"type":"integer"}]}"#,
        r#"{"anyOf":[{"type":"null"},{"type":"string"},{"type":"integer"}]}"#,
    );
    property(
        r#"{"anyOf":[{"const":"a"},{"const":"b"},{"type":"null"}]}"#,
        r#"{"type":"string","enum":["a","b"]}"#,
    );
    property(r#"{"anyOf":[{"type":"null"}]}"#, r#"{"type":"null"}"#);
    property(r#"{"anyOf":[]}"#, r#"{"type":"string"}"#);
}

#[test]
fn s10_a_tool_takes_an_object() {
    const EMPTY: &str = r#"{"type":"object","properties":{},"required":[]}"#;
    for schema in ["null", r#""x""#, "[]", r#"{"type":"string"}"#, "{}", "true"] {
        root(schema, EMPTY);
    }
    assert_eq!(sanitised(None).as_deref(), Some(EMPTY), "no schema at all");
    root(
        r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":[]}"#,
    );
}

#[test]
fn s11_of_several_types_the_first_that_is_not_null_counts() {
    property(r#"{"type":["number","string"]}"#, r#"{"type":"number"}"#);
    property(r#"{"type":["null","string"]}"#, r#"{"type":"string"}"#);
    property(r#"{"type":["null"]}"#, r#"{"type":"null"}"#);
    property(r#"{"type":"text"}"#, r#"{"type":"string"}"#);
}

#[test]
fn alternatives_at_the_root_become_one_object() {
    root(
        r#"{"type":"object","anyOf":[{"type":"object","properties":{"f":{"type":"string"},"c":{"type":"string"}},"required":["f","c"]},{"type":"object","properties":{"f":{"type":"string"},"u":{"type":"string"}},"required":["f","u"]}]}"#,
        r#"{"type":"object","properties":{"f":{"type":"string"},"c":{"type":"string"},"u":{"type":"string"}},"required":["f"]}"#,
    );
    root(
        r##"{"$ref":"#/$defs/Input","$defs":{"Input":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"##,
        r##"{"$defs":{"Input":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}},"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"##,
    );
}

#[test]
fn keywords_outside_the_subset_go() {
    property(
        r#"{"type":"string","pattern":"^(?!x)","format":"uri","minLength":1,"examples":["a"],"$comment":"c"}"#,
        r#"{"type":"string","minLength":1}"#,
    );
    property(
        r#"{"type":"integer","exclusiveMinimum":0,"maximum":9007199254740991,"minimum":1e3,"multipleOf":2}"#,
        r#"{"type":"integer","maximum":9007199254740991}"#,
    );
    property(
        r#"{"type":"array","items":{},"uniqueItems":true}"#,
        r#"{"type":"array"}"#,
    );
    property(r#"{"type":"array","default":[]}"#, r#"{"type":"array"}"#);
    property(
        r#"{"type":"array","prefixItems":[{"type":"number"},{"type":"string"}],"items":false}"#,
        r#"{"type":"array","items":{"anyOf":[{"type":"number"},{"type":"string"}]}}"#,
    );
    property(
        r#"{"type":"array","items":[{"type":"number"},{"type":"number"}]}"#,
        r#"{"type":"array","items":{"type":"number"}}"#,
    );
    property(
        r#"{"type":"object","propertyNames":{"type":"string"},"additionalProperties":{}}"#,
        r#"{"type":"object","additionalProperties":{}}"#,
    );
    root(
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"a":{"type":"string"}},"required":["a","gone"],"additionalProperties":false}"#,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
    );
}

#[test]
fn a_schema_inside_the_subset_keeps_its_bytes() {
    for schema in [
        r#"{ "type": "object", "properties": { "a": { "type": "number", "default": 1.50, "maximum": 10.0 } }, "required": [] }"#,
        r#"{"additionalProperties":false,"required":["q"],"properties":{"q":{"description":"\u00e9","type":"string"}},"type":"object"}"#,
        r##"{"type":"object","properties":{"l":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/n"},{"$ref":"#"}]}},"required":[]}},"required":["l"]}"##,
    ] {
        root(schema, schema);
    }
}

#[test]
fn text_that_is_no_json_document_is_left_alone() {
    assert_eq!(sanitised(Some(&r#"{"a":1,"a":2}"#.into())), None);
    assert_eq!(sanitised(Some(&"{".into())), None);
}

#[test]
fn work_on_a_hostile_schema_is_bounded() {
    // Every level is repeated in both branches of the one above.
    let mut schema = r#"{"type":"string"}"#.to_owned();
    for _ in 0..40 {
        schema = format!(
            r#"{{"type":"object","properties":{{"p":{schema}}},"anyOf":[{{"title":"a"}},{{"title":"b"}}]}}"#
        );
    }
    let wrapped = format!(r#"{{"type":"object","properties":{{"p":{schema}}},"required":[]}}"#);
    assert!(sanitised(Some(&wrapped.into())).unwrap().len() < 4_000_000);
}

/// The schemas of today's agents, by shape; words for the model are cut.
const AGENT_SCHEMAS: &str = include_str!("../../../testdata/agent_schemas.jsonl");

#[test]
fn the_schemas_of_agents_end_up_inside_the_subset() {
    let mut n_rewritten = 0;
    for line in AGENT_SCHEMAS.lines() {
        let sanitised = sanitised(Some(&line.into()));
        n_rewritten += usize::from(sanitised.is_some());
        let schema: serde_json::Value =
            serde_json::from_str(sanitised.as_deref().unwrap_or(line)).unwrap();
        assert_eq!(schema["type"], "object", "{line}");
        assert_inside(&schema, true, line);
    }
    assert!(
        n_rewritten > 0 && n_rewritten < AGENT_SCHEMAS.lines().count(),
        "{n_rewritten}"
    );
}

/// Moonshot's published rules (walle.md), as far as they are about one part.
#[track_caller]
fn assert_inside(part: &serde_json::Value, is_root: bool, context: &str) {
    let members = part
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {part} in {context}"));
    let beside = |name: &str| {
        members
            .keys()
            .all(|key| key == name || ["title", "description"].contains(&&**key))
    };
    let allowed = match (members.get("$ref"), members.get("anyOf")) {
        (Some(_), _) => members.len() == 1,
        (None, Some(branches)) => {
            let branches = branches.as_array().unwrap();
            assert!((1..=10).contains(&branches.len()), "{part}");
            for branch in branches {
                assert_inside(branch, false, context);
            }
            beside("anyOf")
        }
        (None, None) => members
            .keys()
            .all(|key| is_allowed(key, members["type"].as_str().unwrap(), is_root)),
    };
    assert!(allowed, "keywords of {part} in {context}");
    let properties = members
        .get("properties")
        .map(|properties| properties.as_object().unwrap());
    for property in properties.into_iter().flat_map(serde_json::Map::values) {
        assert_inside(property, false, context);
    }
    for name in members
        .get("required")
        .into_iter()
        .flat_map(|names| names.as_array().unwrap())
    {
        assert!(
            properties.unwrap().contains_key(name.as_str().unwrap()),
            "{name} in {context}"
        );
    }
    if let Some(items) = members.get("items") {
        assert_inside(items, false, context);
    }
}

fn is_allowed(keyword: &str, name: &str, is_root: bool) -> bool {
    match keyword {
        "type" | "title" | "description" => true,
        "default" => !["object", "array"].contains(&name),
        "enum" => ["string", "number", "integer", "boolean"].contains(&name),
        "properties" | "required" | "additionalProperties" => name == "object",
        "items" | "minItems" | "maxItems" => name == "array",
        "minLength" | "maxLength" => name == "string",
        "minimum" | "maximum" => ["number", "integer"].contains(&name),
        "$defs" => is_root,
        _ => false,
    }
}
