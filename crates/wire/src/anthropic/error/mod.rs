//! Errors, out to clients and in from providers.

mod decode;
mod encode;

pub use decode::decode_error;
pub(super) use decode::{failure_in, failure_of, is_said};
pub use encode::encode_error;
pub(super) use encode::write_error;
