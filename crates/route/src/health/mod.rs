//! What is known of upstreams, and which of them is asked next.
//!
//! Pure state machines: a moment is a [`Duration`](core::time::Duration) since any fixed point of a monotonic clock, and
//! chance comes in as a [`Draw`]. [`Board`] holds everything together; the gateway keeps one behind a lock. The other
//! types are its parts, each with one question to answer.

mod board;
mod breaker;
mod budget;
mod cooldown;
mod draw;
mod fault;
mod latency;
mod names;
mod order;
mod places;
mod pool;
mod query;
mod report;
mod saved;

pub use board::Board;
pub use breaker::{BreakerSettings, Standing, Verdict};
pub use cooldown::Cooldown;
pub use draw::{Draw, fingerprint};
pub use fault::{Fault, Remedy};
pub use pool::Pool;
pub use query::{Entrant, Move, Pick, Query, Skip, Spent, Tried};
pub use report::{KeyReport, TargetReport};
pub use saved::Saved;
