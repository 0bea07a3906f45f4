//! A frame's content on its way to disk: bodies and parts of bodies one behind the other, what streams repeat left out.
//!
//! ```text
//! own bytes | copies | u32 length of the copies
//! ```
//!
//! Own bytes and copies are those of `differences`, over the whole content. Where there is no copy, the content is stored as it
//! is.

use crate::Mask;
use crate::differences::{self, Part, moved};

/// The content of a frame. Used again for each.
#[derive(Default)]
pub(crate) struct Content {
    own: Vec<u8>,
    copies: Vec<u8>,
    /// Own bytes behind the last copy.
    since: usize,
    length: usize,
}

impl Content {
    /// How many bytes were put.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
        self.since += bytes.len();
        self.length += bytes.len();
    }

    /// Appends a part of a stream without its secrets. None may have a quote or a line end in it: own bytes begin and end where no
    /// other goes on, so that they are masked by themselves, and what is repeated of others was masked with them.
    pub(crate) fn put_part(&mut self, part: &Part<'_>, mask: &Mask) {
        debug_assert!(mask.ends_at_quotes());
        self.own.extend_from_slice(&mask.bytes(&part.own));
        moved(part.copies, self.since, &mut self.copies);
        let before = if part.copies.is_empty() {
            self.since
        } else {
            0
        };
        self.since = before + part.since;
        self.length += part.length;
    }

    /// Hands over what is stored, and whether something was left out of it. It is empty then; the room stays.
    pub(crate) fn take_coded<T>(&mut self, store: impl FnOnce(&[u8], bool) -> T) -> T {
        let has_copies = !self.copies.is_empty();
        if has_copies {
            let length = self.copies.len() as u32;
            self.own.append(&mut self.copies);
            self.own.extend_from_slice(&length.to_le_bytes());
        }
        let stored = store(&self.own, has_copies);
        self.own.clear();
        self.since = 0;
        self.length = 0;
        stored
    }
}

/// What was put, of what [`Content::take_coded`] left something out of. `None` if that is not what it is, or not of this length.
pub(crate) fn decode(coded: &[u8], length: usize) -> Option<Vec<u8>> {
    let (coded, n_copies) = coded.split_last_chunk()?;
    let n_own = coded
        .len()
        .checked_sub(u32::from_le_bytes(*n_copies) as usize)?;
    let (own, copies) = coded.split_at_checked(n_own)?;
    differences::decode(own, copies, length)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::differences::{SHORT, Streamed};

    /// What was put comes back, streams without their secrets; so many bytes are stored of it.
    #[track_caller]
    fn check(puts: &[(bool, &[u8])]) -> usize {
        let known = ["corp-secret-1", "corp secret,:2"];
        let [stored, _] = [&known[..], &[known[0], known[1], "line\nend \" quote"]]
            .map(|known| check_masked(puts, &Mask::new(known.iter().copied())));
        stored
    }

    #[track_caller]
    fn check_masked(puts: &[(bool, &[u8])], mask: &Mask) -> usize {
        let all = puts.iter().map(|(is_stream, bytes)| match is_stream {
            true => mask.bytes(bytes),
            false => Cow::Borrowed(*bytes),
        });
        let all = all.collect::<Vec<_>>().concat();
        let mut content = Content::default();
        let mut put = || {
            for (is_stream, bytes) in puts {
                if !*is_stream {
                    content.put(bytes);
                } else if mask.ends_at_quotes() {
                    let streamed = lines(bytes);
                    assert_eq!(streamed.bytes(), bytes);
                    (streamed.parts()).for_each(|part| content.put_part(&part, mask));
                } else {
                    content.put(&mask.bytes(bytes));
                }
            }
            assert_eq!(content.len(), all.len());
            content.take_coded(|coded, has_copies| (coded.to_vec(), has_copies))
        };
        let (coded, has_copies) = put();
        assert!(put() == (coded.clone(), has_copies), "used again");
        if has_copies {
            assert!(coded.len() < all.len());
            assert_eq!(decode(&coded, all.len()).as_deref(), Some(all.as_slice()));
            assert_eq!(decode(&coded, all.len() + 1), None);
            assert_eq!(decode(&coded, all.len() - 1), None);
        } else {
            assert_eq!(coded, all);
        }
        coded.len()
    }

    /// A stream of which each line came by itself.
    fn lines(bytes: &[u8]) -> Streamed {
        Streamed::of(bytes.split_inclusive(|byte| *byte == b'\n').zip(1..))
    }

    fn stream(events: usize, end: &str) -> Vec<u8> {
        let event = |n: usize| {
            format!(
                "data: {{\"id\":\"c-1\",\"object\":\"chunk\",\"text\":\"word{n} \",\"stop\":null}}{end}"
            )
        };
        (0..events).map(event).collect::<String>().into_bytes()
    }

    #[test]
    fn of_a_stream_only_what_is_new_is_kept() {
        for end in ["\n\n", "\r\n\r\n"] {
            let stream = stream(100, end);
            let coded = check(&[(true, &stream)]);
            assert!(coded * 6 < stream.len(), "{coded} of {}", stream.len());
            // Beside others, and what others repeat stays.
            let both = check(&[
                (false, &stream),
                (true, &stream),
                (false, b"x"),
                (true, &stream),
            ]);
            assert!(both <= stream.len() + 2 * coded + 1, "{both}");
        }
        let same = stream(1, "\n\n").repeat(100);
        assert!(check(&[(true, &same)]) < 700);
    }

    #[test]
    fn what_repeats_nothing_is_stored_as_it_is() {
        let new = |n: u64| format!("data: {0}{0}\n\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let new: String = (1..99).map(new).collect();
        for bytes in ["", "\n\n", "one\n\ntwo", "\n\n\n\n\n", "no end", &new] {
            assert_eq!(check(&[(true, bytes.as_bytes())]), bytes.len(), "{bytes}");
        }
    }

    /// Texts too long to be taken for what the last event had around its own, so that each is compared: those of two events
    /// that begin or end with a few of the same letters take what they take where none do.
    #[test]
    fn texts_that_are_alike_by_chance_change_nothing() {
        let coded = |beginnings: &[&str], ends: &[&str]| {
            let event = |n: usize| {
                let [begin, end] = [beginnings, ends].map(|of| of[n % of.len()]);
                let text = format!("{begin}{}{end}", "-".repeat(SHORT));
                format!("data: {{\"id\":\"c-1\",\"text\":\"{text}\",\"stop\":null}}\n\n")
            };
            let stream: String = (0..60).map(event).collect();
            check(&[(true, stream.as_bytes())])
        };
        let check = |alike: &[&str], never: &[&str]| {
            let turned = |texts: &[&str]| -> Vec<String> {
                let turn = |text: &&str| text.chars().rev().collect();
                texts.iter().map(turn).collect()
            };
            let [alike_ends, never_ends] = [alike, never].map(turned);
            let [alike_ends, never_ends] = [&alike_ends, &never_ends]
                .map(|of| of.iter().map(String::as_str).collect::<Vec<_>>());
            let expected = coded(never, &never_ends);
            assert_eq!(coded(alike, &never_ends), expected, "{alike:?}");
            assert_eq!(coded(never, &alike_ends), expected, "{alike:?}");
            assert_eq!(coded(alike, &alike_ends), expected, "{alike:?}");
        };
        check(&["abc", "xyz", "xbc"], &["abc", "xyz", "mno"]);
        check(&["abcde", "xyzde", "xyzab"], &["abcde", "xyzde", "mnoab"]);
    }

    /// Where the text is an event's last string, the one before may begin with all of it.
    #[test]
    fn a_text_that_only_grows_is_masked_as_a_whole() {
        let event = |text: &str| format!("data: {{\"index\":0,\"i\":1,\"text\":\"{text}\"}}\n\n");
        let stream = |texts: [&str; 3]| texts.map(event).concat();
        for texts in [
            ["corp-sec", "corp-sec", "corp-secret-1"],
            ["sk-", "sk-", "sk-a1b2c3d4e5f6a7b8c9d0e1"],
            [
                "a sk-a1b2c3d4",
                "a sk-a1b2c3d4",
                "a sk-a1b2c3d4e5f6a7b8c9d0e1",
            ],
            // No key: a word goes on.
            ["ta", "ta", "task-a1b2c3d4e5f6a7b8c9d0e1"],
        ] {
            check(&[(true, stream(texts).as_bytes())]);
        }
    }

    /// The streams that decoders are tested with.
    fn recorded() -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/testdata");
        let mut folders = vec![root];
        let mut streams = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|kind| kind == "sse") {
                    streams.push(fs::read(path).unwrap());
                }
            }
        }
        assert!(streams.len() > 20);
        streams
    }

    #[test]
    fn recorded_streams_come_back_wherever_they_are_cut() {
        let streams = recorded();
        for stream in &streams {
            let step = stream.len() / 40 + 1;
            for cut in (0..stream.len()).step_by(step) {
                let (one, other) = stream.split_at(cut);
                check(&[(true, one), (false, b"{}"), (true, other), (true, other)]);
            }
        }
    }

    /// A content that is damaged gives bytes of the length that was asked for, or none; whatever its numbers say.
    #[test]
    fn damage_ends_in_nothing_or_in_other_bytes() {
        let stream = stream(9, "\n\n");
        let mut content = Content::default();
        for part in lines(&stream).parts() {
            content.put_part(&part, &Mask::default());
        }
        let coded = content.take_coded(|coded, _| coded.to_vec());
        let check = |damaged: &[u8]| {
            let decoded = decode(damaged, stream.len());
            assert!(decoded.is_none_or(|bytes| bytes.len() == stream.len()));
        };
        for at in 0..coded.len() {
            check(&coded[..at]);
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = coded.to_vec();
                damaged[at] = byte;
                check(&damaged);
            }
        }
    }

    #[test]
    fn what_is_no_content_is_refused() {
        assert_eq!(decode(b"ab\x03\0\0\0", 2), None);
        assert_eq!(decode(b"\0\0\0", 0), None);
    }

    /// Streams with secrets in them, whole and in parts, at every place of an event.
    fn secrets() -> impl Strategy<Value = Vec<u8>> {
        let word = prop::sample::select(vec![
            "corp-secret-1",
            "corp-",
            "secret-1",
            "corp secret,:2",
            ",:2",
            "sk-a1b2c3d4e5",
            "f6a7b8c9d0e1f2",
            "Bearer ",
            "line\nend \" quote",
            "\\n",
            "n",
            "\n",
            "\"",
            "a longer word of text ",
            "",
        ]);
        let text = || prop::collection::vec(word.clone(), 0..3).prop_map(|words| words.concat());
        let end = prop::sample::select(vec!["\n\n", "\r\n\r\n"]);
        let event = (text(), text(), prop::option::of(text()), end);
        let event = event.prop_map(|(begin, text, id, end)| {
            let id = id.map_or(String::new(), |id| format!(",\"id\":{id}"));
            format!("data: {begin}{{\"index\":0,\"text\":\"{text}\"{id}}}{end}")
        });
        // Most events of a stream differ by their text alone.
        let events = (
            prop::collection::vec((event, 0..4_usize), 0..12),
            any::<bool>(),
        );
        events.prop_map(|(events, is_whole)| {
            let events = events.iter().map(|(event, more)| event.repeat(1 + more));
            let mut stream = events.collect::<String>().into_bytes();
            if !is_whole {
                stream.truncate(stream.len() * 2 / 3);
            }
            stream
        })
    }

    proptest! {
        #[test]
        fn anything_comes_back(
            puts in prop::collection::vec((any::<bool>(), prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                "(data: [ab]{0,30}[xy]{0,2}[cd]{0,30}(\n\n|\r\n\r\n|\n)){0,12}".prop_map(String::into_bytes),
                "(event: [abc]\ndata: aaaaaaaaaaaaaaaaaaaaaaaa[0-9]{0,3}bbbbbbbbbbbbbbbbbbbbbbbbb\n\n){0,20}"
                    .prop_map(String::into_bytes),
                "[a\n]{0,200}".prop_map(String::into_bytes),
                secrets(),
            ]), 0..6),
        ) {
            let puts: Vec<(bool, &[u8])> = puts.iter().map(|(is_stream, bytes)| (*is_stream, bytes.as_slice())).collect();
            check(&puts);
        }

        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            coded in prop::collection::vec(any::<u8>(), 0..200), copies in 0..60_u32, length in 0..5000_usize,
        ) {
            let coded = [coded.as_slice(), &copies.to_le_bytes()].concat();
            let decoded = decode(&coded, length);
            prop_assert!(decoded.is_none_or(|bytes| bytes.len() == length && bytes.capacity() == length));
        }
    }
}
