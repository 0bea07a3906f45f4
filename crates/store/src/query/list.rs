//! Pages of exchanges.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params, params_from_iter};
use serde::Serialize;
use uuid::Uuid;

use crate::Error;
use crate::filter::Filter;
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

/// How many exchanges fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// So many.
    pub count: u64,
    /// Whether these are all: if not, there are at least so many.
    pub is_all: bool,
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
        Ok(self.count_until(filter, most, &mut || false)?.count)
    }

    /// Like [`Self::count`], but stops once `expired` says that time is up.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count_until(
        &self,
        filter: &Filter,
        most: u32,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Counted, Error> {
        self.inner().count(filter, most, expired)
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

    /// The id of the row of this number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn numbered(&self, number: i64) -> Result<Option<Uuid>, Error> {
        let inner = self.inner();
        let mut query = inner
            .connection
            .prepare_cached("SELECT id FROM exchanges WHERE n = ?1")?;
        Ok(query.query_row([number], |row| row.get(0)).optional()?)
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
}

fn padded(digits: &str, fill: char) -> Option<Uuid> {
    let mut digits = digits.to_owned();
    while digits.len() < 32 {
        digits.push(fill);
    }
    Uuid::parse_str(&digits).ok()
}

/// So many rows are looked at between two questions whether time is up.
const WINDOW: i64 = 5_000;

impl Inner {
    pub(super) fn list(
        &self,
        filter: &Filter,
        page: Page,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Listing, Error> {
        let limit = page.limit.clamp(1, MAX_PAGE);
        let plan = plan(&self.connection, clauses::of(filter, &self.connection)?)?;
        let in_windows = plan.is_walk && !plan.is_nothing;
        let mut items: Vec<Exchange> = Vec::new();
        let mut before = page.before.unwrap_or(Uuid::max());
        let mut skip = page.skip as u64;
        loop {
            let floor = if in_windows {
                self.floor(before, WINDOW)?
            } else {
                None
            };
            let mut window = Window {
                before,
                floor: floor.unwrap_or(Uuid::nil()),
            };
            if skip > 0 {
                let (passed, last) = self.pass_over(&plan, &window, skip)?;
                skip -= passed;
                window.before = last.unwrap_or(window.before);
            }
            if skip == 0 {
                items.extend(self.rows(&plan, &window, limit + 1 - items.len())?);
            }
            let has_more = items.len() > limit;
            items.truncate(limit);
            let (next, truncated) = match floor {
                _ if has_more => (items.last().map(|last| last.id), false),
                None => (None, false),
                // Where a page that was not reached would begin, nobody knows.
                Some(floor) if expired() => (Some(floor).filter(|_| skip == 0), true),
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

    fn count(
        &self,
        filter: &Filter,
        most: u32,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Counted, Error> {
        let plan = plan(&self.connection, clauses::of(filter, &self.connection)?)?;
        // Each row of a mixed plan is looked at, too, be they few.
        let in_windows = (plan.is_walk || plan.is_mixed) && !plan.is_nothing;
        let most = u64::from(most);
        let mut before = Uuid::max();
        let mut count = 0;
        loop {
            let floor = if in_windows {
                self.floor(before, WINDOW)?
            } else {
                None
            };
            let window = Window {
                before,
                floor: floor.unwrap_or(Uuid::nil()),
            };
            // One more than is asked for tells whether there are more.
            count += self.pass_over(&plan, &window, most + 1 - count)?.0;
            let is_all = match floor {
                _ if count > most => false,
                None => true,
                Some(_) if expired() => false,
                Some(floor) => {
                    before = floor;
                    continue;
                }
            };
            return Ok(Counted {
                count: count.min(most),
                is_all,
            });
        }
    }

    /// Where a window of so many rows that begins there ends; `None` if all that are left fit.
    pub(super) fn floor(&self, before: Uuid, rows: i64) -> Result<Option<Uuid>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT id FROM exchanges INDEXED BY exchanges_id WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
        )?;
        let floor = query.query_row(params![before, rows], |row| row.get(0));
        Ok(floor.optional()?)
    }

    /// How many rows of a window fit, up to `most`, and the id of the last of them.
    fn pass_over(
        &self,
        plan: &Plan,
        window: &Window,
        most: u64,
    ) -> Result<(u64, Option<Uuid>), Error> {
        let sql = format!(
            "SELECT count(*), min(id) FROM (SELECT id {} AND id < ? AND id >= ? ORDER BY id DESC LIMIT ?)",
            plan.sql
        );
        let mut query = self.connection.prepare_cached(&sql)?;
        let passed = query.query_row(params_from_iter(window.values(plan, most)), |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
        });
        Ok(passed?)
    }

    fn rows(&self, plan: &Plan, window: &Window, most: usize) -> Result<Vec<Exchange>, Error> {
        // The rows are found first and read then: sorting carries nothing but ids.
        let sql = format!(
            "SELECT {COLUMNS} FROM exchanges WHERE n IN
               (SELECT n {} AND id < ? AND id >= ? ORDER BY id DESC LIMIT ?)
             ORDER BY id DESC",
            plan.sql
        );
        let mut query = self.connection.prepare_cached(&sql)?;
        let values = window.values(plan, most as u64);
        let rows = query.query_map(params_from_iter(values), row::exchange)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Which rows are looked at.
struct Window {
    before: Uuid,
    floor: Uuid,
}

impl Window {
    /// The plan's values, the window and a limit, as parameters.
    fn values(&self, plan: &Plan, most: u64) -> Vec<Value> {
        let blob = |id: Uuid| Value::Blob(id.as_bytes().to_vec());
        let mut values = plan.values.clone();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        values.extend([blob(self.before), blob(self.floor), Value::Integer(most)]);
        values
    }
}
