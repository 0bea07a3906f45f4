use super::*;

#[track_caller]
fn check(rules: &Rules, schema: &str, expected: Option<&str>) {
    let after = rules.applied(&schema.into());
    assert_eq!(after.as_deref(), expected, "{schema}");
    if let Some(after) = after {
        assert_eq!(rules.applied(&after), None, "twice: {schema}");
    }
}

fn dropping(dropped: &'static [&'static str]) -> Rules {
    Rules {
        dropped,
        ..Rules::NONE
    }
}

#[test]
fn words_go_where_a_schema_stands_and_nowhere_else() {
    let rules = dropping(&["pattern", "not"]);
    check(&rules, r#"{ "type": "object" }"#, None);
    check(
        &rules,
        r#"{"properties":{"pattern":{"type":"string"},"not":{}}}"#,
        None,
    );
    check(
        &rules,
        r#"{"properties":{"pattern":{"pattern":"x","type":"string"}}}"#,
        Some(r#"{"properties":{"pattern":{"type":"string"}}}"#),
    );
    check(
        &rules,
        r#"{"$defs":{"a":{"items":{"anyOf":[{"pattern":"x"},{"type":"null"}]}}},"not":{}}"#,
        Some(r#"{"$defs":{"a":{"items":{"anyOf":[{},{"type":"null"}]}}}}"#),
    );
    check(
        &rules,
        r#"{"items":[{"pattern":"x"}],"additionalProperties":{"pattern":"x"}}"#,
        Some(r#"{"items":[{}],"additionalProperties":{}}"#),
    );
    // An example may hold any word.
    check(
        &rules,
        r#"{"default":{"pattern":"x"},"enum":[{"not":1}]}"#,
        None,
    );
    check(&rules, "true", None);
    check(&rules, "{", None);
}

#[test]
fn formats_and_bounds_beyond_the_hosts_go() {
    let rules = Rules {
        formats: Formats::Only(&["date"]),
        largest_bound: Some(2000),
        ..Rules::NONE
    };
    check(
        &rules,
        r#"{"format":"date","maxLength":2000,"minItems":1}"#,
        None,
    );
    check(
        &rules,
        r#"{"format":"uri","maxLength":2001,"minLength":1,"maxItems":1e9}"#,
        Some(r#"{"minLength":1}"#),
    );
    check(
        &rules,
        r#"{"properties":{"format":{"type":"string"}}}"#,
        None,
    );
}

#[test]
fn a_union_at_the_top_becomes_one_object() {
    let rules = Rules {
        has_plain_root: true,
        says_items: true,
        ..Rules::NONE
    };
    check(
        &rules,
        r#"{"type":"object","properties":{"a":{"anyOf":[{}]}}}"#,
        None,
    );
    check(&rules, "{}", Some(r#"{"type":"object","properties":{}}"#));
    check(
        &rules,
        r#"{"anyOf":[{"properties":{"a":{},"b":{}},"required":["a","b"]},{"properties":{"b":{"type":"string"},"c":{}},"required":["b"]}]}"#,
        Some(r#"{"properties":{"a":{},"b":{},"c":{}},"required":["b"],"type":"object"}"#),
    );
    check(
        &rules,
        r#"{"type":"object","enum":[{}],"not":{},"properties":{"l":{"type":"array"}}}"#,
        Some(r#"{"type":"object","properties":{"l":{"type":"array","items":{}}}}"#),
    );
}

#[test]
fn what_belongs_together_stands_together() {
    let rules = Rules {
        has_no_bare_required: true,
        has_no_null_default: true,
        ..Rules::NONE
    };
    check(&rules, r#"{"properties":{"a":{}},"required":["a"]}"#, None);
    check(
        &rules,
        r#"{"type":"object","required":[]}"#,
        Some(r#"{"type":"object"}"#),
    );
    check(
        &rules,
        r#"{"properties":{"a":{"default":null}},"anyOf":[{"required":["a"]},{"required":["b"]}]}"#,
        Some(r#"{"properties":{"a":{}}}"#),
    );
    check(&rules, r#"{"default":0}"#, None);
}

#[test]
fn objects_are_closed_unless_they_say_otherwise() {
    let rules = Rules {
        has_closed_objects: true,
        ..Rules::NONE
    };
    check(
        &rules,
        r#"{"properties":{"a":{"properties":{}},"m":{"type":"object"},"o":{"properties":{},"additionalProperties":true}}}"#,
        Some(
            r#"{"properties":{"a":{"properties":{},"additionalProperties":false},"m":{"type":"object"},"o":{"properties":{},"additionalProperties":true}},"additionalProperties":false}"#,
        ),
    );
}

#[test]
fn openapi_says_it_otherwise() {
    let rules = Rules {
        dropped: &["$schema"],
        has_inline_refs: true,
        is_openapi: true,
        ..Rules::NONE
    };
    let property = |schema: &str| format!(r#"{{"type":"object","properties":{{"p":{schema}}}}}"#);
    for (schema, expected) in [
        (r#"{"const":"a"}"#, r#"{"enum":["a"]}"#),
        (
            r#"{"oneOf":[{"type":"string"}]}"#,
            r#"{"anyOf":[{"type":"string"}]}"#,
        ),
        (
            r#"{"exclusiveMinimum":0,"type":"integer"}"#,
            r#"{"type":"integer","minimum":0}"#,
        ),
        (
            r#"{"type":["null","string"]}"#,
            r#"{"type":"string","nullable":true}"#,
        ),
        (
            r#"{"type":"integer","enum":[1,2]}"#,
            r#"{"type":"integer"}"#,
        ),
        (
            r#"{"allOf":[{"type":"object"},{"properties":{"q":{}}}]}"#,
            r#"{"type":"object","properties":{"q":{}}}"#,
        ),
        (r#"{"$schema":"x","type":"string"}"#, r#"{"type":"string"}"#),
    ] {
        check(&rules, &property(schema), Some(&property(expected)));
    }
    check(
        &rules,
        r##"{"properties":{"p":{"$ref":"#/$defs/a","description":"mine"}},"$defs":{"a":{"type":"string","description":"its"}}}"##,
        Some(r#"{"properties":{"p":{"type":"string","description":"mine"}}}"#),
    );
    check(
        &rules,
        r##"{"properties":{"p":{"$ref":"#/definitions/t"}},"definitions":{"t":{"type":"object","properties":{"t":{"$ref":"#/definitions/t"}}}}}"##,
        Some(r#"{"properties":{"p":{"type":"object","properties":{"t":{"type":"object"}}}}}"#),
    );
}

#[test]
fn a_schema_that_grows_without_end_is_cut() {
    let mut schema = r#"{"type":"string"}"#.to_owned();
    for level in 0..12 {
        schema = format!(
            r##"{{"properties":{{"a":{{"$ref":"#/$defs/d{level}"}},"b":{{"$ref":"#/$defs/d{level}"}}}},"$defs":{{"d{level}":{schema}}}}}"##
        );
    }
    let rules = Rules {
        has_inline_refs: true,
        ..Rules::NONE
    };
    let after = rules.applied(&schema.into()).unwrap();
    assert!(after.len() < 1_000_000, "{}", after.len());
}
