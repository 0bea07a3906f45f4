//! The one source of time.
//!
//! Everything else is given instants, so that tests run on a paused clock and records replay.

use tokio::time::Instant;

/// A monotonic instant, for limits and durations.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall-clock time, for people and records.
pub(crate) fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
