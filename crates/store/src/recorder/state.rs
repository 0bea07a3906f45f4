//! How the record is doing.

use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Serialize;

/// The record's state at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct State {
    /// What keeps the record from being written; `None` if all is well.
    pub degraded: Option<String>,
    /// Rows that wait for the writer.
    pub queued_rows: usize,
    /// Bytes that wait for the writer, rows and bodies.
    pub queued_bytes: usize,
    /// What has happened since the start.
    pub counts: Counts,
}

/// Counts since the start. Every closed exchange is in exactly one of `written`, `lost` or still queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Counts {
    /// Exchanges accepted.
    pub opened: u64,
    /// Exchanges ended.
    pub closed: u64,
    /// Rows of ended exchanges that are on disk.
    pub written: u64,
    /// Exchanges whose bodies went because the queue was full.
    pub bodies_shed: u64,
    /// Exchanges whose bodies could not be written.
    pub bodies_failed: u64,
    /// Exchanges that went well and kept only their numbers, because the queue was filling up.
    pub rows_sampled: u64,
    /// Exchanges that kept only their numbers, because the queue was full.
    pub rows_reduced: u64,
    /// Exchanges of which nothing is kept.
    pub lost: u64,
    /// Groups written.
    pub groups: u64,
    /// Writes that failed and were, or will be, tried again.
    pub failures: u64,
}

/// The same, being counted.
#[derive(Default)]
pub(crate) struct Counters {
    pub opened: Counter,
    pub closed: Counter,
    pub written: Counter,
    pub bodies_shed: Counter,
    pub bodies_failed: Counter,
    pub rows_sampled: Counter,
    pub rows_reduced: Counter,
    pub lost: Counter,
    pub groups: Counter,
    pub failures: Counter,
}

impl Counters {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            opened: self.opened.get(),
            closed: self.closed.get(),
            written: self.written.get(),
            bodies_shed: self.bodies_shed.get(),
            bodies_failed: self.bodies_failed.get(),
            rows_sampled: self.rows_sampled.get(),
            rows_reduced: self.rows_reduced.get(),
            lost: self.lost.get(),
            groups: self.groups.get(),
            failures: self.failures.get(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
