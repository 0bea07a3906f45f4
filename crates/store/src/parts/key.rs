//! By what a part is known.

/// 128 bits of a cryptographic hash: nobody makes two parts that share one.
pub(crate) type Key = [u8; 16];

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
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}
