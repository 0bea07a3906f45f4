//! Encodes a whole reply: what a stream of it would end with.

use super::stream_out::StreamOut;
use crate::turn::{Reply, replay};
use crate::{ReplyContext, StreamEncoder};

/// Encodes a reply for a client that did not ask for a stream.
#[must_use]
pub fn encode_response(reply: &Reply, context: &ReplyContext) -> Vec<u8> {
    let mut encoder = StreamOut::new(context.clone());
    let mut stream = Vec::new();
    for event in replay(reply) {
        encoder.event(&event, &mut stream);
        stream.clear();
    }
    encoder.into_response()
}
