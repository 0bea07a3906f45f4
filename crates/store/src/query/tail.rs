//! Reading in order: what has ended since, and the pages of the oldest protocol.

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::Error;
use crate::filter::Filter;
use crate::record::Exchange;

use super::list::MAX_PAGE;
use super::row::{self, COLUMNS};
use super::{Reader, clauses};

/// The last place in the order of ending that was ever given.
pub(crate) const LAST_CLOSED: &str = "
SELECT max(closed, (SELECT coalesce(max(closed), 0) FROM exchanges WHERE closed IS NOT NULL)) FROM lasting";

impl Reader {
    /// What fits and ended behind this place in the order of ending, up to and with that one, oldest first: for those who
    /// watch. Places are told by [`Reader::last_closed`]. Texts of the filter are not looked at.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tail(
        &self,
        filter: &Filter,
        after: i64,
        up_to: i64,
        limit: usize,
    ) -> Result<Vec<Exchange>, Error> {
        let inner = self.inner();
        let mut sql = format!(
            "SELECT {COLUMNS} FROM exchanges INDEXED BY exchanges_closed WHERE closed > ? AND closed <= ?"
        );
        let mut values = vec![Value::Integer(after), Value::Integer(up_to)];
        for clause in clauses::of(filter, &inner.connection)? {
            sql.push_str(&format!(" AND ({})", clause.sql));
            values.extend(clause.values);
        }
        sql.push_str(" ORDER BY closed LIMIT ?");
        values.push(Value::Integer(limit.min(MAX_PAGE) as i64));
        let mut query = inner.connection.prepare_cached(&sql)?;
        let rows = query.query_map(params_from_iter(values), row::exchange)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The last place in the order of ending, whether or not its row is still kept; 0 if nothing has ended. It only rises.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_closed(&self) -> Result<i64, Error> {
        let inner = self.inner();
        let mut query = inner.connection.prepare_cached(LAST_CLOSED)?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// The first place in the order of ending that is still kept; the one that comes next if nothing is.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn first_closed(&self) -> Result<i64, Error> {
        let inner = self.inner();
        let mut query = inner.connection.prepare_cached(
            "SELECT coalesce((SELECT min(closed) FROM exchanges WHERE closed IS NOT NULL), closed + 1) FROM lasting",
        )?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// What has ended and was accepted before a time (milliseconds since 1970), or in that millisecond with a lower row
    /// number: by both, the last first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pull(&self, before: Option<(i64, i64)>, limit: usize) -> Result<Vec<Exchange>, Error> {
        let (time, number) = before.unwrap_or((i64::MAX, i64::MAX));
        let inner = self.inner();
        let sql = format!(
            "SELECT {COLUMNS} FROM exchanges INDEXED BY exchanges_time
             WHERE time_ms <= ?1 AND (time_ms < ?1 OR n < ?2) AND end IS NOT NULL
             ORDER BY time_ms DESC, n DESC LIMIT ?3"
        );
        let mut query = inner.connection.prepare_cached(&sql)?;
        let limit = limit.min(MAX_PAGE) as i64;
        let rows = query.query_map(params![time, number, limit], row::exchange)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
