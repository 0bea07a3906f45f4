//! Where the bytes stand that a JSON string cannot hold as they are: quotes, backslashes and control characters.
//!
//! Strings are most of every request, and agents' texts are full of escapes, so what counts is how seldom the processor
//! has to guess. [`Ends`] finds where the strings of a document end: it looks at 64 bytes at once, remembers what it saw
//! as one bit a byte, and steps over escapes without looking at each. [`Marks`] finds every special byte of a long text,
//! [`first_special`] the first one of a short text.

use wide::u8x16;

/// Bytes of a block: one for each bit of a word.
const BLOCK: usize = 64;
/// Blocks that are looked at together. What stands in one does not depend on what was found in the one before, so the
/// processor works on several at a time.
const WINDOW: usize = 8;

/// A bit for each byte of a block, the first byte's lowest.
type Bits = u64;

/// Finds special bytes one behind the other.
#[derive(Debug)]
pub(super) struct Marks<'a> {
    bytes: &'a [u8],
    /// Number of the window that `bits` tells of.
    window: usize,
    /// The special bytes of its blocks.
    bits: [Bits; WINDOW],
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
        each_block(self.bytes, window, |nth, block| {
            let seen = Seen::of(block);
            if let Some(bits) = self.bits.get_mut(nth) {
                *bits = seen.quotes | seen.backslashes | seen.controls;
            }
        });
    }
}

/// Finds where strings end. To be asked from the front to the back: whether a byte is escaped depends on what stands
/// before it.
#[derive(Debug)]
pub(super) struct Ends<'a> {
    bytes: &'a [u8],
    /// Number of the window that the bits tell of.
    window: usize,
    /// Quotes that are not escaped, and whatever needs a closer look.
    stops: [Bits; WINDOW],
    backslashes: [Bits; WINDOW],
    /// Whether the first byte behind the window is escaped: the lowest bit.
    carry: Bits,
}

/// Where a string stops, or has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    /// A quote that is not escaped, a control character, a letter behind a backslash that is no simple escape, or the end
    /// of the bytes.
    pub at: usize,
    /// Whether there are backslashes before it.
    pub has_escapes: bool,
}

impl<'a> Ends<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            window: usize::MAX,
            stops: [0; WINDOW],
            backslashes: [0; WINDOW],
            carry: 0,
        }
    }

    /// The first stop from `at` on, which is inside a string and not behind a backslash.
    #[inline]
    pub(super) fn next(&mut self, at: usize) -> Stop {
        let mut at = at;
        let mut backslashes = 0;
        while at < self.bytes.len() {
            let block = at / BLOCK;
            if block / WINDOW != self.window {
                self.look(block / WINDOW);
            }
            let of = |bits: &[Bits; WINDOW]| {
                let bits = bits.get(block % WINDOW).copied().unwrap_or_default();
                bits >> (at % BLOCK)
            };
            let (stops, before) = (of(&self.stops), of(&self.backslashes));
            if stops != 0 {
                // All bits below the lowest of the stops.
                backslashes |= before & (stops - 1) & !stops;
                return Stop {
                    at: at + stops.trailing_zeros() as usize,
                    has_escapes: backslashes != 0,
                };
            }
            backslashes |= before;
            at = (block + 1) * BLOCK;
        }
        Stop {
            at: self.bytes.len(),
            has_escapes: backslashes != 0,
        }
    }

    #[inline(never)]
    fn look(&mut self, window: usize) {
        // Between windows that are not neighbours no string goes on.
        let mut carry = if self.window.wrapping_add(1) == window {
            self.carry
        } else {
            0
        };
        self.window = window;
        each_block(self.bytes, window, |nth, block| {
            let seen = Seen::of(block);
            let (escaped, next) = escaped(seen.backslashes, carry);
            carry = next;
            let odd = escaped & !(seen.quotes | seen.backslashes);
            let odd = if odd == 0 { 0 } else { not_simple(odd, block) };
            let stops = (seen.quotes & !escaped) | seen.controls | odd;
            if let (Some(own), Some(backslashes)) =
                (self.stops.get_mut(nth), self.backslashes.get_mut(nth))
            {
                (*own, *backslashes) = (stops, seen.backslashes);
            }
        });
        self.carry = carry;
    }
}

/// Calls `look` with each block of a window, the last one of the bytes filled up with spaces.
#[inline]
fn each_block(bytes: &[u8], window: usize, mut look: impl FnMut(usize, &[u8; BLOCK])) {
    let bytes = bytes.get(window * WINDOW * BLOCK..).unwrap_or_default();
    let (blocks, tail) = bytes.as_chunks();
    for (nth, block) in blocks.iter().take(WINDOW).enumerate() {
        look(nth, block);
    }
    if blocks.len() < WINDOW {
        let mut last = [b' '; BLOCK];
        for (own, byte) in last.iter_mut().zip(tail) {
            *own = *byte;
        }
        look(blocks.len(), &last);
    }
}

/// What stands in a block.
struct Seen {
    quotes: Bits,
    backslashes: Bits,
    controls: Bits,
}

impl Seen {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let least = u8x16::splat(0x20);
        let mut lowest = least;
        for part in parts(block) {
            lowest = lowest.min(part);
        }
        let has_controls = lowest.simd_ne(least).to_bitmask() != 0;
        Self {
            quotes: equal(block, b'"'),
            backslashes: equal(block, b'\\'),
            controls: if has_controls { controls(block) } else { 0 },
        }
    }
}

#[inline]
fn parts(block: &[u8; BLOCK]) -> impl Iterator<Item = u8x16> {
    let (parts, _) = block.as_chunks();
    parts.iter().map(|part| u8x16::new(*part))
}

/// Where a byte of the block is `byte`.
#[inline]
fn equal(block: &[u8; BLOCK], byte: u8) -> Bits {
    let byte = u8x16::splat(byte);
    bits(parts(block).map(|part| part.simd_eq(byte)))
}

#[cold]
fn controls(block: &[u8; BLOCK]) -> Bits {
    let most = u8x16::splat(0x1f);
    bits(parts(block).map(|part| part.min(most).simd_eq(part)))
}

#[inline]
fn bits(parts: impl Iterator<Item = u8x16>) -> Bits {
    parts.enumerate().fold(0, |bits, (nth, part)| {
        bits | Bits::from(part.to_bitmask()) << (16 * nth)
    })
}

/// Which bytes stand behind a backslash that is not itself escaped; and whether the byte behind the block does. `carry` is
/// that of the block before.
///
/// An escape begins at the first backslash of a row, and at every second one from there. Adding the beginnings to
/// alternating bits carries through each row and leaves its parity behind.
#[inline]
const fn escaped(backslashes: Bits, carry: Bits) -> (Bits, Bits) {
    const ODD: Bits = 0xaaaa_aaaa_aaaa_aaaa;
    if backslashes == 0 {
        return (carry, 0);
    }
    // An escaped backslash begins nothing.
    let begins = backslashes & !carry;
    let ends = (begins << 1 | ODD).wrapping_sub(begins) ^ ODD;
    let escaped = ends ^ (backslashes | carry);
    (escaped, (ends & backslashes) >> (BLOCK - 1))
}

/// Those of the escaped bytes that are not one of the letters of simple escapes.
#[inline]
fn not_simple(escaped: Bits, block: &[u8; BLOCK]) -> Bits {
    let mut rest = escaped & !equal(block, b'n');
    let mut odd = 0;
    while rest != 0 {
        let at = rest.trailing_zeros();
        let byte = block.get(at as usize).copied().unwrap_or_default();
        if !matches!(byte, b'/' | b'b' | b'f' | b'r' | b't') {
            odd |= 1 << at;
        }
        rest &= rest - 1;
    }
    odd
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

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
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

    /// What a reader that goes byte by byte finds from inside a string on.
    fn slow_stop(bytes: &[u8], from: usize) -> Stop {
        let mut at = from;
        let mut has_escapes = false;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' | 0..0x20 => break,
                b'\\' => {
                    has_escapes = true;
                    at += 1;
                    match bytes.get(at) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 1,
                        _ => break,
                    }
                }
                _ => at += 1,
            }
        }
        Stop { at, has_escapes }
    }

    #[test]
    fn ends_are_those_of_a_slow_reader() {
        // Every row of backslashes across every border of blocks and windows, before everything that may follow.
        for border in [BLOCK, 2 * BLOCK, WINDOW * BLOCK, 2 * WINDOW * BLOCK] {
            for n_backslashes in 0..9 {
                for before in 0..10 {
                    for behind in ["\"", "n", "t/\"", "u0041\"", "x\"", "\u{1}", "é\"", ""] {
                        let text = "a".repeat(border - before);
                        let text = text + &"\\".repeat(n_backslashes) + behind;
                        for tail in ["", "bc\\\"\""] {
                            let text = format!("{text}{tail}");
                            let stop = Ends::new(text.as_bytes()).next(0);
                            assert_eq!(stop, slow_stop(text.as_bytes(), 0), "{text}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn ends_are_found_one_behind_the_other() {
        let text = r#""a\nb","","\\","é\"\\\"","\/","#.repeat(70);
        let bytes = text.as_bytes();
        let mut ends = Ends::new(bytes);
        let mut at = 0;
        while at < bytes.len() {
            let stop = ends.next(at + 1);
            assert_eq!(stop, slow_stop(bytes, at + 1), "from {at}");
            at = stop.at + 2;
        }
        // A window that nobody asks for lies between.
        let text = format!("[\"\\\\\",{}\"b\"]", "1,".repeat(WINDOW * BLOCK));
        let mut ends = Ends::new(text.as_bytes());
        assert_eq!(ends.next(2).at, 4);
        assert_eq!(ends.next(text.len() - 3).at, text.len() - 2);
    }
}
