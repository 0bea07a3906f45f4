//! A filter's words as conditions of SQL. Every value is a parameter; the text of a statement is made of constants.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::Error;
use crate::filter::{Condition, Filter, Is, NumberField, Pattern, Tag, Term, WordField};
use crate::record::{End, unpriced};

/// More different values of a field than this are not looked through one by one.
const MAX_VALUES: usize = 2000;

/// A condition, and how else it may be found than by looking at every row.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub sql: String,
    pub values: Vec<Value>,
    pub by: By,
}

/// What finds the rows of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// Only looking.
    Scan,
    /// Nothing fits.
    Nothing,
    /// This index.
    Index(&'static str),
    /// This index, which holds the rows of a wider condition.
    Within(&'static str, &'static str),
    /// The table of tags, by this condition on it.
    Tags(String),
}

impl Clause {
    fn new(sql: impl Into<String>, values: Vec<Value>, by: By) -> Self {
        Self {
            sql: sql.into(),
            values,
            by,
        }
    }

    fn scan(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self::new(sql, values, By::Scan)
    }

    /// What nothing matches.
    fn never() -> Self {
        Self::new("0", Vec::new(), By::Nothing)
    }
}

/// The conditions of a filter, texts left out. Times become ranges of ids, which sort by time.
pub(super) fn of(filter: &Filter, connection: &Connection) -> Result<Vec<Clause>, Error> {
    let mut clauses = Vec::new();
    for term in &filter.terms {
        if let Some(clause) = clause(term, connection)? {
            clauses.push(clause);
        }
    }
    Ok(clauses)
}

fn clause(term: &Term, connection: &Connection) -> Result<Option<Clause>, Error> {
    let mut clause = match &term.condition {
        Condition::Text(_) => return Ok(None),
        Condition::Any(part) => Clause::scan(ANYWHERE, vec![Value::Text(part.clone())]),
        Condition::Word(field, pattern) => word(*field, pattern, connection)?,
        Condition::Number(field, least, most) => number(*field, *least, *most),
        Condition::Tag(tag, pattern) => tagged(*tag, pattern, connection)?,
        Condition::Since(time) => {
            Clause::new("id >= ?", vec![since(*time)], By::Index("exchanges_id"))
        }
        Condition::Until(time) => Clause::scan("id < ?", vec![since(*time)]),
        Condition::Is(state) => is(*state),
    };
    if term.negated {
        clause.sql = format!("NOT coalesce(({}), 0)", clause.sql);
        clause.by = By::Scan;
    }
    Ok(Some(clause))
}

/// The lowest id of a millisecond since 1970.
pub(crate) fn first_id(ms: i64) -> Uuid {
    let ms = u128::try_from(ms).unwrap_or_default();
    Uuid::from_u128(ms.min((1 << 48) - 1) << 80)
}

fn since(time: Timestamp) -> Value {
    let id = first_id(time.as_millisecond());
    Value::Blob(id.as_bytes().to_vec())
}

/// What lists show of an exchange, in one text.
const ANYWHERE: &str = "instr(lower('POST' || char(10) || model || char(10) || coalesce(upstream_model, '') || char(10)
  || coalesce(provider, '') || char(10) || path || char(10) || coalesce(client_wire, '') || char(10)
  || coalesce(upstream_wire, '')), lower(?)) > 0";

fn word(field: WordField, pattern: &Pattern, connection: &Connection) -> Result<Clause, Error> {
    let (column, index) = column(field);
    let text = |text: &str| Value::Text(text.to_owned());
    let Some(index) = index else {
        let mut clause = match pattern {
            Pattern::Exact(exact) => Clause::scan(format!("{column} = ?"), vec![text(exact)]),
            Pattern::Contains(part) => Clause::scan(
                format!("instr(lower({column}), lower(?)) > 0"),
                vec![text(part)],
            ),
            Pattern::Glob(glob) => Clause::scan(
                format!("lower({column}) GLOB ?"),
                vec![text(&sql_glob(glob))],
            ),
        };
        if field == WordField::Error {
            // Most rows have none.
            clause.sql = format!("error IS NOT NULL AND {}", clause.sql);
            clause.by = By::Within("exchanges_error", "error IS NOT NULL");
        }
        return Ok(clause);
    };
    match (field, pattern) {
        (WordField::End, _) => Ok(end(pattern)),
        (_, Pattern::Exact(exact)) => Ok(Clause::new(
            format!("{column} = ?"),
            vec![text(exact)],
            By::Index(index),
        )),
        // There are too many to look through: by its beginning.
        (WordField::Session, Pattern::Contains(start)) => Ok(Clause::new(
            "session >= ? AND session < ?",
            vec![text(start), text(&format!("{start}\u{10ffff}"))],
            By::Index(index),
        )),
        (WordField::Session, Pattern::Glob(glob)) => Ok(Clause::scan(
            "lower(session) GLOB ?",
            vec![text(&sql_glob(glob))],
        )),
        _ => {
            let values = different_values(connection, column)?;
            let values = values.into_iter().filter(|value| pattern.matches(value));
            Ok(one_of(
                column,
                values.map(Value::Text).collect(),
                By::Index(index),
            ))
        }
    }
}

/// SQLite's own pattern for ours: there, `?` and `[` mean something, too.
fn sql_glob(glob: &str) -> String {
    let mut pattern = String::new();
    for character in glob.to_lowercase().chars() {
        match character {
            '[' | '?' => pattern.extend(['[', character, ']']),
            other => pattern.push(other),
        }
    }
    pattern
}

/// How an exchange ended. The index has what is rare.
fn end(pattern: &Pattern) -> Clause {
    let names = End::ALL.map(End::name).into_iter();
    let names: Vec<&str> = names.filter(|name| pattern.matches(name)).collect();
    let is_rare = !names.contains(&End::Answered.name());
    let values = names.iter().map(|name| Value::Text((*name).to_owned()));
    let mut clause = one_of("end", values.collect(), By::Scan);
    if is_rare && clause.by == By::Scan {
        // Word for word what the index is of, here as below.
        clause.sql = format!("end <> 'answered' AND {}", clause.sql);
        clause.by = By::Index("exchanges_end");
    }
    clause
}

fn one_of(column: &str, values: Vec<Value>, by: By) -> Clause {
    match values.len() {
        0 => Clause::never(),
        1 => Clause::new(format!("{column} = ?"), values, by),
        more => {
            let marks = vec!["?"; more].join(", ");
            Clause::new(format!("{column} IN ({marks})"), values, by)
        }
    }
}

const fn column(field: WordField) -> (&'static str, Option<&'static str>) {
    match field {
        WordField::Model => ("model", Some("exchanges_model")),
        WordField::UpstreamModel => ("upstream_model", Some("exchanges_upstream_model")),
        WordField::Provider => ("provider", Some("exchanges_provider")),
        WordField::Session => ("session", Some("exchanges_session")),
        WordField::End => ("end", Some("exchanges_end")),
        WordField::Agent => ("agent", None),
        WordField::Class => ("class", None),
        WordField::Profile => ("profile", None),
        WordField::Key => ("key", Some("exchanges_key")),
        WordField::Wire => ("client_wire", None),
        WordField::UpstreamWire => ("upstream_wire", None),
        WordField::Lane => ("lane", None),
        WordField::Path => ("path", None),
        WordField::Stop => ("stop", None),
        WordField::Error => ("error", None),
        WordField::Preview => ("preview", None),
    }
}

fn number(field: NumberField, least: Option<i64>, most: Option<i64>) -> Clause {
    let (least, most) = (least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX));
    let (column, by) = match field {
        NumberField::Status if (least..=most).contains(&200) => ("status", By::Scan),
        NumberField::Status => ("status <> 200 AND status", By::Index("exchanges_status")),
        NumberField::Cost => ("cost", By::Index("exchanges_cost")),
        NumberField::Duration => ("duration_ms", By::Index("exchanges_duration")),
        NumberField::Ttft => ("ttft_ms", By::Scan),
        NumberField::Tokens => ("tokens", By::Scan),
        NumberField::Input => ("input", By::Scan),
        NumberField::Output => ("output", By::Scan),
        NumberField::Attempts => ("attempts", By::Scan),
        NumberField::Losses => ("losses", By::Scan),
    };
    if field == NumberField::Attempts && least > 1 {
        return Clause::new(
            "attempts > 1 AND attempts >= ? AND attempts <= ?",
            vec![Value::Integer(least), Value::Integer(most)],
            By::Within("exchanges_retried", "attempts > 1"),
        );
    }
    if least == most {
        return Clause::new(format!("{column} = ?"), vec![Value::Integer(least)], by);
    }
    Clause::new(
        format!("{column} BETWEEN ? AND ?"),
        vec![Value::Integer(least), Value::Integer(most)],
        by,
    )
}

/// By table of tags: the rows of a few are fetched, of many each row is asked.
fn tagged(tag: Tag, pattern: &Pattern, connection: &Connection) -> Result<Clause, Error> {
    let kind = match tag {
        Tag::Tool => "tool",
        Tag::Quirk => "quirk",
        Tag::Warning => "warning",
    };
    let mut values = match pattern {
        Pattern::Exact(exact) => vec![exact.clone()],
        _ => different_tags(connection, kind)?,
    };
    values.retain(|value| pattern.matches(value));
    if values.is_empty() {
        return Ok(Clause::never());
    }
    let marks = vec!["?"; values.len()].join(", ");
    let mut parameters = vec![Value::Text(kind.to_owned())];
    parameters.extend(values.into_iter().map(Value::Text));
    let condition = format!("kind = ? AND value IN ({marks})");
    Ok(Clause::new(
        format!("EXISTS (SELECT 1 FROM tags WHERE {condition} AND tags.id = exchanges.id)"),
        parameters,
        By::Tags(condition),
    ))
}

fn is(state: Is) -> Clause {
    match state {
        Is::Ok => Clause::scan(WENT_WELL, Vec::new()),
        // Word for word what the index is of.
        Is::Error => Clause::new(
            format!("end IS NOT NULL AND NOT coalesce({WENT_WELL}, 0)"),
            Vec::new(),
            By::Index("exchanges_failed"),
        ),
        Is::Open => Clause::new("end IS NULL", Vec::new(), By::Index("exchanges_open")),
        Is::Stream => Clause::scan("stream = 1", Vec::new()),
        Is::Unpriced => Clause::scan(unpriced!(), Vec::new()),
    }
}

/// As `Exchange::went_well` has it.
const WENT_WELL: &str = "end = 'answered' AND status < 400 AND error_kind IS NULL";

/// The different values of an indexed column: one step of the index each.
pub(super) fn different_values(
    connection: &Connection,
    column: &'static str,
) -> Result<Vec<String>, Error> {
    let sql =
        format!("SELECT {column} FROM exchanges WHERE {column} > ?1 ORDER BY {column} LIMIT 1");
    let mut next = connection.prepare_cached(&sql)?;
    walk(|after| next.query_row([after], |row| row.get(0)).optional())
}

/// The different ends of exchanges that were not answered.
pub(super) fn rare_ends(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut next = connection.prepare_cached(
        "SELECT end FROM exchanges INDEXED BY exchanges_end WHERE end <> 'answered' AND end > ?1 ORDER BY end LIMIT 1",
    )?;
    walk(|after| next.query_row([after], |row| row.get(0)).optional())
}

pub(super) fn different_tags(connection: &Connection, kind: &str) -> Result<Vec<String>, Error> {
    let mut next = connection.prepare_cached(
        "SELECT value FROM tags WHERE kind = ?1 AND value > ?2 ORDER BY value LIMIT 1",
    )?;
    walk(|after| {
        next.query_row(params![kind, after], |row| row.get(0))
            .optional()
    })
}

fn walk(
    mut next: impl FnMut(&str) -> rusqlite::Result<Option<String>>,
) -> Result<Vec<String>, Error> {
    let mut values: Vec<String> = Vec::new();
    while values.len() < MAX_VALUES {
        let after = values.last().map_or("", String::as_str);
        match next(after)? {
            Some(value) => values.push(value),
            None => break,
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_are_rare_are_found_by_their_index() {
        let connection = Connection::open_in_memory().unwrap();
        let check = |name: &str, is_indexed: bool| {
            let pattern = Pattern::Exact(name.to_owned());
            let clause = word(WordField::End, &pattern, &connection).unwrap();
            assert_eq!(
                clause.by == By::Index("exchanges_end"),
                is_indexed,
                "{name}"
            );
        };
        check("killed", true);
        check("broken", true);
        check("answered", false);
        check("no such end", false);
    }
}
