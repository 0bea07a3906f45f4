//! How quick a target was lately.

use core::time::Duration;

/// How much the newest observation counts.
const SHARE: f64 = 0.3;
/// What a failure counts as: refusals come quickly, and would draw traffic to a target that serves nobody.
const PENALTY: Duration = Duration::from_secs(5);

/// A moving average of the time to the first content.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latency(Option<Duration>);

impl Latency {
    /// Content came after this time.
    pub(super) fn served(&mut self, after: Duration) {
        self.0 = Some(match self.0 {
            None => after,
            Some(before) => before.mul_f64(1.0 - SHARE) + after.mul_f64(SHARE),
        });
    }

    /// An attempt failed after this time.
    pub(super) fn failed(&mut self, after: Duration) {
        self.served(after.max(PENALTY));
    }

    /// The average, once there was an observation.
    pub(super) const fn value(self) -> Option<Duration> {
        self.0
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
    }
}
