//! By which index rows are looked for.
//!
//! SQLite knows how often values occur on the average, which says nothing about `status:5xx` on a good day. Counting is
//! quick as long as it stops early: if one condition has few rows, its index is walked; if all have many, the newest rows
//! are looked at until enough of them fit.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::Error;

use super::clauses::{By, Clause};

/// What has more rows than this has many.
const FEW: i64 = 20_000;

/// A statement's `FROM` and `WHERE`, with its parameters.
pub(super) struct Plan {
    pub sql: String,
    pub values: Vec<Value>,
    /// Whether rows are looked at, newest first, of which few may fit.
    pub is_walk: bool,
    /// Whether there is more to be asked of each row than the index tells.
    pub is_mixed: bool,
    /// Whether the index leads to few rows.
    pub is_narrow: bool,
    /// Whether nothing fits.
    pub is_nothing: bool,
}

/// How to find the rows of all clauses.
pub(super) fn plan(connection: &Connection, mut clauses: Vec<Clause>) -> Result<Plan, Error> {
    let mut best: Option<(i64, usize)> = None;
    for (at, clause) in clauses.iter().enumerate() {
        if let Some(few) = count(connection, clause)?
            && few <= FEW
            && best.is_none_or(|(fewest, _)| few < fewest)
        {
            best = Some((few, at));
        }
    }
    let mut index = "exchanges_id";
    if let Some(clause) = best.and_then(|(_, at)| clauses.get_mut(at)) {
        match &clause.by {
            By::Index(name) | By::Within(name, _) => index = name,
            By::Tags(condition) => {
                clause.sql = format!("id IN (SELECT id FROM tags WHERE {condition})")
            }
            By::Scan | By::Nothing => {}
        }
    }
    let is_nothing = clauses.iter().any(|clause| clause.by == By::Nothing);
    let is_walk = best.is_none() && !clauses.is_empty();
    let is_mixed = clauses.len() > 1 && index != "exchanges_id";
    let mut sql = format!("FROM exchanges INDEXED BY {index} WHERE 1");
    let mut values = Vec::new();
    for clause in clauses {
        sql.push_str(" AND (");
        sql.push_str(&clause.sql);
        sql.push(')');
        values.extend(clause.values);
    }
    Ok(Plan {
        sql,
        values,
        is_walk,
        is_mixed,
        is_narrow: best.is_some(),
        is_nothing,
    })
}

/// How many rows a condition has, up to one more than a few; `None` if only looking at all of them would tell.
fn count(connection: &Connection, clause: &Clause) -> Result<Option<i64>, Error> {
    let rows = match &clause.by {
        By::Index(index) => format!("exchanges INDEXED BY {index} WHERE {}", clause.sql),
        By::Within(index, wider) => format!("exchanges INDEXED BY {index} WHERE {wider}"),
        By::Tags(condition) => format!("tags WHERE {condition}"),
        By::Scan | By::Nothing => return Ok(None),
    };
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {})",
        FEW + 1
    );
    let mut query = connection.prepare_cached(&sql)?;
    let values = match &clause.by {
        By::Within(..) => &[],
        By::Index(_) | By::Tags(_) | By::Scan | By::Nothing => clause.values.as_slice(),
    };
    Ok(Some(
        query.query_row(params_from_iter(values), |row| row.get(0))?,
    ))
}
