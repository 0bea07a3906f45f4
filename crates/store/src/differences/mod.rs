//! Streams as the differences between their events.
//!
//! An event of a stream has all but a few bytes in its middle in common with the event before. Two texts are compared in a
//! tenth of the time that it takes to look for what repeats, so that is done as they pass, and zstd gets the rest:
//!
//! ```text
//! own bytes | copies
//! ```
//!
//! A copy is a number (LEB128) whose half says how many of the own bytes come first. If it is odd, what the last copy
//! appended follows on them once more: what stands around the text of an event, that is. If it is even, two more numbers
//! say how far back what is repeated begins and how long it is; it may reach into itself. Behind the last copy come the own
//! bytes that are left. Why: `docs/adr/0018-streams-as-differences.md`.

mod arrivals;
mod coder;
mod copies;
mod streamed;

pub(crate) use arrivals::decode_stored as decode_arrivals;
#[cfg(test)]
pub(crate) use coder::SHORT;
pub use coder::StreamCoder;
pub(crate) use copies::{decode, moved};
pub(crate) use streamed::Part;
pub use streamed::Streamed;
