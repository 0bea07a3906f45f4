//! The wires: bytes to wire formats to the hub and back, as pure functions and state machines.
//!
//! Nothing here does IO, reads a clock, draws a random number or spawns a task.

pub mod bridge;
mod codec;
mod overflow;
mod raw_usage;
mod repeat;
mod tool_choice;
mod wire;

pub mod anthropic;
pub mod chat;
pub mod gemini;
pub mod json;
pub mod responses;
pub mod rounds;
pub mod splice;
pub mod sse;
pub mod stage;
pub mod turn;

pub use codec::{Decoded, Encoded, Known, Peek, ReplyContext, StreamEncoder, UpstreamContext};
pub use overflow::room_for_output;
pub use raw_usage::{joined_usage, raw_usage};
pub use wire::{UnknownWire, Wire};
