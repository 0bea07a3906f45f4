//! Encodes a request for a Responses upstream, whatever wire it came in on.
//!
//! Total: what the wire has no place for becomes a loss. Byte-stable: an item's bytes depend on nothing behind it, so that
//! the upstream's prompt cache holds from one request of a session to the next. What came in on this wire and was not
//! changed is copied, in the member order of Codex. What came from another wire is never stored at the provider, and
//! asks for sealed reasoning instead, so that it can be handed back.

mod content;
mod conversation;
mod items;
mod params;
mod rest;
mod results;
mod thinking;
mod tools;
mod whole;

use std::borrow::Cow;
use std::collections::HashSet;

use crate::json::Writer;
use crate::turn::{Block, Losses, ToolInput, ToolUse, Turn, room};
use crate::{Decoded, Encoded, UpstreamContext, Wire};

/// Encodes a request. `has_breakpoints`: the host takes cache hints on parts (`prompt_cache_breakpoint`).
#[must_use]
pub fn encode_request(
    decoded: &Decoded,
    upstream: &UpstreamContext<'_>,
    has_breakpoints: bool,
) -> Encoded {
    let mut out = Out {
        w: Writer::with_capacity(room(&decoded.turn)),
        losses: Losses::default(),
        decoded,
        upstream,
        has_breakpoints,
        freeform_calls: freeform_calls(&decoded.turn),
    };
    out.w.begin_object();
    out.w.key("model").str(upstream.model);
    if decoded.params.stream {
        out.w.key("stream").bool(true);
    }
    out.instructions();
    out.w.key("input").begin_array();
    out.system_items();
    out.conversation();
    out.w.end_array();
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
    has_breakpoints: bool,
    /// Ids of the calls that took free text: their results are of another type.
    freeform_calls: HashSet<Cow<'a, str>>,
}

impl Out<'_> {
    /// Whether the client speaks this wire too: then what it said is not repaired, and its own members go out again.
    fn is_same_wire(&self) -> bool {
        self.decoded.turn.origin == Wire::Responses
    }
}

fn freeform_calls(turn: &Turn) -> HashSet<Cow<'_, str>> {
    let blocks = turn.messages.iter().flat_map(|message| &message.blocks);
    blocks
        .filter_map(|block| match &**block {
            Block::ToolUse(ToolUse {
                id,
                input: ToolInput::Freeform(_),
                ..
            }) => Some(id.decode()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
