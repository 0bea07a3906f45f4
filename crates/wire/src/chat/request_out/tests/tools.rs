//! Tools.

use super::*;

#[test]
fn tools_and_the_choice_among_them() {
    let function = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let hosted = json!({"type": "web_search_20250305", "name": "web_search"});
    check_members(
        &Dialect::default(),
        json!({"tools": [tool("f"), hosted, {"name": "g", "input_schema": {"type": "object"}, "strict": true, "input_examples": []}], "tool_choice": {"type": "any", "disable_parallel_tool_use": true}}),
        json!({"tools": [function("f"), function("g")], "tool_choice": "required", "parallel_tool_calls": false}),
        &["tools[1]", "tools[2].strict", "tools[2].input_examples"],
    );
    let named = json!({"type": "function", "function": {"name": "f"}});
    for (choice, expected, losses) in [
        (json!({"type": "auto"}), json!("auto"), vec![]),
        (json!({"type": "none"}), json!("none"), vec![]),
        (json!({"type": "tool", "name": "f"}), named, vec![]),
        (
            json!({"type": "tool", "name": "gone"}),
            Value::Null,
            vec!["tool_choice"],
        ),
    ] {
        check_members(
            &Dialect::default(),
            json!({"tools": [tool("f")], "tool_choice": choice}),
            json!({"tool_choice": expected}),
            &losses,
        );
    }
    check_members(
        &Dialect::default(),
        json!({"tools": [], "tool_choice": {"type": "auto"}}),
        json!({"tools": null, "tool_choice": null}),
        &["tool_choice"],
    );
}

#[test]
fn deferred_tools_are_sent_once_they_are_known() {
    let tool = |name: &str, is_deferred: bool| json!({"name": name, "input_schema": {}, "defer_loading": is_deferred});
    let names = |members: Value| {
        let (body, losses) = from_anthropic(&members, &Dialect::default());
        let names: Vec<String> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned())
            .collect();
        (
            names.join(" "),
            losses
                .into_iter()
                .filter(|loss| !loss.contains("defer_loading"))
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    let tools = json!([
        tool("a", true),
        tool("f", false),
        tool("b", true),
        tool("placeholder", true)
    ]);
    let referred = json!([{"role": "assistant", "content": [call("x")]}, user(json!([result("x", json!([{"type": "tool_reference", "tool_name": "b"}, {"type": "tool_reference", "tool_name": "a"}]))]))]);
    assert_eq!(
        names(json!({"tools": tools, "messages": []})),
        ("f".into(), "tools[0] tools[2] tools[3]".into())
    );
    assert_eq!(
        names(json!({"tools": tools, "messages": referred})),
        ("f b a".into(), "tools[3]".into())
    );
    let search = json!([tool("f", false), tool("a", true), {"type": "tool_search_tool_bm25_20251119", "name": "search"}]);
    assert_eq!(
        names(json!({"tools": search, "messages": []})),
        ("f a".into(), "tools[2]".into())
    );
}

#[test]
fn of_too_many_tools_those_in_use_stay() {
    let tools: Vec<Value> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|name| json!({"name": name, "input_schema": {"type": "object"}}))
        .collect();
    let used = json!([
        user(json!("x")),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "d", "input": {}}]},
        user(json!([result("t", json!("ok"))])),
    ]);
    let check = |most: usize, choice: Value, expected: &[&str], losses: &[&str]| {
        let dialect = Dialect {
            max_tools: Some(most),
            ..Dialect::default()
        };
        let request = json!({"tools": tools, "messages": used, "tool_choice": choice});
        let (body, lost) = from_anthropic(&request, &dialect);
        let names: Vec<&str> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{most} {choice}");
        assert_eq!(lost, losses, "{most} {choice}");
    };
    let auto = json!({"type": "auto"});
    check(5, auto.clone(), &["a", "b", "c", "d", "e"], &[]);
    check(3, auto.clone(), &["a", "b", "d"], &["tools[2]", "tools[4]"]);
    check(
        1,
        auto,
        &["d"],
        &["tools[0]", "tools[1]", "tools[2]", "tools[4]"],
    );
    let chosen = json!({"type": "tool", "name": "e"});
    check(3, chosen, &["a", "d", "e"], &["tools[1]", "tools[2]"]);
}
