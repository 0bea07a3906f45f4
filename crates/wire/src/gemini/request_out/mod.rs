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
use crate::turn::{Block, Losses, Message, Node, Turn};
use crate::{Decoded, Encoded, UpstreamContext, Wire};

use model::Generation;
pub use names::NameStage;
pub use tools::unservable_tools;

/// Encodes a request. The model and whether to stream go into the path of the request, not into its body.
#[must_use]
pub fn encode_request(decoded: &Decoded, upstream: &UpstreamContext<'_>) -> Encoded {
    let mut out = Out {
        w: Writer::with_capacity(capacity(&decoded.turn)),
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

/// Room for the body: what came in plus the wire's own words.
fn capacity(turn: &Turn) -> usize {
    let of_message = |message: &Node<Message>| -> usize {
        message.blocks.iter().map(of_block).sum::<usize>() + 64
    };
    turn.messages.iter().map(of_message).sum::<usize>()
        + turn.system.iter().map(of_block).sum::<usize>()
        + (turn.tools.len() << 11)
        + 1024
}

fn of_block(block: &Node<Block>) -> usize {
    64 + match &**block {
        Block::Text { text, .. } => text.wire_len(),
        Block::ToolResult(result) => result.content.iter().map(of_block).sum(),
        _ => 256,
    }
}

#[cfg(test)]
mod tests;
