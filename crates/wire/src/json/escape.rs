//! JSON string escapes, both ways.

use std::borrow::Cow;

use super::special::{Marks, first_special};

const HEX: [u8; 16] = *b"0123456789abcdef";

/// Texts of at least so many bytes are looked through in blocks.
const LONG: usize = 128;

/// Appends `text` as the contents of a JSON string literal, without the quotes.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if bytes.len() >= LONG {
        let mut marks = Marks::new(bytes);
        return push_with(out, bytes, |at, _| marks.next(at) - at);
    }
    push_with(out, bytes, |_, rest| first_special(rest));
}

/// `clean` gives the number of bytes, from a place on, before the next special one.
#[inline]
fn push_with(out: &mut Vec<u8>, bytes: &[u8], mut clean: impl FnMut(usize, &[u8]) -> usize) {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = clean(at, rest);
        let (clean, tail) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        out.extend_from_slice(clean);
        let Some(byte) = tail.first() else {
            return;
        };
        push_escape(out, *byte);
        at += length + 1;
    }
}

/// Appends the shortest escape of one byte that JSON does not allow bare in a string.
pub(crate) fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        other => {
            let high = HEX.get(usize::from(other >> 4)).copied().unwrap_or(b'0');
            let low = HEX.get(usize::from(other & 0xf)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
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
            assert_eq!(escaped(plain), json);
            assert_eq!(unescape(json), plain);
            let (plain, json) = (plain.repeat(LONG), json.repeat(LONG));
            assert_eq!(escaped(&plain), json);
            assert_eq!(unescape(&json), plain);
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
