//! ④ The lanes: what goes to the upstream, and how its reply is read.

pub(crate) mod estimate;
pub(crate) mod merge;
pub(crate) mod passthrough;
pub(crate) mod translate;

use bytes::Bytes;
use lingate_quirk::{Selection, State};

use crate::relay::chain::Chain;

/// An attempt's request, and the machinery for its reply.
pub(crate) struct Prepared {
    /// The body.
    pub body: Bytes,
    pub chain: Chain,
    /// Quirks that changed the request.
    pub hits: Vec<&'static str>,
    /// What could not be carried.
    pub losses: Vec<String>,
    /// For repairs: what the quirks know about this attempt.
    pub repair: Option<(Selection, State)>,
}
