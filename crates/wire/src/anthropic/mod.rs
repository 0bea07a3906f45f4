//! Anthropic Messages: `POST /v1/messages`, the wire of Claude Code.
//!
//! Requests, replies, streams and errors, each in and out, as pure functions between bytes and the hub. Both API versions
//! (2023-06-01 and 2026-10-21) have one body format; what differs is which parameters a provider refuses.

mod error;
pub mod grammar;
mod opaque;
mod peek;
mod reply_block;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod stop;
mod stream_in;
mod stream_out;
mod thread;
mod usage;

pub use error::{decode_error, encode_error};
pub use peek::{peek, scan_request, scan_request_like};
pub use request_in::{decode_request, decode_request_like};
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::StreamIn;
pub use stream_out::StreamOut;
pub use thread::{encode_thread_unsupported, has_thread};
