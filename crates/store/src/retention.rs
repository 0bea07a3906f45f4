//! What is too old or too much is deleted, a little at a time.
//!
//! Segments go whole. A row may outlive its bodies; the other way round, bodies without a row stay until their segment
//! goes. Rows get at most half of the room, so that they cannot push out every body.

use std::fs;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use uuid::Uuid;

use crate::Error;
use crate::place::{Place, remove_file};

/// Rows deleted at once.
const ROWS: usize = 200;

/// Pages given back to the system at once.
const PAGES: i64 = 512;

/// What may stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// What is older goes: milliseconds since the epoch.
    pub before_ms: i64,
    /// Rows and bodies together.
    pub bytes: u64,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Deleted {
    /// Rows.
    pub rows: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Segment files that stay although they may hold what is too old: a gateway still writes to them, or they hold what is
    /// newer too. They go once all in them is too old. Told by [`crate::prune`] alone.
    pub staying: u64,
}

impl Deleted {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.rows += more.rows;
        self.segments += more.segments;
        self.bytes += more.bytes;
        self.staying += more.staying;
    }
}

/// Deletes a little of what is to go. Nothing deleted means nothing is left to delete.
pub(crate) fn step(
    connection: &mut Connection,
    place: &Place,
    limits: &Limits,
) -> Result<Deleted, Error> {
    let oldest = oldest_segment(connection)?;
    if let Some(segment) = &oldest
        && segment.last_ms < limits.before_ms
    {
        return delete_segment(connection, place, segment);
    }
    let mut rows = 0;
    if used_by_rows(connection)? > limits.bytes / 2 {
        rows = delete_rows(connection, i64::MAX)?;
    }
    if rows == 0 {
        if let Some(segment) = &oldest
            && on_disk(connection, place)? > limits.bytes
        {
            return delete_segment(connection, place, segment);
        }
        rows = delete_rows(connection, limits.before_ms)?;
    }
    Ok(Deleted {
        rows,
        bytes: give_back(connection)?,
        ..Deleted::default()
    })
}

/// Asks the writers of this record, whoever they are, to seal what they began before then; 0 takes it back.
pub(crate) fn ask_to_seal(connection: &Connection, before_ms: i64) -> Result<(), Error> {
    connection.execute("UPDATE lasting SET seal_ms = ?1", [before_ms])?;
    Ok(())
}

/// What was asked for with [`ask_to_seal`].
pub(crate) fn seal_before(connection: &Connection) -> Result<i64, Error> {
    Ok(connection
        .prepare_cached("SELECT seal_ms FROM lasting")?
        .query_row([], |row| row.get(0))?)
}

/// How many segments begun before then there are: those that are written, or all.
pub(crate) fn begun_before(
    connection: &Connection,
    before_ms: i64,
    only_written: bool,
) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM segments WHERE first_ms < ?1 AND bytes > 0 AND (sealed = 0 OR NOT ?2)";
    let count: i64 =
        connection.query_row(sql, params![before_ms, only_written], |row| row.get(0))?;
    Ok(count as u64)
}

/// A segment that nobody writes to.
struct Sealed {
    segment: i64,
    last_ms: i64,
    bytes: i64,
}

fn oldest_segment(connection: &Connection) -> Result<Option<Sealed>, Error> {
    Ok(connection
        .prepare_cached("SELECT segment, last_ms, bytes FROM segments WHERE sealed = 1 ORDER BY segment LIMIT 1")?
        .query_row([], |row| {
            Ok(Sealed {
                segment: row.get(0)?,
                last_ms: row.get(1)?,
                bytes: row.get(2)?,
            })
        })
        .optional()?)
}

/// Bytes of the database that hold something.
fn used_by_rows(connection: &Connection) -> Result<u64, Error> {
    let pages =
        pragma(connection, "PRAGMA page_count")? - pragma(connection, "PRAGMA freelist_count")?;
    Ok((pages * pragma(connection, "PRAGMA page_size")?) as u64)
}

/// Bytes of all files.
fn on_disk(connection: &Connection, place: &Place) -> Result<u64, Error> {
    let segments: i64 = connection
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM segments")?
        .query_row([], |row| row.get(0))?;
    let length = |path: PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    let log = length(place.root().join("record.db-wal"));
    Ok(segments as u64 + length(place.database()) + log)
}

fn pragma(connection: &Connection, sql: &str) -> Result<i64, Error> {
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// The row first: a file without a row is removed at the next start, a row without a file would promise something.
fn delete_segment(
    connection: &Connection,
    place: &Place,
    sealed: &Sealed,
) -> Result<Deleted, Error> {
    connection.execute("DELETE FROM segments WHERE segment = ?1", [sealed.segment])?;
    let path = place.segment(sealed.segment);
    remove_file(&path).map_err(Error::io(path))?;
    Ok(Deleted {
        segments: 1,
        bytes: sealed.bytes as u64,
        ..Deleted::default()
    })
}

const RISE: &str = "
UPDATE lasting SET
  n = max(n, (SELECT coalesce(max(n), 0) FROM exchanges)),
  closed = max(closed, (SELECT coalesce(max(closed), 0) FROM exchanges WHERE closed IS NOT NULL))";

/// Deletes the oldest ended rows accepted before then.
fn delete_rows(connection: &mut Connection, before_ms: i64) -> Result<u64, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let oldest: Vec<(i64, Option<i64>, Uuid, i64)> = transaction
        .prepare_cached("SELECT n, closed, id, time_ms FROM exchanges INDEXED BY exchanges_id WHERE end IS NOT NULL ORDER BY id LIMIT ?1")?
        .query_map([ROWS as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        // Mostly that is the first: the others are not read.
        .take_while(|row| !matches!(row, Ok((.., time_ms)) if *time_ms >= before_ms))
        .collect::<Result<_, _>>()?;
    let mut deleted = 0;
    let mut last = 0;
    for (n, closed, id, time_ms) in oldest {
        if deleted == 0 {
            // Neither numbers nor places are given again.
            transaction.execute(RISE, [])?;
        }
        for (sql, number) in [
            ("DELETE FROM exchanges WHERE n = ?1", Some(n)),
            ("DELETE FROM endings WHERE closed = ?1", closed),
            ("DELETE FROM details WHERE n = ?1", Some(n)),
            ("DELETE FROM bodies WHERE n = ?1", Some(n)),
        ] {
            transaction.prepare_cached(sql)?.execute([number])?;
        }
        transaction
            .prepare_cached("DELETE FROM tags WHERE id = ?1")?
            .execute([id])?;
        (deleted, last) = (deleted + 1, time_ms);
    }
    if deleted > 0 {
        // Conversations of which no row is left.
        transaction.execute(
            "DELETE FROM sessions WHERE last_id IN (SELECT last_id FROM sessions ORDER BY last_id LIMIT ?1)
               AND last_ms <= ?2 AND NOT EXISTS (SELECT 1 FROM exchanges WHERE exchanges.session = sessions.session)",
            params![ROWS as i64, last],
        )?;
    }
    transaction.commit()?;
    Ok(deleted)
}

/// Gives free pages back to the system, if there are many.
fn give_back(connection: &Connection) -> Result<u64, Error> {
    if pragma(connection, "PRAGMA freelist_count")? < PAGES {
        return Ok(0);
    }
    let before = pragma(connection, "PRAGMA page_count")?;
    connection.execute_batch("PRAGMA incremental_vacuum(512)")?;
    let given = before - pragma(connection, "PRAGMA page_count")?;
    Ok((given * pragma(connection, "PRAGMA page_size")?) as u64)
}
