//! Token counts before an upstream tells, for every request: bytes over four, media by their size.

use lingate_wire::Decoded;

use crate::tokens::Size;
use crate::tokens::measure::{Bytes, measure};

/// Estimates a request's input.
pub(crate) fn size(decoded: &Decoded) -> Size {
    measure(decoded, Bytes::default())
}

/// Estimates a request's input tokens.
pub(crate) fn input_tokens(decoded: &Decoded) -> u64 {
    size(decoded).total()
}
