//! The one thread that writes: takes a group from the queue, puts its bodies into the segment, then its rows into the
//! database, and starts over. When either fails it says so, keeps the rows and tries again.

mod bodies;
mod group;
mod opened;
mod packer;
mod rows;
mod run;
mod sums;

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::in_force::InForce;
use crate::options::Options;
use crate::place::Place;
use crate::recorder::{Batch, Queue};
use crate::{Error, database, retention};

use bodies::Segments;
use run::Run;
pub(crate) use run::{bury, last_ms};

/// Between two tries.
const RETRY: Duration = Duration::from_millis(500);

/// So many groups are written between two looks at what may be deleted.
const GROUPS_BETWEEN: u32 = 16;

/// What the thread owns.
pub(crate) struct Writer {
    place: Place,
    in_force: Arc<InForce>,
    queue: Arc<Queue>,
    connection: Connection,
    run: Run,
    segments: Segments,
    groups: u32,
    /// The last look found something to delete.
    tidying: bool,
    /// The end came while nothing could be written: what still waits is lost.
    gave_up: bool,
}

impl Writer {
    /// Opens the record, closes what dead processes left open and begins a run.
    pub(crate) fn open(
        place: Place,
        options: &Options,
        in_force: Arc<InForce>,
        queue: Arc<Queue>,
    ) -> Result<Self, Error> {
        place.create()?;
        let mut connection = database::writer(&place)?;
        if let Some(last_ms) = last_ms(&connection)? {
            queue.recall(last_ms, |range| run::has_rows(&connection, range))?;
        }
        let now_ms = queue.now_ms();
        bury(&mut connection, &place, now_ms)?;
        let run = Run::begin(&mut connection, &place, now_ms, options.version)?;
        Ok(Self {
            segments: Segments::new(run.number, place.clone(), options.segment_bytes),
            place,
            in_force,
            queue,
            connection,
            run,
            groups: 0,
            tidying: true,
            gave_up: false,
        })
    }

    /// Writes until the queue is stopped and empty.
    pub(crate) fn work(mut self) {
        while let Some(mut batch) = self.queue.take() {
            if batch.is_empty() {
                self.idle();
                continue;
            }
            self.gather(&mut batch);
            if self.gave_up {
                self.queue.counters.lost.add(batch.closes() as u64);
            } else {
                self.write(&mut batch);
            }
            self.queue.done(&batch);
            self.groups = self.groups.wrapping_add(1);
            let keep_bytes = self.in_force.get().settings.keep_bytes;
            let much = self.segments.grown() > keep_bytes / 50;
            if self.tidying || much || self.groups.is_multiple_of(GROUPS_BETWEEN) {
                self.tidy();
            }
        }
        let end = self.run.end(
            &mut self.connection,
            &mut self.segments,
            self.queue.now_ms(),
        );
        if let Err(error) = end {
            tracing::warn!("the record was not closed in order: {error}");
        }
    }

    /// Waits until a group is complete. Bodies are taken in as they come.
    fn gather(&mut self, batch: &mut Batch) {
        loop {
            if !self.gave_up && !self.queue.is_degraded() {
                let settings = &self.in_force.get().settings;
                let now_ms = self.queue.now_ms();
                let put = (self.segments).put(batch, &self.connection, settings, now_ms);
                if let Err(error) = put {
                    tracing::debug!("bodies are tried again with their group: {error}");
                }
            }
            if !self.queue.go_on(batch) {
                return;
            }
        }
    }

    /// Tries until it is done, or the end comes.
    fn write(&mut self, batch: &mut Batch) {
        loop {
            match self.try_write(batch) {
                Ok(problem) => {
                    self.queue.counters.groups.add(1);
                    self.queue.counters.written.add(batch.closes() as u64);
                    self.queue
                        .set_problem(problem.map(|error| error.to_string()));
                    return;
                }
                Err(error) => {
                    self.queue.counters.failures.add(1);
                    self.queue.set_problem(Some(error.to_string()));
                    if self.queue.pause(RETRY) {
                        self.give_up(batch, &error);
                        return;
                    }
                    self.reconnect();
                }
            }
        }
    }

    /// Bodies, then rows. What kept bodies from being written does not keep rows from it, unless it is the database.
    fn try_write(&mut self, batch: &mut Batch) -> Result<Option<Error>, Error> {
        // Anew for each try: a key that is known by now is masked.
        let settings = &self.in_force.get().settings;
        let bodies = (self.segments).add(batch, &self.connection, settings, &self.queue);
        let problem = match bodies {
            Err(error @ Error::Database(_)) => return Err(error),
            bodies => bodies.err(),
        };
        group::commit(
            &mut self.connection,
            batch,
            &mut self.segments,
            &mut self.run,
            &settings.mask,
        )?;
        Ok(problem)
    }

    /// The process ends and the group cannot be written: one more try, then it is lost.
    fn give_up(&mut self, batch: &mut Batch, error: &Error) {
        self.reconnect();
        if self.try_write(batch).is_ok() {
            self.queue.counters.written.add(batch.closes() as u64);
        } else {
            self.gave_up = true;
            self.queue.counters.lost.add(batch.closes() as u64);
            tracing::error!("{} exchanges are not recorded: {error}", batch.closes());
        }
    }

    /// An I/O error may have left the connection useless.
    fn reconnect(&mut self) {
        if let Ok(connection) = database::writer(&self.place) {
            self.connection = connection;
        }
    }

    /// Nothing is to be written: tidies up, and finds out whether what failed works again.
    fn idle(&mut self) {
        if self.queue.is_degraded() {
            self.reconnect();
            let settings = &self.in_force.get().settings;
            let now_ms = self.queue.now_ms();
            let probe = (self.segments)
                .probe(&self.connection, settings, now_ms)
                .and_then(|()| self.commit_nothing());
            self.queue
                .set_problem(probe.err().map(|error| error.to_string()));
        }
        self.tidy();
    }

    /// Seals the segment at hand, so that it can be deleted, if all of it is too old or somebody wants what it begins with
    /// deleted.
    fn seal(&mut self, before_ms: i64) -> Result<(), Error> {
        let asked_ms = retention::seal_before(&self.connection)?;
        if self.segments.seal_old(before_ms, asked_ms)? {
            self.commit_nothing()?;
        }
        Ok(())
    }

    /// A group without exchanges: what segments and the run have to tell is told all the same.
    fn commit_nothing(&mut self) -> Result<(), Error> {
        let mask = &self.in_force.get().settings.mask;
        group::commit(
            &mut self.connection,
            &Batch::default(),
            &mut self.segments,
            &mut self.run,
            mask,
        )
    }

    fn tidy(&mut self) {
        self.segments.looked_at();
        let settings = &self.in_force.get().settings;
        let limits = retention::Limits {
            before_ms: self.queue.now_ms() - settings.keep.as_millis() as i64,
            bytes: settings.keep_bytes,
        };
        if let Err(error) = self.seal(limits.before_ms) {
            tracing::debug!("no segment could be sealed: {error}");
        }
        match retention::step(&mut self.connection, &self.place, &limits) {
            Ok(deleted) => self.tidying = !deleted.is_nothing(),
            Err(error) => tracing::debug!("nothing could be deleted: {error}"),
        }
    }
}
