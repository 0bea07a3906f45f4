//! How a streamed reply comes in: the time between its pieces, counted while it passes and told once at its end.

use std::time::Duration;

/// Upper bounds of the steps in which gaps are counted, in microseconds; one more holds what is longer.
pub(crate) const STEPS_US: [u64; 13] = [
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];
/// With the one for what is longer.
pub(crate) const N_STEPS: usize = STEPS_US.len() + 1;

/// The gaps of one reply.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gaps {
    /// How many there were, step by step.
    pub counts: [u32; N_STEPS],
    /// All of them together, in microseconds.
    pub total_us: u64,
}

impl Gaps {
    /// A piece came so long after the one before.
    pub(crate) fn note(&mut self, gap: Duration) {
        let gap_us = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        let step = STEPS_US.iter().position(|&most| gap_us <= most);
        if let Some(count) = self.counts.get_mut(step.unwrap_or(STEPS_US.len())) {
            *count = count.saturating_add(1);
        }
        self.total_us = self.total_us.saturating_add(gap_us);
    }

    /// Whether there was none.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_by_their_length() {
        let check = |gaps: &[u64], steps: &[usize]| {
            let mut counted = Gaps::default();
            for &gap in gaps {
                counted.note(Duration::from_micros(gap));
            }
            let mut expected = [0; N_STEPS];
            for &step in steps {
                expected[step] += 1;
            }
            assert_eq!(counted.counts, expected, "{gaps:?}");
            assert_eq!(counted.total_us, gaps.iter().sum::<u64>());
            assert_eq!(counted.is_empty(), gaps.is_empty());
        };
        check(&[], &[]);
        check(&[0, 1_000, 1_001], &[0, 0, 1]);
        check(&[30_000_000, 30_000_001], &[12, 13]);
        check(&[90_000, 90_000, 400_000], &[5, 5, 7]);
    }
}
