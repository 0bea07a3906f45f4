//! Requests between the Gemini wire and the others: bodies and losses, for review; and the prompt cache's law.

use bytestring::ByteString;
use lingate_wire::json::scan;
use lingate_wire::turn::SealKey;
use lingate_wire::{Decoded, UpstreamContext, Wire, anthropic, bridge, chat, gemini};
use serde_json::Value;

use crate::chat_chain::{fixture, fixtures};
use crate::gemini_chain::written;

fn decoded(wire: Wire, body: &str) -> Decoded {
    let doc = bridge::scan_request(wire, &ByteString::from(body)).unwrap();
    bridge::decode_request(wire, &doc).unwrap()
}

fn sent(decoded: &Decoded, wire: Wire, model: &str) -> (String, Vec<String>) {
    let upstream = UpstreamContext {
        model,
        seal: &SealKey::new("provider", "provider#1", "model"),
    };
    let dialect = chat::Dialect {
        reasoning: chat::ReasoningField::ReasoningContent,
        ..chat::Dialect::default()
    };
    written(bridge::encode_request(wire, decoded, &upstream, &dialect).unwrap())
}

/// A content, message or function a line, so that a change is a line in review.
fn review(body: &str, losses: &[String]) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let mut out = String::new();
    let mut list = |key: &str, items: &[Value]| {
        out.push_str(&format!("{key}:\n"));
        items
            .iter()
            .for_each(|item| out.push_str(&format!("  {item}\n")));
    };
    for (key, value) in body.as_object().unwrap() {
        match value.as_array().map(Vec::as_slice) {
            Some([only]) if only.get("functionDeclarations").is_some() => {
                list(
                    "functionDeclarations",
                    only["functionDeclarations"].as_array().unwrap(),
                );
            }
            Some(items) => list(key, items),
            None => list(key, std::slice::from_ref(value)),
        }
    }
    let losses: Vec<Value> = losses
        .iter()
        .map(|loss| Value::from(loss.as_str()))
        .collect();
    list("losses", &losses);
    out
}

/// The last request of every session of Claude Code.
#[test]
fn claude_code_on_a_gemini_upstream() {
    for (name, text) in fixtures("chat/claude-code") {
        let request = decoded(Wire::Anthropic, text.lines().last().unwrap());
        for (generation, model) in [("3", "gemini-3-flash-preview"), ("2.5", "gemini-2.5-pro")] {
            // The generations differ in a few places only.
            if generation == "3" || name == "media.jsonl" {
                let (body, losses) = sent(&request, Wire::Gemini, model);
                insta::assert_snapshot!(
                    format!("anthropic_{name}_on_gemini_{generation}"),
                    review(&body, &losses)
                );
            }
        }
    }
}

/// Everything that the wire has, and the sessions of its clients.
#[test]
fn gemini_clients_on_every_upstream() {
    for (name, text) in fixtures("gemini/sessions") {
        let request = decoded(Wire::Gemini, text.lines().last().unwrap());
        for wire in [Wire::Anthropic, Wire::Chat, Wire::Responses] {
            let (body, losses) = sent(&request, wire, "m");
            insta::assert_snapshot!(format!("gemini_{name}_on_{wire}"), review(&body, &losses));
        }
    }
}

/// What its own clients send goes out byte for byte, though it went through the hub.
#[test]
fn a_gemini_clients_body_is_not_changed_for_a_gemini_upstream() {
    for line in fixture("gemini/sessions/gemini_cli.jsonl").lines() {
        let (body, losses) = sent(
            &decoded(Wire::Gemini, line),
            Wire::Gemini,
            "gemini-2.5-flash",
        );
        assert_eq!(body, line);
        assert_eq!(losses, Vec::<String>::new());
    }
    // Others order and spell members as they like: what is meant stays.
    for name in ["everything", "snake_case"] {
        let line = fixture(&format!("gemini/sessions/{name}.jsonl"));
        let once = sent(
            &decoded(Wire::Gemini, &line),
            Wire::Gemini,
            "gemini-3-flash",
        );
        let again = sent(
            &decoded(Wire::Gemini, &once.0),
            Wire::Gemini,
            "gemini-3-flash",
        );
        assert_eq!(once, again);
        let contents = |body: &str| contents(body).concat();
        assert_eq!(contents(&once.0), contents(line.trim()), "{name}");
    }
}

/// The raw contents of a body.
fn contents(body: &str) -> Vec<String> {
    let doc = scan(&ByteString::from(body)).unwrap();
    doc.root()
        .get("contents")
        .unwrap()
        .items()
        .map(|content| content.raw().to_owned())
        .collect()
}

#[test]
fn a_longer_conversation_begins_with_the_shorter_one() {
    let sessions = fixtures("chat/claude-code")
        .into_iter()
        .map(|(name, text)| (name, text, Wire::Anthropic));
    let own = fixtures("gemini/sessions")
        .into_iter()
        .map(|(name, text)| (name, text, Wire::Gemini));
    for (name, text, wire) in sessions.chain(own) {
        let requests: Vec<(String, Vec<String>)> = text
            .lines()
            .map(|line| {
                let (body, _) = sent(&decoded(wire, line), Wire::Gemini, "gemini-3-flash");
                let (again, _) = sent(&decoded(wire, line), Wire::Gemini, "gemini-3-flash");
                assert_eq!(body, again, "{name}");
                let contents = contents(&body);
                (body, contents)
            })
            .collect();
        for pair in requests.windows(2) {
            let (shorter, longer) = (&pair[0].1, &pair[1].1);
            assert!(longer.len() > shorter.len(), "{name}");
            assert_eq!(shorter[..], longer[..shorter.len()], "{name}");
        }
    }
}

/// What this wire's API asks of a conversation holds for every session.
#[test]
fn every_session_is_legal() {
    for (name, text) in fixtures("chat/claude-code") {
        for line in text.lines() {
            let (body, _) = sent(
                &decoded(Wire::Anthropic, line),
                Wire::Gemini,
                "gemini-3-flash",
            );
            let body: Value = serde_json::from_str(&body).unwrap();
            let contents = body["contents"].as_array().unwrap();
            assert_eq!(contents[0]["role"], "user", "{name}");
            for pair in contents.windows(2) {
                assert_ne!(pair[0]["role"], pair[1]["role"], "{name}");
            }
            for (at, content) in contents.iter().enumerate() {
                let named = |content: &Value, kind: &str| -> Vec<String> {
                    let parts = content["parts"].as_array().unwrap();
                    let found = parts.iter().filter_map(|part| part.get(kind));
                    found
                        .map(|inner| format!("{} {}", inner["id"], inner["name"]))
                        .collect()
                };
                let calls = named(content, "functionCall");
                if !calls.is_empty() {
                    assert_eq!(
                        named(&contents[at + 1], "functionResponse"),
                        calls,
                        "{name}"
                    );
                    let parts = content["parts"].as_array().unwrap();
                    let first = parts.iter().find(|part| part.get("functionCall").is_some());
                    assert!(first.unwrap().get("thoughtSignature").is_some(), "{name}");
                }
            }
        }
    }
}

/// The wire's place in the bridge.
#[test]
fn the_bridge_knows_the_wire() {
    let body = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
    let facts = bridge::PathFacts {
        model: "gemini-x".into(),
        stream: true,
    };
    let mut request = decoded(Wire::Gemini, body);
    facts.complete(&mut request);
    assert_eq!(
        (request.turn.model.clone(), request.params.stream),
        ("gemini-x".into(), true)
    );
    let doc = gemini::scan_request(&body.into()).unwrap();
    let mut peek = bridge::peek(Wire::Gemini, &doc).unwrap();
    facts.complete_peek(&mut peek);
    assert_eq!((peek.model, peek.stream), ("gemini-x".into(), true));
    // A seal in base64 is one on this wire alone.
    let sealed = format!(r#"{{"thoughtSignature":"{}"}}"#, gemini::SEAL_MARK);
    for wire in Wire::ALL {
        let doc = bridge::scan_request(wire, &sealed.as_str().into()).unwrap();
        assert_eq!(doc.has_mark(), wire == Wire::Gemini, "{wire}");
    }
    let stored = decoded(Wire::Gemini, r#"{"contents":[],"cachedContent":"c/1"}"#);
    let upstream = UpstreamContext {
        model: "m",
        seal: &SealKey::new("provider", "provider#1", "model"),
    };
    for wire in Wire::ALL {
        let sent = bridge::encode_request(wire, &stored, &upstream, &chat::Dialect::default());
        assert_eq!(sent.is_ok(), wire == Wire::Gemini, "{wire}");
        assert!(
            bridge::name_stage(wire, &stored.turn).is_none(),
            "every name fits"
        );
    }
    let (chat_body, _) = sent(&request, Wire::Chat, "m");
    assert!(chat_body.contains(r#""stream":true"#), "{chat_body}");
    assert!(bridge::missing_last_word(Wire::Gemini, false).is_empty());
    let overflow = r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#;
    let failure = bridge::decode_error(Wire::Gemini, 400, overflow.as_bytes());
    assert!(bridge::is_own_error(
        Wire::Gemini,
        &failure,
        overflow.as_bytes()
    ));
    let other = overflow.replace("exceeds the", "is over the");
    assert!(!bridge::is_own_error(
        Wire::Gemini,
        &failure,
        other.as_bytes()
    ));
    let foreign = anthropic::encode_error(&failure, "r").1;
    assert!(!bridge::is_own_error(Wire::Gemini, &failure, &foreign));
}
