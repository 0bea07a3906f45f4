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

/// The keys of a body's parts, in order, and of the whole.
pub(crate) struct KeyChain {
    previous: Key,
    whole: blake3::Hasher,
}

impl KeyChain {
    pub(crate) fn new() -> Self {
        Self {
            previous: Key::default(),
            whole: blake3::Hasher::new(),
        }
    }

    /// The key of the next part.
    pub(crate) fn next(&mut self, part: &[u8]) -> Key {
        let key = if is_short(part.len()) {
            let mut joined = [0; 16 + SHORT];
            let (before, rest) = joined.split_at_mut(16);
            before.copy_from_slice(&self.previous);
            for (to, from) in rest.iter_mut().zip(part) {
                *to = *from;
            }
            let used = joined.get(..16 + part.len()).unwrap_or_default();
            short(&blake3::hash(used))
        } else {
            short(&blake3::hash(part))
        };
        self.take(key);
        key
    }

    /// The next part has this key: somebody else found it.
    pub(crate) fn take(&mut self, key: Key) {
        self.whole.update(&key);
        self.previous = key;
    }

    /// The key of the last part; zeros before the first.
    pub(crate) fn previous(&self) -> Key {
        self.previous
    }

    /// The key of all parts together.
    pub(crate) fn whole(&self) -> Key {
        short(&self.whole.finalize())
    }
}

fn short(hash: &blake3::Hash) -> Key {
    let mut key = Key::default();
    for (to, from) in key.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    key
}
