//! What outlives the process: open breakers, cool-downs, what was taken out, and where sessions are.
//!
//! Moments are kept as what is left of them, because a monotonic clock begins anew with every boot. Keys are kept by id,
//! sessions by fingerprint; credentials of callers and what is known of them are not kept. A text that makes no sense is
//! as good as none.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::board::{Board, Target, own_keys};
use super::breaker::Breaker;
use super::cooldown::Cooldown;
use super::fault::Fault;
use super::names::{TargetName, known};

/// Most sessions whose place is kept.
const MOST_PLACES: usize = 2048;

/// A board, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    targets: Vec<SavedTarget>,
    keys: Vec<SavedKey>,
    drained: Vec<String>,
    /// Session, target, tokens, and seconds since it was seen.
    places: Vec<(u64, u64, u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedTarget {
    provider: String,
    model: String,
    /// How often its breaker opened in a row.
    #[serde(default)]
    opened: u32,
    /// For how long it is open still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<SavedCooldown>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedKey {
    provider: String,
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<SavedCooldown>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    models: Vec<(String, SavedCooldown)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedCooldown {
    fault: String,
    left_ms: u64,
    is_told: bool,
    times: u32,
}

impl Saved {
    /// Without where sessions are.
    #[must_use]
    pub fn without_sessions(self) -> Self {
        Self {
            places: Vec::new(),
            ..self
        }
    }
}

impl Board {
    /// What is to be kept.
    #[must_use]
    pub fn save(&self, now: Duration) -> Saved {
        let targets = self.targets.iter().filter_map(|(name, own)| {
            let breaker = own.breaker.kept(now);
            let missing = own.missing.as_ref().and_then(|own| kept(own, now));
            if breaker.is_none() && missing.is_none() {
                return None;
            }
            let (opened, until) = breaker.unwrap_or_default();
            Some(SavedTarget {
                provider: name.provider.clone(),
                model: name.model.clone(),
                opened,
                open_ms: until.map(|until| millis(until.saturating_sub(now))),
                missing,
            })
        });
        let kept_keys = self.pools.iter().filter(|(name, _)| name.caller == 0);
        let keys = kept_keys.flat_map(|(name, pool)| {
            pool.by_id.iter().filter_map(move |(id, key)| {
                let account = key.account.as_ref().and_then(|own| kept(own, now));
                let models = key.models.iter();
                let models: Vec<_> = models
                    .filter_map(|(model, own)| Some((model.clone(), kept(own, now)?)))
                    .collect();
                (account.is_some() || !models.is_empty()).then(|| SavedKey {
                    provider: name.provider.clone(),
                    id: *id,
                    account,
                    models,
                })
            })
        });
        let places = self.places.latest(MOST_PLACES, now);
        Saved {
            targets: targets.collect(),
            keys: keys.collect(),
            drained: self.drained.iter().cloned().collect(),
            places: places
                .map(|(session, place, idle)| (session, place.target, place.tokens, idle.as_secs()))
                .collect(),
        }
    }

    /// Takes up what was kept so long ago.
    pub fn restore(&mut self, saved: Saved, ago: Duration, now: Duration) {
        for own in saved.targets {
            let until = own.open_ms.map(|left| now + left_of(left, ago));
            let target = Target {
                breaker: Breaker::restored(own.opened, until),
                missing: own.missing.and_then(|own| restored(own, ago, now)),
                ..Target::default()
            };
            let name = TargetName {
                provider: own.provider,
                model: own.model,
            };
            self.targets.insert(name, target);
        }
        for own in saved.keys {
            let pool = known(&mut self.pools, &own_keys(&own.provider));
            let key = pool.by_id.entry(own.id).or_default();
            key.account = own.account.and_then(|own| restored(own, ago, now));
            let models = own.models.into_iter();
            key.models = models
                .filter_map(|(model, own)| Some((model, restored(own, ago, now)?)))
                .collect();
        }
        self.drained.extend(saved.drained);
        for (session, target, tokens, idle) in saved.places {
            let seen = now.checked_sub(Duration::from_secs(idle).saturating_add(ago));
            if let Some(seen) = seen {
                self.places.set(session, target, seen);
                self.places.read(session, target, tokens);
            }
        }
    }
}

fn kept(cooldown: &Cooldown, now: Duration) -> Option<SavedCooldown> {
    cooldown.holds(now).then(|| SavedCooldown {
        fault: cooldown.fault.name().to_owned(),
        left_ms: millis(cooldown.until.saturating_sub(now)),
        is_told: cooldown.is_told,
        times: cooldown.times,
    })
}

fn restored(saved: SavedCooldown, ago: Duration, now: Duration) -> Option<Cooldown> {
    let left = left_of(saved.left_ms, ago);
    Some(Cooldown {
        until: now + left,
        fault: Fault::of_name(&saved.fault)?,
        is_told: saved.is_told,
        times: saved.times,
    })
    .filter(|_| !left.is_zero())
}

/// What is left of it now; no cool-down lasts longer than a month.
fn left_of(millis: u64, ago: Duration) -> Duration {
    Duration::from_millis(millis)
        .min(super::cooldown::LONGEST)
        .saturating_sub(ago)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
