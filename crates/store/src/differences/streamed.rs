//! A body that came in pieces, as it waits for the record.

use bytes::Bytes;

use crate::record::Arrival;

use super::arrivals;
use super::coder::StreamCoder;
use super::copies;

/// A body that came in pieces, as the differences between its events, and when each piece came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Streamed {
    /// Of all parts.
    pub(super) own: Bytes,
    /// Of all parts.
    pub(super) copies: Vec<u8>,
    pub(super) parts: Vec<PartEnd>,
    /// In bytes, as it came.
    pub(super) length: usize,
    pub(super) arrivals: Vec<u8>,
}

/// Where a part ends: in own bytes, in copies, and in the stream. No copy reaches over it, and an event begins behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PartEnd {
    pub own: usize,
    pub copies: usize,
    pub length: usize,
    /// How many own bytes stand behind its last copy.
    pub since: usize,
}

/// A part of a stream, which can be read by itself.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    pub own: Bytes,
    /// None where the own bytes are all there is; those may be many.
    pub copies: &'a [u8],
    /// In bytes, as it came.
    pub length: usize,
    /// How many own bytes stand behind the last copy.
    pub since: usize,
}

impl Streamed {
    /// A stream that came in these pieces, each so many microseconds after the exchange was accepted.
    pub fn of<'a>(pieces: impl IntoIterator<Item = (&'a [u8], u64)>) -> Self {
        let mut coder = StreamCoder::default();
        for (piece, at_us) in pieces {
            coder.push(piece, at_us);
        }
        coder.finish()
    }

    /// Length in bytes, as it came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What came, in one piece.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        if self.copies.is_empty() {
            return self.own.clone();
        }
        let mut bytes = Vec::with_capacity(self.length);
        for part in self.parts() {
            let decoded = copies::decode(&part.own, part.copies, part.length);
            debug_assert!(decoded.is_some());
            bytes.extend(decoded.unwrap_or_default());
        }
        bytes.into()
    }

    /// When the pieces came, in order.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        arrivals::decode(&self.arrivals).collect()
    }

    /// When the first piece came.
    #[must_use]
    pub fn first(&self) -> Option<Arrival> {
        arrivals::decode(&self.arrivals).next()
    }

    /// The arrivals, as they are stored.
    pub(crate) fn arrivals_stored(&self) -> [&[u8]; 2] {
        arrivals::stored(&self.arrivals)
    }

    /// Bytes that begin as it does, if not all of them.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.own
    }

    /// Whether both are the same bytes, whenever they came, and in whatever pieces.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.length == other.length
            && (self.own == other.own && self.copies == other.copies
                || self.bytes() == other.bytes())
    }

    /// What it is made of, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut begin = PartEnd::default();
        self.parts.iter().map(move |end| {
            let part = Part {
                own: self.own.slice(begin.own..end.own),
                copies: (self.copies)
                    .get(begin.copies..end.copies)
                    .unwrap_or_default(),
                length: end.length - begin.length,
                since: end.since,
            };
            begin = *end;
            part
        })
    }

    /// What it weighs in memory.
    pub(crate) fn weight(&self) -> usize {
        self.own.len() + self.copies.len() + self.arrivals.len()
    }
}
