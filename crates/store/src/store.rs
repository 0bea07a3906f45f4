//! The record as the gateway opens it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use crate::in_force::InForce;
use crate::options::{Options, Settings};
use crate::place::Place;
use crate::recorder::{Queue, Recorder, steady};
use crate::retention::{self, Deleted};
use crate::writer::{self, Writer};
use crate::{Error, database};

/// A record that is being written. Dropping it writes what waits and ends in order.
pub struct Store {
    recorder: Recorder,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens the record in `dir`, or makes one. Exchanges that a dead process left open end as killed.
    ///
    /// # Errors
    /// The folder cannot be made or written, or a later version wrote the record.
    pub fn open(dir: &Path, options: Options, now: Timestamp) -> Result<Self, Error> {
        let queue = Arc::new(Queue::new(options.queue, now, options.trust_after));
        let in_force = Arc::new(InForce::new(Settings::from(&options)));
        let recorder = Recorder::new(Arc::clone(&queue), Arc::clone(&in_force), dir);
        let writer = Writer::open(Place::new(dir), &options, in_force, Arc::clone(&queue))?;
        let watched = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || {
                let _alarm = Alarm(watched);
                writer.work();
            })
            .map_err(Error::io(dir))?;
        Ok(Self {
            recorder,
            queue,
            writer: Some(thread),
        })
    }

    /// The handle to record with.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue.stop();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the record's writer panicked");
        }
    }
}

/// Says that the record is degraded if the writer panics: nobody else would notice before the queue is full.
struct Alarm(Arc<Queue>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let problem = "the writer ended by a fault of its own; a restart helps";
            self.0.set_problem(Some(problem.to_owned()));
        }
    }
}

/// The least that a gateway gets to write between two steps of [`prune`].
const PAUSE: Duration = Duration::from_millis(2);

/// So long a gateway gets to seal the segment it writes to: it looks once a second while nothing comes.
const SEALING: Duration = Duration::from_secs(4);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Deletes what was accepted before a time, and what is over a size, from a record that a gateway may be writing. What dead
/// gateways left open is closed first; one that lives is asked to seal what it began before that time.
///
/// # Errors
/// There is no record in `dir`, or it cannot be written.
pub fn prune(dir: &Path, before: Timestamp, keep_bytes: u64) -> Result<Deleted, Error> {
    let place = Place::new(dir);
    if !place.database().exists() {
        return Err(Error::Missing(place.root().to_owned()));
    }
    let mut connection = database::writer(&place)?;
    let limits = retention::Limits {
        before_ms: before.as_millisecond(),
        bytes: keep_bytes,
    };
    let now_ms = writer::last_ms(&connection)?.unwrap_or(limits.before_ms);
    writer::bury(&mut connection, &place, now_ms)?;
    let begun = |connection: &Connection, only_written| {
        retention::begun_before(connection, limits.before_ms, only_written)
    };
    if begun(&connection, true)? > 0 {
        retention::ask_to_seal(&connection, limits.before_ms)?;
        let begin = steady();
        while begun(&connection, true)? > 0 && begin.elapsed() < SEALING {
            std::thread::sleep(LOOK);
        }
        retention::ask_to_seal(&connection, 0)?;
    }
    let mut deleted = Deleted::default();
    loop {
        let begin = steady();
        let more = retention::step(&mut connection, &place, &limits)?;
        if more.is_nothing() {
            deleted.staying = begun(&connection, false)?;
            return Ok(deleted);
        }
        deleted.add(more);
        // SQLite's lock knows no queue: who takes it again at once keeps the gateway from writing until all is deleted.
        std::thread::sleep(begin.elapsed().max(PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::QueueLimits;

    #[test]
    fn a_panic_of_the_writer_shows() {
        let queue = Arc::new(Queue::new(
            QueueLimits::default(),
            Timestamp::UNIX_EPOCH,
            Duration::ZERO,
        ));
        let watched = Arc::clone(&queue);
        let thread = std::thread::spawn(move || {
            let _alarm = Alarm(watched);
            panic!("on purpose");
        });
        thread.join().unwrap_err();
        assert!(queue.is_degraded());
        queue.set_problem(None);
        drop(Alarm(Arc::clone(&queue)));
        assert!(!queue.is_degraded(), "an ordinary end is none");
    }
}
