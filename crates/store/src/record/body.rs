//! The bodies of an exchange.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::differences::Streamed;

/// Whose body it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// What the client sent.
    ClientRequest,
    /// What went to the provider.
    ProviderRequest,
    /// What the provider sent, byte for byte, behind transfer and content encoding.
    ProviderResponse,
    /// What the client got.
    ClientResponse,
}

impl BodyKind {
    /// All of them, in the order of an exchange.
    pub const ALL: [Self; 4] = [
        Self::ClientRequest,
        Self::ProviderRequest,
        Self::ProviderResponse,
        Self::ClientResponse,
    ];

    /// The name used in paths and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientRequest => "client-request",
            Self::ProviderRequest => "provider-request",
            Self::ProviderResponse => "provider-response",
            Self::ClientResponse => "client-response",
        }
    }

    /// The kind of a name; `request` and `response` are the client's.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "request" => Some(Self::ClientRequest),
            "response" => Some(Self::ClientResponse),
            _ => Self::ALL.into_iter().find(|kind| kind.name() == name),
        }
    }
}

/// A body to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Whose it is.
    pub kind: BodyKind,
    /// The attempt it belongs to, from 1; 0 for the client's.
    pub attempt: u16,
    /// What it is.
    pub bytes: BodyBytes,
    /// What is known of it before it is looked at.
    pub alike: Option<Alike>,
}

/// The bytes of a body, as whoever recorded it had them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyBytes {
    /// A body that was there whole. The pieces are shared, not copied; what they are slices of stays in memory until they are
    /// written. It is cut only where no secret reaches over a border, such as around a whole JSON value: a piece that was
    /// not seen before is masked on its own.
    Pieces(Vec<Bytes>),
    /// A body that was kept as it passed.
    Streamed(Streamed),
}

/// What a body has in common with another one, which need not be in the record: of two that have much in common with the
/// same one, that is not compared again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike {
    /// The other one, by a number that no other body of the process has.
    pub to: u64,
    /// How many bytes both begin with.
    pub first: usize,
    /// Length of the last stretch of bytes that both have.
    pub last: usize,
    /// How many bytes follow it.
    pub behind: usize,
    /// Where it ends in the other one.
    pub until: usize,
}

impl Alike {
    /// How many bytes two bodies begin with at least, and what both have, how many bytes before their ends.
    pub(crate) fn between(self, other: Self) -> (usize, usize, usize) {
        if self.to != other.to {
            return (0, 0, 0);
        }
        let is_same_end = self.behind == other.behind && self.until == other.until;
        let last = if is_same_end {
            self.last.min(other.last)
        } else {
            0
        };
        (self.first.min(other.first), last, self.behind)
    }
}

impl Body {
    /// A body that is there in one piece.
    #[must_use]
    pub fn whole(kind: BodyKind, attempt: u16, bytes: impl Into<Bytes>) -> Self {
        Self {
            kind,
            attempt,
            bytes: BodyBytes::Pieces(vec![bytes.into()]),
            alike: None,
        }
    }

    /// A body that was kept as it passed.
    #[must_use]
    pub fn streamed(kind: BodyKind, attempt: u16, streamed: Streamed) -> Self {
        Self {
            kind,
            attempt,
            bytes: BodyBytes::Streamed(streamed),
            alike: None,
        }
    }

    /// What it weighs in memory.
    pub(crate) fn weight(&self) -> usize {
        match &self.bytes {
            BodyBytes::Pieces(pieces) => pieces.iter().map(Bytes::len).sum(),
            BodyBytes::Streamed(streamed) => streamed.weight(),
        }
    }
}

impl BodyBytes {
    /// All of them, in one piece.
    #[must_use]
    pub fn joined(&self) -> Bytes {
        match self {
            Self::Pieces(pieces) => match pieces.as_slice() {
                [only] => only.clone(),
                many => many.concat().into(),
            },
            Self::Streamed(streamed) => streamed.bytes(),
        }
    }

    /// When its pieces came, in order, if it was kept as it passed.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        match self {
            Self::Pieces(_) => Vec::new(),
            Self::Streamed(streamed) => streamed.arrivals(),
        }
    }
}

/// When a part of a stream had come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Arrival {
    /// Where it ends: a byte offset into the body.
    pub end: u64,
    /// Microseconds since the exchange was accepted.
    pub at_us: u64,
}
