//! What was spent: of the day, by everybody and by each key, and by each session.
//!
//! Sums are whole millionths of a dollar and only grow; a new day (UTC, as `lingate cost day` has it) begins at nothing.
//! They begin with what the record holds, so that a restart forgets nothing, and are kept in memory alone where nothing
//! is recorded.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use lingate_store::Spent;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Sessions that are remembered; beyond, the quarter that was used longest ago is forgotten.
const MOST_SESSIONS: usize = 16_384;

/// The sums of one gateway.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Sums>);

#[derive(Default)]
struct Sums {
    day: i64,
    /// Of the day; the empty name has the sum of all.
    keys: HashMap<Box<str>, Sum>,
    sessions: HashMap<Box<str>, Session>,
    /// Counts uses of sessions.
    clock: u64,
}

/// An amount, and how much of its budget was said to be spent.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    micro_usd: u64,
    told: Told,
}

/// What was said, and of which budget: another one is another matter.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    limit: u64,
    level: u8,
}

#[derive(Default)]
struct Session {
    /// By everybody.
    all: Sum,
    /// By each key.
    keys: HashMap<Box<str>, Sum>,
    used: u64,
}

/// A sum of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which<'a> {
    /// Of everybody, on the day.
    Day,
    /// Of a session, held against everybody's budget for one.
    Session(&'a str),
    /// Of a key, on the day.
    KeyDay(&'a str),
    /// Of a key (the first) in a session, held against the key's budget for one.
    KeySession(&'a str, &'a str),
}

/// The name that stands for everybody; no key has it.
const EVERYBODY: &str = "";

impl Ledger {
    /// One that begins with what the record holds.
    pub(crate) fn of(spent: &Spent, now: Timestamp) -> Self {
        let amount = |micro: i64| u64::try_from(micro).unwrap_or(0);
        let mut sums = Sums {
            day: day(now),
            ..Sums::default()
        };
        for (key, micro) in &spent.day {
            sums.add_to_day(key, amount(*micro));
        }
        // The last one used comes first.
        for (session, micro) in spent.sessions.iter().rev() {
            sums.session(session).all.add(amount(*micro));
        }
        for (session, key, micro) in &spent.session_keys {
            if let Some(session) = sums.sessions.get_mut(session.as_str()) {
                session.of_key(key).add(amount(*micro));
            }
        }
        Self(Mutex::new(sums))
    }

    /// An attempt of an exchange that was accepted on `day` cost so much.
    pub(crate) fn charge(&self, day: i64, key: &str, session: Option<&str>, micro_usd: u64) {
        let mut sums = self.sums();
        sums.begin(day);
        if day == sums.day {
            sums.add_to_day(key, micro_usd);
        }
        if let Some(session) = session {
            let session = sums.session(session);
            session.all.add(micro_usd);
            if key != EVERYBODY {
                session.of_key(key).add(micro_usd);
            }
        }
    }

    /// What was spent, as of `day`.
    pub(crate) fn spent(&self, day: i64, which: Which<'_>) -> u64 {
        let mut sums = self.sums();
        sums.begin(day);
        sums.sum(which).map_or(0, |sum| sum.micro_usd)
    }

    /// Notes that a budget of so much was said to be spent to this level: gives the one that was said before, or `None` if
    /// this one was.
    pub(crate) fn tell(&self, which: Which<'_>, limit: u64, level: u8) -> Option<u8> {
        let mut sums = self.sums();
        let told = &mut sums.sum(which)?.told;
        if told.limit != limit {
            *told = Told { limit, level: 0 };
        }
        let before = told.level;
        told.level = level.max(before);
        (before < level).then_some(before)
    }

    /// A panic elsewhere leaves sums behind, which are whole.
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    /// Another day than before begins; one that is over does not come back.
    fn begin(&mut self, day: i64) {
        if day > self.day {
            self.day = day;
            self.keys.clear();
        }
    }

    fn sum(&mut self, which: Which<'_>) -> Option<&mut Sum> {
        match which {
            Which::Day => self.keys.get_mut(EVERYBODY),
            Which::KeyDay(key) => self.keys.get_mut(key),
            Which::Session(session) => Some(&mut self.sessions.get_mut(session)?.all),
            Which::KeySession(key, session) => self.sessions.get_mut(session)?.keys.get_mut(key),
        }
    }

    fn add_to_day(&mut self, key: &str, micro_usd: u64) {
        let own = (key != EVERYBODY).then_some(key);
        for name in own.into_iter().chain([EVERYBODY]) {
            let sum = match self.keys.get_mut(name) {
                Some(sum) => sum,
                None => self.keys.entry(name.into()).or_default(),
            };
            sum.add(micro_usd);
        }
    }

    /// One that is used now.
    fn session(&mut self, name: &str) -> &mut Session {
        self.clock += 1;
        let used = self.clock;
        if !self.sessions.contains_key(name) && self.sessions.len() >= MOST_SESSIONS {
            self.forget();
        }
        let session = self.sessions.entry(name.into()).or_default();
        session.used = used;
        session
    }

    fn forget(&mut self) {
        let mut uses: Vec<u64> = self.sessions.values().map(|session| session.used).collect();
        let (_, &mut line, _) = uses.select_nth_unstable(MOST_SESSIONS / 4);
        self.sessions.retain(|_, session| session.used > line);
    }
}

impl Sum {
    const fn add(&mut self, micro_usd: u64) {
        self.micro_usd = self.micro_usd.saturating_add(micro_usd);
    }
}

impl Session {
    fn of_key(&mut self, key: &str) -> &mut Sum {
        self.keys.entry(key.into()).or_default()
    }
}

/// Days since 1970, UTC.
pub(super) fn day(now: Timestamp) -> i64 {
    now.as_second().div_euclid(DAY_S)
}

/// Seconds until the next day, UTC.
pub(super) fn until_next_day(now: Timestamp) -> i64 {
    DAY_S - now.as_second().rem_euclid(DAY_S)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_utc_and_begins_at_nothing() {
        let evening = day(at("2026-11-21T23:59:59Z"));
        let morning = day(at("2026-11-22T00:00:00Z"));
        assert_eq!(morning, evening + 1);
        assert_eq!(until_next_day(at("2026-11-21T23:59:59Z")), 1);
        let ledger = Ledger::default();
        ledger.charge(evening, "alice", Some("s"), 5);
        ledger.charge(evening, "", Some("s"), 2);
        let spent = |day| {
            [Which::Day, Which::KeyDay("alice"), Which::Session("s")]
                .map(|which| ledger.spent(day, which))
        };
        assert_eq!(spent(evening), [7, 5, 7]);
        assert_eq!(spent(morning), [0, 0, 7], "a session has no day");
        // What was accepted before midnight and ended after it is of the day before.
        ledger.charge(evening, "alice", Some("s"), 1);
        ledger.charge(morning, "alice", Some("s"), 1);
        assert_eq!(spent(morning), [1, 1, 9]);
    }

    #[test]
    fn what_the_record_holds_is_where_it_begins() {
        let now = at("2026-11-21T10:00:00Z");
        let spent = Spent {
            day: vec![(String::new(), 3), ("alice".to_owned(), 40)],
            sessions: vec![("new".to_owned(), 5), ("old".to_owned(), 6)],
            session_keys: vec![("old".to_owned(), "alice".to_owned(), 2)],
        };
        let ledger = Ledger::of(&spent, now);
        ledger.charge(day(now), "alice", Some("old"), 100);
        let sum = |which| ledger.spent(day(now), which);
        assert_eq!(sum(Which::Day), 143);
        assert_eq!(sum(Which::KeyDay("alice")), 140);
        assert_eq!(sum(Which::KeyDay("bob")), 0);
        assert_eq!(sum(Which::Session("old")), 106);
        assert_eq!(sum(Which::Session("new")), 5);
        assert_eq!(sum(Which::KeySession("alice", "old")), 102);
        assert_eq!(sum(Which::KeySession("bob", "old")), 0, "another's money");
        assert_eq!(sum(Which::KeySession("alice", "new")), 0);
    }

    #[test]
    fn a_level_is_told_once() {
        let ledger = Ledger::default();
        let tell = |which, level| ledger.tell(which, 10, level);
        assert_eq!(tell(Which::Day, 70), None, "nothing was spent");
        ledger.charge(1, "alice", Some("s"), 5);
        for which in [
            Which::Day,
            Which::KeyDay("alice"),
            Which::Session("s"),
            Which::KeySession("alice", "s"),
        ] {
            assert_eq!(tell(which, 70), Some(0), "{which:?}");
            assert_eq!(tell(which, 70), None, "{which:?}");
            assert_eq!(tell(which, 100), Some(70), "{which:?}");
            assert_eq!(tell(which, 90), None, "{which:?}");
            let raised = |level| ledger.tell(which, 20, level);
            assert_eq!(raised(70), Some(0), "{which:?}: of a larger budget");
            assert_eq!(raised(70), None, "{which:?}");
        }
        ledger.charge(2, "alice", None, 5);
        assert_eq!(tell(Which::Day, 70), Some(0), "a new day");
    }

    #[test]
    fn sessions_are_bounded_and_those_in_use_stay() {
        let ledger = Ledger::default();
        for number in 0..3 * MOST_SESSIONS {
            ledger.charge(1, "", Some("kept"), 1);
            ledger.charge(1, "", Some(&number.to_string()), 1);
        }
        assert!(ledger.sums().sessions.len() <= MOST_SESSIONS);
        let sum = ledger.spent(1, Which::Session("kept"));
        assert_eq!(sum, 3 * MOST_SESSIONS as u64);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let ledger = Ledger::default();
        std::thread::scope(|scope| {
            for number in 0..8_u64 {
                let ledger = &ledger;
                scope.spawn(move || {
                    let key = format!("k{}", number % 2);
                    for _ in 0..1000 {
                        ledger.charge(1, &key, Some("s"), number);
                    }
                });
            }
        });
        assert_eq!(ledger.spent(1, Which::Day), 28_000);
        assert_eq!(ledger.spent(1, Which::KeyDay("k1")), 16_000);
        assert_eq!(ledger.spent(1, Which::Session("s")), 28_000);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_their_charges(
            charges in proptest::collection::vec((0..4_i64, 0..3_usize, 0..4_usize, 0..1_000_000_u64), 0..60),
        ) {
            let (keys, sessions) = (["", "a", "b"], ["s", "t", "u"]);
            let ledger = Ledger::default();
            let mut newest = 0;
            let mut counted = Vec::new();
            for (day, key, session, amount) in charges {
                ledger.charge(day, keys[key], sessions.get(session).copied(), amount);
                newest = newest.max(day);
                counted.push((day, key, session, amount));
            }
            type Charge = (i64, usize, usize, u64);
            let sum = |is_it: &dyn Fn(&Charge) -> bool| {
                counted.iter().filter(|charge| is_it(charge)).map(|charge| charge.3).sum::<u64>()
            };
            prop_assert_eq!(ledger.spent(newest, Which::Day), sum(&|charge| charge.0 == newest));
            for (number, key) in keys.iter().enumerate().skip(1) {
                let expected = sum(&|charge| charge.0 == newest && charge.1 == number);
                prop_assert_eq!(ledger.spent(newest, Which::KeyDay(key)), expected);
            }
            for (number, session) in sessions.iter().enumerate() {
                let expected = sum(&|charge| charge.2 == number);
                prop_assert_eq!(ledger.spent(newest, Which::Session(session)), expected);
            }
        }
    }
}
