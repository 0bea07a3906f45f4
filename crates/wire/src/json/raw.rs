//! A value in its received spelling.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytestring::ByteString;

use super::escape::push_escaped;

/// JSON as it was received, which may know how it is spelled inside of a JSON string: some wires carry arguments so, and
/// what is sent again with every request needs its escapes only once.
#[derive(Clone, Default)]
pub struct Raw {
    json: ByteString,
    quoted: Option<Arc<str>>,
}

impl Raw {
    /// Makes the spelling inside of a string ready for all that are cloned from this one.
    pub(crate) fn quote(&mut self) {
        let mut quoted = Vec::with_capacity(self.json.len() + self.json.len() / 4);
        push_escaped(&mut quoted, &self.json);
        self.quoted = String::from_utf8(quoted).ok().map(Arc::from);
    }

    /// Bytes of memory that the other spelling takes.
    pub(crate) fn quoted_size(&self) -> usize {
        self.quoted.as_ref().map_or(0, |quoted| quoted.len())
    }

    /// Appends the contents of a JSON string that holds this value, without the quotes.
    pub(super) fn push_quoted(&self, out: &mut Vec<u8>) {
        match &self.quoted {
            Some(quoted) => out.extend_from_slice(quoted.as_bytes()),
            None => push_escaped(out, &self.json),
        }
    }
}

impl Deref for Raw {
    type Target = ByteString;

    fn deref(&self) -> &ByteString {
        &self.json
    }
}

impl From<ByteString> for Raw {
    fn from(json: ByteString) -> Self {
        Self { json, quoted: None }
    }
}

impl From<String> for Raw {
    fn from(json: String) -> Self {
        ByteString::from(json).into()
    }
}

impl From<&str> for Raw {
    fn from(json: &str) -> Self {
        ByteString::from(json).into()
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl Eq for Raw {}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.fmt(f)
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Writer;

    #[test]
    fn a_spelling_that_is_ready_is_the_same() {
        for json in ["", "{}", r#"{"a\n":"\"é\\"}"#, "[ \n\t1 ]"] {
            let written = |raw: &Raw| {
                let mut writer = Writer::default();
                writer.quoted(raw);
                String::from_utf8(writer.into_bytes()).unwrap()
            };
            let mut raw = Raw::from(json);
            let plain = written(&raw);
            assert_eq!(plain, serde_json::to_string(json).unwrap());
            assert_eq!(raw.quoted_size(), 0);
            raw.quote();
            assert_eq!(written(&raw.clone()), plain);
            assert_eq!(raw.quoted_size(), plain.len() - 2);
            assert_eq!(
                (&raw, format!("{raw:?}")),
                (&json.into(), format!("{json:?}"))
            );
        }
    }
}
