//! `lingate providers --live`: how the providers of the running gateways have done since those began.

use lingate_config::SystemEnvironment;
use serde_json::json;

use super::state_directory;
use crate::args::Report;
use crate::background::{self, Entry, Seen, running};
use crate::failure::Failure;
use crate::output;

/// Lists what every running gateway has seen, per provider and model.
pub(crate) async fn run(args: Report, environment: &SystemEnvironment) -> Result<(), Failure> {
    let directory = state_directory(environment)?;
    let entries = running(&directory).map_err(|error| {
        Failure::problem(format!(
            "cannot read `{}`: {error}",
            directory.path().display()
        ))
    })?;
    if entries.is_empty() {
        return Err(Failure::problem("no gateway runs".to_owned()));
    }
    let mut found: Vec<(Entry, Seen)> = Vec::new();
    for entry in entries {
        let seen = background::seen(&entry)
            .await
            .map_err(|error| Failure::problem(format!("{} does not tell: {error}", entry.url())))?;
        found.extend(seen.into_iter().map(|seen| (entry.clone(), seen)));
    }
    if args.format.json {
        return output::json_lines(found.iter().map(|(entry, seen)| {
            json!({
                "gateway": entry.url(),
                "provider": seen.provider,
                "model": seen.model,
                "tool_calls": seen.tool_calls,
                "schema_accuracy": seen.schema_accuracy,
            })
        }));
    }
    if found.is_empty() {
        return output::line(
            "no tool call was held against its schema yet; `validate_tool_calls` of a model turns that on",
        );
    }
    let rows: Vec<_> = found
        .iter()
        .map(|(entry, seen)| {
            [
                entry.url(),
                seen.provider.clone(),
                seen.model.clone(),
                seen.tool_calls.to_string(),
                format!("{:.1} %", seen.schema_accuracy * 100.0),
            ]
        })
        .collect();
    output::table(
        [
            "gateway",
            "provider",
            "model",
            "tool calls",
            "schema accuracy",
        ],
        &rows,
    )
}
