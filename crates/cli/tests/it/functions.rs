//! `lingate logs functions`: calls, and what came of them.

use serde_json::{Value, json};

use crate::harness::User;
use crate::provider::{Mocked, cassette, delta, fine, gateway, post, recorded};

fn call(id: &str, name: &str, arguments: &str) -> Value {
    delta(
        json!({"role": "assistant", "tool_calls": [{"index": 0, "id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}}]}),
        None,
    )
}

#[test]
fn tools_that_were_called() {
    let user = User::new();
    let end = delta(json!({}), Some("tool_calls"));
    let cut = delta(json!({}), Some("length"));
    let stop = delta(json!({"content": "done"}), Some("stop"));
    let cassette = cassette(
        &user,
        &[
            (2, &[call("a", "Bash", "{\"command\":\"ls\"}"), end]),
            (4, &[call("b", "Bash", "{\"command\":\"l"), cut]),
            (6, &[stop]),
        ],
    );
    let mocked = Mocked::start(&user, &["--cassette", cassette.to_str().unwrap()]);
    let gateway = gateway(&user, &mocked, "chat");
    let tools = json!([{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]);
    let mut messages = vec![json!({"role": "user", "content": "go"})];
    for result in ["nothing there", ""] {
        let body = json!({"model": "m", "max_tokens": 100, "stream": true, "system": "s", "messages": messages, "tools": tools});
        let headers = [("x-claude-code-session-id", "5e55")];
        let answer = post(gateway.address(), "/v1/messages", &headers, &body);
        let ids = answer.match_indices("\"type\":\"tool_use\",\"id\":\"");
        let id = ids
            .map(|(at, found)| answer[at + found.len()..].split('"').next().unwrap())
            .next();
        let id = id.unwrap_or_else(|| panic!("{answer}"));
        messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "Bash", "input": {}}]}));
        messages.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": id, "is_error": true, "content": result}]}));
    }
    recorded(&user, 2);
    let text = fine(user.run(&["logs", "functions"]));
    assert!(
        text.starts_with(
            "tool  calls  failed  no object  bytes  last\nBash      2       1          1 "
        ),
        "{text}"
    );
    let json = fine(user.run(&["logs", "functions", "--by", "provider", "--json"]));
    let sums: Value = serde_json::from_str(json.trim()).unwrap();
    for (member, expected) in [
        ("of", json!("mocked")),
        ("tool", json!("Bash")),
        ("calls", json!(2)),
        ("failed", json!(1)),
        ("invalid", json!(1)),
    ] {
        assert_eq!(sums[member], expected, "{member}: {sums}");
    }
    assert!(
        sums["average_bytes"]
            .as_u64()
            .is_some_and(|bytes| (10..20).contains(&bytes)),
        "{sums}"
    );
    let by_model = fine(user.run(&["logs", "functions", "--by", "model", "tool:Bash"]));
    assert!(by_model.contains("m-1       Bash"), "{by_model}");
    let none = user.run(&["logs", "functions", "model:other"]);
    assert!(none.stderr.contains("no exchange fits"), "{none:?}");
}
