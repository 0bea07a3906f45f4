//! Server-sent events, byte for byte as the WHATWG standard reads them.
//!
//! [`SseParser`] takes a body in whatever pieces it arrives and gives the same [`Frame`]s for every way of cutting it.
//! The writers append events to a buffer; they put the JSON of an event on one line, which every client expects.

mod parse;
mod places;
mod write;

pub use parse::{DEFAULT_MAX_EVENT, Frame, SseError, SseParser};
pub use write::{write_comment, write_data, write_event, write_json};
