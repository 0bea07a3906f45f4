//! Pages of exchanges.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params, params_from_iter};
use serde::Serialize;
use uuid::Uuid;

use crate::Error;
use crate::filter::{Filter, WordField};
use crate::record::Exchange;

use super::clauses;
use super::plan::{Plan, plan};
use super::row::{self, COLUMNS};
use super::{Inner, Reader};

/// No page is longer.
pub const MAX_PAGE: usize = 1000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only what was accepted before this exchange: where the last page ended.
    pub before: Option<Uuid>,
    /// At most so many, and never more than [`MAX_PAGE`].
    pub limit: usize,
    /// So many of them are passed over first: for lists with page numbers. `before` is quicker.
    pub skip: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            before: None,
            limit: 50,
            skip: 0,
        }
    }
}

/// A page, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listing {
    /// The exchanges.
    pub items: Vec<Exchange>,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<Uuid>,
    /// Whether the page is short for want of time.
    pub truncated: bool,
}

impl Reader {
    /// The newest exchanges that fit. Texts of the filter are left to [`Reader::search`].
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn list(&self, filter: &Filter, page: Page) -> Result<Listing, Error> {
        self.list_until(filter, page, &mut || false)
    }

    /// Like [`Self::list`], but ends the page early once `expired` says that time is up. It is asked every
    /// ten milliseconds or so, at least where nothing but looking at every row tells what fits.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn list_until(
        &self,
        filter: &Filter,
        page: Page,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Listing, Error> {
        self.inner().list(filter, page, expired)
    }

    /// How many exchanges fit, up to `most`. Texts of the filter are not looked at.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count(&self, filter: &Filter, most: u32) -> Result<u64, Error> {
        let inner = self.inner();
        let plan = plan(&inner.connection, clauses::of(filter, &inner.connection)?)?;
        let sql = format!("SELECT count(*) FROM (SELECT 1 {} LIMIT ?)", plan.sql);
        let mut values = plan.values;
        values.push(Value::Integer(i64::from(most)));
        let mut query = inner.connection.prepare_cached(&sql)?;
        let count: i64 = query.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(count as u64)
    }

    /// One exchange.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn exchange(&self, id: Uuid) -> Result<Option<Exchange>, Error> {
        let inner = self.inner();
        let sql = format!("SELECT {COLUMNS} FROM exchanges WHERE id = ?1");
        let mut query = inner.connection.prepare_cached(&sql)?;
        Ok(query.query_row([id], row::exchange).optional()?)
    }

    /// The id that begins like this, if exactly one does: ids are long to type.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn named(&self, beginning: &str) -> Result<Option<Uuid>, Error> {
        let digits: String = beginning.chars().filter(|c| *c != '-').collect();
        let (Some(low), Some(high)) = (padded(&digits, '0'), padded(&digits, 'f')) else {
            return Ok(None);
        };
        let inner = self.inner();
        let mut query = inner
            .connection
            .prepare_cached("SELECT id FROM exchanges WHERE id >= ?1 AND id <= ?2 LIMIT 2")?;
        let ids: Vec<Uuid> = query
            .query_map([low, high], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(match ids.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

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

    /// The last place in the order of ending; 0 if nothing has ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_closed(&self) -> Result<i64, Error> {
        let inner = self.inner();
        let mut query = inner.connection.prepare_cached(
            "SELECT coalesce(max(closed), 0) FROM exchanges WHERE closed IS NOT NULL",
        )?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// The different values of a field, for suggestions: models and providers. Nothing for fields with many.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn values(&self, field: WordField) -> Result<Vec<String>, Error> {
        let column = match field {
            WordField::Model => "model",
            WordField::UpstreamModel => "upstream_model",
            WordField::Provider => "provider",
            WordField::End => "end",
            _ => return Ok(Vec::new()),
        };
        clauses::different_values(&self.inner().connection, column)
    }
}

fn padded(digits: &str, fill: char) -> Option<Uuid> {
    let mut digits = digits.to_owned();
    while digits.len() < 32 {
        digits.push(fill);
    }
    Uuid::parse_str(&digits).ok()
}

/// So many rows are looked at between two questions whether time is up.
const WINDOW: i64 = 20_000;

impl Inner {
    pub(super) fn list(
        &self,
        filter: &Filter,
        page: Page,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Listing, Error> {
        let limit = page.limit.clamp(1, MAX_PAGE);
        let plan = plan(&self.connection, clauses::of(filter, &self.connection)?)?;
        let in_windows = plan.is_walk && !plan.is_nothing && page.skip == 0;
        let mut items: Vec<Exchange> = Vec::new();
        let mut before = page.before.unwrap_or(Uuid::max());
        loop {
            let floor = if in_windows {
                self.floor(before)?
            } else {
                None
            };
            let window = Window {
                before,
                floor: floor.unwrap_or(Uuid::nil()),
                limit: limit + 1 - items.len(),
                skip: page.skip,
            };
            items.extend(self.rows(&plan, &window)?);
            let has_more = items.len() > limit;
            items.truncate(limit);
            let (next, truncated) = match floor {
                _ if has_more => (items.last().map(|last| last.id), false),
                None => (None, false),
                Some(floor) if expired() => (Some(floor), true),
                Some(floor) => {
                    before = floor;
                    continue;
                }
            };
            return Ok(Listing {
                items,
                next,
                truncated,
            });
        }
    }

    /// Where a window of rows that begins there ends; `None` if all that are left fit.
    fn floor(&self, before: Uuid) -> Result<Option<Uuid>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT id FROM exchanges INDEXED BY exchanges_id WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
        )?;
        let floor = query.query_row(params![before, WINDOW], |row| row.get(0));
        Ok(floor.optional()?)
    }

    fn rows(&self, plan: &Plan, window: &Window) -> Result<Vec<Exchange>, Error> {
        // The rows are found first and read then: sorting carries nothing but ids.
        let sql = format!(
            "SELECT {COLUMNS} FROM exchanges WHERE n IN
               (SELECT n {} AND id < ? AND id >= ? ORDER BY id DESC LIMIT ? OFFSET ?)
             ORDER BY id DESC",
            plan.sql
        );
        let blob = |id: Uuid| Value::Blob(id.as_bytes().to_vec());
        let mut values = plan.values.clone();
        values.extend([
            blob(window.before),
            blob(window.floor),
            Value::Integer(window.limit as i64),
            Value::Integer(window.skip as i64),
        ]);
        let mut query = self.connection.prepare_cached(&sql)?;
        let rows = query.query_map(params_from_iter(values), row::exchange)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Which rows are looked at, and how many are wanted.
struct Window {
    before: Uuid,
    floor: Uuid,
    limit: usize,
    skip: usize,
}
