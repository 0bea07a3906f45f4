//! OpenAI Chat Completions, as clients and hosts speak it.
//!
//! Requests: [`scan_request`], [`peek`], [`decode_request`] for clients; [`encode_request`] for upstreams, spelled as a
//! [`Dialect`] says. Replies: [`StreamIn`] and [`decode_response`] from upstreams, [`StreamOut`] and
//! [`encode_response`] to clients. Failures: [`decode_error`], [`encode_error`]. [`grammar`] judges what is emitted.

mod call_style;
mod dialect;
mod error;
mod finish;
pub mod grammar;
mod image;
mod peek;
mod reasoning;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod stream_in;
mod stream_out;
mod usage;

pub use call_style::CallStyle;
pub use dialect::{CacheSpelling, Dialect, HostMember, MaxTokens, ReasoningField, ThinkingStyle};
pub use error::{decode_error, encode_error};
pub use peek::{asks_for_usage, peek, scan_request, scan_request_like};
pub use request_in::decode_request;
pub(crate) use request_in::is_told;
pub use request_out::{Unservable, count_tools, encode_request, unservable_tools};
pub use response_in::decode_response;
pub use response_out::encode_response;
pub use stream_in::StreamIn;
pub use stream_out::StreamOut;

/// Members of a request that are read whole, whatever else they say: numbers, switches and names. One that is left over is of a
/// kind that nobody understands.
const READ: [&str; 11] = [
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "parallel_tool_calls",
    "user",
    "prompt_cache_key",
];
