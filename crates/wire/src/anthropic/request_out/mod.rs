//! A turn and its parameters as a request.
//!
//! What came from this wire and was not changed goes out as it came, in the member order of Claude Code, so that an
//! untouched body of Claude Code's is encoded to the same bytes. What came from another wire is brought into the order
//! this API demands: roles alternate, every call is answered by the next message, results stand first in it.

mod block;
mod conversation;
mod fit;
mod foreign;
mod param;
mod tool;

use crate::Wire;
use crate::codec::{Decoded, Encoded, UpstreamContext};
use crate::json::Writer;
use crate::turn::{Losses, room};

/// Encodes a request. Total: what the wire cannot say is left out and noted.
#[must_use]
pub fn encode_request(decoded: &Decoded, upstream: &UpstreamContext<'_>) -> Encoded {
    let Decoded { turn, params } = decoded;
    let mut encoder = Encoder {
        json: Writer::with_capacity(room(turn)),
        losses: Losses::default(),
        upstream,
        is_own: turn.origin == Wire::Anthropic,
    };
    encoder.json.begin_object();
    encoder.json.key("model").str(upstream.model);
    let has_lost_thinking = encoder.messages(&turn.messages);
    encoder.system(&turn.system, params);
    encoder.tools(&turn.tools);
    encoder.params(turn, params, has_lost_thinking);
    encoder.json.end_object();
    Encoded {
        body: encoder.json.into_bytes(),
        losses: encoder.losses,
    }
}

/// What every part of the encoder writes to.
struct Encoder<'u> {
    json: Writer,
    losses: Losses,
    upstream: &'u UpstreamContext<'u>,
    /// The request came in on this wire.
    is_own: bool,
}
