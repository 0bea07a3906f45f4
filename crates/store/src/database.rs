//! Connections to the database.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::place::Place;
use crate::{Error, schema};

/// How long a connection waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// What a write-ahead log may keep on disk once it is copied into the database.
const LOG_BYTES: i64 = 16 << 20;

/// A connection that writes. Creates the database, or brings it up to date.
pub(crate) fn writer(place: &Place) -> Result<Connection, Error> {
    let mut connection = Connection::open_with_flags(
        place.database(),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    // Only before the first table is this taken.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    debug_assert_eq!(mode, "wal");
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.set_prepared_statement_cache_capacity(64);
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// A connection that reads, whether or not somebody writes.
pub(crate) fn reader(place: &Place) -> Result<Connection, Error> {
    if !place.database().exists() {
        return Err(Error::Missing(place.root().to_owned()));
    }
    let connection = open_reader(place)?;
    let found = schema::version(&connection)?;
    if found > schema::VERSION {
        return Err(Error::TooNew {
            found,
            known: schema::VERSION,
        });
    }
    if found == schema::VERSION {
        return Ok(connection);
    }
    drop(connection);
    drop(writer(place)?);
    open_reader(place)
}

fn open_reader(place: &Place) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(
        place.database(),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", -16384)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
