//! Bodies rebuild exactly, and what was sent before is not stored again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use lingate_store::{Body, BodyBytes, BodyKind, Exchange, Options, StreamCoder, Streamed};
use proptest::prelude::*;

use crate::cost::chat;
use crate::support::{Kept, accepted, body, exchange, size};

/// Prose that nobody made up for this: the project's own.
fn prose() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files: Vec<_> = [
        "docs",
        "docs/adr",
        "crates/route/src",
        "crates/store/src/query",
        "crates/store/src/recorder",
    ]
    .iter()
    .flat_map(|dir| fs::read_dir(root.join(dir)).unwrap())
    .map(|entry| entry.unwrap().path())
    .filter(|path| path.is_file())
    .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

fn block(text: &str, is_last: bool) -> String {
    let text = serde_json::to_string(text).unwrap();
    let mark = if is_last {
        r#","cache_control":{"type":"ephemeral"}"#
    } else {
        ""
    };
    format!(r#"{{"type":"tool_result","tool_use_id":"toolu_01","content":{text}{mark}}}"#)
}

/// Turn `turns` of an agent: tools, a system prompt and every result so far, the last one marked for the cache.
fn request(model: &str, texts: &[String], turns: usize) -> String {
    let mut tools = String::new();
    for number in 0..20 {
        let text = serde_json::to_string(
            &texts[number % texts.len()][..1000.min(texts[number % texts.len()].len())],
        );
        let _ = write!(
            tools,
            r#"{{"name":"tool{number}","description":{},"input_schema":{{"type":"object"}}}},"#,
            text.unwrap_or_default()
        );
    }
    let mut messages = String::new();
    for turn in 0..turns {
        let text = &texts[turn % texts.len()];
        let _ = write!(
            messages,
            r#"{{"role":"assistant","content":[{{"type":"text","text":"Step {turn} of the work"}},{{"type":"tool_use","id":"toolu_{turn}","name":"Read","input":{{"path":"{turn}"}}}}]}},"#
        );
        let _ = write!(
            messages,
            r#"{{"role":"user","content":[{}]}},"#,
            block(text, turn + 1 == turns)
        );
    }
    let (tools, messages) = (tools.trim_end_matches(','), messages.trim_end_matches(','));
    format!(
        r#"{{"model":"{model}","max_tokens":32000,"messages":[{messages}],"tools":[{tools}],"stream":true}}"#
    )
}

/// A stream in which each word of a text is an event, and when each came.
fn stream(text: &str, event: impl Fn(&str) -> serde_json::Value) -> BodyBytes {
    let mut coder = StreamCoder::default();
    for (at, word) in text.split_inclusive(' ').take(300).enumerate() {
        let at_us = at as u64 * 31_000 + word.len() as u64 * 977 % 20_000;
        coder.push(format!("data: {}\n\n", event(word)).as_bytes(), at_us);
    }
    BodyBytes::Streamed(coder.finish())
}

/// Thirty turns with all four bodies of each, as the gateway gives them, take less than 15 % of what they are.
fn check_thirty_turns(is_translated: bool) {
    let texts = prose();
    let mut kept = Kept::new(Options::default());
    let mut raw = 0;
    let mut given = Vec::new();
    for turn in 1..=30 {
        let client = request("claude", &texts, turn);
        let provider = if is_translated {
            chat(&serde_json::from_str(&client).unwrap()).to_string()
        } else {
            request("kimi-k2", &texts, turn)
        };
        let text = &texts[turn % texts.len()];
        let delta = |word: &str| serde_json::json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}});
        let chunk = |word: &str| serde_json::json!({"id": format!("chatcmpl-{turn}"), "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]});
        let answer = stream(text, delta);
        let reply = if is_translated {
            stream(text, chunk)
        } else {
            answer.clone()
        };
        let requests = [client, provider].map(|text| BodyBytes::Pieces(vec![text.into()]));
        let all = requests.into_iter().chain([reply, answer]);
        let bodies: Vec<Body> = BodyKind::ALL
            .into_iter()
            .zip(all)
            .map(|(kind, bytes)| Body {
                bytes,
                ..body(kind, "")
            })
            .collect();
        let lengths = bodies.iter().map(|body| body.bytes.joined().len());
        raw += lengths.sum::<usize>();
        let exchange = exchange(turn as u64);
        given.push((exchange.id, bodies.clone()));
        let (asked, rest) = bodies.split_at(1);
        kept.recorder().open(accepted(&exchange), asked.to_vec());
        kept.flush();
        kept.put_with(exchange, rest.to_vec());
        kept.flush();
    }
    let reader = kept.reader();
    for (id, bodies) in &given {
        for given in bodies {
            let read = reader.body(*id, given.kind, None).unwrap().unwrap();
            assert!(read.bytes == given.bytes.joined(), "{:?}", given.kind);
            assert!(read.arrivals == given.bytes.arrivals(), "{:?}", given.kind);
        }
    }
    drop(reader);
    kept.end();
    let segments = size(kept.dir.path(), ".seg");
    let database = size(kept.dir.path(), ".db") - 100_000;
    println!("raw {raw}, segments {segments}, database {database}");
    assert!(
        (segments + database) * 100 < raw as u64 * 15,
        "{segments} + {database} of {raw}"
    );
}

#[test]
fn thirty_turns_take_little_more_than_one() {
    check_thirty_turns(false);
}

#[test]
fn thirty_translated_turns_take_little_more_than_one() {
    check_thirty_turns(true);
}

#[test]
fn equal_bodies_have_equal_tags() {
    let kept = Kept::new(Options::default());
    let text = request("kimi", &prose(), 3);
    for (number, text) in [&text, &text, &text.replace("Step 1", "Step 9")]
        .into_iter()
        .enumerate()
    {
        kept.put_with(
            exchange(number as u64),
            vec![body(BodyKind::ClientRequest, text.as_str())],
        );
    }
    kept.flush();
    let tag = |number| {
        let id = exchange(number).id;
        kept.reader().get(id).unwrap().unwrap().bodies[0]
            .etag
            .clone()
    };
    assert_eq!(tag(0), tag(1));
    assert_ne!(tag(0), tag(2));
    assert_eq!(tag(0).len(), 32);
}

#[test]
fn a_reply_that_was_passed_on_is_kept_once() {
    let kept = Kept::new(Options::default());
    let word = |word: &str| serde_json::json!({"delta": word});
    let came = stream(&"some words of a reply ".repeat(100), word).joined();
    let came = String::from_utf8(came.to_vec()).unwrap();
    let changed = came.replace("reply", "answer");
    let by_event =
        |text: &str| Streamed::of(text.split_inclusive("\n\n").map(str::as_bytes).zip(1..));
    let otherwise = Streamed::of(came.as_bytes().chunks(1000).zip(1..));
    let given = [by_event(&came), by_event(&changed), otherwise];
    for (number, gave) in given.into_iter().enumerate() {
        let replies = vec![
            Body::streamed(BodyKind::ProviderResponse, 1, by_event(&came)),
            Body::streamed(BodyKind::ClientResponse, 0, gave),
        ];
        kept.put_with(exchange(number as u64), replies);
    }
    kept.flush();
    let tags = |number| {
        let record = kept.reader().get(exchange(number).id).unwrap().unwrap();
        let [one, other] = record.bodies.as_slice() else {
            panic!("two bodies");
        };
        one.etag == other.etag
    };
    assert_eq!([0, 1, 2].map(tags), [true, false, true]);
    for (kind, text) in [
        (BodyKind::ProviderResponse, &came),
        (BodyKind::ClientResponse, &changed),
    ] {
        let read = kept.reader().body(exchange(1).id, kind, None);
        assert_eq!(read.unwrap().unwrap().bytes, text.as_bytes());
    }
}

/// JSON of the shapes that are cut, whole bodies of anything, and bodies cut somewhere.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof!["[a-z \\\\\"\n]{0,20}", "[ -~]{250,400}"];
    let leaf = text.prop_map(serde_json::Value::String);
    let json = leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::Array),
            proptest::collection::vec(("[a-z]{1,5}", inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    let json = (json, 0..1000_usize).prop_map(|(value, cut)| {
        let mut text = serde_json::to_vec(&value).unwrap();
        if cut < 200 {
            text.truncate(cut);
        }
        text
    });
    prop_oneof![4 => json, 1 => proptest::collection::vec(any::<u8>(), 0..3000)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_bodies_rebuild_exactly(all in proptest::collection::vec(any_body(), 1..20)) {
        // Small segments, so that some of these are put into several.
        let kept = Kept::new(Options { segment_bytes: 2000, ..Options::default() });
        for (number, bytes) in all.iter().enumerate() {
            let bodies = vec![body(BodyKind::ClientRequest, bytes.clone()), body(BodyKind::ClientResponse, all[0].clone())];
            kept.put_with(Exchange { session: None, ..exchange(number as u64) }, bodies);
        }
        kept.flush();
        let reader = kept.reader();
        for (number, bytes) in all.iter().enumerate() {
            let read = |kind| reader.body(exchange(number as u64).id, kind, None).unwrap().unwrap().bytes;
            prop_assert_eq!(&read(BodyKind::ClientRequest), bytes);
            prop_assert_eq!(&read(BodyKind::ClientResponse), &all[0]);
        }
    }
}

#[test]
fn a_body_of_many_frames() {
    let kept = Kept::new(Options::default());
    let large: Vec<u8> = (0..5_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    kept.put_with(
        exchange(1),
        vec![body(BodyKind::ClientRequest, large.clone())],
    );
    kept.put_with(
        exchange(2),
        vec![body(BodyKind::ClientRequest, large.clone())],
    );
    kept.flush();
    for number in [1, 2] {
        let read = kept
            .reader()
            .body(exchange(number).id, BodyKind::ClientRequest, None)
            .unwrap()
            .unwrap();
        assert!(read.bytes == large);
    }
    assert!(size(kept.dir.path(), ".seg") < 5_200_000, "stored once");
}
