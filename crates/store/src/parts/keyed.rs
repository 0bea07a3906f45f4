//! A body with the keys of its parts, found by way of a body like it.
//!
//! Of two turns nearly all bytes are the same: at the beginning, and behind the messages at the end. Comparing bytes is
//! ten times quicker than cutting and hashing them, so a body takes the cuts and keys of what it shares with another from
//! that one, and only what lies between is gone through. They are the same as without.

use std::ops::Range;

use bytes::Bytes;
use lingate_wire::json::common_prefix;

use crate::Mask;
use crate::record::Alike;

use super::key::{Key, KeyChain, is_short};
use super::split::{Cut, SIGHT, go_on, is_json};

/// Bytes compared at once: large steps, and smaller ones in the first of those that differs, then words.
const STEPS: [usize; 3] = [4096, 512, 64];

/// Parts that a body may have more than the one it is like, before its lists have to move.
const ROOM: usize = 16;

/// A body, cut and keyed.
pub(crate) struct Keyed {
    bytes: Bytes,
    /// What was known of them.
    pub alike: Option<Alike>,
    cuts: Vec<Cut>,
    /// As many as cuts; none where nothing is known by them.
    keys: Vec<Key>,
}

/// How many bytes of a body are whole parts of another one, too: at its beginning and at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shared {
    pub first: usize,
    pub last: usize,
}

/// In how many bytes two bodies are the same, at the beginning and then at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Same {
    prefix: usize,
    suffix: usize,
}

impl Same {
    /// Of bytes of which something may be known before they are looked at.
    pub(crate) fn of(bytes: &[u8], alike: Option<Alike>, other: &Keyed) -> Self {
        let known = alike
            .zip(other.alike)
            .map(|(one, other)| one.between(other));
        let (first, last, behind) = known.unwrap_or_default();
        debug_assert!(bytes.get(..first) == other.bytes.get(..first));
        let begin = [bytes, &other.bytes].map(|bytes| after(bytes, first));
        let prefix = first + common_prefix(begin[0], begin[1]);
        let ends = [bytes, &other.bytes].map(|bytes| after(bytes, prefix));
        // What both are known to have stands before ends that are the same, and behind what they begin with.
        let least = ends[0].len().min(ends[1].len());
        let last = last.min(least.saturating_sub(behind));
        let behind_it = ends.map(|bytes| after(bytes, bytes.len().saturating_sub(behind)));
        let has_it = last > 0 && behind_it[0] == behind_it[1];
        let known = if has_it { last + behind } else { 0 };
        let rest = ends.map(|bytes| before(bytes, known));
        let suffix = known + common_suffix(rest[0], rest[1]);
        Self { prefix, suffix }
    }

    /// Both together.
    pub(crate) fn bytes(self) -> usize {
        self.prefix + self.suffix
    }
}

impl Keyed {
    /// Cuts a body where the mask allows it and finds the keys of its parts.
    pub(crate) fn new(bytes: Bytes, mask: &Mask) -> Self {
        let mut cuts = Vec::new();
        go_on(&bytes, &mut cuts, mask, &mut |_| false);
        let mut keyed = Self {
            bytes,
            alike: None,
            cuts,
            keys: Vec::new(),
        };
        keyed.hash(keyed.cuts.len());
        keyed
    }

    /// The same by way of another body that was cut by the same mask, and what parts the two share.
    pub(crate) fn like(bytes: Bytes, other: &Self, same: Same, mask: &Mask) -> (Self, Shared) {
        let Same { prefix, suffix } = same;
        let is_equal = prefix == bytes.len() && prefix == other.len();
        let first = if is_equal {
            other.cuts.len()
        } else {
            other.cuts_decided_by(prefix)
        };
        let mut keyed = Self {
            cuts: begun(&other.cuts, first),
            keys: begun(&other.keys, first),
            bytes,
            alike: None,
        };
        let first = keyed.cut_end();
        let rest = if is_equal {
            0..0
        } else {
            keyed.cut_until(other, suffix, mask)
        };
        let end = keyed.cut_end();
        keyed.take_keys(other, prefix);
        keyed.hash(keyed.cuts.len());
        keyed.take_rest(other, rest);
        let last = keyed.len() - end;
        (keyed, Shared { first, last })
    }

    /// Each part with its key, if it has one, in order, of those that lie there; both ends are cuts.
    pub(crate) fn parts(&self, within: Range<usize>) -> impl Iterator<Item = (&[u8], Option<Key>)> {
        let begin = self.cuts.partition_point(|cut| cut.end <= within.start);
        let end = self.cuts.partition_point(|cut| cut.end <= within.end);
        (begin..end).map(|at| {
            let key = self.keys.get(at).copied();
            (self.bytes.get(self.range(at)).unwrap_or_default(), key)
        })
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where a slice of this very memory lies in it.
    pub(crate) fn place(&self, slice: &Bytes) -> Option<usize> {
        let place = slice
            .as_ptr()
            .addr()
            .checked_sub(self.bytes.as_ptr().addr())?;
        (place + slice.len() <= self.len() && !slice.is_empty()).then_some(place)
    }

    /// `place`, if the body goes on with these bytes there.
    pub(crate) fn goes_on(&self, place: usize, bytes: &[u8]) -> Option<usize> {
        let here = self.bytes.get(place..).unwrap_or_default();
        here.starts_with(bytes).then_some(place)
    }

    /// Whether somebody else holds the bytes, too.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.bytes.is_unique()
    }

    /// How many cuts would be the same whatever came behind this many bytes, up to the last at which cutting can go on.
    fn cuts_decided_by(&self, bytes: usize) -> usize {
        // What is cut before an object, behind one or behind a string needs no sight of more than the next byte.
        let seen = self.cuts.partition_point(|cut| cut.end < bytes);
        let seen = self.cuts.get(..seen).unwrap_or_default();
        let is_sure = |cut: &Cut| {
            let begins_string = self.bytes.get(cut.end) == Some(&b'"');
            cut.open.is_some() && (!begins_string || cut.end + SIGHT <= bytes)
        };
        let last = seen.iter().rposition(is_sure);
        last.map_or(0, |last| last + 1)
    }

    /// Where the last part ends.
    fn cut_end(&self) -> usize {
        self.cuts.last().map_or(0, |cut| cut.end)
    }

    /// Goes on cutting until the other body is cut likewise and both go on with the same bytes, which are at most
    /// `suffix`. Which cuts of the other one follow.
    fn cut_until(&mut self, other: &Self, suffix: usize, mask: &Mask) -> Range<usize> {
        let length = self.len();
        let mut rest = other.cuts.len()..other.cuts.len();
        go_on(&self.bytes, &mut self.cuts, mask, &mut |cut| {
            if length - cut.end >= suffix {
                return false;
            }
            let end = other.len() - (length - cut.end);
            let at = other.cuts.partition_point(|cut| cut.end < end);
            let same = other.cuts.get(at);
            let is_same = same.is_some_and(|same| same.end == end && same.open == cut.open);
            if is_same {
                rest.start = at + 1;
            }
            is_same
        });
        rest
    }

    /// Takes over the keys of parts that were cut anew and yet as in the other body, within the bytes that both begin with:
    /// what decides a cut may lie behind those, what decides a key does not.
    fn take_keys(&mut self, other: &Self, prefix: usize) {
        if !is_json(&self.bytes) {
            return;
        }
        let from = self.keys.len();
        let cuts = self.cuts.iter().zip(&other.cuts).skip(from);
        let is_same = |(cut, its): &(&Cut, &Cut)| cut.end == its.end && cut.end <= prefix;
        let same = from + cuts.take_while(is_same).count();
        let keys = other.keys.get(from..same).unwrap_or_default();
        self.keys.extend_from_slice(keys);
    }

    /// Finds the keys of the parts up to a number that have none yet. Streams have none: each is new.
    fn hash(&mut self, parts: usize) {
        if !is_json(&self.bytes) {
            return;
        }
        let mut chain = KeyChain::behind(self.keys.last().copied());
        for at in self.keys.len()..parts {
            let part = self.bytes.get(self.range(at)).unwrap_or_default();
            self.keys.push(chain.next(part));
        }
    }

    /// Takes over the last cuts of the other body, and the keys from where they are the same.
    fn take_rest(&mut self, other: &Self, rest: Range<usize>) {
        let (length, others) = (self.len(), other.len());
        let cuts = other.cuts.get(rest.clone()).unwrap_or_default();
        let moved = cuts.iter().map(|cut| Cut {
            end: length - (others - cut.end),
            ..*cut
        });
        self.cuts.extend(moved);
        for at in rest.clone() {
            let before = at.checked_sub(1).and_then(|before| other.keys.get(before));
            if !is_short(other.range(at).len()) || self.keys.last() == before {
                // From here on each stands behind the same one.
                let keys = other.keys.get(at..rest.end).unwrap_or_default();
                self.keys.extend_from_slice(keys);
                return;
            }
            self.hash(self.keys.len() + 1);
        }
    }

    /// Where a part lies.
    fn range(&self, at: usize) -> Range<usize> {
        let end = |at: usize| self.cuts.get(at).map_or(0, |cut| cut.end);
        at.checked_sub(1).map_or(0, end)..end(at)
    }
}

/// The first of them, with room for as many as all and some more.
fn begun<T: Copy>(all: &[T], first: usize) -> Vec<T> {
    let mut begun = Vec::with_capacity(all.len() + ROOM);
    begun.extend_from_slice(all.get(..first).unwrap_or_default());
    begun
}

fn after(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// All but so many at the end.
fn before(bytes: &[u8], end: usize) -> &[u8] {
    bytes.get(..bytes.len() - end).unwrap_or_default()
}

/// Bytes that are the same at the end of both.
pub(crate) fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let shortest = a.len().min(b.len());
    let mut same = 0;
    for step in STEPS.into_iter().filter(|step| *step <= shortest) {
        let steps = before(a, same)
            .rchunks(step)
            .zip(before(b, same).rchunks(step));
        let steps = steps.take_while(|(a, b)| a == b);
        same += steps.map(|(a, _)| a.len()).sum::<usize>();
    }
    let [words, others] = [a, b].map(|bytes| before(bytes, same).as_rchunks::<8>().1);
    for (a, b) in words.iter().rev().zip(others.iter().rev()) {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return same + difference.leading_zeros() as usize / 8;
        }
        same += 8;
    }
    let rest = before(a, same)
        .iter()
        .rev()
        .zip(before(b, same).iter().rev());
    same + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parts::split::MAX_PART;

    /// Cuts and keys are those of a body without another one, and what is shared lies in both.
    fn check(first: &[u8], second: &[u8]) -> Shared {
        let [first, second] = [first, second].map(Bytes::copy_from_slice);
        let mask = Mask::new(["word word"]);
        let first = Keyed::new(first, &mask);
        let alone = Keyed::new(second.clone(), &mask);
        let same = Same::of(&second, None, &first);
        let (helped, shared) = Keyed::like(second.clone(), &first, same, &mask);
        let ends = |keyed: &Keyed| -> Vec<usize> { keyed.cuts.iter().map(|cut| cut.end).collect() };
        assert_eq!(ends(&helped), ends(&alone));
        assert_eq!(helped.keys, alone.keys);
        let tail = |bytes: &[u8]| bytes[bytes.len() - shared.last..].to_vec();
        assert_eq!(first.bytes[..shared.first], second[..shared.first]);
        assert_eq!(tail(&first.bytes), tail(&second));
        let parts = helped.parts(shared.first..second.len() - shared.last);
        let new: usize = parts.map(|(part, _)| part.len()).sum();
        assert_eq!(shared.first + new + shared.last, second.len());
        shared
    }

    fn body(model: &str, turns: usize) -> String {
        let message = |n: usize| {
            format!(
                r#"{{"role":"user","n":{n},"content":"{}"}}"#,
                "w".repeat(n * 37 % 600)
            )
        };
        let messages: Vec<String> = (0..turns).map(message).collect();
        format!(
            r#"{{"model":"{model}","messages":[{}],"tools":[{}]}}"#,
            messages.join(","),
            [r#"{"name":"t"}"#; 9].join(",")
        )
    }

    #[test]
    fn turns_models_and_strangers() {
        let all = [
            body("a", 3),
            body("a", 4),
            body("longer", 4),
            body("b", 40),
            String::new(),
            "data: x\n\n".into(),
            "[".into(),
            body("a", 40).replace("wwww", r#"w\"w"#),
            body("a", 30).replacen("www", &"word ".repeat(60_000), 1),
            body("a", 31).replacen("www", &"word ".repeat(60_001), 1),
        ];
        for first in &all {
            for second in &all {
                check(first.as_bytes(), second.as_bytes());
            }
        }
    }

    #[test]
    fn the_last_difference_is_found_at_every_place() {
        let text = b"0123456789abcdef".repeat(300);
        for length in [
            0, 1, 7, 8, 9, 15, 63, 64, 65, 76, 4095, 4096, 4097, 4160, 4800,
        ] {
            let end = &text[text.len() - length..];
            for other in [end.to_vec(), [b".", end].concat(), text.clone()] {
                assert_eq!(common_suffix(end, &other), length);
                assert_eq!(common_suffix(&other, end), length);
            }
            let changed = [&text, b".".as_slice(), end].concat();
            assert_eq!(common_suffix(&changed, &text), length);
        }
    }

    /// What two bodies have in common is the same where each is known to be like a third, in any part.
    #[test]
    fn what_is_known_is_not_compared_and_changes_nothing() {
        let known = body("a", 9).into_bytes();
        let alike = |text: &[u8], to, first: usize, last: usize| {
            let behind = 2;
            let first = first.min(common_prefix(text, &known));
            let ends = [text, &known].map(|bytes| before(bytes, behind));
            let last = last.min(common_suffix(ends[0], ends[1]));
            Alike {
                to,
                first,
                last,
                behind,
                until: known.len() - behind,
            }
        };
        let changed = |at: usize, new: &str| {
            let (front, rest) = known.split_at(at);
            [front, new.as_bytes(), rest].concat()
        };
        let texts = [
            known.clone(),
            changed(400, "one"),
            changed(400, "other"),
            changed(700, "o"),
            changed(400, ""),
            changed(known.len() - 1, " "),
            known[..300].to_vec(),
        ];
        for one in &texts {
            for other in &texts {
                let mut keyed = Keyed::new(other.clone().into(), &Mask::default());
                let expected = Same::of(one, None, &keyed);
                for first in [0, 1, 399, 5000] {
                    for last in [0, 1, 250, 5000] {
                        keyed.alike = Some(alike(other, 1, first, last));
                        for (to, more) in [(1, 0), (1, 60), (2, 0)] {
                            let known = alike(one, to, first + more, last + more);
                            assert_eq!(Same::of(one, Some(known), &keyed), expected);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nearly_nothing_is_gone_through_twice() {
        let new = |first: String, second: String| {
            let shared = check(first.as_bytes(), second.as_bytes());
            second.len() - shared.first - shared.last
        };
        let length = body("a", 41).len();
        let next_turn = new(body("a", 40), body("a", 41));
        assert!(next_turn * 10 < length, "{next_turn} of {length}");
        let other_model = new(body("a", 41), body("another", 41));
        assert!(other_model * 20 < length, "{other_model} of {length}");
        assert_eq!(new(body("a", 41), body("a", 41)), 0);
        assert_eq!(new(String::new(), body("a", 41)), length);
    }

    #[test]
    fn only_the_beginning_of_a_string_is_decided_far_behind_it() {
        let long = format!("\"{}\"", "x".repeat(300));
        let front = r#"[{"a":1},{"b":"#;
        let text = format!("{front}{long}}}]");
        let keyed = Keyed::new(text.clone().into(), &Mask::default());
        let check = |seen: usize, expected: usize| {
            let cuts = keyed.cuts_decided_by(seen);
            let last = cuts.checked_sub(1).map_or(0, |last| keyed.cuts[last].end);
            assert_eq!(text[..last], text[..expected], "{seen} bytes seen");
        };
        let (bracket, object, string) = (1, r#"[{"a":1}"#.len(), front.len());
        check(bracket, 0);
        check(bracket + 1, bracket);
        check(object, bracket);
        check(object + 1, object);
        check(string + SIGHT - 1, object);
        check(string + SIGHT, string);
        check(string + long.len(), string);
        check(string + long.len() + 1, string + long.len());
    }

    /// What is cut again, because what decides about it lies behind what is shared, is not hashed again.
    #[test]
    fn what_is_cut_again_is_not_hashed_again() {
        let check = |first: String, second: String, expected: usize| {
            let first = Keyed::new(first.into(), &Mask::default());
            let alone = Keyed::new(second.into(), &Mask::default());
            let mut keyed = Keyed {
                bytes: alone.bytes.clone(),
                alike: None,
                cuts: alone.cuts.clone(),
                keys: Vec::new(),
            };
            keyed.take_keys(&first, common_prefix(&alone.bytes, &first.bytes));
            assert_eq!(keyed.keys.len(), expected);
            assert_eq!(keyed.keys, alone.keys.get(..expected).unwrap());
        };
        let turn = |new: &str| format!(r#"[{{"t":"{}"}},{{"t":"{new}"}}]"#, "x".repeat(5000));
        // The bracket, the object up to its text, the text, and the object's end.
        check(turn("a"), turn("b"), 4);
        check(turn("a"), turn("a"), 6);
        check(turn("a"), " ".into(), 0);
        check(String::new(), turn("a"), 0);
        // What is no JSON has no keys, even if it begins with a part of what is.
        let blank = " ".repeat(MAX_PART + 9);
        check(format!("{blank}[]"), format!("{blank}x"), 0);
    }

    proptest! {
        #[test]
        fn whatever_was_changed(
            text in "[\\[\\]{}\",:\\\\a1 ]{0,1200}", long in 0..600_usize,
            at in any::<prop::sample::Index>(), gone in 0..20_usize, new in "[\\[\\]{}\",a]{0,10}",
        ) {
            let text = format!("[{{\"t\":\"{}\"}},{text}", "x".repeat(long));
            let at = at.index(text.len() + 1);
            let end = (at + gone).min(text.len());
            let changed = format!("{}{new}{}", &text[..at], &text[end..]);
            check(text.as_bytes(), changed.as_bytes());
            check(changed.as_bytes(), text.as_bytes());
        }
    }
}
