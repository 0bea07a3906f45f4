//! The keys of one provider: which is shown next, and what is known of each.
//!
//! A refused credential or an empty account is the key's, a rate limit or a missing right that of the key and the model:
//! hosts count per model. A provider without keys is a pool of one that is shown nothing.
//!
//! A key is known by an id that is made from the key itself: its place in the configuration may change while the gateway
//! runs, and an exchange goes on with the list it began with.

use core::time::Duration;
use hashbrown::HashMap;
use serde::Deserialize;

use super::cooldown::Cooldown;
use super::draw::Draw;
use super::fault::Fault;

/// Model names may come from clients: no key remembers more.
const MOST_MODELS: usize = 64;
/// Keys that were taken out of the configuration are forgotten beyond so many.
const MOST_KEYS: usize = 256;

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

/// Those of one provider, by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    pub(super) by_id: HashMap<u64, Key>,
    turn: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Key {
    pub in_flight: u32,
    pub account: Option<Cooldown>,
    pub models: Vec<(String, Cooldown)>,
}

impl Keys {
    /// The key to show next, of those that are well and not among `tried`: a place in `ids`.
    pub(super) fn pick(
        &mut self,
        pool: Pool,
        ids: &[u64],
        model: &str,
        tried: &[usize],
        now: Duration,
        draw: &mut Draw,
    ) -> Option<usize> {
        let is_well = |id| self.cooldown(id, model, now).is_none();
        let mut well = untried(ids, tried, is_well);
        let load = |index: &usize| {
            let key = ids.get(*index).and_then(|id| self.by_id.get(id));
            key.map_or(0, |key| key.in_flight)
        };
        let chosen = match pool {
            Pool::FillFirst => { well }.next(),
            Pool::RoundRobin => {
                let first = well.next();
                let mut all = first.into_iter().chain(well);
                all.find(|index| *index >= self.turn).or(first)
            }
            Pool::LeastUsed => well.min_by_key(load),
            Pool::Random => {
                let well: Vec<usize> = well.collect();
                well.get(draw.below(well.len())).copied()
            }
        };
        if let Some(chosen) = chosen {
            self.turn = chosen + 1;
        }
        chosen
    }

    /// The key that was given up on first, of those that asking again may help: nobody said how long it lasts.
    pub(super) fn pick_anyway(
        &self,
        ids: &[u64],
        model: &str,
        tried: &[usize],
        now: Duration,
    ) -> Option<usize> {
        let may_be_well = |id: u64| !self.holding(id, model, now).any(|own| own.fault.is_limit());
        let until = |index: &usize| {
            let cooldown = self.cooldown(*ids.get(*index)?, model, now);
            cooldown.map(|own| own.until)
        };
        untried(ids, tried, may_be_well).min_by_key(until)
    }

    /// The limit that ends first: until then not even a last resort asks.
    pub(super) fn hope(&self, ids: &[u64], model: &str, now: Duration) -> Option<Cooldown> {
        let limits = ids.iter().filter_map(|id| {
            let held = self.holding(*id, model, now);
            held.filter(|own| own.fault.is_limit())
                .max_by_key(|own| own.until)
        });
        limits.min_by_key(|own| own.until)
    }

    /// The cool-down that ends first, if every key has one.
    pub(super) fn soonest(&self, ids: &[u64], model: &str, now: Duration) -> Option<Cooldown> {
        let mut soonest: Option<Cooldown> = None;
        for id in ids {
            let cooldown = self.cooldown(*id, model, now)?;
            let is_sooner = |other: &Cooldown| cooldown.until < other.until;
            if soonest.as_ref().is_none_or(is_sooner) {
                soonest = Some(cooldown);
            }
        }
        soonest
    }

    pub(super) fn begin(&mut self, id: u64, now: Duration) {
        if self.by_id.len() >= MOST_KEYS {
            self.by_id.retain(|_, key| !key.is_new(now));
        }
        let key = self.by_id.entry(id).or_default();
        key.in_flight = key.in_flight.saturating_add(1);
    }

    pub(super) fn end(&mut self, id: u64) {
        if let Some(key) = self.by_id.get_mut(&id) {
            key.in_flight = key.in_flight.saturating_sub(1);
        }
    }

    /// The key was refused; `told` is how long the upstream said that lasts.
    pub(super) fn refused(
        &mut self,
        id: u64,
        model: &str,
        fault: Fault,
        told: Option<Duration>,
        now: Duration,
        draw: &mut Draw,
    ) {
        let key = self.by_id.entry(id).or_default();
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
            | Fault::Unanswered
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
    pub(super) fn served(&mut self, id: u64, model: &str, now: Duration) {
        if let Some(key) = self.by_id.get_mut(&id) {
            key.account.take_if(|own| own.ends_with_success(now));
            key.models
                .retain(|(name, own)| name != model || !own.ends_with_success(now));
        }
    }

    /// No key has anything against it.
    pub(super) fn forget(&mut self) {
        for key in self.by_id.values_mut() {
            key.account = None;
            key.models.clear();
        }
    }

    /// Whether nobody is using a key.
    pub(super) fn is_idle(&self) -> bool {
        self.by_id.values().all(|key| key.in_flight == 0)
    }

    /// Whether forgetting the pool loses nothing.
    pub(super) fn is_new(&self, now: Duration) -> bool {
        self.by_id.values().all(|key| key.is_new(now))
    }

    /// What keeps a key from being shown for this model, the longer one.
    fn cooldown(&self, id: u64, model: &str, now: Duration) -> Option<Cooldown> {
        self.holding(id, model, now)
            .max_by_key(|cooldown| cooldown.until)
    }

    fn holding(&self, id: u64, model: &str, now: Duration) -> impl Iterator<Item = Cooldown> {
        let key = self.by_id.get(&id);
        let own = key.and_then(|key| key.models.iter().find(|(name, _)| name == model));
        let both = [
            key.and_then(|key| key.account),
            own.map(|(_, cooldown)| *cooldown),
        ];
        both.into_iter().flatten().filter(move |own| own.holds(now))
    }
}

impl Key {
    fn is_new(&self, now: Duration) -> bool {
        let holds = |cooldown: &Cooldown| cooldown.holds(now);
        self.in_flight == 0
            && !self.account.as_ref().is_some_and(holds)
            && !self.models.iter().any(|(_, own)| holds(own))
    }
}

/// Places in `ids` that were not tried and are meant.
fn untried(
    ids: &[u64],
    tried: &[usize],
    is_meant: impl Fn(u64) -> bool,
) -> impl Iterator<Item = usize> {
    let places = ids.iter().enumerate();
    let meant = places.filter(move |(index, id)| !tried.contains(index) && is_meant(**id));
    meant.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [u64; 3] = [70, 71, 72];

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Three keys; each of `steps` picks one and leaves it under way. `-` is none.
    #[track_caller]
    fn check(pool: Pool, refused: &[(usize, Fault)], picks: &str) {
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        for (key, fault) in refused {
            keys.refused(IDS[*key], "m", *fault, Some(at(60)), at(0), &mut draw);
        }
        let picked: Vec<String> = (0..picks.split(' ').count())
            .map(
                |_| match keys.pick(pool, &IDS, "m", &[], at(1), &mut draw) {
                    None => "-".to_owned(),
                    Some(key) => {
                        keys.begin(IDS[key], at(1));
                        key.to_string()
                    }
                },
            )
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
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        let mut counts = [0; 3];
        for _ in 0..300 {
            counts[keys
                .pick(Pool::Random, &IDS, "m", &[], at(0), &mut draw)
                .unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    }

    #[test]
    fn a_key_is_the_same_at_another_place() {
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        keys.refused(70, "m", Fault::Credential, None, at(0), &mut draw);
        let mut first = |ids: &[u64]| keys.pick(Pool::FillFirst, ids, "m", &[], at(1), &mut draw);
        assert_eq!(first(&[70, 71]), Some(1));
        assert_eq!(first(&[71, 70]), Some(0));
        assert_eq!(first(&[99, 70]), Some(0), "a new key is well");
        assert_eq!(first(&[70]), None);
    }

    #[test]
    fn keys_that_are_gone_are_forgotten() {
        let mut keys = Keys::default();
        for id in 0..1000 {
            keys.begin(id, at(0));
            keys.end(id);
        }
        assert!(keys.by_id.len() <= MOST_KEYS);
    }

    #[test]
    fn a_limit_is_of_one_model_and_an_account_of_all() {
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        let is_well = |keys: &mut Keys, model: &str, second: u64| {
            let mut draw = Draw::new(5);
            keys.pick(
                Pool::FillFirst,
                &IDS[..1],
                model,
                &[],
                at(second),
                &mut draw,
            )
            .is_some()
        };
        keys.refused(70, "big", Fault::RateLimit, Some(at(10)), at(0), &mut draw);
        assert!(!is_well(&mut keys, "big", 9) && is_well(&mut keys, "small", 9));
        assert!(is_well(&mut keys, "big", 10));
        keys.refused(70, "big", Fault::Quota, Some(at(20)), at(10), &mut draw);
        assert!(!is_well(&mut keys, "small", 29) && is_well(&mut keys, "small", 30));
    }

    #[test]
    fn the_soonest_end_counts_when_all_are_spent() {
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        keys.refused(70, "m", Fault::RateLimit, Some(at(60)), at(0), &mut draw);
        assert_eq!(keys.soonest(&IDS[..2], "m", at(1)), None);
        keys.refused(71, "m", Fault::Quota, Some(at(30)), at(0), &mut draw);
        let soonest = keys
            .soonest(&IDS[..2], "m", at(1))
            .map(|own| (own.until, own.fault));
        assert_eq!(soonest, Some((at(30), Fault::Quota)));
        assert_eq!(
            keys.pick_anyway(&IDS[..2], "m", &[], at(1)),
            None,
            "a limit is a limit"
        );
        keys.refused(70, "m", Fault::Credential, None, at(0), &mut draw);
        assert_eq!(keys.pick_anyway(&IDS[..2], "m", &[0], at(1)), None);
        keys.served(70, "m", at(61));
        assert_eq!(keys.pick_anyway(&IDS[..2], "m", &[], at(61)), Some(0));
    }

    #[test]
    fn a_success_from_before_does_not_end_a_limit() {
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        keys.refused(70, "m", Fault::RateLimit, Some(at(60)), at(0), &mut draw);
        keys.served(70, "m", at(1));
        assert!(keys.soonest(&IDS[..1], "m", at(1)).is_some());
        keys.refused(70, "m", Fault::Credential, None, at(1), &mut draw);
        keys.served(70, "m", at(61));
        assert!(
            keys.soonest(&IDS[..1], "m", at(61)).is_none(),
            "the key was put right"
        );
    }

    #[test]
    fn a_key_remembers_a_bounded_number_of_models() {
        let (mut keys, mut draw) = (Keys::default(), Draw::new(5));
        for n in 0..1000 {
            let model = format!("m{n}");
            keys.refused(70, &model, Fault::RateLimit, Some(at(60)), at(0), &mut draw);
        }
        assert!(keys.by_id[&70].models.len() <= MOST_MODELS);
        assert!(
            keys.soonest(&IDS[..1], "m999", at(1)).is_some(),
            "the newest is known"
        );
    }
}
