use lingate_testkit::client::post;
use lingate_testkit::{Agent, Step, Upstream, Wire};
use serde_json::{Value, json};

fn scenario() -> Agent {
    Agent::new()
        .on(
            "sum up",
            [
                Step::call("Read", json!({"path": "a"}))
                    .and("Read", json!({"path": "b"}))
                    .saying("Reading."),
                Step::report(|results| format!("Read: {}", results.join("+"))),
            ],
        )
        .on("write", [Step::call("Write", json!({}))])
}

fn tools(wire: Wire) -> Value {
    match wire {
        Wire::Chat => json!([{"type": "function", "function": {"name": "Read"}}]),
        Wire::Anthropic | Wire::Responses => json!([{"name": "Read", "type": "function"}]),
        Wire::Gemini => json!([{"functionDeclarations": [{"name": "Read"}]}]),
    }
}

/// The answer's text and calls after these messages.
async fn ask(agent: Agent, wire: Wire, messages: Value) -> (String, Vec<String>) {
    let upstream = Upstream::start(agent).await;
    let (path, member) = match wire {
        Wire::Chat => ("/v1/chat/completions", "messages"),
        Wire::Anthropic => ("/v1/messages", "messages"),
        Wire::Responses => ("/v1/responses", "input"),
        Wire::Gemini => ("/v1beta/models/m:generateContent", "contents"),
    };
    let body = json!({"model": "m", "tools": tools(wire), member: messages});
    let answer = post(&format!("{}{path}", upstream.url()), &body)
        .send()
        .await
        .json()
        .await;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match wire {
        Wire::Chat => {
            let message = &answer["choices"][0]["message"];
            let ids = list(&message["tool_calls"])
                .iter()
                .map(|call| call["id"].as_str().unwrap().to_owned())
                .collect();
            (
                message["content"].as_str().unwrap_or_default().to_owned(),
                ids,
            )
        }
        Wire::Responses => {
            let items = list(&answer["output"]);
            (
                items
                    .iter()
                    .filter_map(|item| item["content"][0]["text"].as_str())
                    .collect(),
                items
                    .iter()
                    .filter_map(|item| Some(item["call_id"].as_str()?.to_owned()))
                    .collect(),
            )
        }
        Wire::Gemini => {
            let parts = list(&answer["candidates"][0]["content"]["parts"]);
            (
                parts
                    .iter()
                    .filter_map(|part| part["text"].as_str())
                    .collect(),
                parts
                    .iter()
                    .filter_map(|part| Some(part["functionCall"]["name"].as_str()?.to_owned()))
                    .collect(),
            )
        }
        Wire::Anthropic => {
            let blocks = list(&answer["content"]);
            let text = blocks
                .iter()
                .filter_map(|block| block["text"].as_str())
                .collect();
            (
                text,
                blocks
                    .iter()
                    .filter_map(|block| Some(block["id"].as_str()?.to_owned()))
                    .collect(),
            )
        }
    }
}

#[tokio::test]
async fn the_conversation_decides_the_step() {
    let prompt = json!({"role": "user", "content": [{"type": "text", "text": "context"}, {"type": "text", "text": "sum up"}]});
    let chat_past = json!([
        prompt,
        {"role": "system", "content": "a note"},
        {"role": "assistant", "content": "Reading.", "tool_calls": [{"id": "x"}, {"id": "y"}]},
        {"role": "tool", "tool_call_id": "x", "content": "one"},
        {"role": "tool", "tool_call_id": "y", "content": [{"type": "text", "text": "two"}]},
    ]);
    let anthropic_past = json!([
        prompt,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "x"}, {"type": "tool_use", "id": "y"}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "x", "content": "one"},
            {"type": "tool_result", "tool_use_id": "y", "content": [{"type": "text", "text": "two"}]},
        ]},
    ]);
    let said = json!({"role": "user", "content": [{"type": "input_text", "text": "sum up"}]});
    let responses_past = json!([
        {"role": "developer", "content": [{"type": "input_text", "text": "a note"}]},
        said,
        {"type": "reasoning", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "x"},
        {"type": "function_call", "call_id": "y"},
        {"type": "function_call_output", "call_id": "x", "output": "one"},
        {"type": "function_call_output", "call_id": "y", "output": [{"type": "input_text", "text": "two"}]},
    ]);
    let asked = json!({"role": "user", "parts": [{"text": "sum up"}]});
    let response =
        |text: &str| json!({"functionResponse": {"name": "Read", "response": {"output": text}}});
    let gemini_past = json!([
        asked,
        {"role": "model", "parts": [{"functionCall": {"name": "Read"}}, {"functionCall": {"name": "Read"}}]},
        {"role": "user", "parts": [response("one"), response("two")]},
    ]);
    let cases = [
        (Wire::Responses, json!([said]), "Reading.", 2),
        (Wire::Responses, responses_past, "Read: one+two", 0),
        (Wire::Gemini, json!([asked]), "Reading.", 2),
        (Wire::Gemini, gemini_past, "Read: one+two", 0),
        (Wire::Chat, json!([prompt]), "Reading.", 2),
        (Wire::Chat, chat_past, "Read: one+two", 0),
        (Wire::Anthropic, json!([prompt]), "Reading.", 2),
        (Wire::Anthropic, anthropic_past, "Read: one+two", 0),
        (
            Wire::Chat,
            json!([{"role": "user", "content": "title?"}]),
            "Understood.",
            0,
        ),
    ];
    for (wire, messages, text, calls) in cases {
        let agent = scenario();
        let (said, ids) = ask(agent.clone(), wire, messages).await;
        assert_eq!((said.as_str(), ids.len()), (text, calls), "{wire:?}");
        assert_eq!(agent.faults(), [""; 0]);
    }
}

#[tokio::test]
async fn kimi_counts_its_calls_over_the_conversation() {
    let past = json!([
        {"role": "user", "content": "before"},
        {"role": "user", "content": "sum up"},
    ]);
    let (_, ids) = ask(scenario().kimi_ids(), Wire::Chat, past).await;
    assert_eq!(ids, ["functions.Read:0", "functions.Read:1"]);
}

#[tokio::test]
async fn impossible_steps_are_faults() {
    let agent = scenario();
    ask(
        agent.clone(),
        Wire::Chat,
        json!([{"role": "user", "content": "write"}]),
    )
    .await;
    let beyond =
        json!([{"role": "user", "content": "write"}, {"role": "assistant", "content": "done"}]);
    ask(agent.clone(), Wire::Chat, beyond).await;
    let faults = agent.faults();
    assert!(
        faults[0].contains("calls Write, offered are [\"Read\"]"),
        "{faults:?}"
    );
    assert!(
        faults[1].contains("after the scenario's 1 steps"),
        "{faults:?}"
    );
}
