//! What the attempts of an exchange come to.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use lingate_wire::turn::{Event, Failure};

use super::chain::Tally;
use super::live::Live;

/// What an attempt gives.
pub(crate) enum Answer {
    /// A stream with content.
    Live(Box<Live>),
    /// A whole reply.
    Whole(Box<Whole>),
    /// The upstream's own error answer, which a passthrough client gets as it is, and what it means.
    Refused(Box<Whole>, Failure),
}

/// A whole answer, ready for the client.
pub(crate) struct Whole {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: WholeBody,
    pub tally: Tally,
}

/// The body of a whole answer.
pub(crate) enum WholeBody {
    /// As the upstream sent it.
    Verbatim(Bytes),
    /// To be written in the client's wire.
    Events(Vec<Event>),
}

impl Default for WholeBody {
    fn default() -> Self {
        Self::Events(Vec::new())
    }
}
