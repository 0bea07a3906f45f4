//! `lingate stop`: ends a gateway of this user's, after its sessions.

use std::time::Duration;

use lingate_config::SystemEnvironment;

use super::{VERSION, state_directory};
use crate::args;
use crate::background::{self, Entry, StateDirectory, running};
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// An idle gateway ends in no time; one that is still there by then has work to finish.
const SOON: Duration = Duration::from_secs(5);

/// Time between two looks at whether sessions are over.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Tells the gateway of this configuration to end; without such a one, the only one that runs.
pub(crate) async fn run(args: args::Stop, environment: &SystemEnvironment) -> Result<(), Failure> {
    let directory = state_directory(environment)?;
    let entries = running(&directory).map_err(|error| {
        Failure::problem(format!(
            "cannot read `{}`: {error}",
            directory.path().display()
        ))
    })?;
    let fingerprint = load(args.file.config.as_deref(), Listen::default(), environment)
        .map(|own| own.fingerprint);
    let chosen = choose(entries, fingerprint.ok().as_deref(), args.all)?;
    for entry in &chosen {
        if !args.now {
            sessions_over(entry).await?;
        }
        end(&directory, entry, args.now).await?;
    }
    Ok(())
}

fn choose(
    mut entries: Vec<Entry>,
    fingerprint: Option<&str>,
    all: bool,
) -> Result<Vec<Entry>, Failure> {
    if entries.is_empty() {
        return Err(Failure::problem("no gateway runs"));
    }
    if all || entries.len() == 1 {
        return Ok(entries);
    }
    entries.retain(|entry| {
        Some(entry.fingerprint.as_str()) == fingerprint && entry.version == VERSION
    });
    if entries.is_empty() {
        return Err(
            Failure::problem("several gateways run, none of them with this configuration").hint(
                "`lingate status` lists them; name one's file with `--config FILE`, or end `--all`",
            ),
        );
    }
    Ok(entries)
}

/// Waits until nobody holds a lease any more. One who joins meanwhile is waited for too.
async fn sessions_over(entry: &Entry) -> Result<(), Failure> {
    let mut said = false;
    loop {
        // A gateway that does not answer has no sessions to wait for.
        let sessions = background::health(entry)
            .await
            .map_or(0, |health| health.sessions);
        if sessions == 0 {
            return Ok(());
        }
        if !said {
            let count = if sessions == 1 {
                "its session".to_owned()
            } else {
                format!("its {sessions} sessions")
            };
            output::say(&format!(
                "{} ends after {count}; ctrl-c leaves it running, `--now` does not wait",
                entry.url()
            ));
            said = true;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn end(directory: &StateDirectory, entry: &Entry, now: bool) -> Result<(), Failure> {
    let url = entry.url();
    background::stop(entry, now).await.map_err(|error| {
        Failure::problem(format!(
            "{url} (process {}) cannot be told to end: {error}",
            entry.pid
        ))
    })?;
    let ended = background::ended(directory, entry, SOON).await;
    let what = if ended {
        "has ended"
    } else {
        "ends once its requests are done"
    };
    output::line(&format!("{url} (process {}) {what}", entry.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fingerprint: &str) -> Entry {
        Entry {
            instance: "i".to_owned(),
            pid: 7,
            address: "127.0.0.1:8484".parse().unwrap(),
            version: VERSION.to_owned(),
            fingerprint: fingerprint.to_owned(),
            config: None,
            background: true,
            log: None,
        }
    }

    #[test]
    fn what_is_meant_is_what_ends() {
        let check =
            |running: &[&str], own: Option<&str>, all: bool, expected: Result<&[&str], &str>| {
                let entries = running.iter().copied().map(entry).collect();
                match (choose(entries, own, all), expected) {
                    (Ok(chosen), Ok(expected)) => {
                        let chosen: Vec<&str> = chosen
                            .iter()
                            .map(|entry| entry.fingerprint.as_str())
                            .collect();
                        assert_eq!(chosen, expected);
                    }
                    (Err(failure), Err(expected)) => {
                        assert!(failure.to_string().starts_with(expected), "{failure}")
                    }
                    (chosen, expected) => {
                        panic!("{running:?} {own:?}: {:?} for {expected:?}", chosen.is_ok())
                    }
                }
            };
        check(&[], Some("a"), false, Err("no gateway runs"));
        check(&["a"], Some("a"), false, Ok(&["a"]));
        check(&["b"], Some("a"), false, Ok(&["b"]));
        check(&["a", "b"], Some("a"), false, Ok(&["a"]));
        check(&["b", "c"], Some("a"), false, Err("several gateways run"));
        check(&["b", "c"], None, false, Err("several gateways run"));
        check(&["b", "c"], None, true, Ok(&["b", "c"]));
    }
}
