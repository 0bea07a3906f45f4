//! The keys of one provider: which is shown next, and what is known of each.
//!
//! A refused credential or an empty account is the key's, a rate limit or a missing right that of the key and the model:
//! hosts count per model. A provider without keys is a pool of one that is shown nothing.

use core::time::Duration;

use serde::Deserialize;

use super::cooldown::Cooldown;
use super::draw::Draw;
use super::fault::Fault;

/// Model names may come from clients: no key remembers more.
const MOST_MODELS: usize = 64;

/// Which of a provider's keys is used (`pool`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The first that is well.
    #[default]
    FillFirst,
    /// In turn.
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastUsed,
    /// By chance.
    Random,
}

#[derive(Debug, Clone)]
pub(super) struct Keys {
    keys: Vec<Key>,
    turn: usize,
}

#[derive(Debug, Clone, Default)]
struct Key {
    in_flight: u32,
    account: Option<Cooldown>,
    models: Vec<(String, Cooldown)>,
}

impl Keys {
    /// A pool of so many keys, at least one.
    pub(super) fn new(n_keys: usize) -> Self {
        Self {
            keys: vec![Key::default(); n_keys.max(1)],
            turn: 0,
        }
    }

    /// The key to show next, of those that are well and not among `tried`.
    pub(super) fn pick(
        &mut self,
        pool: Pool,
        model: &str,
        tried: &[usize],
        now: Duration,
        draw: &mut Draw,
    ) -> Option<usize> {
        let well: Vec<usize> = self.untried(tried, |key| key.cooldown(model, now).is_none());
        let chosen = match pool {
            Pool::FillFirst => well.first().copied(),
            Pool::RoundRobin => {
                let next = well.iter().find(|index| **index >= self.turn);
                next.or_else(|| well.first()).copied()
            }
            Pool::LeastUsed => well
                .iter()
                .min_by_key(|index| self.keys.get(**index).map_or(0, |key| key.in_flight))
                .copied(),
            Pool::Random => well.get(draw.below(well.len())).copied(),
        };
        if let Some(chosen) = chosen {
            self.turn = chosen + 1;
        }
        chosen
    }

    /// The key that was given up on first, of those that asking again may help: nobody said how long it lasts.
    pub(super) fn pick_anyway(&self, model: &str, tried: &[usize], now: Duration) -> Option<usize> {
        let may_be_well = |key: &Key| !key.holding(model, now).any(|own| own.fault.is_limit());
        let hopeful = self.untried(tried, may_be_well);
        let until = |index: &usize| {
            self.keys
                .get(*index)?
                .cooldown(model, now)
                .map(|own| own.until)
        };
        hopeful.into_iter().min_by_key(until)
    }

    /// The limit that ends first: until then not even a last resort asks.
    pub(super) fn hope(&self, model: &str, now: Duration) -> Option<Cooldown> {
        let limits = self.keys.iter().filter_map(|key| {
            let held = key.holding(model, now).filter(|own| own.fault.is_limit());
            held.max_by_key(|own| own.until)
        });
        limits.min_by_key(|own| own.until)
    }

    /// The cool-down that ends first, if every key has one.
    pub(super) fn soonest(&self, model: &str, now: Duration) -> Option<Cooldown> {
        let cooldowns: Option<Vec<Cooldown>> = (self.keys.iter())
            .map(|key| key.cooldown(model, now))
            .collect();
        cooldowns?.into_iter().min_by_key(|cooldown| cooldown.until)
    }

    pub(super) fn begin(&mut self, key: usize) {
        if let Some(key) = self.keys.get_mut(key) {
            key.in_flight = key.in_flight.saturating_add(1);
        }
    }

    pub(super) fn end(&mut self, key: usize) {
        if let Some(key) = self.keys.get_mut(key) {
            key.in_flight = key.in_flight.saturating_sub(1);
        }
    }

    /// The key was refused; `told` is how long the upstream said that lasts.
    pub(super) fn refused(
        &mut self,
        key: usize,
        model: &str,
        fault: Fault,
        told: Option<Duration>,
        now: Duration,
        draw: &mut Draw,
    ) {
        let Some(key) = self.keys.get_mut(key) else {
            return;
        };
        match fault {
            Fault::Quota | Fault::Credential => {
                let previous = key.account.take();
                let cooldown = Cooldown::after(fault, told, previous.as_ref(), now, draw);
                key.account = cooldown.map(|new| new.or_limit(previous.as_ref(), now));
            }
            Fault::RateLimit | Fault::Forbidden => {
                let at = key.models.iter().position(|(name, _)| name == model);
                let previous = at.map(|at| key.models.swap_remove(at).1);
                let cooldown = Cooldown::after(fault, told, previous.as_ref(), now, draw);
                if key.models.len() >= MOST_MODELS {
                    key.models.retain(|(_, cooldown)| cooldown.holds(now));
                    key.models.truncate(MOST_MODELS - 1);
                }
                let kept = cooldown.map(|new| new.or_limit(previous.as_ref(), now));
                key.models.extend(kept.map(|kept| (model.to_owned(), kept)));
            }
            Fault::Request
            | Fault::Ours
            | Fault::Unreachable
            | Fault::Server
            | Fault::Overloaded
            | Fault::Timeout
            | Fault::Malformed
            | Fault::Cut
            | Fault::Empty
            | Fault::BrokenCall
            | Fault::Contention
            | Fault::Missing => {}
        }
    }

    /// The key was accepted.
    pub(super) fn served(&mut self, key: usize, model: &str, now: Duration) {
        if let Some(key) = self.keys.get_mut(key) {
            key.account.take_if(|own| own.ends_with_success(now));
            key.models
                .retain(|(name, own)| name != model || !own.ends_with_success(now));
        }
    }

    /// Whether nobody is using a key.
    pub(super) fn is_idle(&self) -> bool {
        self.keys.iter().all(|key| key.in_flight == 0)
    }

    /// Whether forgetting the pool loses nothing.
    pub(super) fn is_new(&self, now: Duration) -> bool {
        let holds = |cooldown: &Cooldown| cooldown.holds(now);
        self.keys.iter().all(|key| {
            key.in_flight == 0
                && !key.account.as_ref().is_some_and(holds)
                && !key.models.iter().any(|(_, own)| holds(own))
        })
    }

    fn untried(&self, tried: &[usize], is_meant: impl Fn(&Key) -> bool) -> Vec<usize> {
        let keys = self.keys.iter().enumerate();
        let meant = keys.filter(|(index, key)| !tried.contains(index) && is_meant(key));
        meant.map(|(index, _)| index).collect()
    }
}

impl Key {
    /// What keeps it from being shown for this model, the longer one.
    fn cooldown(&self, model: &str, now: Duration) -> Option<Cooldown> {
        self.holding(model, now)
            .max_by_key(|cooldown| cooldown.until)
    }

    fn holding(&self, model: &str, now: Duration) -> impl Iterator<Item = Cooldown> {
        let own = self.models.iter().find(|(name, _)| name == model);
        let both = [self.account, own.map(|(_, cooldown)| *cooldown)];
        both.into_iter().flatten().filter(move |own| own.holds(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Three keys; each of `steps` picks one and leaves it under way. `-` is none.
    #[track_caller]
    fn check(pool: Pool, refused: &[(usize, Fault)], picks: &str) {
        let (mut keys, mut draw) = (Keys::new(3), Draw::new(5));
        for (key, fault) in refused {
            keys.refused(*key, "m", *fault, Some(at(60)), at(0), &mut draw);
        }
        let picked: Vec<String> = (0..picks.split(' ').count())
            .map(|_| match keys.pick(pool, "m", &[], at(1), &mut draw) {
                None => "-".to_owned(),
                Some(key) => {
                    keys.begin(key);
                    key.to_string()
                }
            })
            .collect();
        assert_eq!(picked.join(" "), picks, "{pool:?} {refused:?}");
    }

    #[test]
    fn each_kind_of_pool() {
        use Fault::{Credential, Forbidden, Quota, RateLimit};
        check(Pool::FillFirst, &[], "0 0 0");
        check(Pool::FillFirst, &[(0, RateLimit)], "1 1 1");
        check(Pool::FillFirst, &[(0, Quota), (1, Credential)], "2 2");
        check(
            Pool::FillFirst,
            &[(0, Quota), (1, Forbidden), (2, RateLimit)],
            "- -",
        );
        check(Pool::RoundRobin, &[], "0 1 2 0 1");
        check(Pool::RoundRobin, &[(1, RateLimit)], "0 2 0 2");
        check(Pool::LeastUsed, &[], "0 1 2 0 1");
        check(Pool::LeastUsed, &[(0, Credential)], "1 2 1 2");
        check(Pool::Random, &[(0, Quota), (2, Quota)], "1 1 1 1");
        check(
            Pool::FillFirst,
            &[(0, Fault::Server), (0, Fault::Missing)],
            "0",
        );
    }

    #[test]
    fn chance_uses_every_key() {
        let (mut keys, mut draw) = (Keys::new(3), Draw::new(5));
        let mut counts = [0; 3];
        for _ in 0..300 {
            counts[keys.pick(Pool::Random, "m", &[], at(0), &mut draw).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    }

    #[test]
    fn a_limit_is_of_one_model_and_an_account_of_all() {
        let (mut keys, mut draw) = (Keys::new(1), Draw::new(5));
        let is_well = |keys: &mut Keys, model: &str, second: u64| {
            let mut draw = Draw::new(5);
            keys.pick(Pool::FillFirst, model, &[], at(second), &mut draw)
                .is_some()
        };
        keys.refused(0, "big", Fault::RateLimit, Some(at(10)), at(0), &mut draw);
        assert!(!is_well(&mut keys, "big", 9) && is_well(&mut keys, "small", 9));
        assert!(is_well(&mut keys, "big", 10));
        keys.refused(0, "big", Fault::Quota, Some(at(20)), at(10), &mut draw);
        assert!(!is_well(&mut keys, "small", 29) && is_well(&mut keys, "small", 30));
    }

    #[test]
    fn the_soonest_end_counts_when_all_are_spent() {
        let (mut keys, mut draw) = (Keys::new(2), Draw::new(5));
        keys.refused(0, "m", Fault::RateLimit, Some(at(60)), at(0), &mut draw);
        assert_eq!(keys.soonest("m", at(1)), None);
        keys.refused(1, "m", Fault::Quota, Some(at(30)), at(0), &mut draw);
        let soonest = keys.soonest("m", at(1)).map(|own| (own.until, own.fault));
        assert_eq!(soonest, Some((at(30), Fault::Quota)));
        assert_eq!(
            keys.pick_anyway("m", &[], at(1)),
            None,
            "a limit is a limit"
        );
        keys.refused(0, "m", Fault::Credential, None, at(0), &mut draw);
        assert_eq!(keys.pick_anyway("m", &[0], at(1)), None);
        keys.served(0, "m", at(61));
        assert_eq!(keys.pick_anyway("m", &[], at(61)), Some(0));
    }

    #[test]
    fn a_success_from_before_does_not_end_a_limit() {
        let (mut keys, mut draw) = (Keys::new(1), Draw::new(5));
        keys.refused(0, "m", Fault::RateLimit, Some(at(60)), at(0), &mut draw);
        keys.served(0, "m", at(1));
        assert!(keys.soonest("m", at(1)).is_some());
        keys.refused(0, "m", Fault::Credential, None, at(1), &mut draw);
        keys.served(0, "m", at(61));
        assert!(keys.soonest("m", at(61)).is_none(), "the key was put right");
    }

    #[test]
    fn a_key_remembers_a_bounded_number_of_models() {
        let (mut keys, mut draw) = (Keys::new(1), Draw::new(5));
        for n in 0..1000 {
            let model = format!("m{n}");
            keys.refused(0, &model, Fault::RateLimit, Some(at(60)), at(0), &mut draw);
        }
        assert!(keys.keys[0].models.len() <= MOST_MODELS);
        assert!(keys.soonest("m999", at(1)).is_some(), "the newest is known");
    }
}
