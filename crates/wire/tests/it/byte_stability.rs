//! The prompt cache's law: a longer conversation begins with the bytes of the shorter one.

use bytestring::ByteString;
use lingate_wire::chat;
use lingate_wire::json::scan;

use crate::chat_chain::{fixtures, translated};

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
    let mut message: serde_json::Value = serde_json::from_str(message).unwrap();
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
