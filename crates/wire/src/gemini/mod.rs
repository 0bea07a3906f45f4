//! Google Gemini: `generateContent`, `streamGenerateContent` and `countTokens`, the wire of Gemini CLI.
//!
//! The model and whether to stream stand in the path, so that [`peek`] and [`decode_request`] leave them open. Requests:
//! [`scan_request`], [`peek`], [`decode_request`] for clients, [`encode_request`] and [`NameStage`] for upstreams. Replies:
//! [`StreamIn`] and [`decode_response`] from upstreams, [`StreamOut`] and [`encode_response`] to clients. Failures:
//! [`decode_error`], [`encode_error`]. [`grammar`] judges what is emitted.

mod chunk;
mod disown;
mod error;
mod finish;
pub mod grammar;
mod listing;
mod member;
mod peek;
mod reply_part;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod state;
mod stream_in;
mod stream_out;
mod token;
mod usage;

pub use disown::disown_signatures;
pub use error::{decode_error, encode_error};
pub use listing::{ModelEntry, decode_count, encode_count, encode_model, encode_models};
pub use peek::{peek, scan_request, scan_request_like, shows_thoughts};
pub use request_in::decode_request;
pub use request_out::{NameStage, encode_request, unservable_tools};
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use state::depends_on_state;
pub use stream_in::StreamIn;
pub use stream_out::{Framing, StreamOut};
pub use token::SEAL_MARK;

/// What the wording of a conversation that does not fit is recognised by.
pub(crate) use error::OVERFLOW;
