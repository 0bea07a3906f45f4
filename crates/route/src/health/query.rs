//! What the board is asked, and what it answers.

use core::time::Duration;
use std::sync::Arc;

use crate::table::{Return, Strategy};

use super::breaker::Ticket;
use super::fault::Fault;
use super::names::AskedPool;
use super::pool::Pool;

/// One exchange's question: who is asked next.
#[derive(Debug, Clone)]
pub struct Query {
    /// The model's name as configured: in turn means in turn for this, and sessions are told apart by it. Where neither is
    /// asked for it may be empty.
    pub route: String,
    /// How one of the targets is chosen.
    pub strategy: Strategy,
    /// When a session goes back to a preferred target.
    pub return_to: Return,
    /// The session, by its fingerprint; none if the request names none.
    pub session: Option<u64>,
    /// In order of preference.
    pub entrants: Vec<Entrant>,
}

/// A target that may serve the exchange.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// The provider's id.
    pub provider: Arc<str>,
    /// The model's name there.
    pub model: Arc<str>,
    /// Share under the weighted strategies.
    pub weight: u32,
    /// Which of the provider's keys is used.
    pub pool: Pool,
    /// The ids of its keys, in order; empty if it needs none.
    pub keys: Vec<u64>,
    /// It takes the caller's own credential: a fingerprint of that. Such a credential never goes to another provider.
    pub caller: Option<u64>,
}

impl Entrant {
    /// What stands for a provider without keys.
    const NO_KEY: &[u64] = &[0];

    /// What is known of its keys is under this name.
    pub(super) fn pool_name(&self) -> AskedPool<'_> {
        AskedPool {
            provider: &self.provider,
            caller: self.caller.unwrap_or(0),
        }
    }

    pub(super) fn key_ids(&self) -> &[u64] {
        if self.keys.is_empty() {
            Self::NO_KEY
        } else {
            &self.keys
        }
    }
}

/// What the exchange has tried.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// Targets, by their place among the entrants.
    pub targets: Vec<usize>,
    /// Targets with a key.
    pub keys: Vec<(usize, usize)>,
}

/// Who is asked next. Ends with [`super::Board::release`], whatever becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// Its place among the entrants.
    pub index: usize,
    /// The key, by its place among the provider's.
    pub key: usize,
    /// Nothing is well; this one failed longest ago.
    pub is_last_resort: bool,
    /// Others that are left alone for the time being.
    pub skipped: Vec<Skip>,
    /// The session was elsewhere before.
    pub moved: Option<Move>,
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) caller: u64,
    pub(super) key_id: u64,
    pub(super) ticket: Ticket,
    pub(super) session: Option<u64>,
    pub(super) began: Duration,
    pub(super) repeats: u32,
}

impl Pick {
    /// What is known of its keys is under this name.
    pub(super) fn pool(&self) -> AskedPool<'_> {
        AskedPool {
            provider: &self.provider,
            caller: self.caller,
        }
    }
}

/// A target that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Its place among the entrants.
    pub index: usize,
    /// What it did; none if it is only waited for (a breaker that is open).
    pub fault: Option<Fault>,
    /// How long that lasts.
    pub wait: Duration,
    /// An operator has taken its provider out, until they take it back in.
    pub is_drained: bool,
}

impl Skip {
    /// Why it is left alone, in a word for records.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        if self.is_drained {
            return "drained";
        }
        self.fault.map_or("breaker open", Fault::name)
    }
}

/// A session goes on at another target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Where it was, if that is among the entrants.
    pub from: Option<usize>,
    /// Input tokens of its last request there: what the prompt cache of that place may have held.
    pub tokens: u64,
}

/// Nobody can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Those that are limited, in order of preference; empty if everybody was tried.
    pub skipped: Vec<Skip>,
    /// How long until the first of them is free again.
    pub soonest: Option<Duration>,
}
