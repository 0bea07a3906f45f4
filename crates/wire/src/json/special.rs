//! Where the bytes stand that a JSON string cannot hold as they are: quotes, backslashes and control characters.
//!
//! Strings are most of every request, and agents' texts are full of escapes, so what counts is how quickly short
//! stretches are left behind. [`Marks`] is for walking through a whole document: it looks at 64 bytes at once, in loops
//! that the compiler turns into vector instructions, and remembers what it saw as one bit a byte. [`first_special`] is
//! for a single short string.

/// Bytes of a block: one for each bit of a word.
const BLOCK: usize = 64;
/// Blocks that are looked at together. What stands in one does not depend on what was found in the one before, so the
/// processor works on several at a time.
const WINDOW: usize = 8;

/// Finds special bytes one behind the other.
#[derive(Debug)]
pub(super) struct Marks<'a> {
    bytes: &'a [u8],
    /// Number of the window that `bits` tells of.
    window: usize,
    /// A bit for each special byte of a block, the first byte's lowest.
    bits: [u64; WINDOW],
}

impl<'a> Marks<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            window: usize::MAX,
            bits: [0; WINDOW],
        }
    }

    /// Where the first special byte stands from `at` on; the length of the bytes if there is none.
    #[inline]
    pub(super) fn next(&mut self, at: usize) -> usize {
        let mut at = at;
        while at < self.bytes.len() {
            let block = at / BLOCK;
            if block / WINDOW != self.window {
                self.look(block / WINDOW);
            }
            let bits = self.bits.get(block % WINDOW).copied().unwrap_or_default();
            let left = bits >> (at % BLOCK);
            if left != 0 {
                return at + left.trailing_zeros() as usize;
            }
            at = (block + 1) * BLOCK;
        }
        self.bytes.len()
    }

    #[inline(never)]
    fn look(&mut self, window: usize) {
        self.window = window;
        let bytes = self.bytes.get(window * WINDOW * BLOCK..);
        let (blocks, tail) = bytes.unwrap_or_default().as_chunks();
        for (bits, block) in self.bits.iter_mut().zip(blocks) {
            *bits = bits_of(block);
        }
        if let Some(bits) = self.bits.get_mut(blocks.len()) {
            let mut last = [b' '; BLOCK];
            for (own, byte) in last.iter_mut().zip(tail) {
                *own = *byte;
            }
            *bits = bits_of(&last);
        }
    }
}

/// One bit a byte, set where it is special.
#[inline]
fn bits_of(block: &[u8; BLOCK]) -> u64 {
    let mut flags = [0_u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is_special(*byte));
    }
    // Words are packed independently of each other: in a chain each would wait for the one before.
    let (words, _) = flags.as_chunks();
    let mut bits = 0;
    for (nth, word) in words.iter().enumerate() {
        // The product's highest byte has the lowest bit of each of the word's bytes.
        let packed = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= packed << (8 * nth);
    }
    bits
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Where the first special byte stands; the length if there is none.
#[inline]
pub(super) fn first_special(bytes: &[u8]) -> usize {
    let length = bytes.len();
    let (words, rest) = bytes.as_chunks();
    for (nth, word) in words.iter().enumerate() {
        let found = high_bits_of(u64::from_le_bytes(*word));
        if found != 0 {
            return nth * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    if rest.is_empty() {
        return length;
    }
    // The last eight bytes, of which the first have been looked at; of fewer the first four and the last.
    if let Some(word) = bytes.last_chunk() {
        let found = high_bits_of(u64::from_le_bytes(*word));
        return if found == 0 {
            length
        } else {
            length - 8 + (found.trailing_zeros() / 8) as usize
        };
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let word =
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
        let found = high_bits_of(word);
        return match (found.trailing_zeros() / 8) as usize {
            8.. => length,
            at @ 4.. => length + at - 8,
            at => at,
        };
    }
    let special = rest.iter().position(|byte| is_special(*byte));
    special.unwrap_or(length)
}

/// Sets the high bit of the first special byte of eight, and none before it. Above it, it may set some that are not:
/// a borrow goes from a byte that is found to the next.
const fn high_bits_of(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    let quotes = zeros(word ^ (ONES * b'"' as u64));
    let backslashes = zeros(word ^ (ONES * b'\\' as u64));
    (controls | quotes | backslashes) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to look for it.
    #[track_caller]
    fn check(bytes: &[u8], expected: usize) {
        assert_eq!(first_special(bytes), expected, "{}", bytes.escape_ascii());
        let mut marks = Marks::new(bytes);
        assert_eq!(marks.next(0), expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn the_first_special_byte_is_found_at_every_place() {
        for length in (0..40).chain([63, 64, 65, 127, 128, 129, 200]) {
            check(&vec![b'a'; length], length);
            check("é\u{7f}😀 !#[]".repeat(length).as_bytes(), 12 * length);
            for at in 0..length {
                for special in (0..0x20).chain([b'"', b'\\']) {
                    // Neighbours that a borrow between bytes would mistake.
                    for filler in [b'a', 0x20, 0x21, 0x23, 0x5d, 0x7f, 0x80, 0xff] {
                        let mut bytes = vec![filler; length];
                        bytes[at] = special;
                        check(&bytes, at);
                    }
                }
            }
        }
    }

    #[test]
    fn marks_are_found_one_behind_the_other_and_from_anywhere() {
        let text = "\"a\\n\u{1}\"".repeat(50) + &"x".repeat(100) + "\"";
        let special = |byte: &u8| is_special(*byte);
        let bytes = text.as_bytes();
        let mut marks = Marks::new(bytes);
        for at in 0..=bytes.len() {
            let expected = bytes[at..].iter().position(special);
            let expected = expected.map_or(bytes.len(), |found| at + found);
            assert_eq!(marks.next(at), expected, "from {at}");
        }
    }
}
