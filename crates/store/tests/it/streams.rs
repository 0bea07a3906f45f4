//! Streams, of which only what is new in each event is stored: read back exactly, searched, and without secrets.

use std::fmt::Write as _;
use std::fs;

use lingate_store::{Body, BodyKind, Filter, Mask, Options, Page, Search, Streamed};

use crate::support::{Kept, at, exchange, files};

const KNOWN: &str = "canary/value of a \"key\" 0001";
const ESCAPED: &str = r#"canary/value of a \"key\" 0001"#;
const PLAIN: &str = "canary/value, {0001}: x";
const SHAPED: &str = "sk-canary0123456789abcdefghijkl";

/// The events of a reply, one for each text.
pub(crate) fn events<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut stream = String::new();
    for text in texts {
        let _ = write!(
            stream,
            "event: delta\ndata: {{\"id\":\"c-1\",\"object\":\"chunk\",\"text\":\"{text}\",\"stop\":null}}\n\n"
        );
    }
    stream
}

/// A stream that came in pieces of so many bytes.
fn pieces(stream: &str, length: usize) -> Body {
    reply(stream.as_bytes().chunks(length))
}

/// A stream of which every event came by itself.
pub(crate) fn by_event(stream: &str) -> Body {
    reply(stream.split_inclusive("\n\n").map(str::as_bytes))
}

fn reply<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Body {
    let streamed = Streamed::of(pieces.zip(7..));
    Body::streamed(BodyKind::ClientResponse, 0, streamed)
}

/// Each is read back as the mask leaves it. Gives the folder, after its end.
fn check(mask: &Mask, streams: &[Body]) -> Kept {
    let mut kept = Kept::new(Options {
        mask: mask.clone(),
        ..Options::default()
    });
    for (number, stream) in (0..).zip(streams) {
        kept.put_with(exchange(number), vec![stream.clone()]);
    }
    kept.flush();
    let reader = kept.reader();
    for (number, stream) in (0..).zip(streams) {
        let id = exchange(number).id;
        let kind = BodyKind::ClientResponse;
        let read = reader.body(id, kind, None).unwrap().unwrap();
        let given = stream.bytes.joined();
        let expected = mask.bytes(&given);
        let shown = String::from_utf8_lossy(&read.bytes);
        assert!(read.bytes == *expected, "{number}: {shown:.900}");
        assert_eq!(read.arrivals, stream.bytes.arrivals());
        // In parts, as a reader of large bodies takes it.
        let place = reader.body_place(id, kind, None).unwrap().unwrap();
        let part = reader.body_part(&place, 100, 50).unwrap().unwrap();
        assert!(expected[100..].starts_with(&part) && !part.is_empty());
    }
    drop(reader);
    kept.end();
    kept
}

#[test]
fn a_secret_is_masked_wherever_it_stands_in_a_stream() {
    check_secret(KNOWN, ESCAPED);
    // One without a quote is looked for in what is new of an event.
    check_secret(PLAIN, PLAIN);
}

#[track_caller]
fn check_secret(known: &str, escaped: &str) {
    let mask = Mask::new([known, escaped]);
    let plain = events(["The ", "same ", "events", " again", "The "]);
    let mut streams = Vec::new();
    for secret in [escaped, SHAPED] {
        // In each event at a place of its own, and in two that are alike around it.
        for at in (0..plain.len()).step_by(5) {
            let (before, after) = plain.split_at(at);
            let stream = format!("{before} {secret} {after}");
            streams.push(pieces(&stream, stream.len() / 5));
        }
        let events = events([
            "a ",
            secret,
            secret,
            "b",
            "another",
            secret,
            &format!("{secret}2"),
            "c",
        ]);
        streams.extend([1, 40, 64, 99, 1000].map(|length| pieces(&events, length)));
    }
    let kept = check(&mask, &streams);
    for path in files(kept.dir.path()) {
        let bytes = fs::read(&path).unwrap();
        let is_in = |secret: &&str| {
            bytes
                .windows(secret.len())
                .any(|at| at == secret.as_bytes())
        };
        let found = [known, escaped, SHAPED]
            .into_iter()
            .find(|secret| is_in(secret));
        assert_eq!(found, None, "{}", path.display());
    }
}

/// What stands in two events is no secret, and what stands in one is, whatever the one before shares with it.
#[test]
fn a_secret_that_an_event_shares_in_part_is_masked() {
    for known in [[KNOWN, ESCAPED], [PLAIN, PLAIN]] {
        let mut streams = Vec::new();
        for secret in [known[1], SHAPED] {
            for cut in 1..secret.len() {
                let (one, other) = secret.split_at(cut);
                let stream = events([one, other, secret, other, one, secret, one]);
                streams.push(by_event(&stream));
            }
        }
        check(&Mask::new(known), &streams);
    }
}

#[test]
fn streams_come_back_however_they_came() {
    let words: Vec<String> = (0..6000)
        .map(|n| format!("word {} ", n * 7919 % 1000))
        .collect();
    let stream = events(words.iter().map(String::as_str));
    assert!(stream.len() > 300_000, "in several frames");
    let event = stream.len() / words.len();
    let streams = [1, event - 1, event, 3 * event, 5000, stream.len()];
    let streams = streams.map(|length| pieces(&stream, length));
    check(&Mask::default(), &streams);
    check(&Mask::default(), &[by_event(&stream)]);
}

#[test]
fn what_a_stream_repeats_is_found_in_it() {
    let kept = Kept::new(Options::default());
    for number in 0..9 {
        let text = format!("number {number} ");
        let stream = events(["The ", "needle is ", &text, "of all"]);
        kept.put_with(exchange(number), vec![pieces(&stream, stream.len() / 4)]);
    }
    kept.flush();
    let check = |text: &str, expected: usize| {
        let search = Search {
            filter: Filter::parse(text, at(200_000)).unwrap(),
            kinds: Vec::new(),
            page: Page {
                before: None,
                limit: 100,
                skip: 0,
            },
        };
        let hits = kept.reader().search(&search, &mut || false).unwrap();
        assert_eq!(hits.items.len(), expected, "{text}");
    };
    check(r#""of all\",\"stop\":null""#, 9);
    check(r#""number 7 \",\"stop""#, 1);
    check(r#""c-1\",\"object""#, 9);
    check("nowhere", 0);
}
