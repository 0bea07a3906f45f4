//! Lane 1: the client's bytes, but for the model's name.

use lingate_wire::turn::{EmptyReply, Sequencer};
use lingate_wire::{bridge, splice};

use super::Prepared;
use crate::exchange::asked::Asked;
use crate::exchange::upstream::Upstream;
use crate::relay::chain::Chain;
use crate::upstream::payload::Payload;

/// Prepares a passthrough attempt. The chain only observes.
pub(crate) fn prepare(asked: &Asked, upstream: &Upstream<'_>) -> Prepared {
    let chain = Chain::new(
        bridge::stream_decoder(upstream.wire),
        vec![Box::new(Sequencer::new(EmptyReply::Fault))],
    )
    .observing();
    Prepared {
        body: spliced(asked, &upstream.model),
        chain,
        input_estimate: None,
        hits: Vec::new(),
        losses: Vec::new(),
        repair: None,
    }
}

/// The received body with the model's name replaced; the very same bytes if it stays.
pub(crate) fn spliced(asked: &Asked, model: &str) -> Payload {
    let body = asked.doc.body();
    let Some(span) = asked
        .peek
        .model_span
        .clone()
        .filter(|_| asked.peek.model != *model)
    else {
        return body.as_bytes().clone().into();
    };
    splice::model(body, &span, model).into()
}
