//! Failures on this wire, in and out: `error` objects with the codes of `google.rpc`.

mod decode;
mod encode;
mod status;

pub use decode::decode_error;
pub(super) use decode::in_reply;
pub(crate) use encode::OVERFLOW;
pub use encode::encode_error;
pub(super) use encode::write_error;
