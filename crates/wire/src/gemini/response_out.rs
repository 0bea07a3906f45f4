//! Encodes a whole reply.

use super::chunk::{self, Finished};
use super::reply_part::{ReplyPart, ReplyParts};
use crate::ReplyContext;
use crate::json::{Text, Writer};
use crate::turn::{Reply, replay};

/// Encodes a reply for a client that did not ask for a stream: what the pieces of a stream add up to. `shows_thoughts`: the
/// client asked for them (`includeThoughts`).
#[must_use]
pub fn encode_response(reply: &Reply, context: &ReplyContext, shows_thoughts: bool) -> Vec<u8> {
    let mut machine = ReplyParts::new(shows_thoughts);
    let mut parts: Vec<ReplyPart> = Vec::new();
    for event in replay(reply) {
        if let Some(part) = machine.on(&event) {
            push(&mut parts, part);
        }
    }
    match machine.last() {
        ReplyPart::Text(_, None) if !parts.is_empty() => {}
        last => push(&mut parts, last),
    }
    let mut json = Writer::default();
    let end = Finished {
        stop: reply.stop.as_ref(),
        usage: &reply.usage,
    };
    chunk::write(context, &parts, Some(&end), &mut json);
    json.into_bytes()
}

/// Appends a part. A token that came behind its text moves to it.
fn push(parts: &mut Vec<ReplyPart>, part: ReplyPart) {
    match (parts.last_mut(), &part) {
        (Some(ReplyPart::Text(_, token @ None)), ReplyPart::Text(text, Some(new)))
            if text.is_empty() =>
        {
            *token = Some(Text::clone(new));
        }
        _ => parts.push(part),
    }
}
