//! The bodies of a group on their way into segments, and when a segment is followed by another.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::Error;
use crate::options::Settings;
use crate::parts::Manifest;
use crate::place::Place;
use crate::record::{Body, Kept};
use crate::recorder::{Batch, Message, Queue, Stored};
use crate::segment::Appender;

/// A segment lasts a day at most.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Of no more exchanges is remembered that their first bodies are gone.
const MOST_LACKING: usize = 1 << 16;

/// The segments of a run: the one being written, and what the database has yet to be told.
pub(crate) struct Segments {
    run: i64,
    place: Place,
    /// How large segments get, unless the settings want smaller ones.
    segment_bytes: u64,
    current: Option<Current>,
    /// Segments that are complete; told to the database with the group at hand.
    sealed: Vec<Told>,
    /// Bytes written since somebody looked whether it is too much.
    grown: u64,
    /// Open exchanges whose first bodies are gone: their rows are to say so.
    lacking: HashSet<Uuid>,
}

struct Current {
    appender: Appender,
    first_ms: i64,
    last_ms: i64,
}

/// What the database is to know of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub segment: i64,
    pub last_ms: i64,
    pub bytes: u64,
    pub is_sealed: bool,
}

impl Segments {
    pub(crate) fn new(run: i64, place: Place, segment_bytes: u64) -> Self {
        Self {
            run,
            place,
            segment_bytes,
            current: None,
            sealed: Vec::new(),
            grown: 0,
            lacking: HashSet::new(),
        }
    }

    /// Puts the bodies of a group on disk and notes with each message where. If that fails, all that is not yet there is
    /// dropped and counted: rows matter more. If it is the database that fails, nothing is: rows cannot be written then
    /// either, and all of it is tried again.
    pub(crate) fn add(
        &mut self,
        batch: &mut Batch,
        connection: &Connection,
        settings: &Settings,
        queue: &Queue,
    ) -> Result<(), Error> {
        let added =
            (self.put(batch, connection, settings, queue.now_ms())).and_then(|()| self.sync());
        match &added {
            Ok(()) => {}
            Err(Error::Database(_)) => return added,
            Err(_) => {
                queue.counters.failures.add(1);
                queue.counters.bodies_failed.add(self.drop_bodies(batch));
            }
        }
        self.mark_lacking(batch);
        added
    }

    /// The rows of exchanges that end here say if the bodies of their beginning are gone.
    fn mark_lacking(&mut self, batch: &mut Batch) {
        if self.lacking.is_empty() {
            return;
        }
        for message in &mut batch.messages {
            if let Message::Close(closed, _) = message
                && self.lacking.remove(&closed.exchange.id)
            {
                closed.exchange.kept = Kept::Row;
            }
        }
        for numbers in &batch.numbers {
            self.lacking.remove(&numbers.id);
        }
    }

    /// Puts what was added on disk.
    fn sync(&mut self) -> Result<(), Error> {
        if let Some(current) = &mut self.current {
            let path = self.place.segment(current.appender.number());
            self.grown += current.appender.sync().map_err(Error::io(path))?;
        }
        Ok(())
    }

    /// Puts the bodies of a group so far to those that are to be put on disk, and lets go of them.
    ///
    /// # Errors
    /// Whatever fails is tried again by [`Self::add`], and what becomes of it decided there.
    pub(crate) fn put(
        &mut self,
        batch: &mut Batch,
        connection: &Connection,
        settings: &Settings,
        now_ms: i64,
    ) -> Result<(), Error> {
        for message in &mut batch.messages {
            let (session, bodies, stored) = parts_of(message);
            if bodies.is_empty() || stored.is_some() {
                continue;
            }
            let current = self.current(connection, settings, now_ms)?;
            let segment = current.appender.number();
            let placed = bodies
                .iter()
                .map(|body| current.appender.add(body, session))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Error::io(self.place.segment(segment))(error))?;
            let manifest = Manifest::encode(segment, &placed);
            *stored = Some(Stored { segment, manifest });
            *bodies = Vec::new();
        }
        Ok(())
    }

    /// The segment to write to: a new one if there is none, or the last is full or of another day.
    fn current(
        &mut self,
        connection: &Connection,
        settings: &Settings,
        now_ms: i64,
    ) -> Result<&mut Current, Error> {
        let limit = settings.segment_limit(self.segment_bytes);
        let mask = &settings.mask;
        let is_over = |current: &Current| {
            current.appender.length() >= limit
                || current.first_ms.div_euclid(DAY_MS) != now_ms.div_euclid(DAY_MS)
        };
        if self.current.as_ref().is_some_and(is_over) {
            self.seal()?;
        }
        let current = match self.current.take() {
            Some(current) => current,
            None => {
                connection
                    .prepare_cached("INSERT INTO segments (run, first_ms, last_ms, bytes) VALUES (?1, ?2, ?2, 0)")?
                    .execute(params![self.run, now_ms])?;
                Current {
                    appender: Appender::create(&self.place, connection.last_insert_rowid(), mask)?,
                    first_ms: now_ms,
                    last_ms: now_ms,
                }
            }
        };
        let current = self.current.insert(current);
        current.appender.mask_by(mask);
        current.last_ms = current.last_ms.max(now_ms);
        Ok(current)
    }

    /// Ends the segment at hand if nothing was added to it since `before_ms`, or it was begun before `asked_ms`. Whether it
    /// did: the database is to be told.
    pub(crate) fn seal_old(&mut self, before_ms: i64, asked_ms: i64) -> Result<bool, Error> {
        let is_old = |current: &Current| current.last_ms < before_ms || current.first_ms < asked_ms;
        let is_old = self.current.as_ref().is_some_and(is_old);
        if is_old {
            self.seal()?;
        }
        Ok(is_old)
    }

    fn seal(&mut self) -> Result<(), Error> {
        self.sync()?;
        if let Some(current) = self.current.take() {
            self.sealed.push(told(&current, true));
        }
        Ok(())
    }

    /// Gives up the segment at hand and every body of the group that is not safely in another. How many exchanges lost
    /// theirs.
    fn drop_bodies(&mut self, batch: &mut Batch) -> u64 {
        let broken = self.current.take();
        let number = broken.as_ref().map(|current| current.appender.number());
        if let Some(current) = &broken {
            current.appender.cut();
            self.sealed.push(told(current, true));
        }
        let mut dropped = 0;
        for message in &mut batch.messages {
            let (_, bodies, stored) = parts_of(message);
            let is_lost = match stored {
                Some(stored) => Some(stored.segment) == number,
                None => !bodies.is_empty(),
            };
            if !is_lost {
                continue;
            }
            bodies.clear();
            *stored = None;
            match message {
                Message::Open(exchange, ..) => {
                    // Of those whose end is lost too nobody asks any more.
                    if self.lacking.len() < MOST_LACKING {
                        self.lacking.insert(exchange.id);
                    }
                    dropped += 1;
                }
                Message::Close(closed, _) => {
                    closed.exchange.kept = Kept::Row;
                    dropped += u64::from(!self.lacking.contains(&closed.exchange.id));
                }
            }
        }
        dropped
    }

    /// Finds out whether bodies can be written, by a few bytes that belong to nobody.
    pub(crate) fn probe(
        &mut self,
        connection: &Connection,
        settings: &Settings,
        now_ms: i64,
    ) -> Result<(), Error> {
        let current = self.current(connection, settings, now_ms)?;
        let (number, probed) = (current.appender.number(), current.appender.probe());
        let probed = probed.map_err(Error::io(self.place.segment(number)));
        if probed.is_err() {
            self.drop_bodies(&mut Batch::default());
        }
        probed
    }

    /// What the database is to be told with this group.
    pub(crate) fn told(&self) -> impl Iterator<Item = Told> {
        self.sealed
            .iter()
            .copied()
            .chain(self.current.as_ref().map(|current| told(current, false)))
    }

    /// Bytes written since [`Self::looked_at`].
    pub(crate) fn grown(&self) -> u64 {
        self.grown
    }

    /// Somebody looked whether it is too much.
    pub(crate) fn looked_at(&mut self) {
        self.grown = 0;
    }

    /// It has been told.
    pub(crate) fn was_told(&mut self) {
        self.sealed.clear();
    }

    /// No more will be written.
    pub(crate) fn finish(&mut self) {
        if let Some(current) = self.current.take() {
            self.sealed.push(told(&current, true));
        }
    }
}

fn told(current: &Current, is_sealed: bool) -> Told {
    Told {
        segment: current.appender.number(),
        last_ms: current.last_ms,
        bytes: current.appender.committed(),
        is_sealed,
    }
}

/// The conversation that a message belongs to, its bodies, and where they were put.
fn parts_of(message: &mut Message) -> (Option<&str>, &mut Vec<Body>, &mut Option<Stored>) {
    match message {
        Message::Open(exchange, bodies, stored) => (exchange.session.as_deref(), bodies, stored),
        Message::Close(closed, stored) => {
            let session = closed.exchange.session.as_deref();
            (session, &mut closed.bodies, stored)
        }
    }
}
