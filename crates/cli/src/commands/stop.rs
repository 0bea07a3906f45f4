//! `lingate stop`: ends a gateway of this user's, after its sessions.

use std::time::Duration;

use lingate_config::SystemEnvironment;

use super::{chosen, state_directory};
use crate::args;
use crate::background::{self, Ending, Entry, StateDirectory};
use crate::failure::Failure;
use crate::output;

/// An idle gateway ends in no time; one that is still there by then has work to finish.
const SOON: Duration = Duration::from_secs(5);

/// Time between two looks at whether sessions are over.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Tells the gateway of this configuration to end; without such a one, the only one that runs.
pub(crate) async fn run(args: args::Stop, environment: &SystemEnvironment) -> Result<(), Failure> {
    let directory = state_directory(environment)?;
    let chosen = chosen::gateways(
        &directory,
        args.file.config.as_deref(),
        args.all,
        environment,
    )?;
    for entry in &chosen {
        if !args.now {
            sessions_over(entry).await?;
        }
        end(&directory, entry, args.now).await?;
    }
    Ok(())
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
    let ending = Ending::of(directory, entry);
    background::stop(entry, now).await.map_err(|error| {
        Failure::problem(format!(
            "{url} (process {}) cannot be told to end: {error}",
            entry.pid
        ))
    })?;
    let ended = ending.within(SOON).await;
    let what = if ended {
        "has ended"
    } else {
        "ends once its requests are done"
    };
    output::line(&format!("{url} (process {}) {what}", entry.pid))
}
