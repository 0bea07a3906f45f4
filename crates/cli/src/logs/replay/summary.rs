//! `--output summary`: what a choice of exchanges amounts to.

use std::collections::BTreeMap;
use std::process::ExitCode;

use lingate_store::{BodyKind, End, Error, Exchange, Reader};
use lingate_wire::Wire;
use serde_json::json;
use uuid::Uuid;

use super::super::damaged::Damaged;
use super::super::rows;
use super::Chosen;
use crate::failure::Failure;
use crate::output;

/// How many requests are shown with their answers.
const PAIRS: usize = 5;
/// Most bytes of a body that are shown.
const SHOWN: usize = 160;

/// A request and its answer, both shortened.
struct Pair {
    row: Exchange,
    asked: String,
    answered: String,
}

#[derive(Default)]
struct Summary {
    total: usize,
    by_wire: BTreeMap<&'static str, usize>,
    errors: usize,
    /// Streams that broke off.
    broken: usize,
    pairs: Vec<Pair>,
}

pub(super) fn print(
    reader: &Reader,
    mut chosen: Chosen,
    is_json: bool,
) -> Result<ExitCode, Failure> {
    let mut summary = Summary::default();
    let damaged = Damaged::default();
    while let Some(id) = chosen.next(reader)? {
        if let Some(pair) = damaged.pass(id, summary.read(reader, id))? {
            summary.add(pair);
        }
    }
    match is_json {
        true => output::json_lines([summary.object()])?,
        false => output::write(&summary.text())?,
    }
    damaged.end()?;
    Ok(ExitCode::SUCCESS)
}

impl Summary {
    /// An exchange, with its bodies as long as they are shown; `None` if it is gone.
    fn read(&self, reader: &Reader, id: Uuid) -> Result<Option<Pair>, Error> {
        let Some(record) = reader.get(id)? else {
            return Ok(None);
        };
        let is_shown = self.pairs.len() < PAIRS;
        let body = |kind| -> Result<String, Error> {
            let body = match is_shown {
                true => reader.body(id, kind, None)?,
                false => None,
            };
            Ok(body.map_or_else(|| "(not kept)".to_owned(), |body| short(&body.bytes)))
        };
        Ok(Some(Pair {
            asked: body(BodyKind::ClientRequest)?,
            answered: body(BodyKind::ClientResponse)?,
            row: record.exchange,
        }))
    }

    fn add(&mut self, pair: Pair) {
        let row = &pair.row;
        self.total += 1;
        *self
            .by_wire
            .entry(row.client_wire.map_or("none", Wire::name))
            .or_default() += 1;
        self.errors += usize::from(row.end.is_some() && !row.went_well());
        self.broken += usize::from(row.end == Some(End::Broken));
        if self.pairs.len() < PAIRS {
            self.pairs.push(pair);
        }
    }

    fn text(&self) -> String {
        let wires = self
            .by_wire
            .iter()
            .map(|(wire, count)| format!("{wire} {count}"));
        let mut text = format!(
            "{} exchanges ({}), {} errors, {} streams broke off\n",
            self.total,
            wires.collect::<Vec<_>>().join(", "),
            self.errors,
            self.broken
        );
        for pair in &self.pairs {
            text.push_str(&format!(
                "\n{}\n  > {}\n  < {}\n",
                rows::line(&pair.row),
                output::plain(&pair.asked),
                output::plain(&pair.answered)
            ));
        }
        text
    }

    fn object(&self) -> serde_json::Value {
        let pairs = self.pairs.iter().map(
            |pair| json!({"exchange": pair.row, "request": pair.asked, "response": pair.answered}),
        );
        json!({
            "exchanges": self.total,
            "by_wire": self.by_wire,
            "errors": self.errors,
            "broken_streams": self.broken,
            "pairs": pairs.collect::<Vec<_>>(),
        })
    }
}

/// The beginning of a body.
pub(super) fn short(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN.min(bytes.len())).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "a glimpse, cut anyway")]
    let text = String::from_utf8_lossy(head);
    match bytes.len() > SHOWN {
        true => format!("{}...", text.trim_end_matches('\u{fffd}')),
        false => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_shortened_between_characters() {
        assert_eq!(short(b"short"), "short");
        let long = "\u{e9}".repeat(SHOWN);
        assert_eq!(
            short(long.as_bytes()),
            format!("{}...", "\u{e9}".repeat(SHOWN / 2))
        );
        let odd = format!("x{long}");
        assert_eq!(
            short(odd.as_bytes()),
            format!("x{}...", "\u{e9}".repeat(SHOWN / 2 - 1))
        );
    }
}
