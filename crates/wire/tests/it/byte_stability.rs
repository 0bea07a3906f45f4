//! The prompt cache's law: a longer conversation begins with the bytes of the shorter one.

use bytestring::ByteString;
use lingate_wire::json::scan;
use lingate_wire::turn::fit_tools;
use lingate_wire::{Decoded, UpstreamContext, Wire, bridge, chat};
use serde_json::Value;

use crate::chat_chain::{fixtures, seal_key, translated};

fn dialects() -> [chat::Dialect; 2] {
    let hints = chat::Dialect {
        cache: chat::CacheSpelling::CacheControl,
        ..chat::Dialect::default()
    };
    [chat::Dialect::default(), hints]
}

/// The raw messages of a body.
fn messages(body: &str) -> Vec<String> {
    let doc = scan(&ByteString::from(body)).unwrap();
    doc.root()
        .get("messages")
        .unwrap()
        .items()
        .map(|message| message.raw().to_owned())
        .collect()
}

/// A message without its cache hints, which move to the end with every request. A lone text is a string without its hint and
/// a list of one with it: the same prompt to the host.
fn without_hints(message: &str) -> String {
    let mut message: Value = serde_json::from_str(message).unwrap();
    if let Some(parts) = message["content"].as_array_mut() {
        for part in parts.iter_mut() {
            part.as_object_mut().unwrap().shift_remove("cache_control");
        }
        if let [lone] = parts.as_slice()
            && lone["type"] == "text"
        {
            message["content"] = lone["text"].clone();
        }
    }
    message.to_string()
}

#[test]
fn a_longer_conversation_begins_with_the_shorter_one() {
    let [plain, _] = dialects();
    for (name, session) in fixtures("chat/claude-code") {
        let requests: Vec<Vec<String>> = session
            .lines()
            .map(|request| messages(&translated(request, &plain).0))
            .collect();
        for pair in requests.windows(2) {
            let (shorter, longer) = (&pair[0], &pair[1]);
            assert!(longer.len() > shorter.len(), "{name}");
            assert_eq!(shorter[..], longer[..shorter.len()], "{name}");
        }
    }
}

#[test]
fn hints_move_and_nothing_else_does() {
    let [_, hints] = dialects();
    for (name, session) in fixtures("chat/claude-code") {
        let requests: Vec<Vec<String>> = session
            .lines()
            .map(|request| messages(&translated(request, &hints).0))
            .collect();
        for pair in requests.windows(2) {
            for (before, after) in pair[0].iter().zip(&pair[1]) {
                assert_eq!(without_hints(before), without_hints(after), "{name}");
            }
        }
    }
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    for (_, session) in fixtures("chat/claude-code") {
        for request in session.lines() {
            for dialect in dialects() {
                assert_eq!(translated(request, &dialect), translated(request, &dialect));
            }
        }
    }
}

fn decoded(wire: Wire, body: &str) -> Decoded {
    let doc = bridge::scan_request(wire, &ByteString::from(body)).unwrap();
    bridge::decode_request(wire, &doc).unwrap()
}

fn encoded(mut request: Decoded, wire: Wire) -> String {
    fit_tools(&mut request.turn, &mut request.params, wire);
    let context = UpstreamContext {
        model: "m",
        seal: &seal_key(),
    };
    let encoded = bridge::encode_request(wire, &request, &context, &chat::Dialect::default());
    String::from_utf8(encoded.unwrap().body).unwrap()
}

/// The conversation of a body on any wire, without the cache hints that the client moves; as above, a lone text is the
/// same with a hint and without.
fn conversation(body: &str) -> Vec<String> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("cache_control");
                members.values_mut().for_each(strip);
                let lone = match members.get("content").and_then(Value::as_array) {
                    Some(parts) if parts.len() == 1 => parts[0].get("text").cloned(),
                    _ => None,
                };
                if let Some(text) = lone {
                    members.insert("content".to_owned(), text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut body: Value = serde_json::from_str(body).unwrap();
    strip(&mut body);
    let list = ["messages", "input", "contents"]
        .into_iter()
        .find_map(|key| body[key].as_array());
    list.unwrap().iter().map(Value::to_string).collect()
}

/// The recordings as clients of every wire would have sent them, on every upstream's wire.
#[test]
fn every_cell_over_the_recordings() {
    let mut n_pairs = 0;
    for (name, session) in fixtures("chat/claude-code") {
        for client in Wire::ALL {
            let asked: Vec<String> = session
                .lines()
                .map(|line| match client {
                    Wire::Anthropic => line.to_owned(),
                    Wire::Chat | Wire::Responses | Wire::Gemini => {
                        encoded(decoded(Wire::Anthropic, line), client)
                    }
                })
                .collect();
            for upstream in Wire::ALL {
                let sent = asked.iter().map(|body| {
                    let sent = encoded(decoded(client, body), upstream);
                    let again = encoded(decoded(client, body), upstream);
                    assert_eq!(sent, again, "{name}: {client} to {upstream}");
                    conversation(&sent)
                });
                let sent: Vec<Vec<String>> = sent.collect();
                for pair in sent.windows(2) {
                    let (shorter, longer) = (&pair[0], &pair[1]);
                    let what = format!("{name}: {client} to {upstream}");
                    assert!(longer.len() > shorter.len(), "{what}");
                    assert_eq!(shorter[..], longer[..shorter.len()], "{what}");
                    n_pairs += 1;
                }
            }
        }
    }
    assert!(n_pairs >= 16, "{n_pairs} pairs");
}
