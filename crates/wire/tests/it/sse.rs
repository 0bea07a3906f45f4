//! The byte cases of server-sent events, each read whole and in every way of cutting it.

use bytes::Bytes;
use lingate_wire::sse::{Frame, SseError, SseParser};
use proptest::prelude::*;

fn parse(pieces: &[&[u8]]) -> Result<Vec<Frame>, SseError> {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(Bytes::copy_from_slice(piece), &mut frames)?;
    }
    parser.finish(&mut frames)?;
    Ok(frames)
}

#[track_caller]
fn check(body: &[u8], expected: &[(Option<&str>, &str)]) {
    let whole = parse(&[body]).unwrap();
    let got: Vec<_> = whole
        .iter()
        .map(|frame| (frame.event.as_deref(), &*frame.data))
        .collect();
    assert_eq!(got, expected);
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        assert_eq!(parse(&[head, tail]).unwrap(), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(parse(&bytes).unwrap(), whole, "byte by byte");
}

/// Where events begin: at the first line of each, however the body is cut.
#[test]
fn starts() {
    let check = |body: &str, expected: &[&str]| {
        let starts = |pieces: &[&[u8]]| -> Vec<u64> {
            let mut parser = SseParser::new().locating();
            let (mut frames, mut starts) = (Vec::new(), Vec::new());
            for piece in pieces {
                let piece = Bytes::copy_from_slice(piece);
                parser.push(piece, &mut frames).unwrap();
                starts.extend((0..).map_while(|nth| parser.start(nth)));
            }
            parser.finish(&mut frames).unwrap();
            starts.extend((0..).map_while(|nth| parser.start(nth)));
            assert_eq!(starts.len(), frames.len());
            starts
        };
        let whole = starts(&[body.as_bytes()]);
        let begins = whole.iter().zip(expected);
        for (at, expected) in begins {
            let rest = &body[usize::try_from(*at).unwrap()..];
            assert!(
                rest.starts_with(expected),
                "{expected:?} at {at} of {body:?}"
            );
        }
        assert_eq!(whole.len(), expected.len(), "{body:?}");
        for cut in 0..=body.len() {
            let (head, tail) = body.as_bytes().split_at(cut);
            assert_eq!(starts(&[head, tail]), whole, "{body:?} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(starts(&bytes), whole, "{body:?}");
    };
    for end in ["\n", "\r", "\r\n"] {
        let body = format!("event: a{end}data: 1{end}{end}data: 2{end}{end}data: 3{end}");
        check(&body, &["event: a", "data: 2", "data: 3"]);
    }
    check("\n\n: c\n\ndata: 1\n\n\n", &["data: 1"]);
    check("\n\n: c\ndata: 1\n\nevent: e\n\ndata", &[": c\nd", "data"]);
    check("", &[]);
    // Without being told to, it keeps nothing.
    let mut parser = SseParser::new();
    parser
        .push(Bytes::from_static(b"data: 1\n\n"), &mut Vec::new())
        .unwrap();
    assert_eq!(parser.start(0), None);
}

#[test]
fn line_ends() {
    for end in ["\n", "\r", "\r\n"] {
        let body = format!("event: a{end}data: 1{end}{end}data: 2{end}{end}");
        check(body.as_bytes(), &[(Some("a"), "1"), (None, "2")]);
    }
    check(b"data: 1\r\n\ndata: 2\n\r\n", &[(None, "1"), (None, "2")]);
}

#[test]
fn fields() {
    check(b"data: 1\nevent: late\n\n", &[(Some("late"), "1")]);
    check(
        b"data:1\n\ndata:  1\n\ndata\n\n",
        &[(None, "1"), (None, " 1"), (None, "")],
    );
    check(b"data: a\ndata:\ndata: b\n\n", &[(None, "a\n\nb")]);
    check(b"id: 7\nretry: 5\nother: x\ndata: 1\n\n", &[(None, "1")]);
    check(b"event: lost\n\ndata: 1\n\n", &[(None, "1")]);
    check(b"data: a:b\n\n", &[(None, "a:b")]);
}

#[test]
fn the_edges_of_a_body() {
    check(b"\xef\xbb\xbfdata: 1\n\n", &[(None, "1")]);
    check(b"data: 1\n\ndata: last", &[(None, "1"), (None, "last")]);
    check(b"data: last\n", &[(None, "last")]);
    check(b"\n\n\n", &[]);
    check(b"", &[]);
    check("data: \u{1F600} é\n\n".as_bytes(), &[(None, "\u{1F600} é")]);
}

#[test]
fn comments_mean_nothing_but_are_noticed() {
    check(b": hi\n\ndata: 1\n: between\n\n:\n", &[(None, "1")]);
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    parser
        .push(Bytes::from_static(b": PROCESSING\n\n"), &mut frames)
        .unwrap();
    assert!(parser.take_comment());
    parser
        .push(Bytes::from_static(b"data: 1\n\n"), &mut frames)
        .unwrap();
    assert!(!parser.take_comment());
    assert_eq!(frames.len(), 1);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    check(b"data: a\xffb\n\n", &[(None, "a\u{FFFD}b")]);
    check(b"data: \xf0\x9f\n\n", &[(None, "\u{FFFD}")]);
    check(b"event: \xc3\ndata: 1\n\n", &[(Some("\u{FFFD}"), "1")]);
}

#[test]
fn endless_events_are_errors() {
    for body in [
        "data: 123456789\n\n",
        "data: 12345\ndata: 12345\n\n",
        "123456789012345678",
    ] {
        let mut parser = SseParser::with_max_event(8);
        let mut frames = Vec::new();
        let pushed = body
            .as_bytes()
            .chunks(1)
            .try_for_each(|piece| parser.push(Bytes::copy_from_slice(piece), &mut frames));
        assert_eq!(pushed, Err(SseError::TooLarge { limit: 8 }), "{body}");
        assert_eq!(frames, []);
    }
    let mut parser = SseParser::with_max_event(8);
    let mut frames = Vec::new();
    parser
        .push(Bytes::from("data: 1\n\n".repeat(100)), &mut frames)
        .unwrap();
    assert_eq!(
        frames.len(),
        100,
        "the limit is for one event, not for the body"
    );
}

#[test]
fn an_event_in_one_piece_is_not_copied() {
    let piece = Bytes::from_static(b"data: 12345\n\n");
    let mut frames = Vec::new();
    SseParser::new().push(piece.clone(), &mut frames).unwrap();
    assert_eq!(frames[0].data.as_bytes().as_ptr(), piece[6..].as_ptr());
}

proptest! {
    #[test]
    fn every_way_of_cutting_gives_the_same_frames(
        body in "(data: ?[a-é]{0,4}|event: [a-c]|: c|\u{feff}|\r|\n|\r\n|\n\n){0,24}",
        cuts in proptest::collection::vec(0_usize..200, 0..6),
    ) {
        let body = body.as_bytes();
        let whole = parse(&[body]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (body.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&body[from..cut]);
            from = cut;
        }
        pieces.push(&body[from..]);
        prop_assert_eq!(parse(&pieces), whole);
    }
}
