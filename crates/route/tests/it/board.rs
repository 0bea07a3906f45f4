//! Exchanges against a board, step by step in simulated time.

use std::time::Duration;

use lingate_route::health::{
    Board, BreakerSettings, Draw, Entrant, Fault, Pick, Pool, Query, Remedy, Tried,
};
use lingate_route::{Return, Strategy};

pub(crate) const BREAKER: BreakerSettings = BreakerSettings {
    consecutive: 5,
    ratio: 0.5,
    window: Duration::from_secs(30),
    open: Duration::from_secs(15),
    open_max: Duration::from_secs(300),
};

/// `a/x*2$`: provider, model, keys, the caller's own.
pub(crate) fn query(targets: &str, strategy: Strategy, session: Option<u64>) -> Query {
    let entrants = targets.split(' ').map(|text| {
        let caller = text.ends_with('$').then_some(77);
        let text = text.trim_end_matches('$');
        let (name, n_keys) = text.split_once('*').unwrap_or((text, "1"));
        let (provider, model) = name.split_once('/').expect("provider/model");
        Entrant {
            provider: provider.into(),
            model: model.into(),
            weight: 1,
            pool: Pool::FillFirst,
            keys: (1..=n_keys.parse().expect("a number of keys")).collect(),
            caller,
        }
    });
    Query {
        route: "m".to_owned(),
        strategy,
        return_to: Return::NextSession,
        session,
        entrants: entrants.collect(),
    }
}

/// What a target does in a scene: answers, or fails as said; `told` seconds for limits.
#[derive(Clone, Copy)]
pub(crate) struct Does(pub Option<(Fault, Option<u64>)>);

/// One exchange as the gateway runs it. Gives the way: `a/x#0 a/x#1 b/y#0`, then `ok`, `failed` or `wait N`.
pub(crate) fn exchange(
    board: &mut Board,
    query: &Query,
    now: Duration,
    draw: &mut Draw,
    does: &dyn Fn(usize, usize) -> Does,
) -> String {
    let (mut way, mut tried) = (Vec::new(), Tried::default());
    let mut pick: Pick = match board.pick(query, &tried, now, draw) {
        Ok(pick) => pick,
        Err(spent) => {
            let soonest = spent.soonest.map_or(0, |soonest| soonest.as_secs());
            return format!("wait {soonest}");
        }
    };
    loop {
        let mark = if pick.is_last_resort { "!" } else { "" };
        way.push(format!("{}#{}{mark}", pick.index, pick.key));
        let Does(Some((fault, told))) = does(pick.index, pick.key) else {
            board.served(&pick, now, draw);
            board.release(&pick);
            return format!("{} ok", way.join(" "));
        };
        board.failed(&pick, fault, told.map(Duration::from_secs), now, draw);
        board.release(&pick);
        tried.keys.push((pick.index, pick.key));
        let same = (fault.remedy() == Remedy::Key)
            .then(|| board.rotate(query, &tried, pick.index, now, draw))
            .flatten();
        let next = same.or_else(|| {
            tried.targets.push(pick.index);
            (fault.remedy() != Remedy::None)
                .then(|| board.pick(query, &tried, now, draw).ok())
                .flatten()
        });
        match next {
            Some(next) => pick = next,
            None => return format!("{} failed", way.join(" ")),
        }
    }
}

/// What the targets do from then on, the second, and the way expected.
type Step<'a> = (&'a [Option<(Fault, Option<u64>)>], u64, &'a str);

#[track_caller]
fn check(query: &Query, steps: &[Step<'_>]) {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(1));
    for (n, (targets, second, expected)) in steps.iter().enumerate() {
        let does = |target: usize, _key: usize| Does(targets[target]);
        let now = Duration::from_secs(1000 + second);
        let way = exchange(&mut board, query, now, &mut draw, &does);
        assert_eq!(way, *expected, "step {n} at {second} s");
    }
}

const OK: Option<(Fault, Option<u64>)> = None;
const DEAD: Option<(Fault, Option<u64>)> = Some((Fault::Unreachable, None));

fn limit(seconds: u64) -> Option<(Fault, Option<u64>)> {
    Some((Fault::RateLimit, Some(seconds)))
}

#[test]
fn a_session_moves_once_and_stays() {
    let ask = query("a/x b/y", Strategy::Ordered, Some(1));
    check(
        &ask,
        &[
            (&[OK, OK], 0, "0#0 ok"),
            (&[DEAD, OK], 1, "0#0 1#0 ok"),
            (&[DEAD, OK], 2, "1#0 ok"),
            (&[OK, OK], 3, "1#0 ok"),
            (&[OK, DEAD], 4, "1#0 0#0 ok"),
            (&[OK, OK], 5, "0#0 ok"),
        ],
    );
    let mut returns = ask;
    returns.return_to = Return::Now;
    check(
        &returns,
        &[(&[DEAD, OK], 0, "0#0 1#0 ok"), (&[OK, OK], 1, "0#0 ok")],
    );
}

#[test]
fn an_idle_session_is_a_new_one() {
    let ask = query("a/x b/y", Strategy::Ordered, Some(1));
    check(
        &ask,
        &[
            (&[DEAD, OK], 0, "0#0 1#0 ok"),
            (&[OK, OK], 3599, "1#0 ok"),
            (&[OK, OK], 7300, "0#0 ok"),
        ],
    );
}

#[test]
fn an_open_breaker_is_passed_over_and_probed_by_one() {
    let ask = query("a/x b/y", Strategy::First, None);
    let dead: Step<'_> = (&[DEAD, OK], 0, "0#0 1#0 ok");
    check(
        &ask,
        &[
            dead,
            dead,
            dead,
            dead,
            dead,
            (&[DEAD, OK], 1, "1#0 ok"),
            (&[DEAD, OK], 19, "0#0 1#0 ok"),
            (&[OK, OK], 20, "1#0 ok"),
            (&[OK, OK], 80, "0#0 ok"),
            (&[OK, OK], 80, "0#0 ok"),
        ],
    );
}

#[test]
fn when_all_are_open_one_is_asked_once() {
    let ask = query("a/x b/y", Strategy::First, None);
    let dead: Step<'_> = (&[DEAD, DEAD], 0, "0#0 1#0 failed");
    check(
        &ask,
        &[
            dead,
            dead,
            dead,
            dead,
            dead,
            (&[DEAD, DEAD], 1, "0#0! failed"),
            (&[DEAD, DEAD], 2, "1#0! failed"),
            (&[OK, OK], 3, "0#0! ok"),
        ],
    );
    check(
        &query("a/x", Strategy::Ordered, None),
        &[
            (&[DEAD], 0, "0#0 failed"),
            (&[DEAD], 0, "0#0 failed"),
            (&[DEAD], 0, "0#0 failed"),
            (&[DEAD], 0, "0#0 failed"),
            (&[DEAD], 0, "0#0 failed"),
            (&[DEAD], 0, "0#0! failed"),
            (&[OK], 0, "0#0! ok"),
        ],
    );
}

#[test]
fn limits_are_waited_for_and_told() {
    check(
        &query("a/x*2 b/y", Strategy::Ordered, None),
        &[
            (&[limit(60), limit(30)], 0, "0#0 0#1 1#0 failed"),
            (&[OK, OK], 10, "wait 20"),
            (&[OK, OK], 30, "1#0 ok"),
            (&[OK, OK], 60, "0#0 ok"),
        ],
    );
    check(
        &query("a/x", Strategy::Ordered, None),
        &[
            (&[limit(7)], 0, "0#0 failed"),
            (&[OK], 6, "wait 1"),
            (&[OK], 7, "0#0 ok"),
        ],
    );
}

#[test]
fn a_refused_key_is_left_alone_unless_there_is_no_other() {
    let refused = Some((Fault::Credential, None));
    check(
        &query("a/x b/y", Strategy::Ordered, None),
        &[
            (&[refused, OK], 0, "0#0 1#0 ok"),
            (&[refused, OK], 1, "1#0 ok"),
            (&[OK, OK], 800, "0#0 ok"),
        ],
    );
    check(
        &query("a/x", Strategy::Ordered, None),
        &[(&[refused], 0, "0#0 failed"), (&[OK], 1, "0#0! ok")],
    );
}

#[test]
fn a_subscription_comes_first_and_its_session_is_back_at_the_reset() {
    let ask = query("a/x$ b/y", Strategy::Ordered, Some(5));
    check(
        &ask,
        &[
            (&[OK, OK], 0, "0#0 ok"),
            (&[limit(3600), OK], 1, "0#0 1#0 ok"),
            (&[OK, OK], 2, "1#0 ok"),
            (&[OK, OK], 3600, "1#0 ok"),
            (&[OK, OK], 3601, "0#0 ok"),
        ],
    );
}

#[test]
fn the_callers_credential_goes_nowhere_by_failover() {
    check(
        &query("a/x b/y$", Strategy::Ordered, None),
        &[(&[DEAD, OK], 0, "0#0 failed")],
    );
    check(
        &query("a/x$ b/y$ a/z$", Strategy::Ordered, None),
        &[(&[DEAD, OK, OK], 0, "0#0 2#0 ok")],
    );
    check(
        &query("a/x$ b/y$", Strategy::RoundRobin, None),
        &[
            (&[OK, OK], 0, "0#0 ok"),
            (&[OK, OK], 0, "1#0 ok"),
            (&[DEAD, OK], 0, "0#0 failed"),
        ],
    );
}

#[test]
fn turns_are_those_of_exchanges() {
    check(
        &query("a/x b/y c/z", Strategy::RoundRobin, Some(1)),
        &[
            (&[OK, OK, OK], 0, "0#0 ok"),
            (&[OK, DEAD, OK], 0, "1#0 2#0 ok"),
            (&[OK, OK, OK], 0, "2#0 ok"),
            (&[OK, OK, OK], 0, "0#0 ok"),
        ],
    );
}

#[test]
fn a_request_at_fault_ends_where_it_is() {
    check(
        &query("a/x b/y", Strategy::Ordered, None),
        &[(&[Some((Fault::Request, None)), OK], 0, "0#0 failed")],
    );
}

#[test]
fn a_missing_model_is_left_alone() {
    check(
        &query("a/x b/y", Strategy::Ordered, None),
        &[
            (&[Some((Fault::Missing, None)), OK], 0, "0#0 1#0 ok"),
            (&[OK, OK], 1, "1#0 ok"),
            (&[OK, OK], 721, "0#0 ok"),
        ],
    );
}

#[test]
fn a_probe_that_the_client_left_is_given_back() {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(1));
    let ask = query("a/x", Strategy::Ordered, None);
    let tried = Tried::default();
    let at = Duration::from_secs;
    for _ in 0..5 {
        let pick = board.pick(&ask, &tried, at(0), &mut draw).expect("a pick");
        board.failed(&pick, Fault::Server, None, at(0), &mut draw);
        board.release(&pick);
    }
    let probe = board
        .pick(&ask, &tried, at(30), &mut draw)
        .expect("a probe");
    assert!(!probe.is_last_resort);
    let other = board
        .pick(&ask, &tried, at(30), &mut draw)
        .expect("a last resort");
    assert!(other.is_last_resort, "the place of the probe is taken");
    board.release(&other);
    board.release(&probe);
    let again = board
        .pick(&ask, &tried, at(30), &mut draw)
        .expect("a probe");
    assert!(!again.is_last_resort);
}

#[test]
fn repeats_are_bounded() {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(1));
    let ask = query("a/x", Strategy::Ordered, None);
    let mut picks: Vec<Pick> = (0..10)
        .map(|_| {
            board
                .pick(&ask, &Tried::default(), Duration::ZERO, &mut draw)
                .expect("a pick")
        })
        .collect();
    let repeats = picks
        .iter_mut()
        .filter_map(|pick| board.repeat(pick).then_some(()))
        .count();
    assert_eq!(repeats, 3);
    for pick in &picks {
        board.release(pick);
    }
    let mut pick = board
        .pick(&ask, &Tried::default(), Duration::ZERO, &mut draw)
        .expect("a pick");
    assert!(board.repeat(&mut pick), "the room was given back");
}
