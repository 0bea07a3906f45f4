//! How quick a target was lately.

use core::time::Duration;
use std::collections::VecDeque;

/// How much the newest observation counts.
const SHARE: f64 = 0.3;
/// What a failure counts as: refusals come quickly, and would draw traffic to a target that serves nobody.
const PENALTY: Duration = Duration::from_secs(5);

/// Of so many successes the median is told.
const RECENT: usize = 31;

/// The time to the first content: a moving average for choosing, and the latest successes for people.
#[derive(Debug, Clone, Default)]
pub(super) struct Latency {
    average: Option<Duration>,
    recent: VecDeque<Duration>,
}

impl Latency {
    /// Content came after this time.
    pub(super) fn served(&mut self, after: Duration) {
        self.add(after);
        self.recent.truncate(RECENT - 1);
        self.recent.push_front(after);
    }

    /// An attempt failed after this time.
    pub(super) fn failed(&mut self, after: Duration) {
        self.add(after.max(PENALTY));
    }

    /// The average, once there was an observation.
    pub(super) const fn value(&self) -> Option<Duration> {
        self.average
    }

    /// The median of the latest successes.
    pub(super) fn median(&self) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    fn add(&mut self, after: Duration) {
        self.average = Some(match self.average {
            None => after,
            Some(before) => before.mul_f64(1.0 - SHARE) + after.mul_f64(SHARE),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_refusal_is_slow() {
        let mut latency = Latency::default();
        assert_eq!(latency.value(), None);
        latency.served(Duration::from_secs(1));
        latency.served(Duration::from_secs(2));
        assert_eq!(latency.value(), Some(Duration::from_millis(1300)));
        latency.failed(Duration::from_millis(2));
        assert!(latency.value() > Some(Duration::from_secs(2)));
        assert_eq!(latency.median(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn the_median_is_of_late() {
        let mut latency = Latency::default();
        assert_eq!(latency.median(), None);
        for second in 0..100 {
            latency.served(Duration::from_secs(second));
        }
        assert_eq!(latency.median(), Some(Duration::from_secs(84)));
        assert_eq!(latency.recent.len(), RECENT);
    }
}
