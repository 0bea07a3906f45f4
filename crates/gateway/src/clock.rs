//! The one source of time.
//!
//! Everything else is given instants, so that tests run on a paused clock and records replay.

use tokio::time::Instant;
use uuid::Uuid;

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

/// Wall-clock time when an exchange was accepted, to the millisecond: its id holds it.
pub(crate) fn accepted(exchange: &Uuid) -> jiff::Timestamp {
    let told = exchange.get_timestamp();
    let told = told
        .map(|told| told.to_unix())
        .and_then(|(seconds, nanoseconds)| {
            let (seconds, nanoseconds) = (i64::try_from(seconds), i32::try_from(nanoseconds));
            jiff::Timestamp::new(seconds.ok()?, nanoseconds.ok()?).ok()
        });
    told.unwrap_or_default()
}

/// Wall-clock time within an exchange that was accepted at that instant. It derives from the exchange's id, so that what is
/// told of dates is the same in a replay, and a clock that is set in the middle is not seen.
pub(crate) fn during(exchange: &Uuid, accepted_at: Instant) -> jiff::Timestamp {
    let elapsed = now().saturating_duration_since(accepted_at);
    let began = accepted(exchange);
    began.checked_add(elapsed).unwrap_or(began)
}
