//! Runs: who writes, and what a process that died has left.
//!
//! Several gateways may share a record. Each holds a lock on its run's file while it lives; the system lets go of it
//! however the process ends. A run without an end whose lock can be taken is dead.

use std::fs::{self, File};
use std::io;
use std::ops::Range;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::place::{Place, private_file, remove_file};
use crate::query::first_id;
use crate::{Error, Mask};

use super::bodies::Segments;
use super::opened::Opened;
use super::packer::Packer;
use super::sums::Sums;
use super::{group, rows};

/// This process as a writer.
pub(crate) struct Run {
    pub number: i64,
    pub packer: Packer,
    pub opened: Opened,
    /// Locked.
    _lock: File,
    place: Place,
}

impl Run {
    /// Begins a run. Others see it only once its lock is held.
    pub(crate) fn begin(
        connection: &mut Connection,
        place: &Place,
        now_ms: i64,
        version: &str,
    ) -> Result<Self, Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO runs (started_ms, version) VALUES (?1, ?2)",
            params![now_ms, version],
        )?;
        let number = transaction.last_insert_rowid();
        let path = place.run_lock(number);
        let lock = private_file(&path).map_err(Error::io(&path))?;
        lock.lock().map_err(Error::io(&path))?;
        transaction.commit()?;
        Ok(Self {
            number,
            packer: Packer::new().map_err(Error::io(&path))?,
            opened: Opened::default(),
            _lock: lock,
            place: place.clone(),
        })
    }

    /// Ends it in order: nothing of it is left open.
    pub(crate) fn end(
        &self,
        connection: &mut Connection,
        segments: &mut Segments,
        now_ms: i64,
    ) -> Result<(), Error> {
        segments.finish();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        group::tell(&transaction, segments)?;
        close_rows(&transaction, self.number, "shutdown", now_ms)?;
        transaction.execute(
            "UPDATE runs SET ended_ms = ?2 WHERE run = ?1",
            params![self.number, now_ms],
        )?;
        transaction.commit()?;
        segments.was_told();
        // What is left of it does no harm: the run has an end.
        let _ = fs::remove_file(self.place.run_lock(self.number));
        Ok(())
    }
}

/// When the record was last written, by times that were believed; `None` if it never was.
pub(crate) fn last_ms(connection: &Connection) -> Result<Option<i64>, Error> {
    let sql = "SELECT max(at) FROM (
        SELECT max(last_ms) AS at FROM segments UNION ALL
        SELECT max(coalesce(ended_ms, started_ms)) FROM runs)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Whether a request was accepted within a range of times, by clocks that nobody doubted then.
pub(crate) fn has_rows(connection: &Connection, range: Range<i64>) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM exchanges WHERE id >= ?1 AND id < ?2)";
    let ids = [range.start, range.end].map(first_id);
    Ok(connection.query_row(sql, ids, |row| row.get(0))?)
}

/// Closes what dead processes left open and removes what they wrote without a row that says so.
pub(crate) fn bury(connection: &mut Connection, place: &Place, now_ms: i64) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let unfinished: Vec<i64> = transaction
        .prepare("SELECT run FROM runs WHERE ended_ms IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for run in unfinished {
        if !is_dead(place, run)? {
            continue;
        }
        close_rows(&transaction, run, "killed", now_ms)?;
        cut_segments(&transaction, place, run)?;
        transaction.execute(
            "UPDATE runs SET ended_ms = ?2 WHERE run = ?1",
            params![run, now_ms],
        )?;
        let _ = fs::remove_file(place.run_lock(run));
    }
    remove_orphans(&transaction, place)?;
    transaction.commit()?;
    Ok(())
}

fn is_dead(place: &Place, run: i64) -> Result<bool, Error> {
    let path = place.run_lock(run);
    match File::open(&path) {
        Ok(file) => Ok(file.try_lock().is_ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::io(path)(error)),
    }
}

fn close_rows(connection: &Connection, run: i64, end: &str, now_ms: i64) -> Result<(), Error> {
    let open: Vec<i64> = connection
        .prepare("SELECT n FROM exchanges WHERE run = ?1 AND end IS NULL ORDER BY id")?
        .query_map([run], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut closed = rows::last_closed(connection)?;
    let mut sums = Sums::default();
    for n in open {
        closed += 1;
        connection
            .prepare_cached(
                "UPDATE exchanges SET end = ?2, closed = ?3, ended_ms = max(?4, time_ms) WHERE n = ?1",
            )?
            .execute(params![n, end, closed, now_ms])?;
        sums.add_row(connection, n, &Mask::default())?;
    }
    sums.write(connection)
}

/// Cuts off what no row refers to.
fn cut_segments(connection: &Connection, place: &Place, run: i64) -> Result<(), Error> {
    let open: Vec<(i64, i64)> = connection
        .prepare("SELECT segment, bytes FROM segments WHERE run = ?1 AND sealed = 0")?
        .query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (segment, bytes) in open {
        let path = place.segment(segment);
        if bytes > 0 {
            let file = private_file(&path).map_err(Error::io(&path))?;
            if file.metadata().map_err(Error::io(&path))?.len() > bytes as u64 {
                file.set_len(bytes as u64).map_err(Error::io(&path))?;
            }
            connection.execute(
                "UPDATE segments SET sealed = 1 WHERE segment = ?1",
                [segment],
            )?;
        } else {
            connection.execute("DELETE FROM segments WHERE segment = ?1", [segment])?;
        }
    }
    Ok(())
}

/// Deletes files that no row speaks of.
fn remove_orphans(connection: &Connection, place: &Place) -> Result<(), Error> {
    let dir = place.segments();
    for entry in fs::read_dir(&dir).map_err(Error::io(&dir))? {
        let entry = entry.map_err(Error::io(&dir))?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(".seg")?.parse::<i64>().ok());
        let Some(number) = number else {
            continue;
        };
        let known: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM segments WHERE segment = ?1)")?
            .query_row([number], |row| row.get(0))?;
        if !known {
            // Another gateway that deletes what is too old takes the row first, then the file.
            remove_file(&entry.path()).map_err(Error::io(entry.path()))?;
        }
    }
    Ok(())
}
