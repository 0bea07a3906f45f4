//! Where a value stands in the client's document, spelled only if somebody needs to say it.

use std::fmt;

/// A path such as `messages[3].content[1].source`, as a chain on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    parent: Option<&'p Self>,
    name: &'static str,
    index: Option<usize>,
}

impl<'p> Place<'p> {
    /// A member of the document, or an item of it.
    pub(crate) const fn root(name: &'static str, index: Option<usize>) -> Self {
        Self {
            parent: None,
            name,
            index,
        }
    }

    /// A member of this place, or an item of it.
    pub(crate) const fn below(&'p self, name: &'static str, index: Option<usize>) -> Self {
        Self {
            parent: Some(self),
            name,
            index,
        }
    }

    /// The path of a member whose name came with the document.
    pub(crate) fn member(&self, key: &str) -> String {
        format!("{self}.{key}")
    }
}

impl From<&Place<'_>> for String {
    fn from(place: &Place<'_>) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}
