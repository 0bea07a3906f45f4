//! Lane 1: the client's bytes, but for the model's name.

use lingate_wire::turn::{EmptyReply, Losses, Sequencer};
use lingate_wire::{bridge, splice};

use super::Prepared;
use crate::exchange::asked::Asked;
use crate::exchange::attempt::Attempt;
use crate::record::Telling;
use crate::relay::chain::Chain;
use crate::upstream::payload::Payload;

/// Prepares a passthrough attempt. The chain only observes.
pub(crate) fn prepare(attempt: &Attempt<'_>) -> Prepared {
    let Attempt {
        asked,
        upstream,
        telling,
        ..
    } = *attempt;
    let mut chain = Chain::new(
        bridge::stream_decoder(upstream.wire),
        vec![Box::new(Sequencer::new(EmptyReply::Fault))],
    )
    .observing();
    if telling != Telling::Nothing {
        chain = chain.witnessed(0);
    }
    Prepared {
        body: spliced(asked, &upstream.model),
        chain,
        input_estimate: None,
        hits: Vec::new(),
        changes: Vec::new(),
        losses: Losses::default(),
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
        return body.clone().into();
    };
    splice::model(body, &span, model).into()
}
