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
        Wire::Anthropic => json!([{"name": "Read"}]),
    }
}

/// The answer's text and calls after these messages.
async fn ask(agent: Agent, wire: Wire, messages: Value) -> (String, Vec<String>) {
    let upstream = Upstream::start(agent).await;
    let path = if wire == Wire::Chat {
        "/v1/chat/completions"
    } else {
        "/v1/messages"
    };
    let body = json!({"model": "m", "tools": tools(wire), "messages": messages});
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
    let cases = [
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
