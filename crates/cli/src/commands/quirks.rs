//! `lingate quirks`: what is repaired, for which models, and since when it is known.

use serde_json::json;

use crate::args::Format;
use crate::failure::Failure;
use crate::output;

/// Lists the quirks in the order in which they run.
pub(crate) fn run(format: Format) -> Result<(), Failure> {
    if format.json {
        return output::json_lines(lingate_quirk::all().map(|quirk| {
            let evidence = quirk.evidence.iter();
            let evidence: Vec<_> = evidence
                .map(|seen| json!({ "source": seen.source, "date": seen.date }))
                .collect();
            json!({
                "name": quirk.name,
                "groups": quirk.groups,
                "wire": quirk.wire.name(),
                "scope": quirk.scope,
                "summary": quirk.summary,
                "evidence": evidence,
            })
        }));
    }
    let rows: Vec<_> = lingate_quirk::all()
        .map(|quirk| {
            [
                quirk.name.to_owned(),
                quirk.groups.join(", "),
                quirk.summary.to_owned(),
            ]
        })
        .collect();
    output::table(["name", "groups", "what it does"], &rows)
}
