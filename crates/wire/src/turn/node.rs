//! A part of a turn that remembers how it was spelled.

use std::ops::Deref;

use bytestring::ByteString;

use crate::Wire;

/// A decoded value and, as long as nobody changed it, the bytes it came from.
///
/// An encoder of the same wire copies those bytes, so what no stage touched goes out exactly as it came in.
/// [`Node::edit`] is the only way to change the value, and forgets the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<T> {
    value: T,
    origin: Option<(Wire, ByteString)>,
}

impl<T> Node<T> {
    /// A value that came from no wire.
    pub const fn new(value: T) -> Self {
        Self {
            value,
            origin: None,
        }
    }

    /// A value decoded from `raw` on `wire`.
    pub const fn received(value: T, wire: Wire, raw: ByteString) -> Self {
        Self {
            value,
            origin: Some((wire, raw)),
        }
    }

    /// The bytes it came from, if it is unchanged and came from `wire`.
    pub fn raw(&self, wire: Wire) -> Option<&ByteString> {
        self.origin
            .as_ref()
            .filter(|(origin, _)| *origin == wire)
            .map(|(_, raw)| raw)
    }

    /// The value, to be changed.
    pub fn edit(&mut self) -> &mut T {
        self.origin = None;
        &mut self.value
    }

    /// Lets the value be changed in what it does not mean: it still is what it was received as.
    pub(super) fn settle(&mut self, change: impl FnOnce(&mut T)) {
        change(&mut self.value);
    }

    /// The value without its origin.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Node<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for Node<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}
