//! A whole reply, as the events of a stream, so that one chain serves both.

use bytestring::ByteString;

use super::{error, opaque, reply_block, stop, usage};
use crate::json::{Kind, Value, scan_reply};
use crate::turn::{Event, Failure, FailureKind, Slot, Start};

/// Reads the body of a reply with a success status.
///
/// # Errors
/// The body tells of an error after all, is not JSON (a proxy's page), or has no content.
pub fn decode_response(body: &ByteString) -> Result<Vec<Event>, Failure> {
    let doc = scan_reply(body, opaque::MEMBERS)
        .map_err(|error| malformed(format!("the upstream's reply is not a message: {error}")))?;
    let message = doc.root();
    if tells_of_error(message) {
        return Err(error::failure_in(message, None));
    }
    let content = message
        .get("content")
        .filter(|content| content.kind() == Kind::Array)
        .ok_or_else(|| {
            malformed("the upstream's reply is not a message: it has no `content` array")
        })?;
    let usage = message.get("usage").map(usage::read).unwrap_or_default();
    let mut events = vec![Event::Start(Start {
        id: message.get("id").and_then(Value::text),
        model: message.get("model").and_then(Value::text),
        usage,
    })];
    for (slot, block) in (0..).map(Slot).zip(content.items()) {
        let (opening, deltas) = reply_block::read(block);
        events.push(Event::Open {
            slot,
            block: opening,
        });
        events.extend(deltas.into_iter().map(|delta| Event::Delta { slot, delta }));
        events.push(Event::Close { slot });
    }
    events.push(Event::Usage(usage));
    events.extend(stop::read(message).map(Event::Stop));
    events.push(Event::Done);
    Ok(events)
}

fn tells_of_error(message: Value<'_>) -> bool {
    let failed_status = message
        .get("base_resp")
        .and_then(|base| base.get("status_code"))
        .is_some_and(|code| code.u64() != Some(0));
    let error = message.get("error").is_some_and(error::is_said);
    error || failed_status || message.get("type").is_some_and(|kind| kind.is_str("error"))
}

fn malformed(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Malformed, message)
}
