//! `--output summary`: what a choice of exchanges amounts to.

use std::collections::BTreeMap;
use std::process::ExitCode;

use lingate_store::{BodyKind, End, Exchange, Reader};
use lingate_wire::Wire;
use serde_json::json;

use super::super::{failed, rows};
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
    while let Some(id) = chosen.next(reader)? {
        let record = reader.get(id).map_err(|error| failed(&error))?;
        if let Some(record) = record {
            summary.add(record.exchange, reader)?;
        }
    }
    match is_json {
        true => output::json_lines([summary.object()])?,
        false => output::write(&summary.text())?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Summary {
    fn add(&mut self, row: Exchange, reader: &Reader) -> Result<(), Failure> {
        self.total += 1;
        *self
            .by_wire
            .entry(row.client_wire.map_or("none", Wire::name))
            .or_default() += 1;
        self.errors += usize::from(row.end.is_some() && !row.went_well());
        self.broken += usize::from(row.end == Some(End::Broken));
        if self.pairs.len() < PAIRS {
            let body = |kind| {
                let body = reader.body(row.id, kind, None);
                let body = body.map_err(|error| failed(&error))?;
                Ok(body.map_or_else(|| "(not kept)".to_owned(), |body| short(&body.bytes)))
            };
            let asked = body(BodyKind::ClientRequest)?;
            let answered = body(BodyKind::ClientResponse)?;
            self.pairs.push(Pair {
                row,
                asked,
                answered,
            });
        }
        Ok(())
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
