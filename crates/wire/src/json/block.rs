//! A document in blocks of 64 bytes, and what stands in a block as one bit a byte.
//!
//! The bits come out of vector instructions (`wide`); what is asked about many bytes then is arithmetic on one word.

use wide::u8x16;

/// Bytes of a block: one for each bit of a word.
pub(super) const BLOCK: usize = 64;
/// Blocks that are looked at together. What stands in one does not depend on what was found in the one before, so the
/// processor works on several at a time.
pub(super) const WINDOW: usize = 8;

/// A bit for each byte of a block, the first byte's lowest.
pub(super) type Bits = u64;

/// The block that begins at `at`: the last one, filled up with spaces, in `spare`, which holds nothing else. None behind
/// the end.
#[inline]
pub(super) fn block_at<'b>(
    bytes: &'b [u8],
    at: usize,
    spare: &'b mut [u8; BLOCK],
) -> Option<&'b [u8; BLOCK]> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    if let Some(block) = rest.first_chunk() {
        return Some(block);
    }
    spare.fill(b' ');
    spare.get_mut(..rest.len())?.copy_from_slice(rest);
    Some(spare)
}

/// Looks at the blocks of the window that begins at `at`; tells how many there are.
#[inline]
pub(super) fn look_at(bytes: &[u8], at: usize, window: &mut [Seen; WINDOW]) -> usize {
    let (blocks, _) = bytes.get(at..).unwrap_or_default().as_chunks();
    if blocks.len() >= WINDOW {
        for (seen, block) in window.iter_mut().zip(blocks) {
            *seen = Seen::of(block);
        }
        return WINDOW;
    }
    let mut spare = [b' '; BLOCK];
    let mut n_blocks = 0;
    for (nth, seen) in window.iter_mut().enumerate() {
        let Some(block) = block_at(bytes, at + nth * BLOCK, &mut spare) else {
            break;
        };
        *seen = Seen::of(block);
        n_blocks += 1;
    }
    n_blocks
}

/// What stands in a block that a JSON string cannot hold as it is.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub quotes: Bits,
    pub backslashes: Bits,
    pub controls: Bits,
}

impl Seen {
    pub(super) const NOTHING: Self = Self {
        quotes: 0,
        backslashes: 0,
        controls: 0,
    };

    #[inline]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
        let least = u8x16::splat(0x20);
        let mut seen = Self::NOTHING;
        let mut lowest = least;
        for (nth, part) in parts(block).enumerate() {
            seen.quotes |= bits_at(nth, part.simd_eq(quote));
            seen.backslashes |= bits_at(nth, part.simd_eq(backslash));
            lowest = lowest.min(part);
        }
        if lowest.simd_ne(least).to_bitmask() != 0 {
            seen.controls = controls(block);
        }
        seen
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
    parts
        .enumerate()
        .fold(0, |bits, (nth, part)| bits | bits_at(nth, part))
}

/// The bits of the nth part of a block, where they stand in the block's.
#[inline]
fn bits_at(nth: usize, part: u8x16) -> Bits {
    Bits::from(part.to_bitmask()) << (16 * nth)
}

/// Which bytes stand behind a backslash that is not itself escaped; and whether the byte behind the block does. `carry` is
/// that of the block before.
///
/// An escape begins at the first backslash of a row, and at every second one from there. Adding the beginnings to
/// alternating bits carries through each row and leaves its parity behind.
#[inline]
pub(super) const fn escaped(backslashes: Bits, carry: Bits) -> (Bits, Bits) {
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

/// For each bit whether the bits up to it, its own included, are odd in number: for quotes, whether a byte stands inside of
/// a string.
#[inline]
pub(super) const fn up_to_each(bits: Bits) -> Bits {
    let mut odd = bits;
    let mut width = 1;
    while width < BLOCK {
        odd ^= odd << width;
        width *= 2;
    }
    odd
}

/// Those of the escaped bytes that are not one of the letters of simple escapes.
#[inline]
pub(super) fn not_simple(escaped: Bits, block: &[u8; BLOCK]) -> Bits {
    if escaped == 0 {
        return 0;
    }
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
