//! The time as the record believes it.
//!
//! What is too old is deleted, so a clock that runs ahead for a moment must not be taken at its word. A time that is
//! further ahead than a clock without jumps says is believed once it has lasted; one that was put back is followed. At
//! the start it is what was written last that says whether the time is ahead, and what was written since whether that
//! has lasted.

use std::ops::Range;
use std::time::{Duration, Instant};

/// What clocks may differ by, and exchanges may be told late by.
const SLACK: Duration = Duration::from_secs(3600);

/// Hears wall times, and believes most of them.
#[derive(Debug)]
pub(crate) struct Clock {
    believed_ms: i64,
    /// When that was heard.
    at: Instant,
    /// Since when times are told that are too far ahead.
    ahead: Option<Instant>,
    /// How long they have to last.
    trust_after: Duration,
}

impl Clock {
    pub(crate) fn new(now_ms: i64, at: Instant, trust_after: Duration) -> Self {
        Self {
            believed_ms: now_ms,
            at,
            ahead: None,
            trust_after,
        }
    }

    /// The record was last written at `last_ms`, by a time that was believed. `has_lasted` finds out whether anything was
    /// recorded within the range: then the clock has been ahead for long enough.
    pub(crate) fn recall<E>(
        &mut self,
        last_ms: i64,
        has_lasted: impl FnOnce(Range<i64>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let expected = last_ms.saturating_add(millis(SLACK));
        if self.believed_ms <= expected || self.trust_after.is_zero() {
            return Ok(());
        }
        let long_ago = self.believed_ms.saturating_sub(millis(self.trust_after));
        if !has_lasted(expected..long_ago)? {
            (self.believed_ms, self.ahead) = (last_ms, Some(self.at));
        }
        Ok(())
    }

    /// Somebody says that it is `told_ms`; `at` is the same moment on a clock that never jumps.
    pub(crate) fn hear(&mut self, told_ms: i64, at: Instant) {
        let slack = millis(SLACK);
        let passed = millis(at.saturating_duration_since(self.at));
        let expected = self.believed_ms.saturating_add(passed);
        if told_ms > expected.saturating_add(slack) {
            let since = *self.ahead.get_or_insert(at);
            if at.saturating_duration_since(since) < self.trust_after {
                return;
            }
        } else if told_ms <= self.believed_ms && told_ms >= expected.saturating_sub(slack) {
            // A little late: an exchange says when it was accepted.
            self.ahead = None;
            return;
        }
        (self.believed_ms, self.at, self.ahead) = (told_ms, at, None);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.believed_ms
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A clock without jumps.
#[expect(
    clippy::disallowed_methods,
    reason = "times that are passed in are held against it"
)]
pub(crate) fn steady() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// Tells the times, each so many milliseconds after the clock was made, and gives what is believed at last.
    fn check(told: &[(u64, i64)], expected: i64) {
        let begin = steady();
        let mut clock = Clock::new(0, begin, Duration::from_secs(600));
        for (passed, now_ms) in told {
            clock.hear(*now_ms, begin + Duration::from_millis(*passed));
        }
        assert_eq!(clock.now_ms(), expected, "{told:?}");
    }

    #[test]
    fn a_jump_is_believed_once_it_lasts() {
        let year = 365 * 24 * HOUR;
        check(&[(1000, 1000), (2000, 2000)], 2000);
        check(&[(2000, 2000), (2100, 1500)], 2000);
        check(&[(1000, HOUR)], HOUR);
        // One that is ahead for a moment, and put right.
        check(&[(1000, year)], 0);
        check(&[(1000, year), (500_000, year + 499_000)], 0);
        check(&[(1000, year), (500_000, 500_000)], 500_000);
        check(
            &[(1000, year), (500_000, 500_000), (700_000, year)],
            500_000,
        );
        // After a sleep of the machine.
        check(&[(1000, year), (601_000, year + 600_000)], year + 600_000);
        // It was ahead from the start.
        check(&[(1000, -year)], -year);
    }

    #[test]
    fn a_start_far_behind_the_last_end_is_no_proof() {
        let day = 24 * HOUR;
        // What was written last, whether something was recorded since, what is told then, and what is believed.
        let check = |last_ms, has_lasted, told: &[(u64, i64)], expected| {
            let begin = steady();
            let mut clock = Clock::new(day, begin, Duration::from_secs(600));
            let lasted = |range: Range<i64>| {
                assert_eq!(range, last_ms + HOUR..day - 600_000);
                Ok::<_, std::convert::Infallible>(has_lasted)
            };
            clock.recall(last_ms, lasted).unwrap();
            for (passed, now_ms) in told {
                clock.hear(*now_ms, begin + Duration::from_millis(*passed));
            }
            assert_eq!(clock.now_ms(), expected, "{last_ms} {told:?}");
        };
        check(0, false, &[], 0);
        check(0, true, &[], day);
        check(0, false, &[(1000, day + 1000), (599_000, day + 599_000)], 0);
        check(
            0,
            false,
            &[(1000, day + 1000), (600_000, day + 600_000)],
            day + 600_000,
        );
        // It was put right.
        check(0, false, &[(1000, 2000)], 2000);
        check(day - HOUR, false, &[], day);
        check(2 * day, false, &[], day);
    }
}
