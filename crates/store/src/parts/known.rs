//! Which parts the segment being written holds, and where. In memory only, and bounded.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;

use super::key::Key;
use super::manifest::Span;

/// Parts of a generation. Two of them take some 10 MiB at most.
const GENERATION: usize = 65_536;

/// The parts known by their keys: those used lately and those used before that. When the first are too many, they become
/// the second, and what was not used for so long is forgotten. Forgetting costs bytes, never correctness.
#[derive(Default)]
pub(crate) struct Known {
    young: Places,
    old: Places,
}

type Places = HashMap<Key, Span, BuildHasherDefault<Half>>;

/// A key is a hash: half of it is one, too.
#[derive(Default)]
struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, key: &[u8]) {
        self.0 = key.first_chunk().copied().map_or(0, u64::from_le_bytes);
    }

    /// The length of a key, which is always the same.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Known {
    /// Where the part is, if it is known.
    pub(crate) fn find(&mut self, key: &Key) -> Option<Span> {
        if let Some(place) = self.young.get(key) {
            return Some(*place);
        }
        let place = self.old.remove(key)?;
        self.insert(*key, place);
        Some(place)
    }

    /// Remembers where a part was put.
    pub(crate) fn insert(&mut self, key: Key, place: Span) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        (number as u128).to_le_bytes()
    }

    fn place(number: usize) -> Span {
        Span {
            frame: number as u32,
            start: 0,
            length: 1,
        }
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let mut known = Known::default();
        for number in 0..5 * GENERATION {
            known.insert(key(number), place(number));
            assert_eq!(known.find(&key(0)), Some(place(0)), "after {number}");
        }
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
        assert_eq!(known.find(&key(GENERATION)), None);
    }
}
