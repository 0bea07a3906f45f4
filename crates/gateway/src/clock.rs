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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_exchanges_time_is_in_its_id() {
        let id = Uuid::parse_str("01a1ffe5-2ca4-7dad-8000-000000000001").unwrap();
        let began = jiff::Timestamp::from_millisecond(0x01a1_ffe5_2ca4).unwrap();
        assert_eq!(accepted(&id), began);
        let accepted_at = now();
        assert_eq!(during(&id, accepted_at), began);
        tokio::time::advance(Duration::from_millis(2500)).await;
        let later = began + Duration::from_millis(2500);
        assert_eq!(during(&id, accepted_at), later);
        // What has no time in it is of no time.
        assert_eq!(accepted(&Uuid::nil()), jiff::Timestamp::UNIX_EPOCH);
    }
}
