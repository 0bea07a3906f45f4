//! What is known of the upstreams, shared by all exchanges: `route::health::Board` behind a lock, with the time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use lingate_config::{Config, Provider};
use lingate_route::health::{
    Board, BreakerSettings, Draw, Fault, Move, Pick, Query, Skip, Spent, Tried,
};
use lingate_wire::Wire;
use tokio::time::Instant;

use crate::clock;

/// The board of this process.
pub(crate) struct Health {
    board: Mutex<Board>,
    /// Moments of the board count from here.
    start: Instant,
}

/// One attempt that the board let through. Dropping it tells the board that it is over.
pub(crate) struct Lease {
    health: Arc<Health>,
    pick: Pick,
    draw: Draw,
}

impl Health {
    /// Nothing is known yet.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            board: Mutex::new(Board::new(settings(config))),
            start: clock::now(),
        }
    }

    /// Another configuration is in force. What is known of a provider counts as long as it is the same one: at the same
    /// addresses, asked in the same way.
    pub(crate) fn follow(&self, before: &Config, now: &Config) {
        let mut board = self.board();
        board.set_breaker(settings(now));
        for old in &before.providers {
            let new = now.provider(&old.id);
            if new.is_none_or(|new| !is_same(old, new)) {
                board.forget_provider(&old.id);
            }
        }
    }

    /// Whom an exchange asks next.
    pub(crate) fn pick(
        self: &Arc<Self>,
        query: &Query,
        tried: &Tried,
        draw: &mut Draw,
    ) -> Result<Lease, Spent> {
        let pick = self.board().pick(query, tried, self.now(), draw)?;
        Ok(self.lease(pick, draw))
    }

    /// Another key for the same target.
    pub(crate) fn rotate(
        self: &Arc<Self>,
        query: &Query,
        tried: &Tried,
        index: usize,
        draw: &mut Draw,
    ) -> Option<Lease> {
        let pick = self.board().rotate(query, tried, index, self.now(), draw)?;
        Some(self.lease(pick, draw))
    }

    /// How long until the first limit is over, if every target is limited.
    pub(crate) fn soonest(&self, query: &Query) -> Option<Duration> {
        self.board().soonest(query, self.now())
    }

    fn lease(self: &Arc<Self>, pick: Pick, draw: &mut Draw) -> Lease {
        Lease {
            health: Arc::clone(self),
            pick,
            draw: Draw::new(draw.bits()),
        }
    }

    fn now(&self) -> Duration {
        clock::now() - self.start
    }

    /// A panic elsewhere leaves the board readable: it is plain data.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settings(config: &Config) -> BreakerSettings {
    let breaker = &config.failover.breaker;
    BreakerSettings {
        consecutive: breaker.consecutive,
        ratio: breaker.ratio,
        window: breaker.window,
        open: breaker.open,
        open_max: breaker.open_max,
    }
}

fn is_same(old: &Provider, new: &Provider) -> bool {
    let addresses = |own: &Provider| -> Vec<Option<Uri>> {
        let wires = [Wire::Anthropic, Wire::Chat, Wire::Responses, Wire::Gemini];
        wires.map(|wire| own.endpoint(wire).cloned()).to_vec()
    };
    old.auth == new.auth && addresses(old) == addresses(new)
}

impl Lease {
    /// The target, by its place among the candidates.
    pub(crate) fn target(&self) -> usize {
        self.pick.index
    }

    /// The key, by its place among the provider's.
    pub(crate) fn key(&self) -> usize {
        self.pick.key
    }

    /// Nothing was well when it was chosen.
    pub(crate) fn is_last_resort(&self) -> bool {
        self.pick.is_last_resort
    }

    /// Others that were left alone.
    pub(crate) fn skipped(&self) -> &[Skip] {
        &self.pick.skipped
    }

    /// The session was elsewhere before.
    pub(crate) fn moved(&self) -> Option<Move> {
        self.pick.moved
    }

    /// There is content.
    pub(crate) fn served(&mut self) {
        let now = self.health.now();
        self.health.board().served(&self.pick, now, &mut self.draw);
    }

    /// The reply is complete; its input was this many tokens.
    pub(crate) fn completed(&self, tokens: u64) {
        self.health.board().completed(&self.pick, tokens);
    }

    /// It failed.
    pub(crate) fn failed(&mut self, fault: Fault, told: Option<Duration>) {
        let now = self.health.now();
        let mut board = self.health.board();
        board.failed(&self.pick, fault, told, now, &mut self.draw);
    }

    /// Takes the room of one repeat at the same provider, if there is some.
    pub(crate) fn may_repeat(&mut self) -> bool {
        self.health.board().repeat(&mut self.pick)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.health.board().release(&self.pick);
    }
}
