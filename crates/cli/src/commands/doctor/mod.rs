//! `lingate doctor`: what stands in the way, looked for online; each finding with its cause and what to do.
//!
//! Nothing is changed, and nothing costs money unless `--spend` says so. Keys are used and never shown.

mod claude;
mod finding;
mod machine;
mod providers;

use std::process::ExitCode;

use lingate_config::SystemEnvironment;

use super::state_directory;
use crate::args::Doctor;
use crate::background::running;
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;
use finding::{Finding, Level};

/// Prints what was found; code 1 if something is broken.
pub(crate) async fn run(args: Doctor, environment: SystemEnvironment) -> Result<ExitCode, Failure> {
    let file = args.report.file.config.as_deref();
    let config = load(file, Listen::default(), &environment)?.config;
    let directory = state_directory(&environment)?;
    let gateways = running(&directory).unwrap_or_default();

    let mut findings = machine::port(config.server.listen, &gateways).await;
    findings.extend(machine::live(&gateways).await);
    findings.extend(machine::proxy(&environment));
    findings.push(machine::disk("state", directory.path()));
    findings.extend(
        config
            .record
            .dir
            .as_deref()
            .map(|path| machine::disk("record", path)),
    );
    findings.extend(providers::all(&config, args.spend).await);
    findings.extend(claude::all(&environment, config.server.listen).await);

    let is_broken = findings
        .iter()
        .any(|finding| finding.level == Level::Problem);
    if args.report.format.json {
        output::json_lines(&findings)?;
    } else {
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        output::line(&lines.join("\n"))?;
        let count = |level| {
            findings
                .iter()
                .filter(|finding| finding.level == level)
                .count()
        };
        output::line(&format!(
            "\n{} fine, {} to look at, {} broken",
            count(Level::Fine),
            count(Level::Warning),
            count(Level::Problem)
        ))?;
    }
    Ok(if is_broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
