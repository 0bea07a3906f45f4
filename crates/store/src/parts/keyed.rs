//! A body with the keys of its parts, found by way of a body like it.
//!
//! Hashing is most of what recording costs, and of two turns nearly all bytes are the same: at the beginning, and behind
//! the messages at the end. Comparing bytes is ten times quicker than hashing them, so a part that lies in what two
//! bodies share takes its key from the other one. The keys are the same as without.

use std::ops::Range;

use bytes::Bytes;

use super::key::{Key, KeyChain, is_short};
use super::split;

/// Bytes compared at once.
const STEP: usize = 4096;

/// A body, cut and keyed.
pub(crate) struct Keyed {
    bytes: Bytes,
    parts: Vec<(Range<usize>, Key)>,
    /// The key of all parts together.
    pub whole: Key,
}

impl Keyed {
    /// Cuts a body and finds the keys of its parts. `like` are bodies that may have parts in common with it.
    pub(crate) fn new(bytes: Bytes, like: &[&Self]) -> Self {
        let shared = like.iter().map(|other| Shared::of(&bytes, other));
        let shared = shared.max_by_key(|shared| shared.prefix + shared.suffix);
        let mut keys = KeyChain::new();
        let mut parts = Vec::new();
        for range in split(&bytes) {
            let known = shared
                .as_ref()
                .and_then(|shared| shared.key(&range, keys.previous()));
            let key = match known {
                Some(key) => {
                    keys.take(key);
                    key
                }
                None => keys.next(bytes.get(range.clone()).unwrap_or_default()),
            };
            parts.push((range, key));
        }
        Self {
            whole: keys.whole(),
            bytes,
            parts,
        }
    }

    /// Each part with its key, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&[u8], Key)> {
        let part = |(range, key): &(Range<usize>, Key)| {
            (self.bytes.get(range.clone()).unwrap_or_default(), *key)
        };
        self.parts.iter().map(part)
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// What a body shares with another.
struct Shared<'a> {
    other: &'a Keyed,
    length: usize,
    prefix: usize,
    suffix: usize,
}

impl<'a> Shared<'a> {
    fn of(bytes: &[u8], other: &'a Keyed) -> Self {
        Self {
            other,
            length: bytes.len(),
            prefix: common_prefix(bytes, &other.bytes),
            suffix: common_suffix(bytes, &other.bytes),
        }
    }

    /// The key of the part there, if the other body has the same one behind the same `previous`.
    fn key(&self, part: &Range<usize>, previous: Key) -> Option<Key> {
        let in_other = if part.end <= self.prefix {
            part.clone()
        } else if part.start >= self.length - self.suffix {
            let from_end = |at: usize| (self.other.len() + at).checked_sub(self.length);
            from_end(part.start)?..from_end(part.end)?
        } else {
            return None;
        };
        let parts = &self.other.parts;
        let at = parts.partition_point(|(range, _)| range.end < in_other.end);
        let (range, key) = parts.get(at)?;
        if *range != in_other {
            return None;
        }
        let before = match at.checked_sub(1) {
            Some(before) => parts.get(before)?.1,
            None => Key::default(),
        };
        (!is_short(part.len()) || before == previous).then_some(*key)
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let steps = a
        .chunks(STEP)
        .zip(b.chunks(STEP))
        .take_while(|(a, b)| a == b);
    let same: usize = steps.map(|(a, _)| a.len()).sum();
    let rest = a.iter().skip(same).zip(b.iter().skip(same));
    same + rest.take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let steps = a
        .rchunks(STEP)
        .zip(b.rchunks(STEP))
        .take_while(|(a, b)| a == b);
    let same: usize = steps.map(|(a, _)| a.len()).sum();
    let rest = a.iter().rev().skip(same).zip(b.iter().rev().skip(same));
    same + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The keys are those that hashing alone finds.
    fn check(first: &[u8], second: &[u8]) {
        let [first, second] = [first, second].map(Bytes::copy_from_slice);
        let first = Keyed::new(first, &[]);
        let alone = Keyed::new(second.clone(), &[]);
        let helped = Keyed::new(second, &[&first]);
        assert_eq!(helped.parts, alone.parts);
        assert_eq!(helped.whole, alone.whole);
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
        ];
        for first in &all {
            for second in &all {
                check(first.as_bytes(), second.as_bytes());
            }
        }
    }

    /// How many bytes of a body are hashed if another one is at hand.
    fn hashed(first: String, second: String) -> usize {
        let first = Keyed::new(first.into(), &[]);
        let second: Bytes = second.into();
        let shared = Shared::of(&second, &first);
        let mut previous = Key::default();
        let mut hashed = 0;
        for (range, key) in Keyed::new(second.clone(), &[]).parts {
            if shared.key(&range, previous).is_none() {
                hashed += range.len();
            }
            previous = key;
        }
        hashed
    }

    #[test]
    fn nearly_nothing_is_hashed_twice() {
        let length = body("a", 41).len();
        let next_turn = hashed(body("a", 40), body("a", 41));
        assert!(next_turn * 20 < length, "{next_turn} of {length}");
        let other_model = hashed(body("a", 41), body("another", 41));
        assert!(other_model * 20 < length, "{other_model} of {length}");
        assert_eq!(hashed(body("a", 41), body("a", 41)), 0);
        assert_eq!(hashed(String::new(), body("a", 41)), length);
    }

    proptest! {
        #[test]
        fn whatever_was_changed(
            text in "[\\[\\]{}\",:\\\\a1 ]{0,200}", long in 0..600_usize,
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
