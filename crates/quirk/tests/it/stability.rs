//! Prompt caches: a longer history repeats the bytes of a shorter one, and nothing depends on earlier requests.

use lingate_quirk::{Instruction, InstructionMode, ReasoningHistory, Settings};
use serde_json::{Value, json};

use crate::translate::Upstream;

/// A conversation with everything that the quirks of conversations look at.
fn conversation() -> Vec<Value> {
    let call = |id: &str, name: &str| json!({ "type": "tool_use", "id": id, "name": name, "input": { "z": 1, "a": 2.50 } });
    let result =
        |id: &str, text: &str| json!({ "type": "tool_result", "tool_use_id": id, "content": text });
    let text = |text: &str| json!({ "type": "text", "text": text });
    vec![
        json!({ "role": "user", "content": "start" }),
        json!({ "role": "assistant", "content": [text("(no content)"), call("toolu_1", "Bash"), call("toolu_2", "mcp__a-b__c.d:e")] }),
        json!({ "role": "user", "content": [result("toolu_2", "two"), result("toolu_1", "one"), text("and go on")] }),
        json!({ "role": "system", "content": "3 files changed" }),
        json!({ "role": "assistant", "content": [json!({ "type": "thinking", "thinking": "hm", "signature": "s" }), call("toolu_3", "Bash")] }),
        json!({ "role": "user", "content": [result("toolu_3", "")] }),
        json!({ "role": "assistant", "content": [text("(no content)(no content) done")] }),
        json!({ "role": "user", "content": [text(" "), text("again")] }),
        json!({ "role": "assistant", "content": [call("toolu_1", "Read")] }),
        json!({ "role": "user", "content": [result("toolu_1", "reused id"), result("toolu_gone", "orphan")] }),
        json!({ "role": "assistant", "content": [text("bye")] }),
        json!({ "role": "user", "content": "ok" }),
    ]
}

/// The array of messages as it stands in the body, without its bracket.
fn messages(body: &str) -> &str {
    let (_, behind) = body.split_once(r#""messages":["#).unwrap();
    let mut values = serde_json::Deserializer::from_str(&body[body.len() - behind.len() - 1..])
        .into_iter::<Value>();
    values.next().unwrap().unwrap();
    &behind[..values.byte_offset() - 2]
}

/// Without what is said behind the conversation, where the host has no choice of tools: nobody sends it again.
fn conversation_of(body: &str) -> &str {
    const SAID: &str = r#",{"role":"user","content":"Answer this by calling one of the tools."}"#;
    let messages = messages(body);
    messages.strip_suffix(SAID).unwrap_or(messages)
}

#[track_caller]
fn check(upstream: &Upstream) {
    let conversation = conversation();
    let send = |n_messages: usize| {
        upstream
            .send(&json!({
                "messages": conversation[..n_messages],
                "thinking": { "type": "adaptive" },
                "tool_choice": { "type": "any" },
                "tools": [{ "name": "mcp__a-b__c.d:e", "input_schema": { "anyOf": [{ "required": ["x"] }] } }, { "name": "Bash", "input_schema": { "type": "object", "properties": { "c": { "pattern": "x" } } } }],
            }))
            .body
    };
    let whole = send(conversation.len());
    for n_messages in 1..conversation.len() {
        // No client asks before its tools have answered.
        if conversation[n_messages - 1]["role"] == "assistant" {
            continue;
        }
        let part = send(n_messages);
        assert_eq!(part, send(n_messages), "same request, same bytes");
        assert!(
            messages(&whole).starts_with(conversation_of(&part)),
            "{n_messages} messages at {}:\n{part}\n{whole}",
            upstream.model
        );
    }
}

#[test]
fn appending_a_turn_keeps_the_bytes_of_earlier_messages() {
    check(&Upstream::moonshot());
    check(&Upstream::third_party());
    check(&Upstream::new(&["moonshot"], "kimi-k3"));
    for (group, model) in [
        ("openai", "gpt-5.6-sol"),
        ("openrouter", "anthropic/claude-sonnet-5"),
        ("groq", "openai/gpt-oss-120b"),
        ("deepseek", "deepseek-v4-pro"),
        ("mimo", "mimo-v2.5-pro"),
        ("zai", "glm-5.3"),
        ("minimax", "MiniMax-M3"),
        ("together", "m"),
        ("fireworks", "m"),
        ("cerebras", "m"),
        ("gemini-chat", "gemini-3-flash"),
        ("vllm", "m"),
        ("llama-cpp", "m"),
        ("ollama", "m"),
    ] {
        let quirks: &'static [&'static str] = Box::leak(Box::new([group]));
        check(&Upstream::new(quirks, model));
        check(&Upstream::new(quirks, model).with(Settings {
            instruction: Some(Instruction {
                text: "Be brief.".to_owned(),
                mode: InstructionMode::Append,
            }),
            omits_images: true,
            reasoning_history: ReasoningHistory::Placeholder,
            ..Settings::default()
        }));
    }
}
