//! Server-sent events, as bytes.
