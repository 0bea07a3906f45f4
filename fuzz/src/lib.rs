//! What must hold for any bytes at all: one module a target.
//!
//! Every `check` panics with a message where the promise is broken. They are plain functions, so that a finding can be
//! replayed without a fuzzer: `cargo xtask fuzz TARGET FILE`.

pub mod cut;
pub mod json;
pub mod request;
pub mod splice;
pub mod sse;
pub mod stream;
pub mod text;

use bytestring::ByteString;
use lingate_wire::Wire;
use lingate_wire::stage::{Sink, Stage};
use lingate_wire::turn::Event;

/// The wires that are served: all of them.
pub fn wires() -> [Wire; 4] {
    Wire::ALL
}

/// A wire chosen by a byte of the input.
pub fn chosen(byte: u8) -> Wire {
    let wires = wires();
    wires[usize::from(byte) % wires.len()]
}

/// The input as text, if it is text: what the gateway checks first of all.
pub fn text(input: &[u8]) -> Option<ByteString> {
    std::str::from_utf8(input).ok().map(ByteString::from)
}

/// Whether a stage is asked if it lets an event past before it is given it, as the relay does: that must change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Yes,
    No,
}

/// Hands an event to a stage.
pub(crate) fn hand(
    stage: &mut dyn Stage<In = Event, Out = Event>,
    event: Event,
    behind: &mut Sink<Event>,
    asked: Asked,
) {
    if asked == Asked::Yes && stage.passes(&event) {
        behind.event(event);
    } else {
        stage.on(event, behind);
    }
}
