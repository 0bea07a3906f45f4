//! How long a client may take, and how much it may send, before anything is done for it.

use std::time::Duration;

/// Most bytes of a request's head.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Most header lines of a request.
pub(crate) const HEAD_LINES: usize = 100;

/// A client's time. The defaults are meant for use; tests have less of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accept, and from one request to the next one's complete head.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
        }
    }
}
