//! The wires: bytes to wire formats to the hub and back, as pure functions and state machines.
//!
//! Nothing here does IO, reads a clock, draws a random number or spawns a task.

mod wire;

pub use wire::{UnknownWire, Wire};
