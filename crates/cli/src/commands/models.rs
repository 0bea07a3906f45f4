//! `lingate models`: what a client may ask for, and what answers.

use lingate_config::Environment;
use lingate_route::{PublishedModel, Table, published, resolve_name};
use serde_json::json;

use super::session::check_profile;
use crate::args::Models;
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// Lists the models that `/v1/models` lists.
pub(crate) fn run(args: Models, environment: &dyn Environment) -> Result<(), Failure> {
    let config = load(
        args.report.file.config.as_deref(),
        Listen::default(),
        environment,
    )?
    .config;
    let profile = args.profile.as_deref();
    check_profile(&config, profile)?;

    let models = published(&config.routes, profile);
    if args.report.format.json {
        return output::json_lines(models.iter().map(|model| {
            json!({
                "id": model.id,
                "name": model.display_name,
                "context": model.context,
                "max_output": model.max_output,
                "targets": targets(&config.routes, profile, model),
            })
        }));
    }
    let number =
        |limit: Option<u64>| limit.map_or_else(|| "?".to_owned(), |limit| limit.to_string());
    let rows: Vec<_> = models
        .iter()
        .map(|model| {
            let targets = targets(&config.routes, profile, model).join(", ");
            [
                model.id.clone(),
                number(model.context),
                number(model.max_output),
                targets,
            ]
        })
        .collect();
    output::table(["model", "context", "max output", "served by"], &rows)
}

/// `provider/model`, in order of preference.
fn targets(table: &Table, profile: Option<&str>, model: &PublishedModel) -> Vec<String> {
    let candidates =
        resolve_name(table, profile, &model.id).map(|resolution| resolution.candidates);
    let candidates = candidates.unwrap_or_default();
    candidates
        .iter()
        .map(|candidate| format!("{}/{}", candidate.provider, candidate.model))
        .collect()
}
