//! A string as it stood on a wire: shared bytes, unescaped only when somebody looks inside.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytestring::ByteString;

use super::escape::{is_blank, push_escaped, unescape};

/// A text that may still be in its JSON spelling.
///
/// Cheap to clone and to slice off a received body. Two texts are equal when they mean the same characters,
/// however they are spelled.
#[derive(Clone)]
pub struct Text {
    body: ByteString,
    spelling: Spelling,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// Came out of a JSON string without a backslash: the same bytes in JSON and outside.
    Bare,
    /// The contents of a JSON string, with escapes in it.
    Escaped,
    /// Characters; may need escapes in JSON.
    Plain,
}

impl Text {
    /// An ordinary string.
    #[must_use]
    pub fn plain(text: impl Into<ByteString>) -> Self {
        Self {
            body: text.into(),
            spelling: Spelling::Plain,
        }
    }

    /// A constant.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self {
            body: ByteString::from_static(text),
            spelling: Spelling::Plain,
        }
    }

    /// The contents of a valid JSON string literal, as the scanner cut them out.
    pub(super) fn from_json(contents: ByteString, has_escapes: bool) -> Self {
        let spelling = if has_escapes {
            Spelling::Escaped
        } else {
            Spelling::Bare
        };
        Self {
            body: contents,
            spelling,
        }
    }

    /// Where it stands in a document of which it is a slice, in the document's spelling.
    pub(super) fn span_in(&self, document: &ByteString) -> Option<Range<usize>> {
        let offset = |text: &ByteString| text.as_ptr().addr();
        let start = offset(&self.body).checked_sub(offset(document))?;
        let span = start..start + self.body.len();
        let is_slice = self.spelling != Spelling::Plain && span.end <= document.len();
        is_slice.then_some(span)
    }

    /// The characters.
    #[must_use]
    pub fn decode(&self) -> Cow<'_, str> {
        match self.spelling {
            Spelling::Escaped => unescape(&self.body),
            Spelling::Bare | Spelling::Plain => Cow::Borrowed(&self.body),
        }
    }

    /// The characters as a shared string; copies only if there are escapes to undo.
    #[must_use]
    pub fn to_plain(&self) -> ByteString {
        match self.decode() {
            Cow::Borrowed(_) => self.body.clone(),
            Cow::Owned(text) => text.into(),
        }
    }

    /// The same without escapes; shares its bytes if it has none.
    #[must_use]
    pub fn unescaped(&self) -> Self {
        match self.decode() {
            Cow::Borrowed(_) => self.clone(),
            Cow::Owned(text) => Self::plain(text),
        }
    }

    /// Whether there is no character in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Whether there is nothing but white space in it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self.spelling {
            Spelling::Escaped => is_blank(&self.body),
            Spelling::Bare | Spelling::Plain => self.body.trim_start().is_empty(),
        }
    }

    /// Whether it begins with these characters. Looks no further than it must.
    #[must_use]
    pub fn starts_with(&self, beginning: &str) -> bool {
        let body = self.body.as_bytes();
        let head = body.get(..beginning.len()).unwrap_or(body);
        if self.spelling == Spelling::Escaped && head.contains(&b'\\') {
            return unescape(&self.body).starts_with(beginning);
        }
        head == beginning.as_bytes()
    }

    /// Bytes as received, escapes included: a size for estimates, not a length in characters.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.body.len()
    }

    /// As it is kept, in characters or in JSON's spelling. Where there is no backslash in it, these are its characters.
    #[must_use]
    pub fn as_kept(&self) -> &str {
        &self.body
    }

    /// Appends the contents of a JSON string literal that means this text, without the quotes.
    pub fn push_json(&self, out: &mut Vec<u8>) {
        match self.spelling {
            Spelling::Bare | Spelling::Escaped => out.extend_from_slice(self.body.as_bytes()),
            Spelling::Plain => push_escaped(out, &self.body),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::from_static("")
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl From<ByteString> for Text {
    fn from(text: ByteString) -> Self {
        Self::plain(text)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.decode() == other.decode()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.decode() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.decode() == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.decode(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_found_in_every_spelling() {
        let check = |json: &'static str, beginning: &str, expected: bool| {
            let has_escapes = json.contains('\\');
            let text = Text::from_json(ByteString::from_static(json), has_escapes);
            assert_eq!(text.starts_with(beginning), expected, "{json}");
            let plain = Text::plain(text.to_plain());
            assert_eq!(plain.starts_with(beginning), expected, "{plain}");
        };
        for (json, beginning, expected) in [
            ("x-a: b", "x-a:", true),
            ("x-a:", "x-a:", true),
            ("x-a", "x-a:", false),
            ("", "x", false),
            ("", "", true),
            (r"x-a: \n", "x-a:", true),
            (r"\u0078-a: b", "x-a:", true),
            (r"\u0079-a: b", "x-a:", false),
            (r"a\nb", "a\n", true),
            (r"a\nb", r"a\n", false),
            (r"a\\nb", r"a\n", true),
        ] {
            check(json, beginning, expected);
        }
    }
}
