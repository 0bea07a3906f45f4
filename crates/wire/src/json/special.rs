//! Where the first byte stands that a JSON string cannot hold as it is: a quote, a backslash or a control character.

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

    #[track_caller]
    fn check(bytes: &[u8], expected: usize) {
        assert_eq!(first_special(bytes), expected, "{}", bytes.escape_ascii());
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
}
