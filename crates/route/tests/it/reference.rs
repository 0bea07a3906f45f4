//! The board against a second, naive telling of its rules: every standing and every choice, over random histories.
//!
//! The model keeps all that happened and works each answer out anew. It knows no chance: where the board adds some to a
//! time, the model has the earliest and the latest, and between these it takes the board's word.

use std::time::Duration;

use lingate_route::Strategy;
use lingate_route::health::{Board, Draw, Fault, Pick, Standing, Tried, Verdict};

use crate::board::{BREAKER, query};

/// The targets, with so many keys each.
const TARGETS: &str = "a/x*3 b/y c/z*2";
const N_KEYS: [usize; 3] = [3, 1, 2];
const PROVIDERS: [(&str, &str); 3] = [("a", "x"), ("b", "y"), ("c", "z")];

/// A credential or model that was refused, at the earliest and at the latest.
const REFUSED: (u64, u64) = (600, 720);

/// A time that ends between two moments.
#[derive(Debug, Clone, Copy)]
struct Until {
    earliest: Duration,
    latest: Duration,
}

impl Until {
    fn between(now: Duration, (from, to): (u64, u64)) -> Self {
        Self {
            earliest: now + Duration::from_secs(from),
            latest: now + Duration::from_secs(to),
        }
    }

    /// Whether it lasts; none where nobody can say.
    fn holds(self, now: Duration) -> Option<bool> {
        match now {
            _ if now < self.earliest => Some(true),
            _ if now >= self.latest => Some(false),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open(Until),
    HalfOpen(Option<usize>),
}

#[derive(Debug)]
struct Target {
    state: State,
    row: u32,
    /// Requests since it last closed, and whether they failed.
    history: Vec<(Duration, bool)>,
    opened: u32,
    closed_at: Option<Duration>,
    failed_at: Option<Duration>,
    missing: Option<Until>,
    keys: Vec<Key>,
}

/// What a key is left alone for, in all and for its model.
#[derive(Debug, Clone, Default)]
struct Key {
    account: Option<(Until, Fault)>,
    model: Option<(Until, Fault)>,
}

/// What the model says of a choice.
#[derive(Debug, PartialEq)]
enum Choice {
    Of(usize, usize),
    /// Of several keys any that has no limit: which was given up on first, only the board knows.
    LastResort(usize),
    Nobody,
}

impl Target {
    fn new(n_keys: usize) -> Self {
        Self {
            state: State::Closed,
            row: 0,
            history: Vec::new(),
            opened: 0,
            closed_at: None,
            failed_at: None,
            missing: None,
            keys: vec![Key::default(); n_keys],
        }
    }

    fn begin(&mut self, ticket: usize) {
        if let State::Open(_) | State::HalfOpen(None) = self.state {
            self.state = State::HalfOpen(Some(ticket));
        }
    }

    fn release(&mut self, ticket: usize) {
        if matches!(self.state, State::HalfOpen(Some(probe)) if probe == ticket) {
            self.state = State::HalfOpen(None);
        }
    }

    fn judge(&mut self, ticket: usize, verdict: Verdict, now: Duration) {
        let is_bad = matches!(verdict, Verdict::Weak | Verdict::Failure | Verdict::Gone);
        if is_bad {
            self.failed_at = Some(now);
        }
        match self.state {
            State::Closed => self.count(verdict, is_bad, now),
            State::HalfOpen(Some(probe)) if probe == ticket => match verdict {
                Verdict::Neutral => self.state = State::HalfOpen(None),
                Verdict::Success | Verdict::Alive => {
                    self.state = State::Closed;
                    self.opened = self.opened.saturating_sub(1);
                    self.closed_at = Some(now);
                }
                Verdict::Weak | Verdict::Failure | Verdict::Gone => self.open(now),
            },
            State::Open(_) | State::HalfOpen(_) => {}
        }
    }

    fn count(&mut self, verdict: Verdict, is_bad: bool, now: Duration) {
        match verdict {
            Verdict::Alive | Verdict::Neutral => return,
            Verdict::Success => self.row = 0,
            Verdict::Weak => {}
            Verdict::Failure => self.row += 1,
            Verdict::Gone => self.row = BREAKER.consecutive,
        }
        self.history.push((now, is_bad));
        // A window in ten parts, forgotten one by one.
        let part = |at: Duration| at.as_millis() / (BREAKER.window.as_millis() / 10);
        let recent = self
            .history
            .iter()
            .filter(|(at, _)| part(*at) + 10 > part(now));
        let (all, bad) = recent.fold((0, 0), |(all, bad), (_, is_bad)| {
            (all + 1, bad + u32::from(*is_bad))
        });
        let is_mostly_bad = all >= 10 && f64::from(bad) / f64::from(all) >= BREAKER.ratio;
        if self.row >= BREAKER.consecutive || (is_bad && is_mostly_bad) {
            let is_long_ago = |at: Duration| now - at > BREAKER.open_max;
            if self.closed_at.is_some_and(is_long_ago) {
                self.opened = 0;
            }
            self.open(now);
        }
    }

    fn open(&mut self, now: Duration) {
        let seconds = (15_u64 << self.opened.min(10)).min(300);
        self.state = State::Open(Until::between(now, (seconds, seconds + seconds / 5)));
        self.opened += 1;
        self.row = 0;
        self.history.clear();
    }

    /// Whether its breaker lets a request through; none where nobody can say.
    fn is_open(&self, now: Duration) -> Option<bool> {
        match self.state {
            State::Closed | State::HalfOpen(None) => Some(false),
            State::HalfOpen(Some(_)) => Some(true),
            State::Open(until) => until.holds(now),
        }
    }

    fn refused(&mut self, key: usize, fault: Fault, told: Duration, now: Duration) {
        let key = &mut self.keys[key];
        let (place, until) = match fault {
            Fault::Quota => (&mut key.account, None),
            Fault::Credential => (&mut key.account, Some(REFUSED)),
            Fault::RateLimit => (&mut key.model, None),
            Fault::Forbidden => (&mut key.model, Some(REFUSED)),
            _ => return,
        };
        let until = until.map_or_else(
            || Until {
                earliest: now + told,
                latest: now + told,
            },
            |range| Until::between(now, range),
        );
        // A limit is over when the host said so, whatever else is said meanwhile.
        let is_kept = place.is_some_and(|(old, why)| {
            let outlasts = !fault.is_limit() || old.earliest > until.earliest;
            why.is_limit() && old.holds(now) == Some(true) && outlasts
        });
        if !is_kept {
            *place = Some((until, fault));
        }
    }

    fn served(&mut self, key: usize, now: Duration) {
        self.missing = None;
        let key = &mut self.keys[key];
        for place in [&mut key.account, &mut key.model] {
            place.take_if(|(until, why)| !why.is_limit() || until.holds(now) == Some(false));
        }
    }

    /// What holds a key back, the longer one; `Err` where nobody can say.
    fn held(&self, key: usize, now: Duration) -> Result<Option<Until>, ()> {
        let mut held: Option<Until> = None;
        for (until, _) in [self.keys[key].account, self.keys[key].model]
            .into_iter()
            .flatten()
        {
            if until.holds(now).ok_or(())? && held.is_none_or(|own| own.latest < until.latest) {
                held = Some(until);
            }
        }
        Ok(held)
    }

    fn is_limited(&self, key: usize, now: Duration) -> bool {
        let key = &self.keys[key];
        let both = [key.account, key.model].into_iter().flatten();
        both.filter(|(_, why)| why.is_limit())
            .any(|(until, _)| until.holds(now) == Some(true))
    }
}

/// Whom an exchange that has tried nobody asks; none where nobody can say.
fn choice(targets: &[Target], now: Duration) -> Option<Choice> {
    for (index, target) in targets.iter().enumerate() {
        let is_missing = target
            .missing
            .map_or(Some(false), |until| until.holds(now))?;
        let is_open = target.is_open(now)?;
        let mut well = None;
        for key in (0..target.keys.len()).rev() {
            if target.held(key, now).ok()?.is_none() {
                well = Some(key);
            }
        }
        match well {
            Some(key) if !is_missing && !is_open => return Some(Choice::Of(index, key)),
            Some(_) | None => {}
        }
    }
    // Nobody is well: of those without a limit the one that failed longest ago.
    let hopeful = targets
        .iter()
        .enumerate()
        .filter(|(_, target)| (0..target.keys.len()).any(|key| !target.is_limited(key, now)));
    let longest_ago = hopeful.min_by_key(|(_, target)| target.failed_at);
    Some(longest_ago.map_or(Choice::Nobody, |(index, _)| Choice::LastResort(index)))
}

/// How often the model had an answer of its own.
#[derive(Default)]
struct Compared {
    choices: usize,
    standings: usize,
}

fn run(seed: u64, compared: &mut Compared) {
    let (mut world, mut draw) = (Draw::new(seed), Draw::new(!seed));
    let below = |world: &mut Draw, n: usize| world.below(n);
    let mut board = Board::new(BREAKER);
    let mut targets: Vec<Target> = N_KEYS.into_iter().map(Target::new).collect();
    let ask = query(TARGETS, Strategy::Ordered, None);
    // Some worlds are bad to one target only, some to all.
    let bad = below(&mut world, 4);
    let (mut running, mut now): (Vec<(usize, Pick)>, _) = (Vec::new(), Duration::from_secs(1000));
    for step in 0..250 {
        let pause = [0, 300, 2000, 9000, 40_000][below(&mut world, 5)];
        now += Duration::from_millis(below(&mut world, pause + 1) as u64);
        let at = format!("seed {seed}, step {step}");
        for (index, (provider, model)) in PROVIDERS.into_iter().enumerate() {
            if let Some(expected) = targets[index].is_open(now) {
                let standing = board.standing(provider, model, now);
                let is_open = matches!(standing, Standing::Open(_));
                assert_eq!(
                    is_open, expected,
                    "{at}: {standing:?}, {:?}",
                    targets[index]
                );
                compared.standings += 1;
            }
        }
        if running.is_empty() || below(&mut world, 5) < 2 {
            let expected = choice(&targets, now);
            let got = board.pick(&ask, &Tried::default(), now, &mut draw);
            let told = match &got {
                Ok(pick) if pick.is_last_resort => {
                    assert!(
                        !targets[pick.index].is_limited(pick.key, now),
                        "{at}: a key within its limit"
                    );
                    Choice::LastResort(pick.index)
                }
                Ok(pick) => Choice::Of(pick.index, pick.key),
                Err(_) => Choice::Nobody,
            };
            if let Some(expected) = expected {
                assert_eq!(told, expected, "{at}: {targets:#?}");
                compared.choices += 1;
            }
            if let Ok(pick) = got {
                targets[pick.index].begin(step);
                running.push((step, pick));
            }
            continue;
        }
        let (ticket, pick) = running.swap_remove(below(&mut world, running.len()));
        let target = &mut targets[pick.index];
        let is_bad = bad == 3 || pick.index == bad;
        match below(&mut world, 10) {
            // The client left, or the request could not be built.
            0 => {}
            n if (n < 7) != is_bad => {
                board.served(&pick, now, &mut draw);
                target.judge(ticket, Verdict::Success, now);
                target.served(pick.key, now);
            }
            _ => {
                let fault = Fault::ALL[below(&mut world, Fault::ALL.len())];
                let told = Duration::from_secs(1 + below(&mut world, 90) as u64);
                board.failed(&pick, fault, Some(told), now, &mut draw);
                target.judge(ticket, fault.verdict(), now);
                if fault == Fault::Missing {
                    target.missing = Some(Until::between(now, REFUSED));
                }
                target.refused(pick.key, fault, told, now);
            }
        }
        board.release(&pick);
        targets[pick.index].release(ticket);
    }
}

fn run_all(seeds: std::ops::Range<u64>) {
    let mut compared = Compared::default();
    let n = seeds.end - seeds.start;
    for seed in seeds {
        run(seed, &mut compared);
    }
    let least = usize::try_from(n).expect("a number of seeds") * 50;
    let Compared { choices, standings } = compared;
    assert!(
        choices > least && standings > least,
        "{choices} choices, {standings} standings"
    );
}

#[test]
fn the_board_does_what_the_model_says() {
    run_all(0..500);
}

/// Ten thousand histories, two and a half million steps.
#[test]
#[ignore = "long: part of the soak"]
fn the_board_does_what_the_model_says_at_length() {
    run_all(500..10_500);
}

/// R10: whoever waits for a target that may be back, one of them tries it.
#[test]
fn a_thousand_callers_make_one_probe() {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(9));
    let ask = query("a/x b/y", Strategy::First, None);
    let mut pick = |board: &mut Board, now: u64| {
        let now = Duration::from_secs(now);
        board
            .pick(&ask, &Tried::default(), now, &mut draw)
            .expect("a pick")
    };
    let mut chance = Draw::new(10);
    for _ in 0..5 {
        let own = pick(&mut board, 1);
        board.failed(
            &own,
            Fault::Server,
            None,
            Duration::from_secs(1),
            &mut chance,
        );
        board.release(&own);
    }
    for round in 0..3 {
        let mut all: Vec<Pick> = (0..1000).map(|_| pick(&mut board, 30)).collect();
        let probes: Vec<usize> = (0..1000).filter(|n| all[*n].index == 0).collect();
        assert_eq!(
            probes,
            [0],
            "round {round}: the first caller probes, and nobody else"
        );
        let probe = all.swap_remove(0);
        match round {
            // The client left.
            0 => {}
            // The request could not be built.
            1 => board.failed(
                &probe,
                Fault::Ours,
                None,
                Duration::from_secs(30),
                &mut chance,
            ),
            _ => board.served(&probe, Duration::from_secs(30), &mut chance),
        }
        board.release(&probe);
        all.iter().for_each(|own| board.release(own));
    }
    assert!((0..1000).all(|_| pick(&mut board, 31).index == 0), "closed");
}
