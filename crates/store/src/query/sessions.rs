//! Conversations.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::{Error, shape};

use super::list::MAX_PAGE;
use super::row::time;
use super::{Page, Reader};

/// A conversation, summed up over what has ended of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Session {
    /// The id that the client gave it.
    pub session: String,
    /// When its first exchange was accepted.
    #[serde(serialize_with = "crate::record::time")]
    #[schemars(with = "shape::Time")]
    pub first: Timestamp,
    /// When its last was.
    #[serde(serialize_with = "crate::record::time")]
    #[schemars(with = "shape::Time")]
    pub last: Timestamp,
    /// That one's id.
    #[schemars(with = "shape::Id")]
    pub last_id: Uuid,
    /// How many exchanges ended.
    pub exchanges: u64,
    /// How many of them did not go well.
    pub errors: u64,
    /// Tokens in and out.
    pub tokens: u64,
    /// What was priced, in millionths of a dollar.
    pub cost_micro_usd: Option<i64>,
    /// What of that is billed: not by a subscription.
    pub billed_micro_usd: i64,
    /// How many exchanges used tokens that nobody knows the price of.
    pub unpriced: u64,
    /// The model last asked for.
    pub model: String,
    /// The provider that last served.
    pub provider: Option<String>,
}

/// A page of conversations, the one last used first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sessions {
    /// The conversations.
    pub items: Vec<Session>,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<Uuid>,
}

const COLUMNS: &str = "session, first_ms, last_ms, last_id, exchanges, errors,
  CAST(tokens AS INTEGER), CAST(cost AS INTEGER), unpriced, model, provider,
  CAST(billed AS INTEGER)";

impl Reader {
    /// Conversations, the one last used first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn sessions(&self, page: Page) -> Result<Sessions, Error> {
        let limit = page.limit.clamp(1, MAX_PAGE);
        let before = page.before.map_or([0xff; 16], Uuid::into_bytes);
        let inner = self.inner();
        let sql = format!(
            "SELECT {COLUMNS} FROM sessions WHERE last_id < ?1 ORDER BY last_id DESC LIMIT ?2"
        );
        let mut query = inner.connection.prepare_cached(&sql)?;
        let rows = query.query_map(params![before, limit as i64 + 1], session)?;
        let mut items: Vec<Session> = rows.collect::<Result<_, _>>()?;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|last| last.last_id);
        Ok(Sessions { items, next })
    }

    /// One conversation.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn session(&self, id: &str) -> Result<Option<Session>, Error> {
        let inner = self.inner();
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE session = ?1");
        let mut query = inner.connection.prepare_cached(&sql)?;
        Ok(query.query_row([id], session).optional()?)
    }
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let count = |at: usize| row.get::<_, i64>(at).map(|number| number as u64);
    Ok(Session {
        session: row.get(0)?,
        first: time(row.get(1)?),
        last: time(row.get(2)?),
        last_id: row.get(3)?,
        exchanges: count(4)?,
        errors: count(5)?,
        tokens: count(6)?,
        cost_micro_usd: row.get(7)?,
        unpriced: count(8)?,
        model: row.get(9)?,
        provider: row.get(10)?,
        billed_micro_usd: row.get(11)?,
    })
}
