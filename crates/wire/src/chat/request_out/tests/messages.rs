//! The order of messages, and what they are made of.

use super::*;

#[test]
fn text_is_one_string_and_blank_text_is_nothing() {
    check(
        json!([
            user(
                json!([{"type": "text", "text": "a"}, {"type": "text", "text": " \n"}, {"type": "text", "text": "b"}])
            ),
            user(json!(""))
        ]),
        json!([user(json!("a\n\nb"))]),
        &[],
    );
}

#[test]
fn results_come_first_and_in_received_order() {
    check(
        json!([
            {"role": "assistant", "content": [{"type": "text", "text": "a"}, call("x"), call("y"), {"type": "text", "text": "b"}]},
            user(json!([{"type": "text", "text": "c"}, result("y", json!("2")), result("x", json!([{"type": "text", "text": "1"}]))])),
        ]),
        json!([
            {"role": "assistant", "content": "a\n\nb", "tool_calls": called(&["x", "y"])["tool_calls"]},
            answered("y", "2"),
            answered("x", "1"),
            user(json!("c")),
        ]),
        &[],
    );
}

#[test]
fn nothing_stands_between_calls_and_results() {
    check(
        json!([
            {"role": "assistant", "content": [call("x"), call("y")]},
            user(json!([result("x", json!("1")), {"type": "text", "text": "early"}])),
            {"role": "system", "content": "note"},
            user(json!([result("y", json!("2")), {"type": "text", "text": "late"}])),
        ]),
        json!([
            called(&["x", "y"]),
            answered("x", "1"),
            answered("y", "2"),
            user(json!("early")),
            user(json!("<system-reminder>\nnote\n</system-reminder>")),
            user(json!("late")),
        ]),
        &[],
    );
}

#[test]
fn calls_and_results_without_each_other_are_mended() {
    check(
        json!([
            {"role": "assistant", "content": [call("x")]},
            user(json!("go on")),
            {"role": "assistant", "content": "ok"},
            user(json!([result("x", json!("late"))])),
        ]),
        json!([
            called(&["x"]),
            answered("x", "Error: the tool call was not answered"),
            user(json!("go on")),
            {"role": "assistant", "content": "ok"},
            user(json!("[Result of an earlier tool call]\nlate")),
        ]),
        &[],
    );
}

#[test]
fn what_cannot_be_carried_is_a_loss() {
    check(
        json!([
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, {"type": "text", "text": "a"}]},
            user(json!([{"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}, {"type": "container_upload", "file_id": "f"}])),
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "alone", "signature": "s"}]},
        ]),
        json!([
            {"role": "assistant", "content": "[Server tool `web_search` was called with {}]\n\na"},
            user(json!("b")),
        ]),
        &[
            "messages[0].content[1]",
            "messages[0].content[0]",
            "messages[1].content[0].cache_control",
            "messages[1].content[1]",
            "messages[2].content[0]",
        ],
    );
    check_members(
        &Dialect::default(),
        json!({"context_management": {}, "mcp_servers": [], "service_tier": "auto", "metadata": {"user_id": "u"}, "top_k": 5}),
        json!({"context_management": null, "user": null, "top_k": null}),
        &[
            "top_k",
            "metadata.user_id",
            "context_management",
            "mcp_servers",
            "service_tier",
        ],
    );
}

#[test]
fn steps_of_a_provider_are_told_in_words() {
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [
        {"type": "web_search_result", "title": "T", "url": "https://x", "encrypted_content": "E", "page_age": null},
    ]});
    let run = json!({"type": "bash_code_execution_tool_result", "tool_use_id": "s", "content":
        {"type": "bash_code_execution_result", "stdout": "out", "stderr": "", "return_code": 0}});
    let page = json!({"type": "web_fetch_tool_result", "tool_use_id": "s", "content": {"type": "web_fetch_result", "url": "https://y", "content":
        {"type": "document", "title": "D", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}}});
    check(
        json!([{"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}, found, run, page,
        ]}]),
        json!([{"role": "assistant", "content": "[Server tool `web_search` was called with {\"query\":\"q\"}]\n\n\
            [Result of the server tool]\nT\nhttps://x\n\n\
            [Result of the server tool]\nout\nreturn_code: 0\n\n\
            [Result of the server tool]\nhttps://y\nD"}]),
        &[0, 1, 2, 3]
            .map(|at| format!("messages[0].content[{at}]"))
            .each_ref()
            .map(String::as_str),
    );
}

#[test]
fn a_hint_that_moves_on_leaves_the_prefix_as_it_was() {
    for cache in [CacheSpelling::CacheControl, CacheSpelling::Breakpoint] {
        let dialect = Dialect {
            cache,
            ..Dialect::default()
        };
        let history = |at: Option<usize>| {
            let text = |n: usize| {
                let mut part = json!({"type": "text", "text": format!("t{n}")});
                if at == Some(n) {
                    part["cache_control"] = json!({"type": "ephemeral"});
                }
                part
            };
            let messages = json!([
                user(json!([text(0)])),
                {"role": "assistant", "content": [text(1), call("x")]},
                user(json!([result("x", json!([text(2)]))])),
                {"role": "assistant", "content": [text(3)]},
                user(json!([result("gone", json!([text(4)]))])),
            ]);
            from_anthropic(&json!({"messages": messages}), &dialect)
        };
        let (bare, losses) = history(None);
        assert_eq!(losses, [""; 0]);
        for at in 0..5 {
            let (mut hinted, losses) = history(Some(at));
            assert_eq!(losses, [""; 0]);
            let hints: Vec<bool> = hinted["messages"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .map(|message| {
                    let part = message["content"][0].as_object_mut().unwrap();
                    let n_members = part.len();
                    part.retain(|key, _| matches!(key.as_str(), "type" | "text"));
                    part.len() < n_members
                })
                .collect();
            assert_eq!(hints.iter().position(|has| *has), Some(at));
            assert_eq!(hinted, bare, "the same but for the hint");
        }
    }
}

#[test]
fn the_system_prompt_without_the_attribution() {
    let system = json!([{"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let (body, losses) = from_anthropic(
        &json!({"system": system, "messages": [{"role": "system", "content": "x-anthropic-billing-header: y"}]}),
        &Dialect::default(),
    );
    assert_eq!(
        body["messages"],
        json!([{"role": "system", "content": "a\n\nb"}])
    );
    assert_eq!(losses, ["system[0]", "messages[0].content[0]"]);
}

#[test]
fn cache_hints_in_the_hosts_spelling() {
    let members = json!({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}], "messages": [user(json!([{"type": "text", "text": "b"}, {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}]))]});
    let hinted = |cache, long: Value, short: Value| {
        let dialect = Dialect {
            cache,
            ..Dialect::default()
        };
        let part = |text: &str, hint: &Value| {
            let mut part = json!({"type": "text", "text": text});
            part.as_object_mut()
                .unwrap()
                .extend(hint.as_object().unwrap().clone());
            part
        };
        let expected = json!([{"role": "system", "content": [part("a", &long)]}, user(json!([{"type": "text", "text": "b"}, part("c", &short)]))]);
        check_members(
            &dialect,
            members.clone(),
            json!({"messages": expected}),
            &[],
        );
    };
    hinted(
        CacheSpelling::CacheControl,
        json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        json!({"cache_control": {"type": "ephemeral"}}),
    );
    let breakpoint = json!({"prompt_cache_breakpoint": {"mode": "explicit"}});
    hinted(CacheSpelling::Breakpoint, breakpoint.clone(), breakpoint);
}
