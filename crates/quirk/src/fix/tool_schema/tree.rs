//! A JSON document as a tree that keeps the spelling of every scalar and the order of every member.

use bytestring::ByteString;
use lingate_wire::json::{self, Value, Writer};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    /// An object's members in order.
    Object(Members),
    /// An array's items.
    Array(Vec<Json>),
    /// A scalar as it was spelled.
    Scalar(String),
}

/// An object's members in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Members(Vec<(String, Json)>);

impl Json {
    /// Reads a document. Not one: syntax errors, and member names that occur twice.
    pub(super) fn parse(text: &ByteString) -> Option<Self> {
        json::scan(text).ok().map(|doc| Self::of(doc.root()))
    }

    fn of(value: Value<'_>) -> Self {
        match value.kind() {
            json::Kind::Object => Self::Object(Members(
                value
                    .members()
                    .map(|(name, value)| (name.into_owned(), Self::of(value)))
                    .collect(),
            )),
            json::Kind::Array => Self::Array(value.items().map(Self::of).collect()),
            json::Kind::Null | json::Kind::Bool | json::Kind::Number | json::Kind::String => {
                Self::Scalar(value.raw().to_owned())
            }
        }
    }

    /// The document, without white space.
    pub(super) fn to_text(&self) -> ByteString {
        let mut writer = Writer::default();
        self.write(&mut writer);
        // Made of strings alone, so it is UTF-8.
        ByteString::try_from(writer.into_bytes()).unwrap_or_default()
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Object(members) => {
                writer.begin_object();
                for (name, value) in &members.0 {
                    writer.member(name);
                    value.write(writer);
                }
                writer.end_object();
            }
            Self::Array(items) => {
                writer.begin_array();
                for item in items {
                    item.write(writer);
                }
                writer.end_array();
            }
            Self::Scalar(raw) => {
                writer.raw(raw);
            }
        }
    }

    /// A string that needs no escapes.
    pub(super) fn word(word: &str) -> Self {
        Self::Scalar(format!("\"{word}\""))
    }

    /// A string.
    pub(super) fn text(text: &str) -> Self {
        let mut raw = Writer::default();
        raw.str(text);
        Self::Scalar(String::from_utf8(raw.into_bytes()).unwrap_or_default())
    }

    /// A string's characters.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Self::Scalar(raw) if raw.starts_with('"') => {
                let doc = json::scan(&ByteString::from(raw.as_str())).ok()?;
                doc.root().str().map(std::borrow::Cow::into_owned)
            }
            Self::Scalar(_) | Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// An object's members.
    pub(super) const fn as_members(&self) -> Option<&Members> {
        match self {
            Self::Object(members) => Some(members),
            Self::Array(_) | Self::Scalar(_) => None,
        }
    }

    /// An array's items.
    pub(super) fn as_items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            Self::Object(_) | Self::Scalar(_) => None,
        }
    }

    /// The type that a schema would call it, `integer` for a number without fraction and exponent.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Object(_) => "object",
            Self::Array(_) => "array",
            Self::Scalar(raw) => match raw.as_bytes().first() {
                Some(b'"') => "string",
                Some(b't' | b'f') => "boolean",
                Some(b'n') => "null",
                _ if raw.contains(['.', 'e', 'E']) => "number",
                _ => "integer",
            },
        }
    }

    /// Whether it is `null`.
    pub(super) fn is_null(&self) -> bool {
        self.type_name() == "null"
    }
}

impl Members {
    /// A member's value.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// Whether there is such a member.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a member where it stands, or behind the last.
    pub(super) fn set(&mut self, name: &str, value: Json) {
        match self.0.iter_mut().find(|(found, _)| found == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets a member unless it is there.
    pub(super) fn set_default(&mut self, name: &str, value: impl FnOnce() -> Json) {
        if !self.has(name) {
            self.set(name, value());
        }
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(found, _)| found == name)?;
        Some(self.0.remove(at).1)
    }

    /// Keeps the members for which `is_kept` holds.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&str, &Json) -> bool) {
        self.0.retain(|(name, value)| is_kept(name, value));
    }

    /// The members.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Json)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}
