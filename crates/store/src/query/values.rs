//! The different values of a field, for suggestions.

use crate::Error;
use crate::filter::{Tag, WordField};

use super::{Inner, Reader, clauses};

/// Fields without an index are looked at in so many of the newest rows.
const NEWEST: u32 = 20_000;

/// A field whose values can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Valued {
    /// A text of the row. Paths, sessions and free texts have too many values: nothing is told of them.
    Word(WordField),
    /// The status.
    Status,
    /// Tools or quirks.
    Tag(Tag),
}

impl Reader {
    /// The different values of a field, sorted; at most 2000 of them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn values(&self, field: Valued) -> Result<Vec<String>, Error> {
        let inner = self.inner();
        let field = match field {
            Valued::Word(field) => field,
            Valued::Status => return inner.newest("CAST(status AS TEXT)"),
            Valued::Tag(Tag::Tool) => return clauses::different_tags(&inner.connection, "tool"),
            Valued::Tag(Tag::Quirk) => return clauses::different_tags(&inner.connection, "quirk"),
            Valued::Tag(Tag::Warning) => {
                return clauses::different_tags(&inner.connection, "warning");
            }
        };
        let indexed = |column| clauses::different_values(&inner.connection, column);
        match field {
            WordField::Model => indexed("model"),
            WordField::UpstreamModel => indexed("upstream_model"),
            WordField::Provider => indexed("provider"),
            WordField::End => inner.ends(),
            WordField::Key => indexed("key"),
            WordField::Class => inner.newest("class"),
            WordField::Profile => inner.newest("profile"),
            WordField::Wire => inner.newest("client_wire"),
            WordField::UpstreamWire => inner.newest("upstream_wire"),
            WordField::Lane => inner.newest("lane"),
            WordField::Stop => inner.newest("stop"),
            WordField::Agent
            | WordField::Session
            | WordField::Path
            | WordField::Error
            | WordField::Preview => Ok(Vec::new()),
        }
    }
}

impl Inner {
    /// How exchanges ended: the index has what is rare, and what is not is among the newest.
    fn ends(&self) -> Result<Vec<String>, Error> {
        let mut ends = clauses::rare_ends(&self.connection)?;
        ends.extend(self.newest("end")?);
        ends.sort_unstable();
        ends.dedup();
        Ok(ends)
    }

    fn newest(&self, column: &'static str) -> Result<Vec<String>, Error> {
        let sql = format!(
            "SELECT DISTINCT value FROM (
               SELECT {column} AS value FROM exchanges INDEXED BY exchanges_id ORDER BY id DESC LIMIT {NEWEST})
             WHERE value IS NOT NULL AND value <> '' ORDER BY value LIMIT 2000"
        );
        let mut query = self.connection.prepare_cached(&sql)?;
        let values = query.query_map([], |row| row.get(0))?;
        Ok(values.collect::<Result<_, _>>()?)
    }
}
