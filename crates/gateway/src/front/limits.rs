//! How long a client may take, and how much it may send or have sent, before anything is done for it.
//!
//! What a stream may hold while its client does not read (the kernel's queues aside) is the sum of what every stage on
//! its way holds at most, and is never more than 256 KiB:
//!
//! | stage | most |
//! |---|---|
//! | read of the upstream and not yet taken | `upstream/client.rs`: 48 KiB |
//! | taken for one write, in the client's wire | `relay/live.rs`: 16 KiB and one piece of 24 KiB at most |
//! | given to the server library and not yet sent | [`READ_BYTES`] and one such write |
//!
//! In the kernel the client's socket takes what its peer has announced room for, and [`UNSENT_BYTES`] more; the
//! upstream's has the system's own receive buffer, which grows only for a reader that keeps up.

use std::time::Duration;

/// Most bytes of a request's head.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Most bytes of one read over HTTP/1: most requests of coding agents then are there after one, and need not be put
/// together. The library has one number for this and for what it holds of an answer.
pub(crate) const READ_BYTES: usize = 128 * 1024;
/// Most header lines of a request.
pub(crate) const HEAD_LINES: usize = 100;
/// Most bytes of one answer that the HTTP/2 library holds before it asks for no more.
pub(crate) const SEND_BYTES: usize = 64 * 1024;
/// Most bytes that the system queues for a client beyond what the client has room for.
pub(crate) const UNSENT_BYTES: u32 = 64 * 1024;

/// A client's time and room. The defaults are meant for use; tests have less of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accept, and from one request to the next one's complete head.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
    /// Bytes a second that a body has to come with on average, after its first `body_idle`.
    pub body_rate: u32,
    /// Connections at a time; `None` derives them from how many files the process may open.
    pub connections: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            body_rate: 1024,
            connections: None,
        }
    }
}
