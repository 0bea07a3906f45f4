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
