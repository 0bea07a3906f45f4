//! The scanner takes what another JSON parser takes, and says the same about it.

use bytestring::ByteString;
use lingate_wire::json::{Doc, Kind, Mark, Value, scan, scan_like, scan_reply};
use serde_json::Value as Json;

/// Nesting up to which both parsers go.
const DEPTH: usize = 100;
/// Begins no string.
const NO_MARKS: [Mark; 2] = [[0; 4]; 2];

pub fn check(input: &[u8]) {
    let Some(text) = crate::text(input) else {
        return;
    };
    let theirs = serde_json::from_str::<Json>(&text);
    let ours = scan_reply(&text, &[]);
    match (&ours, &theirs) {
        (Ok(doc), Ok(theirs)) => same(doc.root(), theirs),
        // Numbers beyond what a double can hold are JSON all the same, and models do write half a surrogate pair; what is
        // nested deeper than any message is not worth a comparison.
        (Ok(_), Err(error)) => {
            let error = error.to_string();
            let is_meant = [
                "number out of range",
                "surrogate",
                "unexpected end of hex escape",
            ]
            .iter()
            .any(|known| error.contains(known));
            assert!(
                is_meant || depth(&text) > DEPTH,
                "only ours takes {text:?}: {error}"
            );
        }
        (Err(error), Ok(_)) => assert!(
            depth(&text) > DEPTH,
            "only theirs takes {text:?}: {error:?}"
        ),
        (Err(_), Err(_)) => {}
    }
    // Requests must not name a member twice; apart from that the two ways of scanning agree.
    if let Ok(doc) = scan(&text) {
        assert_eq!(
            ours.map(|ours| ours.root().raw().to_owned()),
            Ok(doc.root().raw().to_owned())
        );
        taken_over(&doc);
    }
}

/// What is known of a document is true of others that are like it.
fn taken_over(known: &Doc) {
    let text = known.text();
    for part in 0..4 {
        let at =
            |quarter: usize| (0..=text.len() * quarter / 4).rfind(|at| text.is_char_boundary(*at));
        let (Some(from), Some(to)) = (at(part), at(part + 1)) else {
            return;
        };
        let less = ByteString::from([&text[..from], &text[to..]].concat());
        let more = ByteString::from([&text[..to], &text[from..]].concat());
        for body in [less, more] {
            let resumed = scan_like(known, body.as_bytes(), &[], NO_MARKS);
            let whole = scan(&body);
            let Some(resumed) = resumed else {
                let is_object = |doc: &Doc| doc.root().kind() == Kind::Object;
                let are_objects = is_object(known) && whole.is_ok_and(|whole| is_object(&whole));
                assert!(!are_objects, "behind {text:?}");
                continue;
            };
            let whole = format!("{:?}", whole.ok());
            let resumed = format!("{:?}", Some(resumed.doc));
            assert_eq!(resumed, whole, "behind {text:?}");
        }
    }
}

fn depth(text: &str) -> usize {
    text.bytes()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
}

fn same(ours: Value<'_>, theirs: &Json) {
    match (ours.kind(), theirs) {
        (Kind::Null, Json::Null) => {}
        (Kind::Bool, Json::Bool(value)) => assert_eq!(ours.bool(), Some(*value)),
        (Kind::Number, Json::Number(number)) => {
            if let Some(whole) = number.as_u64() {
                assert_eq!(ours.u64(), Some(whole), "{number}");
            }
        }
        (Kind::String, Json::String(text)) => {
            assert_eq!(ours.str().as_deref(), Some(text.as_str()));
            let mut written = Vec::new();
            ours.text().unwrap_or_default().push_json(&mut written);
            let read: String = serde_json::from_slice(&[b"\"", &*written, b"\""].concat())
                .unwrap_or_else(|error| panic!("{text:?} is written wrong: {error}"));
            assert_eq!(read, *text);
        }
        (Kind::Array, Json::Array(items)) => {
            assert_eq!(ours.items().count(), items.len());
            for (ours, theirs) in ours.items().zip(items) {
                same(ours, theirs);
            }
        }
        (Kind::Object, Json::Object(members)) => {
            // The last of several members of one name counts, for both.
            for (key, theirs) in members {
                let last = ours
                    .members()
                    .filter(|(own, _)| *own == key.as_str())
                    .last();
                let Some((_, value)) = last else {
                    panic!("{key:?} is missing");
                };
                same(value, theirs);
            }
            assert!(ours.members().count() >= members.len());
        }
        (kind, theirs) => panic!("{kind:?} is not {theirs}"),
    }
}
