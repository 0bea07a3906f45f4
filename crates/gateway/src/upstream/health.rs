//! What is known of the upstreams, shared by all exchanges: `route::health::Board` behind a lock, with the time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use lingate_config::{Config, Provider};
use lingate_route::health::{
    Board, BreakerSettings, Draw, Fault, KeyReport, Move, Pick, Query, Saved, Skip, Spent,
    TargetReport, Tried,
};
use lingate_wire::Wire;
use tokio::time::Instant;

use crate::clock;

/// The board's clock has run for so long when the process starts, so that it can be told what was before.
const BEFORE: Duration = Duration::from_secs(2 * 3600);

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

    /// Who would be left alone if an exchange began now.
    pub(crate) fn skips(&self, query: &Query) -> Vec<Skip> {
        self.board().skips(query, self.now())
    }

    /// Takes a provider out, or back in with nothing held against it.
    pub(crate) fn drain(&self, provider: &str, is_drained: bool) {
        let mut board = self.board();
        board.drain(provider, is_drained);
        if !is_drained {
            board.forget_provider(provider);
        }
    }

    pub(crate) fn is_drained(&self, provider: &str) -> bool {
        self.board().is_drained(provider)
    }

    /// How every target stands, and until when from now.
    pub(crate) fn targets(&self) -> (Vec<TargetReport>, Duration) {
        let now = self.now();
        (self.board().targets(now), now)
    }

    /// How the keys of a provider stand.
    pub(crate) fn keys_of(&self, provider: &str) -> (Vec<KeyReport>, Duration) {
        let now = self.now();
        (self.board().keys_of(provider, now), now)
    }

    /// For how long nothing was asked of a provider; none if nothing ever was.
    pub(crate) fn idle_for(&self, provider: &str) -> Option<Duration> {
        let asked_at = self.board().asked_at(provider)?;
        Some(self.now().saturating_sub(asked_at))
    }

    /// A probe found every target of a provider at fault.
    pub(crate) fn probed(&self, provider: &str, models: &[&str], fault: Fault, draw: &mut Draw) {
        self.board()
            .probed(provider, models, fault, self.now(), draw);
    }

    /// A probe was refused with this key.
    pub(crate) fn probed_key(&self, provider: &str, key: u64, fault: Fault, draw: &mut Draw) {
        self.board()
            .probed_key(provider, key, fault, self.now(), draw);
    }

    /// What is to outlive the process, and the number of changes until now.
    pub(crate) fn save(&self) -> (Saved, u64) {
        let board = self.board();
        (board.save(self.now()), board.changes())
    }

    /// Counts what was learnt.
    pub(crate) fn changes(&self) -> u64 {
        self.board().changes()
    }

    /// Takes up what was kept so long ago.
    pub(crate) fn restore(&self, saved: Saved, ago: Duration) {
        self.board().restore(saved, ago, self.now());
    }

    fn lease(self: &Arc<Self>, pick: Pick, draw: &mut Draw) -> Lease {
        Lease {
            health: Arc::clone(self),
            pick,
            draw: Draw::new(draw.bits()),
        }
    }

    fn now(&self) -> Duration {
        clock::now() - self.start + BEFORE
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
