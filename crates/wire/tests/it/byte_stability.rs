//! The prompt cache's law: a longer conversation begins with the bytes of the shorter one.

use bytestring::ByteString;
use lingate_wire::chat;
use lingate_wire::json::{Value, scan};

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

/// A message without its cache hints, which move to the end with every request: an item of text where it is text alone.
fn without_hints(message: &str) -> String {
    message.replace(r#","cache_control":{"type":"ephemeral"}"#, "")
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
                let text = |message: &str| -> String {
                    // A lone text is a string without its hint and a list with it: the same prompt to the host.
                    let doc = scan(&ByteString::from(without_hints(message))).unwrap();
                    let content = doc.root().get("content");
                    let lone = content
                        .and_then(|content| content.items().next()?.get("text"))
                        .filter(|_| content.is_some_and(|content| content.items().count() == 1));
                    match lone {
                        Some(lone) => {
                            message.split("\"content\"").next().unwrap().to_owned() + lone.raw()
                        }
                        None => match content.map(Value::raw) {
                            Some(content) => {
                                message.split("\"content\"").next().unwrap().to_owned() + content
                            }
                            None => message.to_owned(),
                        },
                    }
                };
                assert_eq!(
                    without_hints(&text(before)),
                    without_hints(&text(after)),
                    "{name}"
                );
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
