//! Lane 2 with one wire on both sides: what nothing on the route changed stays as it is, to the byte.

use bytes::Bytes;
use lingate_wire::bridge;
use lingate_wire::turn::Failure;
use lingate_wire::{UpstreamContext, Wire, chat};

use super::passthrough::spliced;
use crate::exchange::asked::Asked;
use crate::relay::echo::Echo;

/// The received body under the upstream's name for the model, if what was `encoded` is what the request would have been
/// encoded as untouched. A body with seals of ours never goes on.
pub(crate) fn untouched(
    asked: &Asked,
    wire: Wire,
    encoded: &[u8],
    upstream: &UpstreamContext<'_>,
) -> Result<Option<Bytes>, Failure> {
    if asked.wire != wire || asked.has_seal {
        return Ok(None);
    }
    // Not the copy that routing may have looked at: clients' bodies are decoded quicker than compared member by member.
    let plain =
        bridge::encode_request(wire, &asked.decode()?, upstream, &chat::Dialect::default())?;
    Ok((plain.body == encoded).then(|| spliced(asked, upstream.model).whole()))
}

/// What tells whether the reply is untouched. `is_untouched`: the request was.
pub(crate) fn echo(asked: &Asked, is_untouched: bool) -> Echo {
    let asks_usage = is_untouched || asked.options.sends_usage || !asked.peek.stream;
    let echo = Echo::new(asked.wire, asked.peek.model.clone());
    if asked.wire == Wire::Chat && !asks_usage {
        // We asked for it, and clients that did not take its chunk for a broken one.
        return echo.without_usage();
    }
    echo
}
