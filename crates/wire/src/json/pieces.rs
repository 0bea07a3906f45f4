//! The contents of a JSON string that arrives in pieces.

use super::escape::unescape;

/// Undoes the escapes of a string piece by piece, from behind its opening quote on to its closing one.
#[derive(Debug, Clone, Default)]
pub struct StringPieces {
    /// An escape that is not whole yet; with the first half of a surrogate pair, the pair.
    escape: String,
    is_done: bool,
}

impl StringPieces {
    /// Takes the next piece and appends the characters that are known by now to `out`. What follows the closing quote is
    /// passed over.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        for character in piece.chars() {
            if self.is_done {
                return;
            }
            self.character(character, out);
        }
    }

    /// Whether the closing quote has come.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    fn character(&mut self, character: char, out: &mut String) {
        if self.escape.is_empty() {
            match character {
                '"' => self.is_done = true,
                '\\' => self.escape.push('\\'),
                other => out.push(other),
            }
            return;
        }
        // Behind the first half of a pair only the second half belongs to it.
        if self.escape.len() == 6 && character != '\\' || self.escape.len() == 7 && character != 'u'
        {
            let begins_other = self.escape.len() == 7;
            let half: String = self.escape.drain(..6).collect();
            out.push_str(&unescape(&half));
            if begins_other {
                self.escape = "\\".to_owned();
            }
            return self.character(character, out);
        }
        self.escape.push(character);
        if self.is_whole() {
            out.push_str(&unescape(&self.escape));
            self.escape.clear();
        }
    }

    fn is_whole(&self) -> bool {
        match self.escape.as_bytes() {
            [_, b'u', digits @ ..] => match digits.len() {
                4 => !is_first_half(&self.escape),
                length => length >= 10,
            },
            bytes => bytes.len() > 1,
        }
    }
}

/// Whether `\uXXXX` is the first half of a surrogate pair.
fn is_first_half(escape: &str) -> bool {
    escape
        .get(2..6)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .is_some_and(|unit| (0xd800..0xdc00).contains(&unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(contents: &str, expected: &str, is_done: bool) {
        let run = |pieces: &[&str]| {
            let mut string = StringPieces::default();
            let mut out = String::new();
            for piece in pieces {
                string.push(piece, &mut out);
            }
            (out, string.is_done())
        };
        let expected = (expected.to_owned(), is_done);
        assert_eq!(run(&[contents]), expected);
        for (cut, _) in contents.char_indices() {
            let (head, tail) = contents.split_at(cut);
            assert_eq!(run(&[head, tail]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn escapes_are_undone_across_cuts() {
        check(r#"plain é" rest"#, "plain é", true);
        check(r#"\"\\\/\n\t\b\f\r""#, "\"\\/\n\t\u{8}\u{c}\r", true);
        check(r#"\u0041\u00e9\u20ac""#, "Aé€", true);
        check(r#"\ud83d\ude00!""#, "😀!", true);
        check(r#"\ud83dx""#, "\u{fffd}x", true);
        check(r#"\ud83d\n""#, "\u{fffd}\n", true);
        check(r#"\ud83d\u0041""#, "\u{fffd}A", true);
        check(r#"\ud83d""#, "\u{fffd}", true);
        check(r#"\udc00""#, "\u{fffd}", true);
        check("raw\nline\"", "raw\nline", true);
        check("half", "half", false);
        check(r"half\u00", "half", false);
    }
}
