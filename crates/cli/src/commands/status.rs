//! `lingate status`: which gateways run, since when, with which configuration.

use std::process::ExitCode;

use lingate_config::SystemEnvironment;
use serde_json::json;

use super::{VERSION, state_directory};
use crate::args::Report;
use crate::background::{self, DefaultModel, Entry, Health, InForce, Reload, running};
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
    for mut entry in entries {
        let answer = match background::health(&entry).await {
            Err(_) => None,
            Ok(health) => Some(Answer {
                health,
                default: background::default_model(&entry).await.ok(),
                in_force: background::in_force(&entry).await.ok(),
            }),
        };
        // It may have been reloaded since its entry was read.
        if let Some(in_force) = answer.as_ref().and_then(|own| own.in_force.as_ref()) {
            entry.fingerprint.clone_from(&in_force.config);
        }
        found.push((is_own(&entry), entry, answer));
    }
    if args.format.json {
        output::json_lines(
            found
                .iter()
                .map(|(own, entry, answer)| object(*own, entry, answer.as_ref())),
        )?;
    } else if found.is_empty() {
        output::line("no gateway runs")?;
    } else {
        let rows: Vec<_> = found
            .iter()
            .map(|(own, entry, answer)| row(*own, entry, answer.as_ref()))
            .collect();
        let head = [
            "address",
            "pid",
            "state",
            "since",
            "sessions",
            "active",
            "default model",
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

/// What a gateway says when it is asked.
struct Answer {
    health: Health,
    /// None from a version that does not tell.
    default: Option<DefaultModel>,
    /// The same.
    in_force: Option<InForce>,
}

impl Answer {
    /// The last reload, if there was one.
    fn reload(&self) -> Option<&Reload> {
        self.in_force.as_ref()?.reload.as_ref()
    }

    /// When it began to accept, in whole seconds: RFC 3339, UTC.
    fn since(&self) -> String {
        match self.health.since.split_once('.') {
            Some((seconds, _)) => format!("{seconds}Z"),
            None => self.health.since.clone(),
        }
    }
}

/// Without the instance: whoever knows it may end the gateway.
fn object(own: bool, entry: &Entry, answer: Option<&Answer>) -> serde_json::Value {
    let health = answer.map(|answer| &answer.health);
    let default = answer.and_then(|answer| answer.default.as_ref());
    json!({
        "url": entry.url(),
        "pid": entry.pid,
        "status": health.map(|health| &health.status),
        "since": answer.map(Answer::since),
        "sessions": health.map(|health| health.sessions),
        "active": health.map(|health| health.active),
        "record": health.and_then(|health| health.record.as_ref()),
        "default": default.and_then(|default| default.default.as_ref()),
        "default_switched": default.map(|default| default.switched),
        "version": entry.version,
        "config": entry.config,
        "config_hash": entry.fingerprint,
        "generation": answer.and_then(|answer| Some(answer.in_force.as_ref()?.generation)),
        "reload": answer.and_then(Answer::reload),
        "current": own,
        "background": entry.background,
        "log": entry.log,
    })
}

fn row(own: bool, entry: &Entry, answer: Option<&Answer>) -> [String; 9] {
    let (status, since, sessions, active) = match answer {
        None => (
            "does not answer".to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ),
        Some(answer) => {
            let Health {
                status,
                sessions,
                active,
                record,
                ..
            } = answer.health.clone();
            let complaint = record.and_then(|record| record.complaint());
            (
                complaint.map_or_else(
                    || status.clone(),
                    |complaint| format!("{status}; {complaint}"),
                ),
                answer.since(),
                sessions.to_string(),
                active.to_string(),
            )
        }
    };
    let default = match answer.and_then(|answer| answer.default.clone()) {
        None => String::new(),
        Some(DefaultModel { default, switched }) => {
            let name = default.unwrap_or_else(|| "none".to_owned());
            if switched {
                format!("{name} (switched)")
            } else {
                name
            }
        }
    };
    let started_by = if entry.background { "run" } else { "serve" };
    let file = entry
        .config
        .as_ref()
        .map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let refused = answer
        .and_then(Answer::reload)
        .filter(|reload| reload.outcome == "refused");
    let configuration = if let Some(refused) = refused {
        let problem = refused.problems.first().map_or("", String::as_str);
        format!("{file} (as it was: {problem})")
    } else if own {
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
        default,
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
    fn what_runs_says_since_when_and_what_it_serves() {
        let answer = |since: &str, default, switched| Answer {
            health: Health {
                status: "ok".to_owned(),
                service: "lingate".to_owned(),
                pid: 7,
                since: since.to_owned(),
                sessions: 1,
                active: 0,
                exchanges: 0,
                record: None,
            },
            default: Some(DefaultModel { default, switched }),
            in_force: None,
        };
        let check = |answer: Answer, since: &str, model: &str| {
            let row = row(true, &entry(), Some(&answer));
            assert_eq!([row[3].as_str(), row[6].as_str()], [since, model]);
            assert_eq!(object(true, &entry(), Some(&answer))["since"], since);
        };
        let nanoseconds = "2026-11-21T12:00:01.987654321Z";
        let kimi = || Some("kimi".to_owned());
        check(
            answer(nanoseconds, kimi(), false),
            "2026-11-21T12:00:01Z",
            "kimi",
        );
        check(
            answer("2026-11-21T12:00:01Z", kimi(), true),
            "2026-11-21T12:00:01Z",
            "kimi (switched)",
        );
        check(
            answer(nanoseconds, None, false),
            "2026-11-21T12:00:01Z",
            "none",
        );
    }

    #[test]
    fn a_refused_reload_is_shown_with_its_reason() {
        let health = serde_json::json!({
            "status": "ok", "service": "lingate", "pid": 7, "since": "2026-11-21T12:00:01Z",
        });
        let answer = |outcome: &str| Answer {
            health: serde_json::from_value(health.clone()).unwrap(),
            default: None,
            in_force: Some(InForce {
                generation: 3,
                config: "f".to_owned(),
                reload: Some(Reload {
                    at: "2026-11-21T12:00:01Z".to_owned(),
                    outcome: outcome.to_owned(),
                    problems: vec!["l.toml:3: no".to_owned()],
                }),
            }),
        };
        let refused = answer("refused");
        let shown = row(true, &entry(), Some(&refused));
        assert_eq!(shown[8], "no file (as it was: l.toml:3: no)");
        let object = object(true, &entry(), Some(&refused));
        assert_eq!(object["generation"], 3);
        assert_eq!(object["reload"]["problems"][0], "l.toml:3: no");
        let applied = answer("applied");
        assert_eq!(row(true, &entry(), Some(&applied))[8], "no file");
    }

    #[test]
    fn what_is_wrong_with_the_record_is_shown() {
        let check = |record: serde_json::Value, state: &str| {
            let health = serde_json::json!({
                "status": "ok", "service": "lingate", "pid": 7, "since": "2026-11-21T12:00:01Z", "record": record,
            });
            let answer = Answer {
                health: serde_json::from_value(health).unwrap(),
                default: None,
                in_force: None,
            };
            assert_eq!(row(true, &entry(), Some(&answer))[2], state);
            let shown = object(true, &entry(), Some(&answer))["record"].clone();
            assert_eq!(shown["counts"]["lost"], record["counts"]["lost"]);
        };
        let record = |degraded: Option<&str>, lost: u64| serde_json::json!({"degraded": degraded, "counts": {"lost": lost}});
        check(record(None, 0), "ok");
        check(record(None, 3), "ok; 3 exchanges are not in the record");
        check(
            record(Some("no space"), 0),
            "ok; the record cannot be written",
        );
    }

    #[test]
    fn a_gateway_that_does_not_answer_is_listed_all_the_same() {
        let row = row(false, &entry(), None);
        assert_eq!(
            row[..3],
            ["http://127.0.0.1:8484", "7", "does not answer"].map(str::to_owned)
        );
        assert_eq!(row[8], "no file (not the current one)");
    }
}
