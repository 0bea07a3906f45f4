//! How long a key or a target is left alone after a refusal.

use core::time::Duration;

use super::draw::Draw;
use super::fault::Fault;

/// A refused credential is tried again after this: somebody may have put it right.
const CREDENTIAL: Duration = Duration::from_secs(600);
/// First and longest guess where a rate limit does not say when it ends.
const RATE_LIMIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The same where money or quota is used up.
const QUOTA: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));
/// No provider's period is longer; more is a mistake in a header.
pub(super) const LONGEST: Duration = Duration::from_secs(32 * 24 * 3600);
/// Added by chance to a guess, so that not everybody comes back at once.
const JITTER: f64 = 0.2;

/// A time to leave something alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// When it is over.
    pub until: Duration,
    /// Why.
    pub fault: Fault,
    /// Whether the upstream said when; otherwise it is a guess.
    pub is_told: bool,
    /// How many there were in a row.
    pub(super) times: u32,
}

impl Cooldown {
    /// The cool-down after `fault`; `None` if it asks for none. `told` is how long the upstream said it lasts.
    pub(super) fn after(
        fault: Fault,
        told: Option<Duration>,
        previous: Option<&Self>,
        now: Duration,
        draw: &mut Draw,
    ) -> Option<Self> {
        let times = previous.map_or(0, |previous| previous.times.saturating_add(1));
        let grown = |(first, longest): (Duration, Duration)| {
            first.saturating_mul(1 << times.min(20)).min(longest)
        };
        let guess = match fault {
            Fault::RateLimit => grown(RATE_LIMIT),
            Fault::Quota => grown(QUOTA),
            Fault::Credential | Fault::Forbidden | Fault::Missing => CREDENTIAL,
            Fault::Request
            | Fault::Ours
            | Fault::Unreachable
            | Fault::Unanswered
            | Fault::Server
            | Fault::Overloaded
            | Fault::Timeout
            | Fault::Malformed
            | Fault::Cut
            | Fault::Empty
            | Fault::BrokenCall
            | Fault::Contention => return None,
        };
        let told = told.filter(|told| !told.is_zero() && fault.is_limit());
        let lasts = match told {
            Some(told) => told.min(LONGEST),
            None => guess.mul_f64(1.0 + JITTER * draw.unit()),
        };
        Some(Self {
            until: now + lasts,
            fault,
            is_told: told.is_some(),
            times,
        })
    }

    /// Whether it lasts.
    #[must_use]
    pub fn holds(&self, now: Duration) -> bool {
        now < self.until
    }

    /// The one of two that is to be kept: a limit is not over because of another refusal.
    pub(super) fn or_limit(self, previous: Option<&Self>, now: Duration) -> Self {
        let outlasts = |previous: &&Self| !self.fault.is_limit() || previous.until > self.until;
        previous
            .filter(|previous| previous.holds(now) && previous.fault.is_limit())
            .filter(outlasts)
            .copied()
            .unwrap_or(self)
    }

    /// Whether a success shows that it is over, or never was one. What an upstream said lasts as long as it said: a
    /// success may have begun before.
    pub(super) fn ends_with_success(&self, now: Duration) -> bool {
        !self.holds(now) || !self.fault.is_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fault: Fault, told: Option<u64>, times: usize, from: u64, to: u64) {
        let now = Duration::from_secs(1000);
        let mut draw = Draw::new(1);
        let mut last = None;
        for _ in 0..times {
            let told = told.map(Duration::from_secs);
            last = Cooldown::after(fault, told, last.as_ref(), now, &mut draw);
        }
        let lasts = last.map(|last| (last.until - now).as_secs_f64());
        let what = format!("{fault:?}, told {told:?}, {times} times: {lasts:?}");
        let lasts = lasts.expect(&what);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let expected = from as f64..=to as f64;
        assert!(expected.contains(&lasts), "{what}");
        assert_eq!(
            last.map(|last| last.is_told),
            Some(told.is_some_and(|s| s > 0))
        );
    }

    #[test]
    fn what_is_told_holds_and_guesses_grow() {
        check(Fault::RateLimit, Some(7), 1, 7, 7);
        check(Fault::RateLimit, Some(7), 5, 7, 7);
        check(Fault::RateLimit, Some(0), 1, 1, 2);
        check(Fault::RateLimit, Some(1 << 40), 1, 32 * 86_400, 32 * 86_400);
        check(Fault::RateLimit, None, 1, 1, 2);
        check(Fault::RateLimit, None, 4, 8, 10);
        check(Fault::RateLimit, None, 40, 60, 72);
        check(Fault::Quota, None, 1, 30, 36);
        check(Fault::Quota, None, 40, 3600, 4320);
        check(Fault::Quota, Some(18_000), 2, 18_000, 18_000);
        check(Fault::Credential, None, 9, 600, 720);
        check(Fault::Missing, None, 1, 600, 720);
    }

    #[test]
    fn other_faults_ask_for_none() {
        let mut draw = Draw::new(1);
        for fault in Fault::ALL {
            let cooldown = Cooldown::after(fault, None, None, Duration::ZERO, &mut draw);
            let is_refusal =
                fault.verdict() == super::super::Verdict::Alive && fault != Fault::Request;
            assert_eq!(cooldown.is_some(), is_refusal, "{fault:?}");
        }
    }
}
