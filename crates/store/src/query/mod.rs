//! Reading the record: from any process, while a gateway writes it or after it died.
//!
//! Every answer is bounded in memory, whatever the record holds: lists have pages, bodies are read one at a time, searches
//! say where they stopped.

mod bodies;
mod clauses;
mod extent;
mod interrupt;
mod list;
mod plan;
mod row;
mod search;
mod sessions;
mod spent;
mod stats;
mod sums;
mod tail;
mod values;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::place::Place;
use crate::segment::Frames;
use crate::{Error, database};

pub use bodies::{BodyInfo, BodyPlace, KeptBody, Record};
pub(crate) use clauses::first_id;
pub use extent::Extent;
pub use interrupt::Interrupt;
pub use list::{Counted, Listing, MAX_PAGE, Page};
pub(crate) use row::row;
pub use search::{Found, Hits, MAX_HITS, Search};
pub use sessions::{Session, Sessions};
pub use spent::Spent;
pub use stats::{Group, GroupBy, Stats, Times};
pub(crate) use tail::LAST_CLOSED;
pub use values::Valued;

/// Reads one record. Calls wait for each other: open several for several threads.
pub struct Reader {
    inner: Mutex<Inner>,
}

struct Inner {
    connection: Connection,
    frames: Frames,
}

impl Reader {
    /// Opens the record in `dir` for reading. One that an older version wrote is brought up to date.
    ///
    /// # Errors
    /// There is none, it cannot be read, or a later version wrote it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let place = Place::new(dir);
        Ok(Self {
            inner: Mutex::new(Inner {
                connection: database::reader(&place)?,
                frames: Frames::new(place),
            }),
        })
    }

    /// Whether the database is whole; the complaints if not. Reads all of it.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        let inner = self.inner();
        let mut query = inner.connection.prepare("PRAGMA integrity_check(100)")?;
        let lines = query.query_map([], |row| row.get(0))?;
        let mut lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        lines.retain(|line| line != "ok");
        Ok(lines)
    }

    /// What a panic in another call may have left is at most a file less in the cache.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
