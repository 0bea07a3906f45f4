//! Where the strings of a document end: their closing quotes, found ahead of the scanner.
//!
//! Strings are most of every request, and agents' texts are full of escapes, so what counts is how seldom the processor
//! has to guess. A window of the document is looked at as a whole, 64 bytes at once, and leaves a short list of closing
//! quotes; the scanner then goes from the quote that begins a string to the one that ends it without a look at what lies
//! between. What a string may not hold (control characters, escapes that JSON does not know) is found on the way and ends
//! the list.

use super::block::{BLOCK, Bits, Seen, WINDOW, block_at, escaped, look_at, not_simple, up_to_each};
use super::escape::is_unicode_escape;

/// The closing quotes of a document, one behind the other.
///
/// It knows strings, not JSON: outside of them it believes what it sees, which holds as long as the scanner, who comes
/// behind it, has found nothing wrong there.
#[derive(Debug)]
pub(super) struct Closings<'a> {
    bytes: &'a [u8],
    /// Those of one window: twice the place in it, and one more if the string has backslashes.
    found: [u16; WINDOW * BLOCK / 2],
    n_found: usize,
    n_taken: usize,
    /// Where the window begins that `found` tells of.
    begin: usize,
    /// Where the next one begins.
    next: usize,
    before: Before,
}

/// What stands before a block decides about it.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    /// Whether the block's first byte is escaped: the lowest bit.
    carry: Bits,
    /// Whether it begins inside a string: all bits or none.
    inside: Bits,
    /// Whether that string has a backslash so far.
    has_backslash: bool,
    /// What no string may hold, and where. Nothing behind it is looked at.
    fault: Option<usize>,
}

/// A quote that ends a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    pub at: usize,
    /// Whether there are backslashes in the string.
    pub has_escapes: bool,
}

impl<'a> Closings<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self::behind(bytes, 0)
    }

    /// Only those behind `at`, which is no place inside of a string.
    pub(super) fn behind(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            found: [0; WINDOW * BLOCK / 2],
            n_found: 0,
            n_taken: 0,
            begin: at,
            next: at,
            before: Before::default(),
        }
    }

    /// The end of the next string; none where that cannot go on.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Closing> {
        while self.n_taken >= self.n_found {
            if !self.look() {
                return None;
            }
        }
        let found = usize::from(*self.found.get(self.n_taken)?);
        self.n_taken += 1;
        Some(Closing {
            at: self.begin + (found >> 1),
            has_escapes: found & 1 == 1,
        })
    }

    /// Where a string cannot go on that has no end: at a control character, at the letter behind a backslash that begins no
    /// escape, or at the end of the document.
    pub(super) fn stop(&self) -> usize {
        self.before.fault.unwrap_or(self.bytes.len())
    }

    /// Looks at the next window; false if there is none.
    #[inline(never)]
    fn look(&mut self) -> bool {
        self.begin = self.next;
        self.next += WINDOW * BLOCK;
        if self.begin >= self.bytes.len() || self.before.fault.is_some() {
            return false;
        }
        let mut before = self.before;
        let mut n_found = 0;
        // First what no block has to wait for, then what one leaves to the next.
        let mut spare = [b' '; BLOCK];
        let mut window = [Seen::NOTHING; WINDOW];
        let n_blocks = look_at(self.bytes, self.begin, &mut window);
        for (nth, seen) in window.iter().take(n_blocks).enumerate() {
            let place = nth * BLOCK;
            let (escaped, carry) = escaped(seen.backslashes, before.carry);
            before.carry = carry;
            let mut quotes = seen.quotes & !escaped;
            let odd = escaped & !(seen.quotes | seen.backslashes);
            let mut faults = 0;
            if odd != 0
                && let Some(block) = block_at(self.bytes, self.begin + place, &mut spare)
            {
                faults = wrong(not_simple(odd, block), self.bytes, self.begin + place);
            }
            // Of the quotes those that begin a string count as inside, and those that end one do not.
            let mut inside = up_to_each(quotes) ^ before.inside;
            faults |= seen.controls & inside;
            if faults != 0 {
                let first = faults.trailing_zeros();
                before.fault = Some(self.begin + place + first as usize);
                quotes &= (1 << first) - 1;
                inside &= (1 << first) - 1;
            }
            before.inside = 0_u64.wrapping_sub(inside >> (BLOCK - 1));
            let mut closings = quotes & !inside;
            let mut backslashes = seen.backslashes;
            while closings != 0 {
                let bit = closings.trailing_zeros();
                let in_front = (1 << bit) - 1;
                before.has_backslash |= backslashes & in_front != 0;
                if let Some(own) = self.found.get_mut(n_found) {
                    *own = place_in_window(place, bit) << 1 | u16::from(before.has_backslash);
                }
                n_found += 1;
                backslashes &= !in_front;
                before.has_backslash = false;
                closings &= closings - 1;
            }
            before.has_backslash |= backslashes != 0;
            if before.fault.is_some() {
                break;
            }
        }
        self.before = before;
        (self.n_found, self.n_taken) = (n_found, 0);
        true
    }
}

/// A place in a window.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a window has a few hundred bytes"
)]
#[inline]
const fn place_in_window(block: usize, bit: u32) -> u16 {
    block as u16 + bit as u16
}

/// Those of the escaped bytes of a block that begin no escape: all but a `u` before four digits.
#[inline]
fn wrong(odd: Bits, bytes: &[u8], block: usize) -> Bits {
    let mut rest = odd;
    let mut wrong = 0;
    while rest != 0 {
        let bit = rest.trailing_zeros();
        let at = block + bit as usize;
        if bytes.get(at) != Some(&b'u') || !is_unicode_escape(bytes, at) {
            wrong |= 1 << bit;
        }
        rest &= rest - 1;
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader that goes byte by byte finds: closing quotes in order, and where it stops.
    fn slow(bytes: &[u8]) -> (Vec<Closing>, usize) {
        let mut found = Vec::new();
        let (mut is_inside, mut has_escapes, mut at) = (false, false, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    if is_inside {
                        found.push(Closing { at, has_escapes });
                    }
                    (is_inside, has_escapes) = (!is_inside, false);
                }
                0..0x20 if is_inside => return (found, at),
                b'\\' => {
                    has_escapes = true;
                    at += 1;
                    match bytes.get(at) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                        Some(b'u') if is_unicode_escape(bytes, at) => {}
                        None => break,
                        Some(_) => return (found, at),
                    }
                }
                _ => {}
            }
            at += 1;
        }
        (found, bytes.len())
    }

    #[track_caller]
    fn check(text: &str) {
        let mut closings = Closings::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(closing) = closings.next() {
            found.push(closing);
        }
        assert_eq!((found, closings.stop()), slow(text.as_bytes()), "{text:?}");
        assert_eq!(closings.next(), None, "it stays at its end");
    }

    #[test]
    fn quotes_are_those_of_a_slow_reader_across_every_border() {
        // Every row of backslashes across every border of blocks and windows, before everything that may follow.
        for border in [BLOCK, 2 * BLOCK, WINDOW * BLOCK, 2 * WINDOW * BLOCK] {
            for n_backslashes in 0..9 {
                for before in 0..10 {
                    for behind in ["\"", "n", "t/\"", "u0041\"", "u00\"", "x\"", "\u{1}", "é\""] {
                        let text = "a".repeat(border - before - 1);
                        let text = format!("\"{text}{}{behind}", "\\".repeat(n_backslashes));
                        check(&text);
                        check(&(text + "bc\\\"\",\n\"d\u{2}\""));
                    }
                }
            }
        }
    }

    #[test]
    fn many_strings_with_and_without_escapes() {
        for text in [
            "",
            "\"",
            "[]",
            r#""a\nb","","\\","é\"\\\"","\/","#,
            "{\n\t\"a\": 1,\n\t\"b\": \"\\u00e9\"\n}\n",
            "\"\"\"\"\"\"\"\"",
        ] {
            for times in [1, 2, 70] {
                check(&text.repeat(times));
            }
            let far = " ".repeat(3 * WINDOW * BLOCK);
            check(&format!("{text}{far}{text}{far}\"{far}\""));
        }
    }

    #[test]
    fn control_characters_matter_inside_of_strings_alone() {
        for at in 0..2 * BLOCK {
            let pad = " ".repeat(at);
            for text in [
                "\n\"a\"\n\"b\n\"",
                "\"a\" \u{0} \"\u{1f}\"",
                "\"\t\"",
                "\"\u{7f}\"",
            ] {
                check(&format!("{pad}{text}"));
            }
        }
    }
}
