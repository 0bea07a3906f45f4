//! Parameters.

use super::*;

#[test]
fn limits_sampling_and_stops() {
    let both = Dialect {
        max_tokens: MaxTokens::Both,
        has_top_k: true,
        ..Dialect::default()
    };
    check_members(
        &both,
        json!({"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["a", "b", "c", "d", "e"], "stream": true}),
        json!({"max_tokens": 7, "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["a", "b", "c", "d"], "stream": true, "stream_options": {"include_usage": true}}),
        &["stop_sequences[4]"],
    );
}

#[test]
fn a_schema_for_the_reply() {
    let members =
        json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}});
    check_members(
        &Dialect::default(),
        members.clone(),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "output", "strict": true, "schema": {"type": "object"}}}}),
        &[],
    );
    let in_words = Dialect {
        has_json_schema: false,
        ..Dialect::default()
    };
    let instruction = "Reply with one JSON object that follows this JSON Schema, and with nothing else:\n{\"type\":\"object\"}";
    check_members(
        &in_words,
        members,
        json!({"response_format": {"type": "json_object"}, "messages": [{"role": "system", "content": instruction}]}),
        &[],
    );
}

#[test]
fn a_request_to_warm_the_cache_makes_one_token() {
    check_members(
        &Dialect::default(),
        json!({"max_tokens": 0}),
        json!({"max_tokens": 1}),
        &["max_tokens"],
    );
}

#[test]
fn members_of_the_host_are_added_unless_the_client_sends_them() {
    let member = |name, for_streamed_tools| HostMember {
        name,
        raw: "true",
        for_streamed_tools,
    };
    let dialect = Dialect {
        members: Box::leak(Box::new([
            member("always", false),
            member("tools_only", true),
        ])),
        ..Dialect::default()
    };
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    for (request, always, tools_only) in [
        (json!({}), json!(true), Value::Null),
        (json!({"stream": true}), json!(true), Value::Null),
        (json!({"tools": tools}), json!(true), Value::Null),
        (
            json!({"tools": tools, "stream": true}),
            json!(true),
            json!(true),
        ),
    ] {
        check_members(
            &dialect,
            request,
            json!({"always": always, "tools_only": tools_only}),
            &[],
        );
    }
    let (own, _) = from_chat(r#"{"model":"m","messages":[],"always":false}"#, &dialect);
    assert_eq!(own["always"], json!(false));
}
