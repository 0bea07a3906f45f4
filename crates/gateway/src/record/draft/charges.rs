//! What attempts used, and what that costs: every attempt is paid for at its own upstream's price.

use lingate_wire::turn::Usage;

use super::{Details, Draft};
use crate::metrics::TokenLabels;
use crate::record::books::Priced;

impl Draft {
    /// What the upstream of the next attempt asks for its tokens; `None` is "unpriced".
    pub(crate) fn priced(&self, priced: Option<Priced>) {
        self.details().priced = priced;
    }

    /// What the attempt in flight has used so far.
    pub(crate) fn used(&self, usage: &Usage) {
        self.details().usage = usage.believable();
    }

    /// What an attempt that has ended used counts, whatever follows.
    pub(super) fn spend(&self, details: &mut Details) {
        self.count_tokens(details);
        let usage = std::mem::take(&mut details.usage);
        details.charge(&usage);
        details.earlier.add(&usage);
    }

    pub(super) fn count_tokens(&self, details: &Details) {
        let metrics = &self.metrics;
        let usage = &details.usage;
        for (kind, count) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
        ] {
            if let Some(count) = count {
                let labels = TokenLabels {
                    provider: details.provider.clone(),
                    kind,
                };
                metrics.tokens.get_or_create(&labels).inc_by(count);
            }
        }
    }
}

impl Details {
    /// What an attempt used is paid for at its upstream's price.
    pub(super) fn charge(&mut self, usage: &Usage) {
        if usage.is_empty() {
            return;
        }
        let priced = self.priced.as_ref();
        match priced.and_then(|priced| priced.price.cost(usage)) {
            Some(cost) => {
                let before = self.cost.unwrap_or_default();
                self.cost = Some(before.saturating_add(cost));
            }
            None => self.is_unpriced = true,
        }
    }
}
