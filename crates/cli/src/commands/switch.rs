//! `lingate use`: another default model, for every session of a running gateway from its next request on.

use lingate_config::SystemEnvironment;
use lingate_route::Alias;

use super::{chosen, state_directory};
use crate::args::Use;
use crate::background;
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// Tells the gateways meant, and says what a session will notice.
pub(crate) async fn run(args: Use, environment: &SystemEnvironment) -> Result<(), Failure> {
    let directory = state_directory(environment)?;
    let file = args.file.config.as_deref();
    let entries = chosen::gateways(&directory, file, args.all, environment)?;
    let model = args.model.as_deref().filter(|_| !args.reset);
    for entry in &entries {
        let url = entry.url();
        let now = background::switch_default(entry, model)
            .await
            .map_err(|error| {
                Failure::problem(format!("{url} does not switch its default model: {error}"))
            })?;
        let name = now.default.as_deref().unwrap_or("none");
        let whose = if now.switched { "" } else { ", as configured" };
        output::line(&format!("{url} default model: {name}{whose}"))?;
    }
    let own = load(file, Listen::default(), environment).ok();
    if let Some(own) = own.filter(|_| model.is_some()) {
        let aliases = &own.config.routes.global.aliases;
        let patterns: Vec<String> = aliases.iter().map(Alias::pattern).collect();
        if !patterns.is_empty() {
            output::say(&format!(
                "names that aliases serve stay where they are: {}",
                patterns.join(", ")
            ));
        }
    }
    Ok(())
}
