//! `lingate check`: is the configuration right, and what does it lead to. No network, no gateway.
//!
//! Exit codes: 0, 1 if something is configured that cannot work, 2 if the configuration is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use lingate_config::{Config, Environment, Problem};
use serde_json::{Value as Json, json};

use super::{providers, routes};
use crate::args::Report;
use crate::configuration::{Listen, try_load};
use crate::failure::Failure;
use crate::output;

/// Prints what is wrong, or what the configuration leads to.
pub(crate) fn run(args: Report, environment: &dyn Environment) -> Result<ExitCode, Failure> {
    let config = match try_load(args.file.config.as_deref(), Listen::default(), environment) {
        Ok(loaded) => loaded.config,
        Err(problems) if args.format.json => {
            output::json_lines(problems.0.iter().map(|problem| remark("error", problem)))?;
            return Ok(ExitCode::from(2));
        }
        Err(problems) => return Err(Failure::usage(problems.to_string())),
    };
    let routes = routes::all(&config);
    let found = findings(&config, &routes);
    if args.format.json {
        print_json(&config, &routes, &found)?;
    } else {
        print_text(&config, &routes, &found)?;
    }
    Ok(if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is not as it should be, beside errors.
struct Findings {
    /// Cannot work as it is.
    problems: Vec<String>,
    /// Works, but should be looked at.
    warnings: Vec<Problem>,
}

fn findings(config: &Config, routes: &[routes::Route]) -> Findings {
    let mut problems = Vec::new();
    for route in routes {
        if let Err(reason) = &route.targets {
            problems.push(format!("{}: {reason}", route.asked));
        }
    }
    let mut warnings = config.warnings.clone();
    warnings.extend(
        config
            .sources
            .file
            .as_deref()
            .and_then(|file| readable_keys(config, file)),
    );
    Findings { problems, warnings }
}

/// A key that stands in the file itself, where others than its owner can read it.
fn readable_keys(config: &Config, file: &Path) -> Option<Problem> {
    let name = file.display().to_string();
    let holds_key = config
        .sources
        .keys
        .iter()
        .any(|key| key.origin.starts_with(&name));
    let mode = fs::metadata(file).ok()?.permissions().mode();
    (holds_key && mode & 0o077 != 0).then(|| Problem {
        place: None,
        message: format!("`{name}` holds a key and others can read it"),
        hint: Some(format!("chmod 600 {name}")),
    })
}

fn print_text(config: &Config, routes: &[routes::Route], found: &Findings) -> Result<(), Failure> {
    match &config.sources.file {
        Some(file) => output::line(&format!("configuration: {}", file.display()))?,
        None => output::line("configuration: no file; keys from the environment")?,
    }
    output::line(&format!("listens on: {}\n", config.server.listen))?;

    let rows: Vec<_> = config
        .providers
        .iter()
        .map(|provider| {
            let urls = providers::endpoints(provider);
            let urls = urls
                .iter()
                .map(|(wire, url)| format!("{wire} {}", url.as_str().unwrap_or_default()));
            [
                provider.id.clone(),
                providers::state(provider),
                urls.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    output::table(["provider", "state", "URL of each wire"], &rows)?;
    output::line("")?;
    let head = [
        "asked for",
        "served by",
        "wire",
        "anthropic clients",
        "chat clients",
    ];
    output::table(head, &routes::rows(routes))?;

    section("quirks", &routes::quirks(routes))?;
    let warnings: Vec<String> = found.warnings.iter().map(Problem::to_string).collect();
    section("warnings", &warnings)?;
    section("problems", &found.problems)
}

/// A list under a title; nothing if it is empty.
fn section(title: &str, lines: &[String]) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("  {}", line.replace('\n', "\n  ")))
        .collect();
    output::line(&format!("\n{title}:\n{}", lines.join("\n")))
}

/// One object a line, each with its `kind`.
fn print_json(config: &Config, routes: &[routes::Route], found: &Findings) -> Result<(), Failure> {
    let configuration = json!({
        "kind": "configuration",
        "file": config.sources.file,
        "listen": config.server.listen,
        "default": config.routes.global.default,
        "small": config.routes.global.small,
    });
    let providers = config.providers.iter().map(|provider| {
        json!({
            "kind": "provider",
            "id": provider.id,
            "enabled": provider.enabled,
            "state": providers::state(provider),
            "endpoints": providers::endpoints(provider),
            "quirks": provider.quirks,
        })
    });
    let routes = routes.iter().map(routes::object);
    let problems = found
        .problems
        .iter()
        .map(|problem| json!({ "kind": "problem", "message": problem }));
    let warnings = found.warnings.iter().map(|own| remark("warning", own));
    let all = [configuration].into_iter().chain(providers).chain(routes);
    output::json_lines(all.chain(warnings).chain(problems))
}

fn remark(kind: &str, problem: &Problem) -> Json {
    json!({
        "kind": kind,
        "file": problem.place.as_ref().map(|place| &place.file),
        "line": problem.place.as_ref().map(|place| place.line),
        "message": problem.message,
        "hint": problem.hint,
    })
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let environment = FixedEnvironment::new(variables.iter().copied());
        let config = Config::from_text(None, file, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        findings(&config, &routes::all(&config)).problems
    }

    #[test]
    fn whatever_speaks_a_wire_can_be_served() {
        assert!(problems("", &[]).is_empty());
        assert!(problems("", &[("MOONSHOT_API_KEY", "k")]).is_empty());
        let other_wire = "default = \"x/m\"\n[providers.x]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"gemini\"]\nauth = \"none\"";
        assert!(problems(other_wire, &[]).is_empty());
    }
}
