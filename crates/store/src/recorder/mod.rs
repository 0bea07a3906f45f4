//! The handle through which the gateway records: never waits, never fails.

mod numbers;
mod queue;
mod state;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::options::Bodies;
use crate::record::{Body, Details, Exchange};

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
    bodies: Bodies,
    fail_closed: bool,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("bodies", &self.bodies)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(queue: Arc<Queue>, bodies: Bodies, fail_closed: bool) -> Self {
        Self {
            queue,
            bodies,
            fail_closed,
        }
    }

    /// A request was accepted. `exchange` says what is known. Whether the bodies are kept, and there even if the process
    /// dies; if not, they may be given again at the end.
    pub fn open(&self, exchange: Exchange, bodies: Vec<Body>) -> bool {
        let bodies = match self.bodies {
            Bodies::Full => bodies,
            Bodies::Errors | Bodies::Metadata => Vec::new(),
        };
        self.queue.push_open(exchange, bodies)
    }

    /// It has ended; `exchange` says all of it once more. Bodies are those that [`Self::open`] did not keep.
    pub fn close(&self, exchange: Exchange, details: Details, bodies: Vec<Body>) {
        let wanted = match self.bodies {
            Bodies::Full => true,
            Bodies::Errors => !exchange.went_well(),
            Bodies::Metadata => false,
        };
        let bodies = if wanted { bodies } else { Vec::new() };
        self.queue.push_close(exchange, details, bodies);
    }

    /// Which bodies are kept: what will not be need not be gathered.
    #[must_use]
    pub fn bodies(&self) -> Bodies {
        self.bodies
    }

    /// Why requests are to be refused, if they are: nothing can be recorded, and the settings ask for a record of
    /// everything.
    #[must_use]
    pub fn refuses(&self) -> Option<&'static str> {
        if !self.fail_closed {
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
