//! Encodes a request for a Gemini upstream, whatever wire it came in on.
//!
//! Total: what the wire has no place for becomes a loss. What came in on this wire and was not changed is copied, in the
//! member order of Google's own clients. What came from another wire is brought into the order this API demands: the
//! user speaks first, roles alternate, all results of a turn's calls stand in the content behind it, in their order, and
//! the first call of every step has a signature. A content's bytes depend on nothing behind it.

mod contents;
mod media;
mod model;
mod names;
mod params;
mod part;
mod result;
mod schema;
mod tools;

use crate::json::Writer;
use crate::turn::{Losses, room};
use crate::{Decoded, Encoded, UpstreamContext, Wire};

use model::Generation;
pub use names::NameStage;
pub use tools::unservable_tools;

/// Encodes a request. The model and whether to stream go into the path of the request, not into its body.
#[must_use]
pub fn encode_request(decoded: &Decoded, upstream: &UpstreamContext<'_>) -> Encoded {
    let mut out = Out {
        w: Writer::with_capacity(room(&decoded.turn)),
        losses: Losses::default(),
        decoded,
        upstream,
        generation: Generation::of(upstream.model),
    };
    out.w.begin_object();
    out.contents();
    out.system();
    out.tools();
    out.params();
    out.w.end_object();
    Encoded {
        body: out.w.into_bytes(),
        losses: out.losses,
    }
}

/// The request under construction.
struct Out<'a> {
    w: Writer,
    losses: Losses,
    decoded: &'a Decoded,
    upstream: &'a UpstreamContext<'a>,
    generation: Generation,
}

impl Out<'_> {
    /// Whether the client speaks this wire too: then what it said is not repaired, and its own members go out again.
    fn is_own(&self) -> bool {
        self.decoded.turn.origin == Wire::Gemini
    }
}

#[cfg(test)]
mod tests;
