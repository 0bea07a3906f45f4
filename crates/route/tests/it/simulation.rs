//! Random histories in simulated time, against what must hold whatever happens.

use std::collections::HashMap;
use std::time::Duration;

use lingate_route::Strategy;
use lingate_route::health::{Board, Draw, Fault, Pick, Query, Standing, Tried};

use crate::board::{BREAKER, query};

const STRATEGIES: [Strategy; 7] = [
    Strategy::Ordered,
    Strategy::Spread,
    Strategy::First,
    Strategy::RoundRobin,
    Strategy::Random,
    Strategy::WeightedRandom,
    Strategy::LeastLatency,
];

/// What the model of the world remembers, in the simplest terms.
#[derive(Default)]
struct Reference {
    /// Until when a key was told to wait.
    told: HashMap<(usize, usize), Duration>,
}

fn names(ask: &Query, index: usize) -> (&str, &str) {
    let entrant = &ask.entrants[index];
    (&entrant.provider, &entrant.model)
}

fn run(seed: u64) {
    let mut world = Draw::new(seed);
    let mut draw = Draw::new(!seed);
    let mut board = Board::new(BREAKER);
    let strategy = STRATEGIES[world.below(STRATEGIES.len())];
    let mut ask = query("a/x*3 b/y c/z*2", strategy, None);
    let mut reference = Reference::default();
    let mut running: Vec<Pick> = Vec::new();
    let mut now = Duration::from_secs(10);
    for step in 0..200 {
        now += Duration::from_millis(u64::try_from(world.below(4000)).expect("small"));
        ask.session = Some(u64::try_from(world.below(5)).expect("small"));
        if world.below(2) == 0 || running.is_empty() {
            let before: Vec<Standing> = (0..3)
                .map(|index| {
                    let (provider, model) = names(&ask, index);
                    board.standing(provider, model, now)
                })
                .collect();
            let Ok(pick) = board.pick(&ask, &Tried::default(), now, &mut draw) else {
                let is_told = |index: usize, key: usize| {
                    reference
                        .told
                        .get(&(index, key))
                        .is_some_and(|until| now < *until)
                };
                let one_is_limited =
                    is_told(0, 0) || is_told(1, 0) || is_told(2, 0) || is_told(0, 1);
                assert!(
                    one_is_limited,
                    "seed {seed}, step {step}: nobody is asked for no reason"
                );
                continue;
            };
            let told = reference.told.get(&(pick.index, pick.key));
            assert!(
                told.is_none_or(|until| *until <= now),
                "seed {seed}, step {step}: a key within its limit"
            );
            let is_open = matches!(before[pick.index], Standing::Open(_));
            assert!(
                !is_open || pick.is_last_resort,
                "seed {seed}, step {step}: an open breaker while others are well"
            );
            if before[pick.index] == Standing::Probe {
                let (provider, model) = names(&ask, pick.index);
                let after = board.standing(provider, model, now);
                assert!(
                    matches!(after, Standing::Open(_)),
                    "seed {seed}: a second probe"
                );
            }
            running.push(pick);
            continue;
        }
        let pick = running.swap_remove(world.below(running.len()));
        match world.below(10) {
            0 => {}
            1..=4 => board.served(&pick, now, &mut draw),
            n => {
                let fault = Fault::ALL[(n + world.below(11)) % Fault::ALL.len()];
                let told = u64::try_from(world.below(60)).expect("small") + 1;
                board.failed(
                    &pick,
                    fault,
                    Some(Duration::from_secs(told)),
                    now,
                    &mut draw,
                );
                if fault == Fault::RateLimit {
                    let until = now + Duration::from_secs(told);
                    let told = reference.told.entry((pick.index, pick.key)).or_default();
                    *told = until.max(*told);
                }
            }
        }
        board.release(&pick);
    }
    for pick in running.drain(..) {
        board.release(&pick);
    }
    // Nothing is wedged: after the longest of all limits, every target serves again.
    now += Duration::from_secs(40 * 24 * 3600);
    for index in 0..3 {
        let (provider, model) = names(&ask, index);
        let standing = board.standing(provider, model, now);
        assert!(
            !matches!(standing, Standing::Open(_)),
            "seed {seed}: {standing:?}"
        );
        let only = Query {
            entrants: vec![ask.entrants[index].clone()],
            ..ask.clone()
        };
        let pick = board
            .pick(&only, &Tried::default(), now, &mut draw)
            .expect("a pick");
        assert!(!pick.is_last_resort, "seed {seed}: target {index}");
        board.release(&pick);
    }
}

#[test]
fn any_history() {
    for seed in 0..500 {
        run(seed);
    }
}

/// Ten thousand histories: `cargo nextest run -p lingate-route --run-ignored all`.
#[test]
#[ignore = "long: part of the soak"]
fn any_history_at_length() {
    for seed in 500..10_500 {
        run(seed);
    }
}

/// 20 sessions over three upstreams; one is down for five turns. A session that moves loses its cache once.
#[test]
fn sessions_stay_and_round_robin_does_not() {
    let moves = |strategy: Strategy| {
        let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(4));
        let mut place: HashMap<u64, usize> = HashMap::new();
        let mut moves = 0;
        for turn in 0..40_u64 {
            for session in 0..20_u64 {
                let now = Duration::from_secs(100 + turn * 20);
                let ask = query("a/x b/y c/z", strategy, Some(session));
                let mut tried = Tried::default();
                let served = loop {
                    let pick = board.pick(&ask, &tried, now, &mut draw).expect("a pick");
                    let is_down = pick.index == 1 && (10..15).contains(&turn);
                    if is_down {
                        board.failed(&pick, Fault::Server, None, now, &mut draw);
                        board.release(&pick);
                        tried.targets.push(pick.index);
                        continue;
                    }
                    board.served(&pick, now, &mut draw);
                    board.release(&pick);
                    break pick.index;
                };
                if place
                    .insert(session, served)
                    .is_some_and(|before| before != served)
                {
                    moves += 1;
                }
            }
        }
        moves
    };
    let spread = moves(Strategy::Spread);
    assert!((1..=20).contains(&spread), "each at most once: {spread}");
    assert_eq!(moves(Strategy::Ordered), 0);
    let rotating = moves(Strategy::RoundRobin);
    assert!(rotating > 500, "{rotating}");
}
