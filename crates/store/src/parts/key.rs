//! By what a part is known.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;

/// 128 bits of SipHash under a key that this process drew and tells nobody: who does not know it cannot make two parts that
/// share one. Parts are compared within the process alone; a stored digest is compared with nothing but itself.
pub(crate) type Key = [u8; 16];

static DRAWN: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Parts shorter than this are known by what stands before them, too: a `}` means nothing by itself, and finding it
/// where its neighbours are keeps spans long.
const SHORT: usize = 64;

/// Whether a part of this length is known by what stands before it, too.
pub(crate) fn is_short(length: usize) -> bool {
    length < SHORT
}

/// Finds the keys of parts, one behind the other.
pub(crate) struct KeyChain {
    previous: Key,
}

impl KeyChain {
    /// Behind the part with this key; at the beginning there is none.
    pub(crate) fn behind(previous: Option<Key>) -> Self {
        Self {
            previous: previous.unwrap_or_default(),
        }
    }

    /// The key of the next part.
    pub(crate) fn next(&mut self, part: &[u8]) -> Key {
        self.previous = if is_short(part.len()) {
            let mut joined = [0; 16 + SHORT];
            let (before, rest) = joined.split_at_mut(16);
            before.copy_from_slice(&self.previous);
            for (to, from) in rest.iter_mut().zip(part) {
                *to = *from;
            }
            let used = joined.get(..16 + part.len()).unwrap_or_default();
            key(used)
        } else {
            key(part)
        };
        self.previous
    }
}

/// The key of these bytes by themselves.
pub(crate) fn key(bytes: &[u8]) -> Key {
    let mut hasher = DRAWN.build_hasher();
    hasher.write(bytes);
    let first = hasher.finish();
    // The hash of something longer, which is as independent of the first as any other.
    hasher.write_u8(0);
    let both = u128::from(first) << 64 | u128::from(hasher.finish());
    both.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_by_its_bytes_and_a_short_one_by_what_is_before_it() {
        let keys = |parts: [&str; 2]| {
            let mut chain = KeyChain::behind(None);
            parts.map(|part| chain.next(part.as_bytes()))
        };
        let long = "x".repeat(SHORT);
        let [_, after_a] = keys(["a", "}"]);
        let [_, after_b] = keys(["b", "}"]);
        assert_ne!(after_a, after_b);
        assert_eq!(keys(["a", "}"])[1], after_a);
        assert_eq!(keys(["a", &long])[1], keys(["b", &long])[1]);
        assert_ne!(keys(["a", &long])[1], keys(["a", &format!("{long}x")])[1]);
        // Both halves tell them apart.
        let halves = |bytes: &[u8]| {
            let (first, last) = (key(bytes), key(bytes));
            (first[..8].to_vec(), last[8..].to_vec())
        };
        let (one, other) = (halves(b"one"), halves(b"other"));
        assert!(one.0 != other.0 && one.1 != other.1 && one.0 != one.1);
    }
}
