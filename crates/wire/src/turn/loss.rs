//! What a translation could not carry.

use std::fmt::Display;

/// Something that was left out, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Where it stood in the document that was translated, such as `messages[3].content[1].citations`.
    pub path: String,
}

/// The losses of one translation, in the order they were met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    found: Vec<Loss>,
}

impl Losses {
    /// Notes one.
    pub fn add(&mut self, path: impl Into<String>) {
        self.found.push(Loss { path: path.into() });
    }

    /// Notes one per member.
    pub fn add_members<'a>(
        &mut self,
        path: impl Display,
        members: impl IntoIterator<Item = &'a (bytestring::ByteString, bytestring::ByteString)>,
    ) {
        for (key, _) in members {
            let path = format!("{path}.{key}");
            self.add(path.strip_prefix('.').unwrap_or(&path));
        }
    }

    /// Takes over all of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.found.append(&mut other.found);
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The losses.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.found.iter()
    }
}
