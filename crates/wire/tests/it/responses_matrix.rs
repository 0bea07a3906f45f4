//! Requests of Responses clients on every upstream's wire, and those of every client on a Responses upstream: bodies and
//! losses, for review.

use bytestring::ByteString;
use lingate_wire::bridge;
use lingate_wire::turn::{SEAL_PREFIX, fit_tools};
use lingate_wire::{Decoded, UpstreamContext, Wire, chat};
use serde_json::Value;

use crate::chat_chain::{fixture, fixtures, seal_key};

const FIXTURES: [&str; 4] = ["codex_step1", "codex_step2", "codex_patch", "sdk_items"];

fn decoded(wire: Wire, body: &str) -> Decoded {
    let doc = bridge::scan_request(wire, &ByteString::from(body)).unwrap();
    bridge::decode_request(wire, &doc).unwrap()
}

/// A request as an upstream is sent it, as the gateway does: tools are fitted first.
fn encoded(mut request: Decoded, upstream: Wire) -> (String, Vec<String>) {
    fit_tools(&mut request.turn, &mut request.params, upstream);
    let context = UpstreamContext {
        model: "upstream-model",
        seal: &seal_key(),
    };
    let encoded =
        bridge::encode_request(upstream, &request, &context, &chat::Dialect::default()).unwrap();
    let losses = encoded.losses.iter().map(|loss| loss.path.clone());
    let body = String::from_utf8(encoded.body).unwrap();
    (body, losses.collect())
}

fn responses_fixture(name: &str) -> String {
    fixture(&format!("responses/{name}.json")).trim().to_owned()
}

/// An entry a line, so that a change is a line in review.
fn review(body: &str, losses: &[String]) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let mut out = String::new();
    for (key, value) in body.as_object().unwrap() {
        match value.as_array().filter(|items| items.len() > 1) {
            Some(items) => {
                out.push_str(&format!("{key}:\n"));
                items
                    .iter()
                    .for_each(|item| out.push_str(&format!("  {item}\n")));
            }
            None => out.push_str(&format!("{key}: {value}\n")),
        }
    }
    out.push_str("losses:\n");
    losses
        .iter()
        .for_each(|loss| out.push_str(&format!("  {loss}\n")));
    out
}

#[test]
fn responses_requests_elsewhere() {
    for name in FIXTURES {
        for upstream in [Wire::Anthropic, Wire::Chat, Wire::Gemini] {
            let request = decoded(Wire::Responses, &responses_fixture(name));
            let (body, losses) = encoded(request, upstream);
            insta::assert_snapshot!(format!("{name}_to_{upstream}"), review(&body, &losses));
        }
    }
}

/// The last request of each recorded session of Claude Code.
#[test]
fn anthropic_requests_on_responses() {
    for (name, text) in fixtures("chat/claude-code") {
        let request = decoded(Wire::Anthropic, text.lines().last().unwrap());
        let (body, losses) = encoded(request, Wire::Responses);
        let name = name.trim_end_matches(".jsonl");
        insta::assert_snapshot!(
            format!("claude_code_{name}_to_responses"),
            review(&body, &losses)
        );
    }
}

/// What nobody changed goes out as it came: Codex's bytes, but for the model.
#[test]
fn an_untouched_request_of_codex_is_copied() {
    for name in ["codex_step1", "codex_step2"] {
        let body = responses_fixture(name);
        let (copy, losses) = encoded(decoded(Wire::Responses, &body), Wire::Responses);
        assert_eq!(copy, body.replace("\"gpt-5\"", "\"upstream-model\""));
        assert!(losses.is_empty(), "{losses:?}");
    }
}

/// On its own wire nothing is lost, whatever the order of members.
#[test]
fn nothing_is_lost_on_its_own_wire() {
    for name in FIXTURES {
        let body = responses_fixture(name);
        let (copy, losses) = encoded(decoded(Wire::Responses, &body), Wire::Responses);
        assert!(losses.is_empty(), "{name}: {losses:?}");
        let mut copy: Value = serde_json::from_str(&copy).unwrap();
        let mut body: Value = serde_json::from_str(&body).unwrap();
        copy["model"] = Value::Null;
        body["model"] = Value::Null;
        if name == "sdk_items" {
            // Parts without a message are put into one; the default format is not repeated.
            let loose = body["input"].as_array_mut().unwrap().drain(..2).count();
            assert_eq!(loose, 2);
            let message = copy["input"].as_array_mut().unwrap().remove(0);
            assert_eq!(
                message.to_string(),
                r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"loose"},{"type":"input_text","text":"text"}]}"#
            );
            body.as_object_mut().unwrap().shift_remove("text");
        }
        let members = |value: &Value| -> Vec<(String, String)> {
            let mut members: Vec<_> = value
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| (key.clone(), value.to_string()))
                .collect();
            members.sort();
            members
        };
        assert_eq!(members(&copy), members(&body), "{name}");
    }
}

/// A longer conversation begins with the bytes of the shorter one, on every upstream's wire.
#[test]
fn a_longer_conversation_begins_with_the_shorter_one() {
    for upstream in Wire::ALL {
        let items = |name: &str| -> Vec<String> {
            let request = decoded(Wire::Responses, &responses_fixture(name));
            let (body, _) = encoded(request, upstream);
            let body: Value = serde_json::from_str(&body).unwrap();
            let list = ["messages", "input", "contents"]
                .into_iter()
                .find_map(|key| body[key].as_array())
                .unwrap();
            list.iter().map(Value::to_string).collect()
        };
        let (shorter, longer) = (items("codex_step1"), items("codex_step2"));
        assert!(longer.len() > shorter.len());
        assert_eq!(shorter[..], longer[..shorter.len()], "{upstream}");
    }
    for (name, session) in fixtures("chat/claude-code") {
        let requests: Vec<Vec<String>> = session
            .lines()
            .map(|line| {
                let (body, _) = encoded(decoded(Wire::Anthropic, line), Wire::Responses);
                let body: Value = serde_json::from_str(&body).unwrap();
                let items = body["input"].as_array().unwrap();
                items.iter().map(Value::to_string).collect()
            })
            .collect();
        for pair in requests.windows(2) {
            assert_eq!(pair[0][..], pair[1][..pair[0].len()], "{name}");
        }
    }
}

/// No seal of ours reaches any upstream, and another upstream's never its token.
#[test]
fn seals_are_opened_or_left_out() {
    let own = seal_key().seal("TOKEN");
    let elsewhere = lingate_wire::turn::SealKey::new("other", "a", "m").seal("OTHER");
    let request = |seal: &str| {
        format!(
            r#"{{"model":"m","input":[{{"type":"message","role":"user","content":"hi"}},{{"type":"reasoning","id":"rs","summary":[{{"type":"summary_text","text":"hm"}}],"encrypted_content":"{seal}"}},{{"type":"function_call","call_id":"a","name":"f","arguments":"{{}}"}},{{"type":"function_call_output","call_id":"a","output":"x"}}],"tools":[{{"type":"function","name":"f"}}],"reasoning":{{"effort":"high"}}}}"#
        )
    };
    for upstream in Wire::ALL {
        for (seal, token) in [(&own, "TOKEN"), (&elsewhere, "OTHER")] {
            let (body, _) = encoded(decoded(Wire::Responses, &request(seal)), upstream);
            assert!(!body.contains(SEAL_PREFIX), "{upstream}: {body}");
            let has_place = matches!(upstream, Wire::Anthropic | Wire::Responses);
            if token == "OTHER" {
                assert!(!body.contains(token), "{upstream}: {body}");
            } else if has_place {
                assert!(body.contains(token), "{upstream}: {body}");
            }
        }
    }
}
