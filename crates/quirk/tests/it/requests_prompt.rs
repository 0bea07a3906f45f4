//! What settings do to the prompt: the user's instruction, how many turns, and pictures nobody could see.

use lingate_quirk::{Instruction, InstructionMode, Settings};
use serde_json::{Value, json};

use crate::translate::Upstream;

fn instructed(mode: InstructionMode) -> Settings {
    Settings {
        instruction: Some(Instruction {
            text: "Be brief.".to_owned(),
            mode,
        }),
        ..Settings::default()
    }
}

fn system(mode: InstructionMode, client: Value) -> Value {
    let mut request = json!({ "messages": [{ "role": "user", "content": "hi" }] });
    if !client.is_null() {
        request["system"] = client;
    }
    let sent = Upstream::new(&[], "m")
        .with(instructed(mode))
        .send(&request)
        .json();
    sent["messages"][0].clone()
}

#[test]
fn an_instruction_stands_with_a_blank_line_between() {
    use InstructionMode::{Append, Override, Prepend};
    let expected = |content: &str| json!({ "role": "system", "content": content });
    for (mode, with, without) in [
        (Append, "Follow.\n\nBe brief.", "Be brief."),
        (Prepend, "Be brief.\n\nFollow.", "Be brief."),
        (Override, "Be brief.", "Be brief."),
    ] {
        assert_eq!(system(mode, json!("Follow.")), expected(with), "{mode:?}");
        assert_eq!(system(mode, Value::Null), expected(without), "{mode:?}");
    }
    let plain =
        Upstream::new(&[], "m").send(&json!({ "messages": [{ "role": "user", "content": "hi" }] }));
    assert_eq!(
        plain.json()["messages"][0]["role"],
        "user",
        "nothing configured, nothing added"
    );
}

#[test]
fn the_attribution_block_stays_first_at_its_own_api() {
    let attribution = "x-anthropic-billing-header: cc_version=1;";
    let request = json!({
        "system": [{ "type": "text", "text": attribution }, { "type": "text", "text": "Follow." }],
        "messages": [{ "role": "user", "content": "hi" }],
    });
    for (mode, expected) in [
        (
            InstructionMode::Append,
            vec![attribution, "Follow.", "Be brief."],
        ),
        (
            InstructionMode::Prepend,
            vec![attribution, "Be brief.", "Follow."],
        ),
        (InstructionMode::Override, vec![attribution, "Be brief."]),
    ] {
        let sent = Upstream::anthropic("claude-x")
            .with(instructed(mode))
            .send(&request)
            .json();
        let texts: Vec<&str> = sent["system"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts, expected, "{mode:?}");
    }
}

#[test]
fn a_chat_clients_prompt_is_extended_too() {
    let body = r#"{"model":"m","messages":[{"role":"system","content":"Follow."},{"role":"user","content":"hi"}]}"#;
    let sent = Upstream::new(&[], "m")
        .with(instructed(InstructionMode::Append))
        .send_chat(body)
        .json();
    assert_eq!(
        sent["messages"][0],
        json!({ "role": "system", "content": "Follow.\n\nBe brief." })
    );
    assert_eq!(
        sent["messages"][1],
        json!({ "role": "user", "content": "hi" })
    );
}

#[test]
fn only_the_last_turns_are_sent() {
    let turn = |n: u32| {
        [
            json!({ "role": "user", "content": format!("ask {n}") }),
            json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": format!("t{n}"), "name": "f", "input": {} }] }),
            json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": format!("t{n}"), "content": "ok" }] }),
            json!({ "role": "assistant", "content": format!("answer {n}") }),
        ]
    };
    let mut messages: Vec<Value> = (1..=3).flat_map(turn).collect();
    messages.push(json!({ "role": "user", "content": "ask 4" }));
    let upstream = Upstream::new(&[], "m").with(Settings {
        max_turns: Some(2),
        ..Settings::default()
    });
    let sent = upstream.send(&json!({ "messages": messages }));
    assert_eq!(sent.losses, ["messages[..8]"]);
    let body = sent.json();
    let roles: Vec<&str> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"]);
    assert_eq!(body["messages"][0]["content"], "ask 3");
}

#[test]
fn pictures_nobody_could_see_are_notes_and_losses() {
    let picture = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } });
    let upstream = Upstream::new(&[], "m").with(Settings {
        omits_images: true,
        ..Settings::default()
    });
    let sent = upstream.send(&json!({ "messages": [
        { "role": "user", "content": [picture, { "type": "text", "text": "see?" }] },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "shot" }, picture] }] },
    ] }));
    assert_eq!(
        sent.losses,
        [
            "messages[0].content[0]",
            "messages[2].content[0].content[1]"
        ]
    );
    assert!(
        !sent.body.contains("AAAA") && sent.body.contains("[image omitted"),
        "{}",
        sent.body
    );
}
