//! Reasoning over a whole tool loop of a Gemini client, whoever answers: what comes back to an upstream is what it said.

use bytestring::ByteString;
use lingate_wire::gemini::{self, Framing};
use lingate_wire::turn::{Seal, SealKey, opened};
use lingate_wire::{Decoded, UpstreamContext, anthropic, chat};
use serde_json::{Value, json};

use crate::chat_chain::{Read, read_anthropic, read_chat, seal_key};
use crate::gemini_chain::{encoded, parts, read_gemini, to_gemini, written};

/// How a client puts a stream into its history.
#[derive(Debug, Clone, Copy)]
enum Keeps {
    /// Every part as it came, as the SDKs' chats do.
    Everything,
    /// No thoughts, and adjacent texts as one, as the official command line does: a later text's token is lost.
    NoThoughts,
    /// As above, by a client that decodes tokens and writes them in the other alphabet.
    PythonBytes,
}

/// The next request of a client that got this reply and ran its calls.
fn next_request(read: &Read, keeps: Keeps) -> Decoded {
    let mut model: Vec<Value> = Vec::new();
    for mut part in parts(&to_gemini(read, Framing::Sse, true)) {
        if matches!(keeps, Keeps::NoThoughts | Keeps::PythonBytes) && part["thought"] == true {
            continue;
        }
        if let (Keeps::PythonBytes, Some(token)) = (keeps, part["thoughtSignature"].as_str()) {
            part["thoughtSignature"] = json!(token.replace('+', "-").replace('/', "_"));
        }
        match model.last_mut() {
            Some(last)
                if !matches!(keeps, Keeps::Everything)
                    && last.get("text").is_some()
                    && part.get("text").is_some() =>
            {
                let text = format!(
                    "{}{}",
                    last["text"].as_str().unwrap(),
                    part["text"].as_str().unwrap()
                );
                last["text"] = json!(text);
            }
            _ => model.push(part),
        }
    }
    let results: Vec<Value> = model
        .iter()
        .filter_map(|part| part.get("functionCall"))
        .map(|call| json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "ok"}}}))
        .collect();
    let body = json!({
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": model},
            {"role": "user", "parts": results},
        ],
        "generationConfig": {"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 4096}},
    });
    let doc = gemini::scan_request(&body.to_string().into()).unwrap();
    gemini::decode_request(&doc).unwrap()
}

const ALL: [Keeps; 3] = [Keeps::Everything, Keeps::NoThoughts, Keeps::PythonBytes];

fn anthropic_stream(blocks: &[Value]) -> Read {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "c", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}}),
    ];
    for (index, block) in blocks.iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}));
    events.push(json!({"type": "message_stop"}));
    let stream: String = events
        .iter()
        .map(|event| {
            format!(
                "event: {}\ndata: {event}\n\n",
                event["type"].as_str().unwrap()
            )
        })
        .collect();
    read_anthropic(&stream)
}

#[test]
fn an_anthropic_upstream_gets_its_thinking_back_in_its_place() {
    let thinking =
        |text: &str, token: &str| json!({"type": "thinking", "thinking": text, "signature": token});
    let text = json!({"type": "text", "text": "On it."});
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {"x": 1.0}});
    let hidden = json!({"type": "redacted_thinking", "data": "DATA+/="});
    for blocks in [
        vec![
            thinking("First.\n\"Then\"", "SIG+/1="),
            call("a"),
            call("b"),
        ],
        vec![thinking("First.", "S1"), text.clone(), call("a")],
        vec![
            thinking("First.", "S1"),
            hidden,
            text.clone(),
            thinking("More.", "S2"),
            call("a"),
        ],
        vec![
            thinking("First.", "S1"),
            call("a"),
            thinking("Between.", "S2"),
            call("b"),
        ],
    ] {
        let read = anthropic_stream(&blocks);
        for keeps in ALL {
            let decoded = next_request(&read, keeps);
            let upstream = UpstreamContext {
                model: "c",
                seal: &seal_key(),
            };
            let (body, _) = written(anthropic::encode_request(&decoded, &upstream));
            let body: Value = serde_json::from_str(&body).unwrap();
            let mut expected = blocks.clone();
            // This wire's API wants calls last.
            expected.sort_by_key(|block| block["type"] == "tool_use");
            assert_eq!(body["messages"][1]["content"], json!(expected), "{keeps:?}");

            let other = SealKey::new("other", "other#1", "m");
            let upstream = UpstreamContext {
                model: "c",
                seal: &other,
            };
            let (body, _) = written(anthropic::encode_request(&decoded, &upstream));
            assert!(
                !body.contains("\"thinking\",\"thinking\"") && !body.contains("redacted"),
                "{body}"
            );
            assert!(!body.contains("lg1."), "{body}");
        }
    }
}

#[test]
fn a_chat_host_gets_its_reasoning_back() {
    let chunk = |delta: Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        )
    };
    let stream = [
        chunk(json!({"reasoning_content": "I must look."}), Value::Null),
        chunk(json!({"content": "Looking."}), Value::Null),
        chunk(json!({"tool_calls": [{"index": 0, "id": "f_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let read = read_chat(&[stream.as_bytes()]);
    for keeps in ALL {
        let decoded = next_request(&read, keeps);
        let dialect = chat::Dialect {
            reasoning: chat::ReasoningField::ReasoningContent,
            ..chat::Dialect::default()
        };
        let (body, _) = crate::chat_chain::encoded(&decoded, &dialect);
        let body: Value = serde_json::from_str(&body).unwrap();
        let message = &body["messages"][1];
        assert_eq!(
            message["reasoning_content"], "I must look.",
            "{keeps:?} {body}"
        );
        assert_eq!(message["content"], "Looking.", "{keeps:?}");
    }
}

#[test]
fn a_gemini_upstream_gets_its_signatures_back() {
    let chunk = |parts: Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}]})
        )
    };
    let stream = [
        chunk(json!([{"text": "hm", "thought": true}]), Value::Null),
        chunk(json!([{"text": "On it."}]), Value::Null),
        chunk(json!([{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "Rmlyc3Q="}, {"functionCall": {"name": "g", "args": {}}}]), json!("STOP")),
    ]
    .concat();
    let read = read_gemini(&[stream.as_bytes()]);
    for keeps in ALL {
        let decoded = next_request(&read, keeps);
        let (body, losses) = encoded(&decoded, "gemini-3-flash");
        let body: Value = serde_json::from_str(&body).unwrap();
        let calls: Vec<&Value> = body["contents"][1]["parts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|part| part.get("functionCall").is_some())
            .collect();
        assert_eq!(calls[0]["thoughtSignature"], "Rmlyc3Q=", "{keeps:?} {body}");
        assert_eq!(calls[1].get("thoughtSignature"), None, "{keeps:?}");
        assert_eq!(losses, Vec::<String>::new(), "{keeps:?}");
    }
}

/// Whatever stands in a body of ours, nothing of it is base64 of a seal that a search for the mark would miss.
#[test]
fn the_mark_finds_every_token() {
    let read = anthropic_stream(&[
        json!({"type": "thinking", "thinking": "t", "signature": "S"}),
        json!({"type": "text", "text": "x"}),
    ]);
    for part in parts(&to_gemini(&read, Framing::Sse, false)) {
        if let Some(token) = part["thoughtSignature"].as_str() {
            assert!(token.starts_with(gemini::SEAL_MARK), "{token}");
            let body = json!({"contents": [{"role": "model", "parts": [{"text": "x"}, part]}]});
            let doc = gemini::scan_request(&ByteString::from(body.to_string())).unwrap();
            let decoded = gemini::decode_request(&doc).unwrap();
            let message = &decoded.turn.messages[0];
            let lingate_wire::turn::Block::Thinking(thinking) = &*message.blocks[0] else {
                panic!("{message:?}");
            };
            let signature = thinking.signature.as_ref().unwrap();
            assert_eq!(opened(signature, &seal_key()), Seal::Own("S".to_owned()));
            return;
        }
    }
    panic!("no part carries the thought");
}
