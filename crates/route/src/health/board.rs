//! Everything known of the upstreams, and the choice among them.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::table::Strategy;

use super::breaker::{Breaker, BreakerSettings, Standing, Verdict};
use super::budget::Budget;
use super::cooldown::Cooldown;
use super::draw::{Draw, fingerprint};
use super::fault::Fault;
use super::latency::Latency;
use super::names::{AskedPool, AskedTarget, PoolName, TargetName, known};
use super::order::{Contender, Wish, ranked};
use super::places::Places;
use super::pool::Keys;
use super::query::{Entrant, Move, Pick, Query, Skip, Spent, Tried};

/// Names may come from clients: what is at rest is forgotten beyond so many targets, pools or models.
const MOST: usize = 4096;

/// The state of all targets, keys and sessions of a gateway.
#[derive(Debug)]
pub struct Board {
    breaker: BreakerSettings,
    pub(super) targets: HashMap<TargetName, Target>,
    pub(super) pools: HashMap<PoolName, Keys>,
    budgets: HashMap<String, Budget>,
    turns: HashMap<String, u64>,
    pub(super) places: Places,
    /// Providers that an operator has taken out.
    pub(super) drained: BTreeSet<String>,
    pub(super) changes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Target {
    pub breaker: Breaker,
    pub latency: Latency,
    pub in_flight: u32,
    /// The model is not there.
    pub missing: Option<Cooldown>,
    /// When an attempt last came to something, and what it failed of.
    pub last: Option<(Duration, Option<Fault>)>,
    /// When an attempt last began.
    pub asked_at: Option<Duration>,
}

impl Board {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(breaker: BreakerSettings) -> Self {
        Self {
            breaker,
            targets: HashMap::new(),
            pools: HashMap::new(),
            budgets: HashMap::new(),
            turns: HashMap::new(),
            places: Places::default(),
            drained: BTreeSet::new(),
            changes: 0,
        }
    }

    /// Who would be left alone if an exchange began now.
    pub fn skips(&mut self, query: &Query, now: Duration) -> Vec<Skip> {
        let entrants = query.entrants.iter().enumerate();
        entrants
            .filter_map(|(index, entrant)| self.obstacle(entrant, index, now))
            .collect()
    }

    /// Takes a provider out, or back in: what runs there goes on, nothing new is sent. Whether that is a change.
    pub fn drain(&mut self, provider: &str, is_drained: bool) -> bool {
        self.changes += 1;
        if is_drained {
            self.drained.insert(provider.to_owned())
        } else {
            self.drained.remove(provider)
        }
    }

    /// Counts what was learnt; the same number means that there is nothing new to keep.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// What a probe of an idle provider says of its targets: `fault` counts as a failure of each, as far as it is one.
    /// A success says nothing of them: a list of models is no completion.
    pub fn probed(
        &mut self,
        provider: &str,
        models: &[&str],
        fault: Fault,
        now: Duration,
        draw: &mut Draw,
    ) {
        self.changes += 1;
        let settings = self.breaker;
        for model in models {
            let target = self.target(provider, model);
            target
                .breaker
                .observe(fault.verdict(), &settings, now, draw);
        }
    }

    /// A probe was refused with this key.
    pub fn probed_key(
        &mut self,
        provider: &str,
        key: u64,
        fault: Fault,
        now: Duration,
        draw: &mut Draw,
    ) {
        self.changes += 1;
        let keys = known(&mut self.pools, &own_keys(provider));
        keys.refused(key, "", fault, None, now, draw);
    }

    /// When an attempt at this provider last began; the end of time while one is under way.
    #[must_use]
    pub fn asked_at(&self, provider: &str) -> Option<Duration> {
        let own = self
            .targets
            .iter()
            .filter(|(name, _)| name.provider == provider);
        own.filter_map(|(_, target)| {
            if target.in_flight > 0 {
                Some(Duration::MAX)
            } else {
                target.asked_at
            }
        })
        .max()
    }

    /// Other settings, from the next verdict on.
    pub const fn set_breaker(&mut self, breaker: BreakerSettings) {
        self.breaker = breaker;
    }

    /// Another provider stands behind this id: nothing that was known is true of it. Attempts under way end as they would.
    pub fn forget_provider(&mut self, provider: &str) {
        for (name, target) in &mut self.targets {
            if name.provider == provider {
                target.breaker = target.breaker.renewed();
                target.latency = Latency::default();
                target.missing = None;
            }
        }
        for (name, keys) in &mut self.pools {
            if name.provider == provider {
                keys.forget();
            }
        }
    }

    /// Whom an exchange asks next: a target that it has not tried.
    ///
    /// # Errors
    /// If there is none, or every one that is left has a limit that is not over.
    pub fn pick(
        &mut self,
        query: &Query,
        tried: &Tried,
        now: Duration,
        draw: &mut Draw,
    ) -> Result<Pick, Spent> {
        self.forget(now);
        let mut skipped: Vec<Skip> = (0..query.entrants.len())
            .filter_map(|index| self.obstacle(open_to(query, tried, index)?, index, now))
            .collect();
        let order = self.order(query, tried, &skipped, now, draw);
        for index in order.iter().copied() {
            let Some(entrant) = open_to(query, tried, index) else {
                continue;
            };
            if skipped.iter().any(|skip| skip.index == index) {
                continue;
            }
            let keys = tried_keys(tried, index);
            let pool = self.keys(entrant);
            if let Some(key) = pool.pick(
                entrant.pool,
                entrant.key_ids(),
                &entrant.model,
                &keys,
                now,
                draw,
            ) {
                return Ok(self.begin(query, index, key, skipped, false, now));
            }
        }
        match self.last_resort(query, tried, &order, now) {
            Some((index, key)) => {
                skipped.retain(|skip| skip.index != index);
                Ok(self.begin(query, index, key, skipped, true, now))
            }
            None => {
                for skip in &mut skipped {
                    self.tell_hope(query, skip, now);
                }
                Err(Spent {
                    soonest: (skipped.iter())
                        .filter(|skip| !skip.is_drained)
                        .map(|skip| skip.wait)
                        .min(),
                    skipped,
                })
            }
        }
    }

    /// Another key for the same target, if one is well.
    pub fn rotate(
        &mut self,
        query: &Query,
        tried: &Tried,
        index: usize,
        now: Duration,
        draw: &mut Draw,
    ) -> Option<Pick> {
        let entrant = query.entrants.get(index)?;
        let keys = tried_keys(tried, index);
        let key = self.keys(entrant).pick(
            entrant.pool,
            entrant.key_ids(),
            &entrant.model,
            &keys,
            now,
            draw,
        )?;
        Some(self.begin(query, index, key, Vec::new(), false, now))
    }

    /// Takes the room of one repeat at the same provider, if there is some.
    pub fn repeat(&mut self, pick: &mut Pick) -> bool {
        let budget = self.budgets.entry_ref(&*pick.provider).or_default();
        let has_room = budget.repeat();
        pick.repeats += u32::from(has_room);
        has_room
    }

    /// There is content: the target serves, and the session is there.
    pub fn served(&mut self, pick: &Pick, now: Duration, draw: &mut Draw) {
        let settings = self.breaker;
        let target = self.target(&pick.provider, &pick.model);
        target.latency.served(now.saturating_sub(pick.began));
        target.missing = None;
        target.last = Some((now, None));
        target
            .breaker
            .judge(pick.ticket, Verdict::Success, &settings, now, draw);
        self.changes += 1;
        if let Some(keys) = self.pools.get_mut(&pick.pool()) {
            keys.served(pick.key_id, &pick.model, now);
        }
        if let Some(session) = pick.session {
            let place = fingerprint([&*pick.provider, &pick.model]);
            self.places.set(session, place, now);
        }
    }

    /// The reply is complete; its input was this many tokens.
    pub fn completed(&mut self, pick: &Pick, tokens: u64) {
        if let Some(session) = pick.session {
            let place = fingerprint([&*pick.provider, &pick.model]);
            self.places.read(session, place, tokens);
        }
    }

    /// The attempt failed, before its content or after. `told` is how long the upstream said that a limit lasts.
    pub fn failed(
        &mut self,
        pick: &Pick,
        fault: Fault,
        told: Option<Duration>,
        now: Duration,
        draw: &mut Draw,
    ) {
        let settings = self.breaker;
        let target = self.target(&pick.provider, &pick.model);
        target
            .breaker
            .judge(pick.ticket, fault.verdict(), &settings, now, draw);
        if fault != Fault::Ours {
            target.last = Some((now, Some(fault)));
        }
        if !matches!(fault, Fault::Ours | Fault::Request) {
            target.latency.failed(now.saturating_sub(pick.began));
        }
        if fault == Fault::Missing {
            target.missing = Cooldown::after(fault, None, target.missing.as_ref(), now, draw);
        }
        self.changes += 1;
        if let Some(keys) = self.pools.get_mut(&pick.pool()) {
            keys.refused(pick.key_id, &pick.model, fault, told, now, draw);
        }
    }

    /// The attempt is over, however it ended.
    pub fn release(&mut self, pick: &Pick) {
        let target = self.target(&pick.provider, &pick.model);
        target.in_flight = target.in_flight.saturating_sub(1);
        target.breaker.release(pick.ticket);
        if let Some(keys) = self.pools.get_mut(&pick.pool()) {
            keys.end(pick.key_id);
        }
        if let Some(budget) = self.budgets.get_mut(&*pick.provider) {
            budget.end(pick.repeats);
        }
    }

    /// How long until the first limit of any target of the exchange is over, if every one of them is limited.
    #[must_use]
    pub fn soonest(&self, query: &Query, now: Duration) -> Option<Duration> {
        let waits = query.entrants.iter().map(|entrant| {
            let keys = self.pools.get(&entrant.pool_name())?;
            let limit = keys.soonest(entrant.key_ids(), &entrant.model, now)?;
            Some(limit.until.saturating_sub(now))
        });
        waits.collect::<Option<Vec<Duration>>>()?.into_iter().min()
    }

    /// How a target stands.
    #[must_use]
    pub fn standing(&self, provider: &str, model: &str, now: Duration) -> Standing {
        let target = self.targets.get(&AskedTarget { provider, model });
        target.map_or(Standing::Ready, |target| target.breaker.standing(now))
    }

    fn order(
        &mut self,
        query: &Query,
        tried: &Tried,
        skipped: &[Skip],
        now: Duration,
        draw: &mut Draw,
    ) -> Vec<usize> {
        let turn = self.turn(query, tried);
        if query.entrants.len() == 1 {
            return vec![0];
        }
        let contenders: Vec<Contender> = (query.entrants.iter().enumerate())
            .map(|(index, entrant)| {
                let is_usable = open_to(query, tried, index).is_some()
                    && !skipped.iter().any(|skip| skip.index == index);
                let target = self.target(&entrant.provider, &entrant.model);
                Contender {
                    id: fingerprint([&*entrant.provider, &entrant.model]),
                    weight: entrant.weight,
                    is_usable,
                    is_callers: entrant.caller.is_some(),
                    load: target.in_flight,
                    latency: target.latency.value(),
                    share: target.breaker.share(now),
                }
            })
            .collect();
        let session = session_of(query);
        let wish = Wish {
            strategy: query.strategy,
            return_to: query.return_to,
            session,
            place: session.and_then(|session| Some(self.places.get(session, now)?.target)),
            turn,
        };
        ranked(&contenders, &wish, draw)
    }

    /// Requests for this model before, for the strategy that counts them.
    fn turn(&mut self, query: &Query, tried: &Tried) -> u64 {
        if query.strategy != Strategy::RoundRobin {
            return 0;
        }
        let is_first = tried.targets.is_empty();
        let turn = self.turns.entry_ref(&*query.route).or_default();
        // Failover goes on from where this exchange began; only the next exchange gets the next turn.
        let own = turn.wrapping_sub(u64::from(!is_first));
        *turn = turn.wrapping_add(u64::from(is_first));
        own
    }

    /// What keeps a target from being asked.
    fn obstacle(&mut self, entrant: &Entrant, index: usize, now: Duration) -> Option<Skip> {
        let skip = |fault, until: Duration| Skip {
            index,
            fault,
            wait: until.saturating_sub(now),
            is_drained: false,
        };
        if self.drained.contains(&*entrant.provider) {
            return Some(Skip {
                index,
                fault: None,
                wait: Duration::ZERO,
                is_drained: true,
            });
        }
        let target = self.target(&entrant.provider, &entrant.model);
        if let Some(missing) = target.missing.filter(|missing| missing.holds(now)) {
            return Some(skip(Some(Fault::Missing), missing.until));
        }
        let standing = target.breaker.standing(now);
        let limit = self
            .keys(entrant)
            .soonest(entrant.key_ids(), &entrant.model, now);
        match (limit, standing) {
            (Some(limit), _) => Some(skip(Some(limit.fault), limit.until)),
            (None, Standing::Open(until)) => Some(skip(None, until)),
            (None, Standing::Ready | Standing::Probe) => None,
        }
    }

    /// A target that would be asked as a last resort, were it not for a limit, can be asked when that is over: a refusal
    /// that lasts longer is not what the client has to wait for.
    fn tell_hope(&mut self, query: &Query, skip: &mut Skip, now: Duration) {
        let Some(entrant) = query.entrants.get(skip.index) else {
            return;
        };
        if skip.is_drained {
            return;
        }
        if let Some(limit) = self
            .keys(entrant)
            .hope(entrant.key_ids(), &entrant.model, now)
        {
            skip.fault = Some(limit.fault);
            skip.wait = limit.until.saturating_sub(now);
        }
    }

    /// Nothing is well: the one that failed longest ago, of those that asking again may help.
    fn last_resort(
        &mut self,
        query: &Query,
        tried: &Tried,
        order: &[usize],
        now: Duration,
    ) -> Option<(usize, usize)> {
        // Once for an exchange: where something was well, its failure is the answer.
        if !tried.targets.is_empty() {
            return None;
        }
        let hopeful = order.iter().filter_map(|index| {
            let entrant = open_to(query, tried, *index)
                .filter(|own| !self.drained.contains(&*own.provider))?;
            let key =
                self.keys(entrant)
                    .pick_anyway(entrant.key_ids(), &entrant.model, &[], now)?;
            let failed_at = self
                .target(&entrant.provider, &entrant.model)
                .breaker
                .failed_at();
            Some((failed_at, (*index, key)))
        });
        let hopeful: Vec<_> = hopeful.collect();
        hopeful
            .into_iter()
            .min_by_key(|(failed_at, _)| *failed_at)
            .map(|(_, pick)| pick)
    }

    fn begin(
        &mut self,
        query: &Query,
        index: usize,
        key: usize,
        skipped: Vec<Skip>,
        is_last_resort: bool,
        now: Duration,
    ) -> Pick {
        // The index comes from the entrants: there is one.
        let entrant = query.entrants.get(index);
        let name = |of: fn(&Entrant) -> &Arc<str>| entrant.map(of).cloned().unwrap_or_default();
        let (provider, model) = (name(|own| &own.provider), name(|own| &own.model));
        let caller = entrant.and_then(|own| own.caller).unwrap_or_default();
        let key_id = entrant.and_then(|own| own.key_ids().get(key)).copied();
        let key_id = key_id.unwrap_or_default();
        let target = self.target(&provider, &model);
        target.in_flight = target.in_flight.saturating_add(1);
        target.asked_at = Some(now);
        let ticket = target.breaker.begin();
        let pool = AskedPool {
            provider: &provider,
            caller,
        };
        if let Some(keys) = self.pools.get_mut(&pool) {
            keys.begin(key_id, now);
        }
        self.budgets.entry_ref(&*provider).or_default().begin();
        let session = session_of(query).filter(|_| !query.strategy.is_per_request());
        let moved = session
            .and_then(|session| self.places.get(session, now))
            .filter(|place| place.target != fingerprint([&*provider, &model]))
            .map(|place| {
                let is_place =
                    |own: &Entrant| fingerprint([&*own.provider, &own.model]) == place.target;
                Move {
                    from: query.entrants.iter().position(is_place),
                    tokens: place.tokens,
                }
            });
        Pick {
            index,
            key,
            is_last_resort,
            skipped,
            moved,
            provider,
            model,
            caller,
            key_id,
            ticket,
            session,
            began: now,
            repeats: 0,
        }
    }

    fn target(&mut self, provider: &str, model: &str) -> &mut Target {
        let name = AskedTarget { provider, model };
        known(&mut self.targets, &name)
    }

    fn keys(&mut self, entrant: &Entrant) -> &mut Keys {
        known(&mut self.pools, &entrant.pool_name())
    }

    fn forget(&mut self, now: Duration) {
        if self.targets.len() >= MOST {
            self.targets.retain(|_, target| {
                target.in_flight > 0 || !target.breaker.is_new() || target.missing.is_some()
            });
            if self.targets.len() >= MOST {
                self.targets.retain(|_, target| target.in_flight > 0);
            }
        }
        if self.pools.len() >= MOST {
            self.pools.retain(|_, keys| !keys.is_new(now));
            if self.pools.len() >= MOST {
                self.pools.retain(|_, keys| !keys.is_idle());
            }
        }
        if self.budgets.len() >= MOST {
            self.budgets.retain(|_, budget| !budget.is_idle());
        }
        if self.turns.len() >= MOST {
            self.turns.clear();
        }
    }
}

/// The session, told apart by model: an agent's background work is another conversation.
fn session_of(query: &Query) -> Option<u64> {
    let session = query.session?;
    Some(session ^ fingerprint([&*query.route]))
}

/// The keys that a provider has itself.
pub(super) const fn own_keys(provider: &str) -> AskedPool<'_> {
    AskedPool {
        provider,
        caller: 0,
    }
}

/// The entrant, if the exchange may still ask it. The caller's own credential is shown to the provider that it was meant
/// for, and to no other because that one failed.
fn open_to<'q>(query: &'q Query, tried: &Tried, index: usize) -> Option<&'q Entrant> {
    let entrant = query.entrants.get(index)?;
    let is_of = |other: &usize| {
        let other = query.entrants.get(*other);
        other.is_some_and(|other| other.provider == entrant.provider)
    };
    let is_meant = entrant.caller.is_none()
        || match query.strategy {
            Strategy::Ordered | Strategy::First => is_of(&0),
            Strategy::Spread
            | Strategy::RoundRobin
            | Strategy::Random
            | Strategy::WeightedRandom
            | Strategy::LeastLatency => tried.targets.is_empty() || tried.targets.iter().any(is_of),
        };
    (is_meant && !tried.targets.contains(&index)).then_some(entrant)
}

fn tried_keys(tried: &Tried, index: usize) -> Vec<usize> {
    let own = tried.keys.iter().filter(|(target, _)| *target == index);
    own.map(|(_, key)| *key).collect()
}
