//! A histogram that takes what was counted elsewhere: replies count their gaps as they pass, and tell them once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

use crate::relay::gaps::{Gaps, N_STEPS, STEPS_US};

/// The gaps of all replies of one provider.
#[derive(Debug, Clone, Default)]
pub(crate) struct GapHistogram(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    steps: [AtomicU64; N_STEPS],
    total_us: AtomicU64,
}

impl GapHistogram {
    /// Adds those of one reply.
    pub(crate) fn add(&self, gaps: &Gaps) {
        for (all, &own) in self.0.steps.iter().zip(&gaps.counts) {
            if own > 0 {
                all.fetch_add(u64::from(own), Ordering::Relaxed);
            }
        }
        self.0.total_us.fetch_add(gaps.total_us, Ordering::Relaxed);
    }
}

impl EncodeMetric for GapHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let bounds = STEPS_US.iter().map(|&us| seconds(us));
        let bounds = bounds.chain([f64::INFINITY]);
        let steps = self.0.steps.iter();
        let counts = steps.map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.0.total_us.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for GapHistogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of a histogram; 2^53 microseconds are 285 years"
)]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
