//! ④ The lanes: what goes to the upstream, and how its reply is read.

pub(crate) mod allowed;
pub(crate) mod calibration;
pub(crate) mod estimate;
pub(crate) mod merge;
pub(crate) mod passthrough;
pub(crate) mod same_wire;
pub(crate) mod translate;

use std::sync::Arc;

use lingate_quirk::{Change, Selection, State};
use lingate_wire::bridge::Lane;
use lingate_wire::turn::{Failure, Losses};

use crate::exchange::attempt::Attempt;
use crate::relay::chain::Chain;
use crate::tokens::Size;
use crate::upstream::payload::Payload;

/// Prepares an attempt, anew from the client's request.
pub(crate) fn prepare(
    lane: Lane,
    attempt: &Attempt<'_>,
    exchange: &str,
) -> Result<Prepared, Failure> {
    match lane {
        Lane::Passthrough => Ok(passthrough::prepare(attempt)),
        Lane::Translate => translate::prepare(attempt, exchange),
    }
}

/// An attempt's request, and the machinery for its reply.
pub(crate) struct Prepared {
    /// The body.
    pub body: Payload,
    pub chain: Box<Chain>,
    /// Input tokens as estimated, of a request that was decoded.
    pub input_estimate: Option<Size>,
    /// Quirks that changed the request.
    pub hits: Vec<&'static str>,
    /// What they changed, where that is to be told.
    pub changes: Vec<Change>,
    /// What could not be carried.
    pub losses: Losses,
    /// For repairs: what the quirks know about this attempt.
    pub repair: Option<(Arc<Selection>, State)>,
}
