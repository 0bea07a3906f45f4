//! The handle through which the gateway records: never waits, never fails.

mod clock;
mod numbers;
mod queue;
mod state;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::in_force::InForce;
use crate::options::{Bodies, Settings};
use crate::record::{Body, Details, Exchange};

pub(crate) use clock::steady;
pub(crate) use numbers::Numbers;
pub(crate) use queue::{Batch, Message, Queue, Stored};
pub use state::{Counts, State};

/// Records exchanges. Cheap to clone; every call takes a short lock and returns.
///
/// Each accepted request is opened once and closed once. What becomes of it when there is no room: its bodies go
/// first; then, of what went well, seven rows of eight keep only their numbers; then any row does. All of it is counted
/// in [`State`].
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
    in_force: Arc<InForce>,
    dir: Arc<Path>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("bodies", &self.in_force.get().settings.bodies)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(queue: Arc<Queue>, in_force: Arc<InForce>, dir: &Path) -> Self {
        Self {
            queue,
            in_force,
            dir: dir.into(),
        }
    }

    /// The folder that was given to [`crate::Store::open`]: for who reads what this records.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Other settings are in force from here on, for what waits to be written too. `now` is the time.
    pub fn change(&self, settings: Settings, now: Timestamp) {
        self.in_force.change(settings, now);
    }

    /// A request was accepted. `exchange` says what is known; what it says of the request itself is not written again at the
    /// end. Whether the bodies are kept, and there even if the process dies; if not, they may be given again at the end.
    pub fn open(&self, exchange: Exchange, bodies: Vec<Body>) -> bool {
        let bodies = match self.in_force.get().settings.bodies {
            Some(Bodies::Full) => bodies,
            Some(Bodies::Errors | Bodies::Metadata) => Vec::new(),
            None => return false,
        };
        self.queue.push_open(exchange, bodies)
    }

    /// It has ended; `exchange` says all of it once more, of which model, session and key stay as they were opened. Bodies are
    /// those that [`Self::open`] did not keep.
    ///
    /// Counts of tokens that no reply can have, and a cost made of them, are not taken.
    pub fn close(&self, mut exchange: Exchange, details: Details, bodies: Vec<Body>) {
        let current = self.in_force.get();
        let wanted = match current.settings.bodies {
            Some(Bodies::Full) => true,
            Some(Bodies::Errors) => !exchange.went_well(),
            Some(Bodies::Metadata) => false,
            None if current.off_since.is_some_and(|since| exchange.time < since) => false,
            None => return,
        };
        exchange.drop_implausible();
        let bodies = if wanted { bodies } else { Vec::new() };
        self.queue.push_close(exchange, details, bodies);
    }

    /// Counts a body that could not be gathered whole, for want of memory.
    pub fn shed_body(&self) {
        self.queue.counters.bodies_shed.add(1);
    }

    /// Which bodies are kept: what will not be need not be gathered.
    #[must_use]
    pub fn bodies(&self) -> Bodies {
        let bodies = self.in_force.get().settings.bodies;
        bodies.unwrap_or(Bodies::Metadata)
    }

    /// Why requests are to be refused, if they are: nothing can be recorded, and the settings ask for a record of
    /// everything.
    #[must_use]
    pub fn refuses(&self) -> Option<&'static str> {
        let current = self.in_force.get();
        if !current.settings.fail_closed || current.settings.bodies.is_none() {
            return None;
        }
        if self.queue.is_degraded() {
            return Some("the record cannot be written");
        }
        self.queue.is_full().then_some("the record's queue is full")
    }

    /// How the record is doing, for health checks and metrics.
    #[must_use]
    pub fn state(&self) -> State {
        self.queue.state()
    }

    /// Tells the time, from which ages are counted. Once a minute is enough, and only while nothing is recorded.
    pub fn tick(&self, now: Timestamp) {
        self.queue.tick(now);
    }

    /// Waits until everything recorded so far is on disk; `false` if that takes longer than `limit`. For the end of a
    /// process and for tests, never for a request.
    #[must_use]
    pub fn flush(&self, limit: std::time::Duration) -> bool {
        self.queue.flush(limit)
    }
}
