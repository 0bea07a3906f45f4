//! The rows of exchanges that run, and how they get their ends.
//!
//! An end is written into the row of its exchange if that has one. Where that is, the writer remembers; what it does not
//! remember, or wrongly because a group was undone, it finds out.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ToSql, params_from_iter};
use uuid::Uuid;

use crate::Error;

use super::rows::held;

/// Of no more running exchanges is remembered where their rows are.
const MOST_OPENED: usize = 1 << 14;

/// The statements that end an exchange.
pub(super) struct Ending {
    /// Where there is no row of it; takes its number, its id, what stays and what is new.
    pub insert: &'static str,
    /// Where there is one; takes what is new, its number and its id.
    pub update: &'static str,
}

/// Numbers of rows by the ids of their exchanges.
#[derive(Default)]
pub(crate) struct Opened(HashMap<Uuid, i64>);

impl Opened {
    /// The row of an exchange was opened.
    pub(super) fn add(&mut self, id: Uuid, n: i64) {
        if self.0.len() < MOST_OPENED {
            self.0.insert(id, n);
        }
    }

    /// Writes an end: into the row of the exchange, or else into a new one with number `n`. Gives the row's number.
    pub(super) fn end<'a>(
        &mut self,
        connection: &'a Connection,
        statements: &mut [Option<CachedStatement<'a>>; 2],
        sql: &Ending,
        (n, id): (i64, Uuid),
        once: &[&dyn ToSql],
        anew: &[&dyn ToSql],
    ) -> Result<i64, Error> {
        let [insert, update] = statements;
        let mut end_at = |n: i64| -> Result<bool, Error> {
            let place: [&dyn ToSql; 2] = [&n, &id];
            let values = params_from_iter(anew.iter().chain(&place));
            Ok(held(update, connection, sql.update)?.execute(values)? == 1)
        };
        if let Some(n) = self.0.remove(&id)
            && end_at(n)?
        {
            return Ok(n);
        }
        let place: [&dyn ToSql; 2] = [&n, &id];
        let values = params_from_iter(place.iter().chain(once).chain(anew));
        if held(insert, connection, sql.insert)?.execute(values)? == 1 {
            return Ok(n);
        }
        let mut find = connection.prepare_cached("SELECT n FROM exchanges WHERE id = ?1")?;
        let n = find.query_row([id], |row| row.get(0))?;
        end_at(n)?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: Ending = Ending {
        insert: "INSERT INTO exchanges (n, id, model, end) VALUES (:n, :id, :model, :end) ON CONFLICT (id) DO NOTHING",
        update: "UPDATE exchanges SET end = :end WHERE n = :n AND id = :id",
    };

    /// Ends the exchange with this id where row 1 is that of exchange 1, and row 2 that of 2; what is remembered of it before,
    /// and the row it got: number, model and end.
    fn check(id: u128, remembered: Option<i64>, expected: (i64, &str, &str)) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE exchanges (n INTEGER PRIMARY KEY, id BLOB UNIQUE, model TEXT, end TEXT)",
            )
            .unwrap();
        for n in 1..=2 {
            let row = (n, Uuid::from_u128(n as u128), "asked");
            connection
                .execute(
                    "INSERT INTO exchanges (n, id, model) VALUES (?1, ?2, ?3)",
                    row,
                )
                .unwrap();
        }
        let id = Uuid::from_u128(id);
        let mut opened = Opened::default();
        remembered.into_iter().for_each(|n| opened.add(id, n));
        let mut statements = [None, None];
        let n = opened
            .end(
                &connection,
                &mut statements,
                &SQL,
                (3, id),
                &[&"new"],
                &[&"answered"],
            )
            .unwrap();
        assert!(opened.0.is_empty());
        let row = connection
            .query_row(
                "SELECT n, model, end FROM exchanges WHERE id = ?1",
                [id],
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, String>(2)?,
                    ))
                },
            )
            .unwrap();
        assert_eq!((row.0, row.1.as_str(), row.2.as_str()), expected);
        assert_eq!(n, row.0);
        let ended = "SELECT count(*) FROM exchanges WHERE end IS NOT NULL";
        let ended: i64 = connection.query_row(ended, [], |row| row.get(0)).unwrap();
        assert_eq!(ended, 1, "nobody else's");
    }

    #[test]
    fn an_end_is_written_where_its_exchange_is() {
        check(2, Some(2), (2, "asked", "answered"));
        // Forgotten, and remembered wrongly: of a group that was undone others have the number, or nobody.
        check(2, None, (2, "asked", "answered"));
        check(2, Some(1), (2, "asked", "answered"));
        check(2, Some(7), (2, "asked", "answered"));
        check(9, Some(1), (3, "new", "answered"));
        check(9, None, (3, "new", "answered"));
    }

    #[test]
    fn what_never_ends_is_not_remembered_for_ever() {
        let mut opened = Opened::default();
        (0..2 * MOST_OPENED).for_each(|n| opened.add(Uuid::from_u128(n as u128), n as i64));
        assert_eq!(opened.0.len(), MOST_OPENED);
    }
}
