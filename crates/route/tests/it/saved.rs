//! A board that is kept and taken up again decides as it would have.

use std::time::Duration;

use lingate_route::Strategy;
use lingate_route::health::{Board, Draw, Fault, Saved, Standing, Tried};

use crate::board::{BREAKER, Does, exchange, query};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two hours in, as a gateway's clock begins.
const NOW: Duration = Duration::from_secs(7200);

/// The board after a restart that took so long, at another reading of the clock.
fn restarted(board: &Board, ago: Duration) -> Board {
    let mut again = Board::new(BREAKER);
    again.restore(board.save(NOW), ago, at(20_000));
    again
}

const THEN: Duration = Duration::from_secs(20_000);

fn fails(fault: Fault, told: Option<u64>) -> impl Fn(usize, usize) -> Does {
    move |index, key| Does((index == 0 && key == 0).then_some((fault, told)))
}

#[track_caller]
fn check(targets: &str, fault: Fault, told: Option<u64>, times: usize, cases: &[(u64, &str)]) {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(3));
    let asks = query(targets, Strategy::First, None);
    for _ in 0..times {
        exchange(&mut board, &asks, NOW, &mut draw, &fails(fault, told));
    }
    for (ago, expected) in cases {
        let mut again = restarted(&board, at(*ago));
        let way = exchange(&mut again, &asks, THEN, &mut draw, &|_, _| Does(None));
        assert_eq!(way, *expected, "{fault:?} after {ago} s");
    }
}

#[test]
fn what_was_left_alone_is_left_alone_for_the_rest_of_its_time() {
    let two = "a/x b/y";
    check(
        two,
        Fault::Server,
        None,
        5,
        &[(0, "1#0 ok"), (10, "1#0 ok"), (30, "0#0 ok")],
    );
    check(
        two,
        Fault::RateLimit,
        Some(100),
        1,
        &[(0, "1#0 ok"), (99, "1#0 ok"), (101, "0#0 ok")],
    );
    check(
        two,
        Fault::Credential,
        None,
        1,
        &[(599, "1#0 ok"), (721, "0#0 ok")],
    );
    check(
        two,
        Fault::Missing,
        None,
        1,
        &[(599, "1#0 ok"), (721, "0#0 ok")],
    );
    check(
        "a/x*2",
        Fault::Quota,
        Some(500),
        1,
        &[(0, "0#1 ok"), (501, "0#0 ok")],
    );
    check(two, Fault::Request, None, 3, &[(0, "0#0 ok")]);
}

#[test]
fn a_session_is_where_it_was() {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(3));
    let asks = query("a/x b/y", Strategy::Ordered, Some(9));
    let first = fails(Fault::Server, None);
    assert_eq!(
        exchange(&mut board, &asks, NOW, &mut draw, &first),
        "0#0 1#0 ok"
    );
    for (ago, expected) in [(0, "1#0 ok"), (3000, "1#0 ok"), (3601, "0#0 ok")] {
        let mut again = restarted(&board, at(ago));
        assert_eq!(
            exchange(&mut again, &asks, THEN, &mut draw, &|_, _| Does(None)),
            expected
        );
    }
    let mut forgetful = Board::new(BREAKER);
    forgetful.restore(board.save(NOW).without_sessions(), at(0), THEN);
    assert_eq!(
        exchange(&mut forgetful, &asks, THEN, &mut draw, &|_, _| Does(None)),
        "0#0 ok"
    );
}

#[test]
fn what_is_taken_out_stays_out() {
    let mut board = Board::new(BREAKER);
    assert!(board.drain("a", true));
    assert!(!board.drain("a", true), "it was out");
    let mut again = restarted(&board, at(0));
    let mut draw = Draw::new(3);
    let way = |board: &mut Board, targets: &str| {
        let asks = query(targets, Strategy::First, None);
        exchange(board, &asks, THEN, &mut Draw::new(1), &|_, _| Does(None))
    };
    assert_eq!(way(&mut again, "a/x b/y"), "1#0 ok");
    // Not even as a last resort.
    let asks = query("a/x", Strategy::First, None);
    let spent = again
        .pick(&asks, &Tried::default(), THEN, &mut draw)
        .unwrap_err();
    assert_eq!(
        (spent.soonest, spent.skipped[0].reason()),
        (None, "drained")
    );
    assert!(again.drain("a", false));
    assert_eq!(way(&mut again, "a/x b/y"), "0#0 ok");
}

#[test]
fn an_operator_is_told_how_things_stand() {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(3));
    let asks = query("a/x*2 b/y", Strategy::First, None);
    let bad = fails(Fault::Credential, None);
    assert_eq!(
        exchange(&mut board, &asks, NOW, &mut draw, &bad),
        "0#0 0#1 ok"
    );
    let targets = board.targets(NOW + at(5));
    assert_eq!(targets.len(), 2, "what was looked at: {targets:?}");
    let own = &targets[0];
    assert_eq!(
        (own.provider.as_str(), own.last, own.last_fault),
        ("a", Some(at(5)), None)
    );
    assert_eq!(
        (own.standing, own.in_flight, own.ttft),
        (Standing::Ready, 0, Some(at(0)))
    );
    let mut keys = board.keys_of("a", NOW);
    keys.sort_by_key(|key| key.key);
    assert_eq!(
        keys[0].account.map(|own| own.fault),
        Some(Fault::Credential)
    );
    assert!(keys[1].account.is_none());
    assert!(board.keys_of("b", NOW).is_empty());
}

#[test]
fn probes_open_a_breaker_and_never_close_one() {
    let (mut board, mut draw) = (Board::new(BREAKER), Draw::new(3));
    for _ in 0..4 {
        board.probed("a", &["x"], Fault::Unreachable, NOW, &mut draw);
    }
    assert_eq!(board.standing("a", "x", NOW), Standing::Ready);
    board.probed("a", &["x"], Fault::Unreachable, NOW, &mut draw);
    let Standing::Open(until) = board.standing("a", "x", NOW) else {
        panic!("it is open");
    };
    board.probed("a", &["x"], Fault::Unreachable, NOW + at(5), &mut draw);
    assert_eq!(
        board.standing("a", "x", NOW),
        Standing::Open(until),
        "not longer for it"
    );
    assert_eq!(board.standing("a", "x", until), Standing::Probe);
}

#[test]
fn a_text_of_another_time_is_read_as_far_as_it_goes() {
    let check = |text: &str| serde_json::from_str::<Saved>(text);
    assert_eq!(check("{}").unwrap(), Saved::default());
    assert!(check(r#"{"keys": 5}"#).is_err());
    let unknown = r#"{"keys":[{"provider":"a","id":1,"account":{"fault":"newer","left_ms":9,"is_told":false,"times":0}}]}"#;
    let mut board = Board::new(BREAKER);
    board.restore(check(unknown).unwrap(), at(0), NOW);
    assert!(board.keys_of("a", NOW)[0].account.is_none());
    let forever = unknown
        .replace("newer", "quota")
        .replace(":9,", ":18446744073709551615,");
    board.restore(check(&forever).unwrap(), at(0), NOW);
    let until = board.keys_of("a", NOW)[0].account.unwrap().until;
    assert_eq!(until - NOW, at(32 * 86_400));
}
