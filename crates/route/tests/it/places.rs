//! Where sessions are, and what it costs them to leave.

use std::time::Duration;

use lingate_route::health::{Board, Draw, Fault, Move, Pick, Query, Tried};
use lingate_route::{Return, Strategy};

use crate::board::{BREAKER, query};

struct Scene {
    board: Board,
    draw: Draw,
    now: Duration,
}

impl Scene {
    fn new() -> Self {
        Self {
            board: Board::new(BREAKER),
            draw: Draw::new(5),
            now: Duration::from_secs(100),
        }
    }

    fn pick(&mut self, query: &Query) -> Pick {
        let tried = Tried::default();
        let picked = self.board.pick(query, &tried, self.now, &mut self.draw);
        picked.expect("a target")
    }

    /// The next exchange is served; its input was this many tokens.
    fn serve(&mut self, query: &Query, tokens: u64) -> (usize, Option<Move>) {
        let pick = self.pick(query);
        self.board.served(&pick, self.now, &mut self.draw);
        self.board.completed(&pick, tokens);
        self.board.release(&pick);
        (pick.index, pick.moved)
    }

    /// The first target fails until its breaker opens.
    fn break_first(&mut self) {
        let other = query("a/x b/y", Strategy::First, None);
        for _ in 0..6 {
            let pick = self.pick(&other);
            let draw = &mut self.draw;
            if pick.index == 0 {
                self.board
                    .failed(&pick, Fault::Server, None, self.now, draw);
            }
            self.board.release(&pick);
        }
        let pick = self.pick(&other);
        assert_eq!(pick.index, 1);
        self.board.release(&pick);
    }
}

/// A move says what the cache of the place that is left may have held: the last request there, not the largest.
#[test]
fn a_move_names_the_tokens_of_the_last_request() {
    let mut scene = Scene::new();
    let own = query("a/x b/y", Strategy::Ordered, Some(1));
    assert_eq!(scene.serve(&own, 9_000), (0, None));
    assert_eq!(scene.serve(&own, 4_000), (0, None));
    scene.break_first();
    let moved = |from, tokens| Some(Move { from, tokens });
    assert_eq!(scene.serve(&own, 4_500), (1, moved(Some(0), 4_000)));
    assert_eq!(scene.serve(&own, 5_000), (1, None));
    // The first is well again: this session stays, another begins there.
    scene.now += Duration::from_secs(60);
    assert_eq!(scene.serve(&own, 5_500), (1, None));
    let other = query("a/x b/y", Strategy::Ordered, Some(2));
    assert_eq!(scene.serve(&other, 100), (0, None));
    // With `return = "now"` it goes back, and what that costs is told.
    let back = Query {
        return_to: Return::Now,
        ..own.clone()
    };
    assert_eq!(scene.serve(&back, 6_000), (0, moved(Some(1), 5_500)));
    // A place that is no target any more.
    let elsewhere = query("c/z", Strategy::Ordered, Some(1));
    assert_eq!(scene.serve(&elsewhere, 10), (0, moved(None, 6_000)));
}

/// What begins anew costs nothing: another session, another model of the same session, or one whose cache is gone.
#[test]
fn only_a_session_that_was_elsewhere_moves() {
    let mut scene = Scene::new();
    let own = query("a/x b/y", Strategy::Ordered, Some(1));
    assert_eq!(scene.serve(&own, 9_000), (0, None));
    scene.break_first();
    let other_model = Query {
        route: "small".to_owned(),
        ..own.clone()
    };
    assert_eq!(scene.serve(&other_model, 10), (1, None));
    let nameless = Query {
        session: None,
        ..own.clone()
    };
    assert_eq!(scene.serve(&nameless, 10), (1, None));
    scene.now += Duration::from_secs(3601);
    scene.break_first();
    assert_eq!(scene.serve(&own, 10), (1, None));
}
