//! The database's shape, and how an older one gets there.
//!
//! `PRAGMA user_version` counts the steps that were taken. Each is one transaction together with the count, so a
//! process that dies in between leaves the version before or the version after.

use rusqlite::{Connection, TransactionBehavior};

use crate::Error;

/// Every step, oldest first. A step that has been released is never changed.
const STEPS: [&str; 5] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
];

/// What the latest program knows.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// The version of a database; 0 if it is empty.
pub(crate) fn version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Takes the steps that are missing.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    loop {
        // Asked under the lock: another process may be doing the same.
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&step)?;
        if found == VERSION {
            return Ok(());
        }
        let sql = usize::try_from(found).ok().and_then(|at| STEPS.get(at));
        let Some(sql) = sql else {
            return Err(Error::TooNew {
                found,
                known: VERSION,
            });
        };
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", found + 1)?;
        step.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(connection: &Connection) -> Vec<(String, Option<String>)> {
        let mut query = connection
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_older_version_becomes_the_latest() {
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        for older in 0..=VERSION {
            let mut connection = Connection::open_in_memory().unwrap();
            for step in &STEPS[..older as usize] {
                connection.execute_batch(step).unwrap();
            }
            connection
                .pragma_update(None, "user_version", older)
                .unwrap();
            migrate(&mut connection).unwrap();
            assert_eq!(version(&connection).unwrap(), VERSION, "from {older}");
            assert_eq!(shape(&connection), shape(&fresh), "from {older}");
        }
    }

    #[test]
    fn a_later_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .pragma_update(None, "user_version", VERSION + 1)
            .unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, Error::TooNew { .. }), "{error}");
        assert!(shape(&connection).is_empty());
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE sessions (x)")
            .unwrap();
        migrate(&mut connection).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 0);
        assert_eq!(shape(&connection).len(), 1);
    }
}
