//! A frame's content on its way to disk, with what streams repeat left out.
//!
//! An event of a stream has all but a few bytes in its middle in common with the event before. Two texts are compared in a
//! tenth of the time that it takes to look for what repeats, so that is done first, and zstd gets the rest:
//!
//! ```text
//! own bytes | copies | u32 length of the copies
//! ```
//!
//! A copy is a number (LEB128) whose half says how many of the own bytes come first. If it is odd, what the last copy
//! appended follows on them once more: what stands around the text of an event, that is. If it is even, two more numbers
//! say how far back what is repeated begins and how long it is; it may reach into itself. Behind the last copy come the own
//! bytes that are left. Where there is no copy, the content is stored as it is. Why: `docs/adr/0018-streams-as-differences.md`.

use std::borrow::Cow;

use lingate_wire::json::common_prefix;

use crate::Mask;
use crate::leb128;
use crate::parts::common_suffix;

/// Fewer bytes are not repeated. The numbers of a copy take at most nine, so that what has copies is shorter than what has
/// none.
const LEAST: usize = 16;

/// An event with at most so many bytes that the one before has not is not searched for fewer.
const SHORT: usize = 32;

/// The content of a frame, bodies and parts of bodies one behind the other. Used again for each.
#[derive(Default)]
pub(crate) struct Content {
    own: Vec<u8>,
    copies: Vec<u8>,
    /// How long the last copy is.
    copied: usize,
    /// Own bytes behind it.
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

    /// Appends what may be a stream that came in pieces with these ends, without its secrets: of each event only what is
    /// neither at the beginning nor at the end of the one before. A piece is an event if it ends in a blank line; where it is
    /// several, less is left out. Anything else may be appended by this, too, and takes what it takes to compare a few bytes a
    /// piece.
    pub(crate) fn put_stream(
        &mut self,
        bytes: &[u8],
        ends: impl Iterator<Item = usize>,
        mask: &Mask,
    ) {
        // Own bytes begin and end where no secret goes on, so that they are masked by themselves, and what is repeated of
        // others was masked with them.
        let is_pieced = mask.ends_at_quotes();
        let bytes = if is_pieced {
            Cow::Borrowed(bytes)
        } else {
            mask.bytes(bytes)
        };
        let begin = self.own.len();
        self.put_events(&bytes, ends);
        if is_pieced
            && let Some(own) = self.own.get_mut(begin..)
            && let Cow::Owned(masked) = mask.bytes(own)
        {
            own.copy_from_slice(&masked);
        }
    }

    fn put_events(&mut self, bytes: &[u8], ends: impl Iterator<Item = usize>) {
        let mut stream = Stream {
            bytes,
            put: 0,
            begin: 0,
            last: &[],
            around: Around::default(),
        };
        for end in ends {
            let begun = bytes.get(..end);
            if let Some([.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n']) = begun {
                stream.event(self, end);
            }
        }
        stream.event(self, bytes.len());
        stream.copy(self, bytes.len());
        self.put(bytes.get(stream.put..).unwrap_or_default());
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
        self.copied = 0;
        self.since = 0;
        self.length = 0;
        stored
    }
}

/// What an event and the one before both begin and end with; the two ends are apart. The first ends before a quote and the
/// second begins with one, or is empty: texts that begin or end alike by chance say nothing of the next, and no secret
/// reaches over a quote.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    head: &'a [u8],
    tail: &'a [u8],
}

impl<'a> Around<'a> {
    /// Whether it holds the next event, too, which mostly differs where the last one did: that is two comparisons and no search.
    fn holds(&self, event: &[u8]) -> bool {
        let least = self.head.len() + self.tail.len();
        let is_quoted = event.get(self.head.len()) == Some(&b'"');
        (least..=least + SHORT).contains(&event.len())
            && (is_quoted || self.head.is_empty())
            && event.starts_with(self.head)
            && event.ends_with(self.tail)
    }

    /// What an event and the last have in common.
    fn of(event: &'a [u8], last: &[u8]) -> Self {
        let same = event.get(..common_prefix(event, last));
        let quote = same.and_then(|same| memchr::memrchr(b'"', same));
        let (head, rest) = event
            .split_at_checked(quote.unwrap_or_default())
            .unwrap_or_default();
        let same = common_suffix(rest, last.get(head.len()..).unwrap_or_default());
        let tail = rest.get(rest.len() - same..).unwrap_or_default();
        let quote = memchr::memchr(b'"', tail).unwrap_or(tail.len());
        let tail = tail.get(quote..).unwrap_or_default();
        Self { head, tail }
    }
}

/// A stream that is being put.
struct Stream<'a> {
    bytes: &'a [u8],
    /// So many of them were.
    put: usize,
    /// Where the next event begins.
    begin: usize,
    last: &'a [u8],
    /// Of the last one.
    around: Around<'a>,
}

impl Stream<'_> {
    /// The next event ends there.
    fn event(&mut self, to: &mut Content, end: usize) {
        let Some(event) = self.bytes.get(self.begin..end) else {
            // Pieces end in order.
            return;
        };
        let next = if self.around.holds(event) {
            self.around
        } else {
            Around::of(event, self.last)
        };
        // Own bytes begin with a quote, or a line end.
        let begin = self.begin.saturating_sub(usize::from(next.head.is_empty()));
        self.copy(to, begin + next.head.len());
        self.begin = end;
        self.last = event;
        self.around = next;
    }

    /// What stands from the last event's tail up to `end` stands an event's length before that, too: its tail at the end of
    /// the one before, and what follows at its own beginning.
    fn copy(&mut self, to: &mut Content, end: usize) {
        let from = self.begin - self.around.tail.len();
        let (length, distance) = (end.saturating_sub(from), self.last.len());
        if length < LEAST {
            return;
        }
        to.put(self.bytes.get(self.put..from).unwrap_or_default());
        let own = 2 * to.since as u64;
        if length == to.copied && distance == to.since + length {
            leb128::put(&mut to.copies, own + 1);
        } else {
            leb128::put(&mut to.copies, own);
            leb128::put(&mut to.copies, distance as u64);
            leb128::put(&mut to.copies, length as u64);
        }
        to.copied = length;
        to.since = 0;
        to.length += length;
        self.put = end;
    }
}

/// What was put, of what [`Content::take_coded`] left something out of. `None` if that is not what it is, or not of this length.
pub(crate) fn decode(coded: &[u8], length: usize) -> Option<Vec<u8>> {
    let (coded, n_copies) = coded.split_last_chunk()?;
    let n_own = coded
        .len()
        .checked_sub(u32::from_le_bytes(*n_copies) as usize)?;
    let (mut own, mut copies) = coded.split_at_checked(n_own)?;
    let mut out = Vec::with_capacity(length);
    let mut copied = 0;
    while !copies.is_empty() {
        let mut number = || usize::try_from(leb128::take(&mut copies)?).ok();
        let n_own = number()?;
        let (first, rest) = own.split_at_checked(n_own / 2)?;
        own = rest;
        let distance = if n_own % 2 == 1 {
            first.len() + copied
        } else {
            let distance = number()?;
            copied = number()?;
            distance
        };
        let room = (length - out.len()).checked_sub(first.len())?;
        if copied > room {
            return None;
        }
        out.extend_from_slice(first);
        repeat(&mut out, distance, copied)?;
    }
    if out.len() + own.len() != length {
        return None;
    }
    out.extend_from_slice(own);
    Some(out)
}

/// Appends bytes that stand `distance` before them. `None` if none do.
fn repeat(out: &mut Vec<u8>, distance: usize, mut length: usize) -> Option<()> {
    let from = out.len().checked_sub(distance)?;
    while length > 0 {
        // As many as there are, which is more with each step.
        let end = out.len().min(from + length);
        if end == from {
            return None;
        }
        out.extend_from_within(from..end);
        length -= end - from;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

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
                if *is_stream {
                    content.put_stream(bytes, ends(bytes), mask);
                } else {
                    content.put(bytes);
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

    /// Where lines end, as if each had come by itself.
    fn ends(bytes: &[u8]) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(b'\n', bytes).map(|at| at + 1)
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
        content.put_stream(&stream, ends(&stream), &Mask::default());
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
    fn copies_of_what_is_not_there_are_refused() {
        let check = |own: &str, numbers: &[u64], length: usize, expected: Option<&str>| {
            let mut copies = Vec::new();
            numbers
                .iter()
                .for_each(|number| leb128::put(&mut copies, *number));
            let n_copies = (copies.len() as u32).to_le_bytes();
            let coded = [own.as_bytes(), &copies, &n_copies].concat();
            let decoded = decode(&coded, length);
            assert_eq!(
                decoded.as_deref(),
                expected.map(str::as_bytes),
                "{numbers:?}"
            );
        };
        check("ab", &[2, 1, 3], 5, Some("aaaab"));
        check("abc", &[4, 2, 5], 8, Some("abababac"));
        check("abc", &[4, 2, 2, 3], 7, Some("ababcab"));
        check("abc", &[2, 1, 1, 1, 3], 6, Some("aaabac"));
        check("abc", &[1, 4], 3, None);
        check("ab", &[4, 0, 1], 3, None);
        check("ab", &[4, 3, 1], 3, None);
        check("ab", &[0, 1, 1], 3, None);
        check("ab", &[6, 1, 1], 4, None);
        check("ab", &[4, 1, u64::MAX], 4, None);
        check("ab", &[u64::MAX, 1, 1], 4, None);
        check("ab", &[u64::MAX - 1, 1, 1], 4, None);
        check("ab", &[4, u64::MAX, 1], 4, None);
        check("ab", &[4, 1, 3], 4, None);
        check("ab", &[4, 1, 1, 1], 3, None);
        check("ab", &[4, 1], 2, None);
        check("abc", &[6, 1, 0], 2, None);
        check("ab", &[2, 1, 1], 2, None);
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
