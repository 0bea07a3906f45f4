//! What was spent, as budgets count it: without what subscriptions pay for and what nobody knows the price of.

use jiff::Timestamp;
use rusqlite::params;

use crate::Error;

use super::Reader;

/// Milliseconds of a day. Days are those of UTC: whoever reads the record finds the same, wherever they are.
const DAY_MS: i64 = 86_400_000;

/// Sums in millionths of a dollar.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent {
    /// Of one day, by the client's key; the empty name stands for no key.
    pub day: Vec<(String, i64)>,
    /// Of the conversations last used, the last one first.
    pub sessions: Vec<(String, i64)>,
    /// Of these, by conversation and by the client's key, where there was one; in no order.
    pub session_keys: Vec<(String, String, i64)>,
}

impl Reader {
    /// What was spent on the day (UTC) of `now`, and by the `sessions` conversations that were used last. Takes as long
    /// whatever the record holds.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn spent(&self, now: Timestamp, sessions: usize) -> Result<Spent, Error> {
        let inner = self.inner();
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let day = now.as_millisecond().div_euclid(DAY_MS);
        let mut query = inner
            .connection
            .prepare_cached("SELECT key, billed FROM spent WHERE day = ?1 ORDER BY key")?;
        let day = query.query_map([day], pair)?.collect::<Result<_, _>>()?;
        let mut query = inner.connection.prepare_cached(
            "SELECT session, CAST(billed AS INTEGER) FROM sessions ORDER BY last_id DESC LIMIT ?1",
        )?;
        let last = query
            .query_map(params![sessions as i64], pair)?
            .collect::<Result<_, _>>()?;
        let mut query = inner.connection.prepare_cached(
            "SELECT session, spent_by.key, spent_by.billed FROM spent_by JOIN sessions USING (session)
             WHERE last_id > coalesce(
               (SELECT last_id FROM sessions ORDER BY last_id DESC LIMIT 1 OFFSET ?1), x'')",
        )?;
        let triple = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let session_keys = query
            .query_map(params![sessions as i64], triple)?
            .collect::<Result<_, _>>()?;
        Ok(Spent {
            day,
            sessions: last,
            session_keys,
        })
    }
}
