//! A run's numbers for people and for programs, and whether they are good enough.

use std::collections::BTreeMap;

use serde_json::json;

use super::measures::{Measures, Schema, Spread, Summary, Trigger};
use super::record::Record;
use crate::args::Verify;
use crate::failure::Failure;
use crate::output;

/// One object a case, and the summary.
pub(super) fn json_lines(records: &[Record], summary: &Summary) -> Result<(), Failure> {
    output::json_lines(records)?;
    output::json_lines([json!({ "summary": summary })])
}

/// A table of both views, and what else there is to say.
pub(super) fn table(summary: &Summary) -> Result<(), Failure> {
    let Summary {
        model,
        cases,
        answered,
        failed,
        ..
    } = summary;
    output::line(&format!(
        "{model}: {answered} of {cases} cases answered, {failed} failed"
    ))?;
    if *answered > 0 {
        output::line("")?;
        output::table(["", "as sent", "repaired"], &rows(summary))?;
        output::line("")?;
    }
    let spread = |name: &str, unit: &str, spread: Option<Spread>| match spread {
        Some(Spread { p50, p95 }) => {
            output::line(&format!("{name}: p50 {p50}{unit}, p95 {p95}{unit}"))
        }
        None => Ok(()),
    };
    spread("first content", " ms", summary.ttft_ms)?;
    spread("whole reply", " ms", summary.duration_ms)?;
    if let Some(Spread { p50, .. }) = summary.tokens_per_second {
        output::line(&format!("output: {p50} tokens/s (median)"))?;
    }
    list("leaked, as sent", &summary.raw.leaked)?;
    list("leaked, repaired", &summary.repaired.leaked)?;
    list("quirks at work", &summary.quirks)?;
    list("failed", &summary.errors)
}

/// Whether there are replies at all, and the thresholds are met.
pub(super) fn judged(summary: &Summary, records: &[Record], args: &Verify) -> Result<(), Failure> {
    if summary.answered == 0 {
        let first = records.iter().find_map(|record| record.error.as_ref());
        let words = first.map_or("", |error| error.message.as_str());
        return Err(Failure::problem(format!(
            "no case was answered by {}: {words}",
            summary.model
        )));
    }
    let measures = summary.measures(args.side());
    let f1 = measures.call_trigger.and_then(|trigger| trigger.f1);
    let thresholds = [
        ("call-trigger F1", f1, args.min_f1),
        ("schema accuracy", measures.schema.accuracy, args.min_schema),
    ];
    let missed = thresholds.iter().filter_map(|(name, value, least)| {
        let least = (*least)?;
        match value {
            Some(value) if *value >= least => None,
            Some(value) => Some(format!("{name} is {value:.4}, below {least}")),
            None => Some(format!(
                "{name} cannot be told: there is no call to measure"
            )),
        }
    });
    let missed: Vec<String> = missed.collect();
    if missed.is_empty() {
        return Ok(());
    }
    Err(Failure::problem(missed.join("; ")))
}

fn rows(summary: &Summary) -> Vec<[String; 3]> {
    let both = |name: &str, cell: &dyn Fn(&Measures) -> String| {
        [name.to_owned(), cell(&summary.raw), cell(&summary.repaired)]
    };
    let mut rows = Vec::new();
    if summary.f1_against.is_some() {
        let cell = |of: fn(&Trigger) -> Option<f64>| {
            move |measures: &Measures| {
                let share = measures.call_trigger.as_ref().and_then(of);
                share.map_or_else(|| "n/a".to_owned(), |share| format!("{share:.4}"))
            }
        };
        rows.push(both("call-trigger F1", &cell(|trigger| trigger.f1)));
        rows.push(both("  precision", &cell(|trigger| trigger.precision)));
        rows.push(both("  recall", &cell(|trigger| trigger.recall)));
    }
    rows.push(both("schema accuracy", &|measures| {
        accuracy(&measures.schema)
    }));
    rows.push(both("  streamed", &|measures| {
        accuracy(&measures.schema_streamed)
    }));
    rows.push(both("  whole", &|measures| {
        accuracy(&measures.schema_whole)
    }));
    rows.push(both("replies that leak markers", &|measures| {
        measures.leaking.to_string()
    }));
    rows.push(both("empty replies", &|measures| {
        measures.empty.to_string()
    }));
    rows.push(both("broken replies", &|measures| {
        measures.broken.to_string()
    }));
    let mut reasons: Vec<&String> = summary
        .raw
        .finish
        .keys()
        .chain(summary.repaired.finish.keys())
        .collect();
    reasons.sort();
    reasons.dedup();
    for reason in reasons {
        let count = |measures: &Measures| {
            measures
                .finish
                .get(reason)
                .copied()
                .unwrap_or(0)
                .to_string()
        };
        rows.push(both(&format!("finish: {reason}"), &count));
    }
    rows
}

fn accuracy(schema: &Schema) -> String {
    match schema.accuracy {
        Some(share) => format!("{share:.4} ({}/{})", schema.valid, schema.tool_calls),
        None => "n/a (0/0)".to_owned(),
    }
}

fn list(name: &str, counts: &BTreeMap<String, usize>) -> Result<(), Failure> {
    if counts.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{what} ({n})"))
        .collect();
    output::line(&format!("{name}: {}", counts.join(", ")))
}
