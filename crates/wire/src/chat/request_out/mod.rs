//! Encodes a request for a Chat upstream, whatever wire it came in on.
//!
//! Total: what the Chat wire or the host's [`Dialect`] has no place for becomes a loss. Byte-stable: a message's bytes
//! depend on nothing behind it, so that the upstream's prompt cache holds from one request of a session to the
//! next; texts, arguments, schemas and numbers go out in the spelling they came in. What came in on this wire and was not
//! changed is copied.

mod assistant;
mod content;
mod media;
mod messages;
mod params;
mod results;
mod server_tool;
mod thinking;
mod tools;

use crate::json::Writer;
use crate::turn::{Losses, room};
use crate::{Decoded, Encoded, UpstreamContext, Wire};

use super::dialect::{CacheSpelling, Dialect};
pub use tools::{Unservable, count_tools, unservable_tools};

/// Encodes a request.
#[must_use]
pub fn encode_request(
    decoded: &Decoded,
    upstream: &UpstreamContext<'_>,
    dialect: &Dialect,
) -> Encoded {
    let mut out = Out {
        w: Writer::with_capacity(room(&decoded.turn)),
        losses: Losses::default(),
        decoded,
        upstream,
        dialect,
    };
    out.w.begin_object();
    out.w.key("model").str(upstream.model);
    out.w.key("messages").begin_array();
    out.system();
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
    dialect: &'a Dialect,
}

impl Out<'_> {
    /// Whether the client speaks this wire too: then what it said is not repaired, and its own members go out again.
    fn is_same_wire(&self) -> bool {
        self.decoded.turn.origin == Wire::Chat
    }

    /// Whether content is a list of parts everywhere: a hint needs one, it moves on with every request, and a text that
    /// is a list in one request and a string in the next is not the same prompt.
    fn keeps_parts(&self) -> bool {
        self.dialect.cache != CacheSpelling::None
    }
}

#[cfg(test)]
mod tests;
