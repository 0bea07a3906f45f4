use super::*;
use crate::json::Text;
use crate::turn::{
    Effort, Image, MediaSource, Message, Node, Params, Role, SealKey, Thinking, ThinkingMode,
    ThoughtDisplay, ToolInput, ToolResult,
};

fn key() -> SealKey {
    SealKey::new("p", "a", "m")
}

fn message(role: Role, blocks: Vec<Block>) -> Node<Message> {
    Node::new(Message {
        role,
        blocks: blocks.into_iter().map(Node::new).collect(),
        extra: Vec::new(),
    })
}

fn request(messages: Vec<Node<Message>>) -> Decoded {
    Decoded {
        turn: Turn {
            origin: Wire::Anthropic,
            model: "asked".into(),
            system: Vec::new(),
            messages,
            tools: Vec::new().into(),
            cache: None,
        },
        params: Params::default(),
    }
}

fn encoded(decoded: &Decoded) -> (serde_json::Value, Vec<String>) {
    let upstream = UpstreamContext {
        model: "m",
        seal: &key(),
    };
    let encoded = encode_request(decoded, &upstream, false);
    let losses = encoded.losses.iter().map(|loss| loss.path.clone());
    (
        serde_json::from_slice(&encoded.body).unwrap(),
        losses.collect(),
    )
}

/// The items of a conversation, and what was lost.
#[track_caller]
fn check(messages: Vec<Node<Message>>, expected: &[&str], lost: &[&str]) {
    let (body, losses) = encoded(&request(messages));
    let items: Vec<String> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.to_string())
        .collect();
    assert_eq!(items, expected);
    assert_eq!(losses, lost);
}

fn text(text: &'static str) -> Block {
    Block::text(text.into())
}

fn call(id: &'static str, input: &'static str) -> Block {
    Block::ToolUse(ToolUse {
        id: id.into(),
        name: "f".into(),
        namespace: None,
        input: ToolInput::Json(input.into()),
        signature: None,
        cache: None,
        extra: Vec::new(),
    })
}

fn result(id: &'static str, content: Vec<Block>, is_error: bool) -> Block {
    Block::ToolResult(ToolResult {
        tool_use_id: id.into(),
        content: content.into_iter().map(Node::new).collect(),
        is_error,
        cache: None,
    })
}

fn picture() -> Block {
    Block::Image(Image {
        source: MediaSource::Base64 {
            media_type: "image/png".into(),
            data: "aGk=".into(),
        },
        detail: None,
        cache: None,
    })
}

#[test]
fn what_is_said_stays_in_its_order() {
    check(
        vec![
            message(Role::User, vec![text("hi"), text("  "), picture()]),
            message(
                Role::Assistant,
                vec![text("a"), text("b"), call("1", ""), text("c")],
            ),
            message(
                Role::User,
                vec![result("1", vec![text("x"), text("y")], false)],
            ),
            message(Role::System, vec![text("later")]),
        ],
        &[
            r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"data:image/png;base64,aGk="}]}"#,
            r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"output_text","text":"b","annotations":[]}]}"#,
            r#"{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}"#,
            r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"c","annotations":[]}]}"#,
            r#"{"type":"function_call_output","call_id":"1","output":"x\ny"}"#,
            r#"{"type":"message","role":"system","content":[{"type":"input_text","text":"later"}]}"#,
        ],
        &[],
    );
}

#[test]
fn every_call_has_its_result_and_every_result_its_call() {
    check(
        vec![
            message(Role::Assistant, vec![call("1", "{}"), call("2", "{}")]),
            message(
                Role::User,
                vec![
                    result("2", vec![picture()], true),
                    result("9", vec![text("lost")], false),
                    text("go on"),
                ],
            ),
            message(Role::Assistant, vec![call("3", "{}")]),
        ],
        &[
            r#"{"type":"function_call","call_id":"1","name":"f","arguments":"{}"}"#,
            r#"{"type":"function_call","call_id":"2","name":"f","arguments":"{}"}"#,
            r#"{"type":"function_call_output","call_id":"2","output":[{"type":"input_text","text":"Error:"},{"type":"input_image","image_url":"data:image/png;base64,aGk="}]}"#,
            r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"[Result of an earlier tool call]"},{"type":"input_text","text":"lost"},{"type":"input_text","text":"go on"}]}"#,
            r#"{"type":"function_call_output","call_id":"1","output":"Error: the tool call was not answered"}"#,
            r#"{"type":"function_call","call_id":"3","name":"f","arguments":"{}"}"#,
            r#"{"type":"function_call_output","call_id":"3","output":"Error: the tool call was not answered"}"#,
        ],
        &[],
    );
}

#[test]
fn reasoning_goes_back_where_it_came_from() {
    let thinking = |text: &'static str, signature: Option<String>| {
        Block::Thinking(Thinking {
            text: text.into(),
            signature: signature.map(Text::from),
            is_redacted: text.is_empty(),
        })
    };
    let elsewhere = SealKey::new("q", "a", "m").seal("T");
    check(
        vec![message(
            Role::Assistant,
            vec![
                thinking("a", Some(key().seal("T"))),
                thinking("", Some(key().seal("H"))),
                thinking("open", Some(key().seal(""))),
                thinking("other", Some(elsewhere)),
                thinking("native", Some("EqQB".to_owned())),
                thinking("bare", None),
                text("x"),
            ],
        )],
        &[
            r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"T"}"#,
            r#"{"type":"reasoning","summary":[],"encrypted_content":"H"}"#,
            r#"{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"open"}]}"#,
            r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[]}]}"#,
        ],
        &[
            "messages[0].content[3]",
            "messages[0].content[4]",
            "messages[0].content[5]",
        ],
    );
}

#[test]
fn how_to_think_and_what_to_keep() {
    let body = |set: &dyn Fn(&mut Params)| {
        let mut decoded = request(Vec::new());
        set(&mut decoded.params);
        encoded(&decoded).0
    };
    let plain = body(&|_| {});
    assert_eq!(
        plain.to_string(),
        r#"{"model":"m","input":[],"store":false}"#
    );
    let adaptive = body(&|params| params.thinking = Some(ThinkingMode::Adaptive));
    assert_eq!(adaptive["reasoning"].to_string(), r#"{"summary":"auto"}"#);
    assert_eq!(adaptive["include"][0], "reasoning.encrypted_content");
    let hidden = body(&|params| {
        params.thinking = Some(ThinkingMode::Adaptive);
        params.thoughts = Some(ThoughtDisplay::Omitted);
        params.effort = Some(Effort::High);
    });
    assert_eq!(hidden["reasoning"].to_string(), r#"{"effort":"high"}"#);
    let off = body(&|params| params.thinking = Some(ThinkingMode::Disabled));
    assert_eq!(off["reasoning"].to_string(), r#"{"effort":"none"}"#);
    assert!(off.get("include").is_none());
    for (budget, effort) in [(1024, "low"), (10_000, "medium"), (31_999, "high")] {
        let budgeted = body(&|params| {
            params.thinking = Some(ThinkingMode::Enabled {
                budget_tokens: Some(budget),
            });
        });
        assert_eq!(budgeted["reasoning"]["effort"], effort);
    }
    let least = body(&|params| params.max_tokens = Some(1));
    assert_eq!(least["max_output_tokens"], 16);
}

/// A request of this wire whose item was changed: the rest is copied, the item is written anew.
#[test]
fn a_changed_item_is_written_from_its_value() {
    let body = r#"{"model":"m","instructions":"I","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"D1"},{"type":"input_text","text":"D2"}]},{"type":"message","id":"m1","role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]},{"type":"function_call","id":"f1","call_id":"1","name":"f","arguments":"{}"}],"tools":[{"type":"namespace","name":"n","description":"N","tools":[{"type":"function","name":"x"},{"type":"function","name":"y"}]}]}"#;
    let decode = || {
        let doc = crate::responses::scan_request(&body.into()).unwrap();
        crate::responses::decode_request(&doc).unwrap()
    };
    assert_eq!(encoded(&decode()).0.to_string(), body);

    let mut changed = decode();
    if let Block::Text { text, .. } = changed.turn.messages[0].edit().blocks[1].edit() {
        *text = "B".into();
    }
    changed.turn.tools[1].edit();
    changed.turn.system.insert(0, Node::new(text("first")));
    let (out, losses) = encoded(&changed);
    assert!(losses.is_empty());
    assert_eq!(out["instructions"], "first\n\nI");
    assert_eq!(out["input"][0]["content"][1]["text"], "D2", "copied");
    assert_eq!(out["input"].as_array().unwrap().len(), 3);
    assert_eq!(
        out["input"][1].to_string(),
        r#"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"output_text","text":"B","annotations":[]}]}"#
    );
    assert_eq!(out["input"][2]["id"], "f1", "copied");
    assert_eq!(
        out["tools"].to_string(),
        r#"[{"type":"namespace","name":"n","description":"N","tools":[{"type":"function","name":"x","strict":false,"parameters":{"type":"object","properties":{}}},{"type":"function","name":"y","strict":false,"parameters":{"type":"object","properties":{}}}]}]"#
    );
}

#[test]
fn hints_stand_on_parts_where_the_host_takes_them() {
    let mut decoded = request(vec![message(
        Role::User,
        vec![Block::Text {
            text: "hi".into(),
            citations: None,
            signature: None,
            cache: Some(crate::turn::CacheHint::Default),
        }],
    )]);
    assert_eq!(
        encoded(&decoded).1,
        ["messages[0].content[0].cache_control"]
    );
    let upstream = UpstreamContext {
        model: "m",
        seal: &key(),
    };
    decoded.params.stop = vec!["x".into()];
    let taken = encode_request(&decoded, &upstream, true);
    let body = String::from_utf8(taken.body).unwrap();
    assert!(body.contains(r#""prompt_cache_breakpoint":{"mode":"explicit"}"#));
    let losses: Vec<_> = taken.losses.iter().map(|loss| loss.path.clone()).collect();
    assert_eq!(losses, ["stop_sequences[0]"]);
}
