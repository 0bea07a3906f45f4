//! `lingate status`: which gateways run, since when, with which configuration.

use std::process::ExitCode;

use lingate_config::SystemEnvironment;
use serde_json::json;

use super::{VERSION, state_directory};
use crate::args::Report;
use crate::background::{self, Entry, Health, running};
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// Lists this user's gateways; code 1 if none runs.
pub(crate) async fn run(
    args: Report,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let directory = state_directory(environment)?;
    let entries = running(&directory).map_err(|error| {
        Failure::problem(format!(
            "cannot read `{}`: {error}",
            directory.path().display()
        ))
    })?;
    // A configuration that cannot be loaded now is no reason not to say what runs.
    let own = load(args.file.config.as_deref(), Listen::default(), environment).ok();
    let is_own = |entry: &Entry| {
        let own = own.as_ref();
        own.is_some_and(|own| own.fingerprint == entry.fingerprint) && entry.version == VERSION
    };

    let mut found = Vec::new();
    for entry in entries {
        let health = background::health(&entry).await.ok();
        found.push((is_own(&entry), entry, health));
    }
    if args.format.json {
        output::json_lines(
            found
                .iter()
                .map(|(own, entry, health)| object(*own, entry, health.as_ref())),
        )?;
    } else if found.is_empty() {
        output::line("no gateway runs")?;
    } else {
        let rows: Vec<_> = found
            .iter()
            .map(|(own, entry, health)| row(*own, entry, health.as_ref()))
            .collect();
        let head = [
            "address",
            "pid",
            "state",
            "since",
            "sessions",
            "active",
            "started by",
            "configuration",
        ];
        output::table(head, &rows)?;
    }
    Ok(if found.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Without the instance: whoever knows it may end the gateway.
fn object(own: bool, entry: &Entry, health: Option<&Health>) -> serde_json::Value {
    json!({
        "url": entry.url(),
        "pid": entry.pid,
        "status": health.map(|health| &health.status),
        "since": health.map(|health| &health.since),
        "sessions": health.map(|health| health.sessions),
        "active": health.map(|health| health.active),
        "version": entry.version,
        "config": entry.config,
        "config_hash": entry.fingerprint,
        "current": own,
        "background": entry.background,
        "log": entry.log,
    })
}

fn row(own: bool, entry: &Entry, health: Option<&Health>) -> [String; 8] {
    let (status, since, sessions, active) = match health {
        None => (
            "does not answer".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ),
        Some(health) => {
            let Health {
                status,
                since,
                sessions,
                active,
                ..
            } = health.clone();
            (status, since, sessions.to_string(), active.to_string())
        }
    };
    let started_by = if entry.background { "run" } else { "serve" };
    let file = entry
        .config
        .as_ref()
        .map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let configuration = if own {
        file
    } else {
        format!("{file} (not the current one)")
    };
    [
        entry.url(),
        entry.pid.to_string(),
        status,
        since,
        sessions,
        active,
        started_by.to_owned(),
        configuration,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            instance: "secret-instance".to_owned(),
            pid: 7,
            address: "127.0.0.1:8484".parse().unwrap(),
            version: "1".to_owned(),
            fingerprint: "f".to_owned(),
            config: None,
            background: true,
            log: None,
        }
    }

    #[test]
    fn the_instance_stays_in_its_file() {
        let text = object(true, &entry(), None).to_string() + &row(true, &entry(), None).join(" ");
        assert!(!text.contains("secret-instance"), "{text}");
    }

    #[test]
    fn a_gateway_that_does_not_answer_is_listed_all_the_same() {
        let row = row(false, &entry(), None);
        assert_eq!(
            row[..3],
            ["http://127.0.0.1:8484", "7", "does not answer"].map(str::to_owned)
        );
        assert_eq!(row[7], "no file (not the current one)");
    }
}
