//! JSON string escapes, both ways.

use std::borrow::Cow;

use super::block::{BLOCK, Seen, block_at};
use super::special::first_special;

const HEX: [u8; 16] = *b"0123456789abcdef";

/// An escape in a word, which is written at once however long the escape is.
type Escape = [u8; 8];

/// Appends `text` as the contents of a JSON string literal, without the quotes.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Names and the like need nothing.
    if bytes.len() < BLOCK && first_special(bytes) == bytes.len() {
        return out.extend_from_slice(bytes);
    }
    let mut spelled = Spelled::new();
    let (blocks, rest) = bytes.as_chunks();
    for block in blocks {
        spelled.push_block(out, block, BLOCK);
    }
    let mut spare = [b' '; BLOCK];
    if let Some(block) = block_at(rest, 0, &mut spare) {
        spelled.push_block(out, block, rest.len());
    }
}

/// Appends the shortest escape of one byte that JSON does not allow bare in a string.
pub(crate) fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let (escape, length) = escape_of(byte);
    out.extend_from_slice(escape.get(..length).unwrap_or_default());
}

/// The escape of a byte, and how long it is.
#[inline]
fn escape_of(byte: u8) -> (Escape, usize) {
    let letter = match byte {
        // A quote or a backslash.
        0x20.. => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        other => {
            let high = HEX.get(usize::from(other >> 4)).copied().unwrap_or(b'0');
            let low = HEX.get(usize::from(other & 0xf)).copied().unwrap_or(b'0');
            return ([b'\\', b'u', b'0', b'0', high, low, 0, 0], 6);
        }
    };
    ([b'\\', letter, 0, 0, 0, 0, 0, 0], 2)
}

/// One block at a time in JSON's spelling: in calls' arguments every tenth byte needs an escape, so that what stands
/// between two is copied by a few instructions that do not depend on its length.
struct Spelled {
    /// The block, and room to read a whole piece from each of its bytes on.
    block: [u8; BLOCK + PIECE],
    /// What it is spelled as: escapes only, at worst, and room to write a piece or an escape whole behind them.
    bytes: [u8; BLOCK * LONGEST + PIECE],
    length: usize,
}

/// Bytes that are copied at once.
const PIECE: usize = 16;
/// Bytes of the longest escape.
const LONGEST: usize = 6;

impl Spelled {
    const fn new() -> Self {
        Self {
            block: [0; BLOCK + PIECE],
            bytes: [0; BLOCK * LONGEST + PIECE],
            length: 0,
        }
    }

    /// Appends the first `length` bytes of a block, behind which it has nothing but spaces.
    #[inline]
    fn push_block(&mut self, out: &mut Vec<u8>, block: &[u8; BLOCK], length: usize) {
        let seen = Seen::of(block);
        let mut special = seen.quotes | seen.backslashes | seen.controls;
        if special == 0 {
            return out.extend_from_slice(block.get(..length).unwrap_or_default());
        }
        if let Some(own) = self.block.first_chunk_mut() {
            *own = *block;
        }
        self.length = 0;
        let mut from = 0;
        while special != 0 {
            let at = special.trailing_zeros() as usize;
            self.copy(from, at);
            self.escape(at);
            from = at + 1;
            special &= special - 1;
        }
        self.copy(from, length);
        out.extend_from_slice(self.bytes.get(..self.length).unwrap_or_default());
    }

    /// Copies what stands between two places of the block, and more, which is written over. What is nothing or short, as
    /// most is, takes no other way than what fills a piece: the processor has less to guess.
    #[inline]
    fn copy(&mut self, from: usize, to: usize) {
        let behind = self.length + (to - from);
        let mut at = from;
        loop {
            let piece = self.block.get(at..).and_then(<[u8]>::first_chunk::<PIECE>);
            let place = self.bytes.get_mut(self.length..);
            let place = place.and_then(<[u8]>::first_chunk_mut::<PIECE>);
            if let (Some(piece), Some(place)) = (piece, place) {
                *place = *piece;
            }
            at += PIECE;
            if at >= to {
                break;
            }
            self.length += PIECE;
        }
        self.length = behind;
    }

    #[inline]
    fn escape(&mut self, at: usize) {
        let byte = self.block.get(at).copied().unwrap_or_default();
        let (escape, length) = escape_of(byte);
        let place = self.bytes.get_mut(self.length..);
        if let Some(place) = place.and_then(<[u8]>::first_chunk_mut) {
            *place = escape;
        }
        self.length += length;
    }
}

/// The length of the escape that begins at `at` with its backslash; `None` if JSON does not know it.
///
/// Branches, not a table of lengths: the processor then guesses where the text goes on instead of waiting for the letter.
#[inline]
pub(super) fn escape_length(bytes: &[u8], at: usize) -> Option<usize> {
    const SIMPLE: [u8; 8] = *b"\"\\/bfnrt";
    /// A bit for each of the letters from `from` on.
    const fn bits(from: u8) -> u64 {
        let mut bits = 0;
        let mut rest: &[u8] = &SIMPLE;
        while let [letter, behind @ ..] = rest {
            if *letter >= from && *letter < from + 64 {
                bits |= 1 << (*letter - from);
            }
            rest = behind;
        }
        bits
    }
    const LOW: u64 = bits(0);
    const HIGH: u64 = bits(64);
    let letter = *bytes.get(at + 1)?;
    let letters = if letter < 64 { LOW } else { HIGH };
    if letter < 128 && letters >> (letter % 64) & 1 == 1 {
        return Some(2);
    }
    (letter == b'u' && is_unicode_escape(bytes, at + 1)).then_some(6)
}

/// Whether the four letters behind the `u` at `at` are digits.
#[inline]
pub(super) fn is_unicode_escape(bytes: &[u8], at: usize) -> bool {
    let digits = bytes.get(at + 1..at + 5);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Undoes the escapes of a JSON string's contents.
///
/// A lone surrogate, which JSON can spell and Unicode cannot, becomes U+FFFD.
pub(crate) fn unescape(escaped: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', escaped.as_bytes()) else {
        return Cow::Borrowed(escaped);
    };
    let mut out = String::with_capacity(escaped.len());
    let (head, mut rest) = escaped.split_at(first);
    out.push_str(head);
    while let Some(after) = rest.strip_prefix('\\') {
        rest = unescape_one(after, &mut out);
        let next = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        let (clean, tail) = rest.split_at(next);
        out.push_str(clean);
        rest = tail;
    }
    Cow::Owned(out)
}

/// Whether the contents of a JSON string mean nothing but white space. Looks no further than it must.
pub(super) fn is_blank(escaped: &str) -> bool {
    let mut rest = escaped.trim_start();
    let mut meant = String::new();
    while let Some(after) = rest.strip_prefix('\\') {
        meant.clear();
        rest = unescape_one(after, &mut meant).trim_start();
        if !meant.trim_start().is_empty() {
            return false;
        }
    }
    rest.is_empty()
}

/// Reads one escape after its backslash; returns what follows it.
fn unescape_one<'a>(after: &'a str, out: &mut String) -> &'a str {
    let mut chars = after.chars();
    match chars.next() {
        Some('n') => out.push('\n'),
        Some('r') => out.push('\r'),
        Some('t') => out.push('\t'),
        Some('b') => out.push('\u{8}'),
        Some('f') => out.push('\u{c}'),
        Some('u') => return unescape_unicode(chars.as_str(), out),
        Some(literal) => out.push(literal),
        None => {}
    }
    chars.as_str()
}

fn unescape_unicode<'a>(digits: &'a str, out: &mut String) -> &'a str {
    let (Some(unit), Some(rest)) = (hex4(digits), digits.get(4..)) else {
        out.push(char::REPLACEMENT_CHARACTER);
        return "";
    };
    if let Some(scalar) = char::from_u32(unit) {
        out.push(scalar);
        return rest;
    }
    if (0xd800..0xdc00).contains(&unit)
        && let Some(tail) = rest.strip_prefix("\\u")
        && let (Some(low), Some(after)) = (hex4(tail), tail.get(4..))
        && (0xdc00..0xe000).contains(&low)
        && let Some(scalar) = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
    {
        out.push(scalar);
        return after;
    }
    out.push(char::REPLACEMENT_CHARACTER);
    rest
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        push_escaped(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_only_what_json_demands() {
        let cases = [
            ("", ""),
            ("plain é 😀", "plain é 😀"),
            ("a\"b\\c", "a\\\"b\\\\c"),
            ("\n\r\t\u{8}\u{c}", "\\n\\r\\t\\b\\f"),
            ("\u{0}\u{1f}", "\\u0000\\u001f"),
        ];
        for (plain, json) in cases {
            for times in [1, 7, 64, 129] {
                let (plain, json) = (plain.repeat(times), json.repeat(times));
                assert_eq!(escaped(&plain), json);
                assert_eq!(unescape(&json), plain);
            }
        }
    }

    #[test]
    fn every_byte_is_spelled_at_every_place_of_a_block() {
        for special in (0..0x20).chain([b'"', b'\\', b' ', 0x7f]).map(char::from) {
            let json = serde_json::to_string(&special).unwrap();
            let json = json.trim_matches('"').to_owned();
            let json = if special == '"' { "\\\"" } else { &json };
            for length in [1, 15, 16, 17, 63, 64, 65, 127, 128, 130, 200] {
                assert_eq!(
                    escaped(&special.to_string().repeat(length)),
                    json.repeat(length)
                );
                for at in 0..length {
                    let (before, behind) = ("a".repeat(at), "é".repeat(length - at - 1));
                    let plain = format!("{before}{special}{behind}");
                    assert_eq!(escaped(&plain), format!("{before}{json}{behind}"));
                }
            }
        }
    }

    #[test]
    fn escapes_are_the_nine_that_json_knows() {
        for letter in 0..=u8::MAX {
            let expected = b"\"\\/bfnrt".contains(&letter).then_some(2);
            assert_eq!(
                escape_length(&[b' ', b'\\', letter], 1),
                expected,
                "{letter}"
            );
        }
        for (escape, expected) in [
            (&b"\\u00eF"[..], Some(6)),
            (b"\\u00eg", None),
            (b"\\u00e", None),
            (b"\\x00ef", None),
            (b"\\", None),
        ] {
            assert_eq!(escape_length(escape, 0), expected);
        }
    }

    #[test]
    fn blank_is_what_unescapes_to_white_space() {
        for escaped in [
            "",
            " ",
            "\\n",
            " \\t\\u0020 ",
            "\\u00a0",
            "a",
            " \\n a",
            "\\n\\\\",
            "\\u0041",
            "\\n\\ud83d\\ude00",
        ] {
            assert_eq!(
                is_blank(escaped),
                unescape(escaped).trim().is_empty(),
                "{escaped}"
            );
        }
    }

    #[test]
    fn unescapes_every_spelling() {
        let cases = [
            ("\\/", "/"),
            ("\\u00e9", "é"),
            ("\\uD83D\\uDE00", "😀"),
            ("\\ud83d", "\u{fffd}"),
            ("\\ud83dx", "\u{fffd}x"),
            ("\\ude00\\ud83d", "\u{fffd}\u{fffd}"),
            ("\\ud83d\\u0041", "\u{fffd}A"),
        ];
        for (json, plain) in cases {
            assert_eq!(unescape(json), plain, "{json}");
        }
    }
}
