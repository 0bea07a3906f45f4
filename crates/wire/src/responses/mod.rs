//! OpenAI Responses, as Codex and the official SDKs speak it.
//!
//! Requests: [`scan_request`], [`peek`], [`decode_request`] for clients; [`encode_request`] for upstreams, and
//! [`depends_on_state`] for those of another wire. Replies: [`StreamIn`] and [`decode_response`] from upstreams,
//! [`StreamOut`] and [`encode_response`] to clients. Failures: [`decode_error`], [`encode_error`], [`is_told_in_stream`].
//! [`models`] is the list of models in Codex's shape. [`grammar`] judges what is emitted.

mod error;
pub mod grammar;
pub mod models;
mod peek;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod state;
mod stream_in;
mod stream_out;
mod usage;

pub use error::{decode_error, encode_error, is_told_in_stream};
pub use peek::{peek, scan_request, scan_request_like};
pub use request_in::decode_request;
pub use request_out::encode_request;
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use state::depends_on_state;
pub use stream_in::StreamIn;
pub use stream_out::StreamOut;
