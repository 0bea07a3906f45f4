//! Where sessions are: bounded, and forgotten when the prompt cache there is.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

/// Sessions are named by clients, so their number is bounded; one that is forgotten is placed anew.
const MOST: usize = 8192;
/// No provider keeps a prompt cache for longer: from then on a session is as good as new.
const IDLE: Duration = Duration::from_secs(3600);

/// The places of sessions.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_session: HashMap<u64, Place>,
    /// By when they were last seen.
    order: BTreeMap<u64, u64>,
    clock: u64,
}

/// Where a session was served last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The target, by its fingerprint.
    pub target: u64,
    /// Input tokens of its last request there, which a move throws away.
    pub tokens: u64,
    seen: Duration,
    entry: u64,
}

impl Places {
    /// Where the session is, unless it has been idle for too long.
    pub(super) fn get(&self, session: u64, now: Duration) -> Option<Place> {
        let place = self.by_session.get(&session)?;
        (now.saturating_sub(place.seen) < IDLE).then_some(*place)
    }

    /// The session was served there.
    pub(super) fn set(&mut self, session: u64, target: u64, now: Duration) {
        self.clock += 1;
        let before = self.by_session.get(&session);
        if let Some(before) = before {
            self.order.remove(&before.entry);
        }
        let tokens = before.filter(|before| before.target == target);
        let place = Place {
            target,
            tokens: tokens.map_or(0, |before| before.tokens),
            seen: now,
            entry: self.clock,
        };
        self.by_session.insert(session, place);
        self.order.insert(self.clock, session);
        if self.by_session.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.by_session.remove(&oldest);
        }
    }

    /// The latest ones, the oldest first: session, place, and for how long it has been idle.
    pub(super) fn latest(
        &self,
        most: usize,
        now: Duration,
    ) -> impl Iterator<Item = (u64, Place, Duration)> {
        let skipped = self.order.len().saturating_sub(most);
        self.order
            .values()
            .skip(skipped)
            .filter_map(move |session| {
                let place = self.get(*session, now)?;
                Some((*session, place, now.saturating_sub(place.seen)))
            })
    }

    /// What its last request amounted to.
    pub(super) fn read(&mut self, session: u64, target: u64, tokens: u64) {
        if let Some(place) = self.by_session.get_mut(&session)
            && place.target == target
        {
            place.tokens = tokens;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_seen_are_forgotten() {
        let mut places = Places::default();
        let now = Duration::from_secs(5);
        for session in 0..10_000_u64 {
            places.set(session, 7, now);
            places.set(0, 8, now);
        }
        assert_eq!(places.by_session.len(), MOST);
        assert_eq!(places.order.len(), MOST);
        let target = |session| places.get(session, now).map(|place| place.target);
        assert_eq!(
            (target(0), target(1), target(9999)),
            (Some(8), None, Some(7))
        );
        assert_eq!(places.get(0, now + IDLE), None);
    }

    #[test]
    fn tokens_are_those_of_the_place() {
        let mut places = Places::default();
        let now = Duration::ZERO;
        let check = |places: &mut Places, target, tokens| {
            places.set(1, target, now);
            assert_eq!(places.get(1, now).map(|place| place.tokens), Some(tokens));
            places.read(1, 7, 500);
        };
        check(&mut places, 7, 0);
        check(&mut places, 7, 500);
        check(&mut places, 8, 0);
        check(&mut places, 8, 0);
    }
}
