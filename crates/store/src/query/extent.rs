//! How large a record is.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Error, shape};

use super::Reader;
use super::row::time;

/// How large a record is, and from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Extent {
    /// Bytes of the database, without what is not yet copied into it.
    pub database_bytes: u64,
    /// Bytes of bodies.
    pub segment_bytes: u64,
    /// Files that hold them.
    pub segments: u64,
    /// Rows there may be: those that were deleted in the middle count, too.
    pub rows_at_most: u64,
    /// Exchanges that run, or that a dead process left.
    pub open: u64,
    /// When the oldest exchange was accepted.
    #[serde(serialize_with = "crate::record::maybe_time")]
    #[schemars(with = "Option<shape::Time>")]
    pub oldest: Option<Timestamp>,
    /// When the newest was.
    #[serde(serialize_with = "crate::record::maybe_time")]
    #[schemars(with = "Option<shape::Time>")]
    pub newest: Option<Timestamp>,
}

impl Reader {
    /// How large the record is. Takes as long whatever it holds.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn extent(&self) -> Result<Extent, Error> {
        let inner = self.inner();
        let one = |sql: &str| -> Result<u64, Error> {
            let number: i64 = inner
                .connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))?;
            Ok(number as u64)
        };
        let edge = |order: &str| -> Result<Option<Timestamp>, Error> {
            let sql = format!(
                "SELECT time_ms FROM exchanges INDEXED BY exchanges_time ORDER BY time_ms {order} LIMIT 1"
            );
            let mut query = inner.connection.prepare_cached(&sql)?;
            Ok(query.query_row([], |row| row.get(0).map(time)).optional()?)
        };
        Ok(Extent {
            database_bytes: one("PRAGMA page_count")?.saturating_mul(one("PRAGMA page_size")?),
            segment_bytes: one("SELECT coalesce(sum(bytes), 0) FROM segments")?,
            segments: one("SELECT count(*) FROM segments")?,
            rows_at_most: one(
                "SELECT coalesce((SELECT max(n) FROM exchanges) - (SELECT min(n) FROM exchanges) + 1, 0)",
            )?,
            open: one(
                "SELECT count(*) FROM exchanges INDEXED BY exchanges_open WHERE end IS NULL",
            )?,
            oldest: edge("ASC")?,
            newest: edge("DESC")?,
        })
    }
}
