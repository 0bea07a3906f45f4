//! What the board knows, for people.

use core::time::Duration;

use super::board::{Board, Target, own_keys};
use super::breaker::Standing;
use super::cooldown::Cooldown;
use super::fault::Fault;
use super::names::TargetName;

/// How one target stands.
#[derive(Debug, Clone)]
pub struct TargetReport {
    /// The provider's id.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// What its breaker says.
    pub standing: Standing,
    /// The model is not there, until then.
    pub missing: Option<Cooldown>,
    /// Attempts under way.
    pub in_flight: u32,
    /// Median time to the first content, of the latest successes.
    pub ttft: Option<Duration>,
    /// How long ago an attempt last came to something.
    pub last: Option<Duration>,
    /// What that failed of; none if it served.
    pub last_fault: Option<Fault>,
}

/// How one key of a provider stands.
#[derive(Debug, Clone)]
pub struct KeyReport {
    /// The provider's id.
    pub provider: String,
    /// The key's id.
    pub key: u64,
    /// Attempts under way.
    pub in_flight: u32,
    /// What keeps it from being shown at all.
    pub account: Option<Cooldown>,
    /// What keeps it from being shown for a model.
    pub models: Vec<(String, Cooldown)>,
}

impl Board {
    /// How every target stands that was asked, in order of the names.
    #[must_use]
    pub fn targets(&self, now: Duration) -> Vec<TargetReport> {
        let mut targets: Vec<_> = self.targets.iter().collect();
        targets.sort_by_key(|(id, _)| *id);
        let report = |(name, own): (&TargetName, &Target)| TargetReport {
            provider: name.provider.clone(),
            model: name.model.clone(),
            standing: own.breaker.standing(now),
            missing: own.missing.filter(|missing| missing.holds(now)),
            in_flight: own.in_flight,
            ttft: own.latency.median(),
            last: own.last.map(|(at, _)| now.saturating_sub(at)),
            last_fault: own.last.and_then(|(_, fault)| fault),
        };
        targets.into_iter().map(report).collect()
    }

    /// How every key of a provider's own stands that was shown; callers' own credentials are not told.
    #[must_use]
    pub fn keys_of(&self, provider: &str, now: Duration) -> Vec<KeyReport> {
        let pool = self.pools.get(&own_keys(provider));
        let keys = pool.into_iter().flat_map(|pool| &pool.by_id);
        let report = |(id, own): (&u64, &super::pool::Key)| KeyReport {
            provider: provider.to_owned(),
            key: *id,
            in_flight: own.in_flight,
            account: own.account.filter(|account| account.holds(now)),
            models: (own.models.iter())
                .filter(|(_, limit)| limit.holds(now))
                .cloned()
                .collect(),
        };
        keys.map(report).collect()
    }

    /// Whether an operator has taken a provider out.
    #[must_use]
    pub fn is_drained(&self, provider: &str) -> bool {
        self.drained.contains(provider)
    }
}
