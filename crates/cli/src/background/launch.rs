//! Joining the gateway of a configuration, or starting it.
//!
//! Nothing is awaited by sleeping: a lock keeps two launchers from starting two gateways, a new gateway says that it
//! is ready on a pipe, and a lease that is granted is the proof that it is there and stays.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::control::{self, Lease, Loss};
use super::directory::StateDirectory;
use super::registry::{self, Entry};
use crate::failure::Failure;
use crate::output;

/// A gateway is ready within a fraction of a second; a loaded machine may take some.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// As long as the launcher that holds the lock may take, and a little more.
const LOCKED_WITHIN: Duration = Duration::from_secs(30);

/// How much of a failed gateway's log is shown, bytes.
const LOG_SHOWN: u64 = 4 << 10;

/// The gateway that a session needs.
pub(crate) struct Wanted<'a> {
    /// What it runs on.
    pub(crate) fingerprint: &'a str,
    /// The version it was built as.
    pub(crate) version: &'a str,
    /// The configuration file that was named, to be handed on.
    pub(crate) config: Option<&'a Path>,
    /// The configuration file that is read, named or found.
    pub(crate) file: Option<&'a Path>,
    /// Where it should listen; where its configuration says if none.
    pub(crate) listen: Option<SocketAddr>,
}

/// Keeps a session's gateway there: one that died is started again, at the address the client knows. One that was
/// told to end stays ended.
pub(crate) async fn keep(mut lease: Lease, directory: &StateDirectory, wanted: &Wanted<'_>) {
    while lease.lost().await == Loss::Died {
        let address = lease.entry.address;
        let wanted = Wanted {
            listen: Some(address),
            ..*wanted
        };
        match join_or_start(directory, &wanted).await {
            Ok(renewed) if renewed.entry.address == address => lease = renewed,
            Ok(_) => {
                return output::say(&format!("the gateway died, and {address} was taken since"));
            }
            Err(failure) => {
                return output::say(&format!(
                    "the gateway died and cannot be started again: {failure}"
                ));
            }
        }
    }
}

/// A lease on the gateway wanted: on one that runs, or else on a new one.
pub(crate) async fn join_or_start(
    directory: &StateDirectory,
    wanted: &Wanted<'_>,
) -> Result<Lease, Failure> {
    if let Some(lease) = join(directory, wanted).await? {
        return Ok(lease);
    }
    directory
        .create()
        .map_err(|error| unusable(directory, &error))?;
    let _lock = lock(directory, wanted).await?;
    // Another launcher may have started it while we waited for the lock.
    if let Some(lease) = join(directory, wanted).await? {
        return Ok(lease);
    }
    let pid = start(directory, wanted).await?;
    // Not by its fingerprint: what it read may have changed since we did.
    let entries = registry::running(directory).map_err(|error| unusable(directory, &error))?;
    let lease = match entries.into_iter().find(|entry| Some(entry.pid) == pid) {
        Some(entry) => Lease::take(entry).await.ok(),
        None => None,
    };
    lease.ok_or_else(|| Failure::problem("the gateway ended right after it had started"))
}

async fn join(directory: &StateDirectory, wanted: &Wanted<'_>) -> Result<Option<Lease>, Failure> {
    let entries = registry::running(directory).map_err(|error| unusable(directory, &error))?;
    for entry in entries {
        if entry.version != wanted.version || !runs_on(&entry, wanted).await {
            continue;
        }
        // One that is about to end grants no lease; the next launcher's gateway takes its place.
        if let Ok(lease) = Lease::take(entry).await {
            return Ok(Some(lease));
        }
    }
    Ok(None)
}

/// Whether a gateway runs on the configuration wanted. One that reads the same file, which has changed, reads it again
/// first: it is about to do so anyway.
async fn runs_on(entry: &Entry, wanted: &Wanted<'_>) -> bool {
    if entry.fingerprint == wanted.fingerprint {
        return true;
    }
    if entry.config.is_none() || entry.config.as_deref() != wanted.file {
        return false;
    }
    let reloaded = control::reload(entry).await;
    reloaded.is_ok_and(|now| now.config == wanted.fingerprint)
}

/// Held until it is dropped, or the process is gone.
async fn lock(directory: &StateDirectory, wanted: &Wanted<'_>) -> Result<File, Failure> {
    let file = directory
        .launch_lock(wanted.fingerprint)
        .map_err(|error| unusable(directory, &error))?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    match timeout(LOCKED_WITHIN, locked).await {
        Ok(Ok(Ok(file))) => Ok(file),
        Ok(Ok(Err(error))) => Err(unusable(directory, &error)),
        Ok(Err(_)) | Err(_) => Err(Failure::problem(format!(
            "another `lingate run` has been starting a gateway for {} s",
            LOCKED_WITHIN.as_secs()
        ))
        .hint("`lingate status` shows what runs")),
    }
}

/// Starts a gateway; gives its process id once it is ready.
async fn start(directory: &StateDirectory, wanted: &Wanted<'_>) -> Result<Option<u32>, Failure> {
    let (path, log) = directory
        .log(wanted.fingerprint)
        .map_err(|error| unusable(directory, &error))?;
    let log = Log {
        written: log.metadata().map_or(0, |metadata| metadata.len()),
        file: log,
        path,
    };
    let mut gateway = spawn(wanted, &log)
        .map_err(|error| Failure::problem(format!("cannot start a gateway: {error}")))?;
    let pid = gateway.id();
    match timeout(READY_WITHIN, first_line(&mut gateway)).await {
        Ok(Ok(line)) if line.starts_with("lingate ready ") => Ok(pid),
        Ok(_) => {
            let status = gateway.wait().await.ok();
            Err(log.failure(&format!("the gateway did not start: {}", ended(status))))
        }
        Err(_) => {
            let _ = gateway.kill().await;
            let seconds = READY_WITHIN.as_secs();
            Err(log.failure(&format!("the gateway was not ready within {seconds} s")))
        }
    }
}

/// The same program, detached by its own doing (`serve --background`).
fn spawn(wanted: &Wanted<'_>, log: &Log) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["serve", "--background"])
        .arg("--log-file")
        .arg(&log.path);
    if let Some(config) = wanted.config {
        command.arg("--config").arg(config);
    }
    if let Some(listen) = wanted.listen {
        command.arg("--listen").arg(listen.ip().to_string());
        command.arg("--port").arg(listen.port().to_string());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.file.try_clone()?);
    command.spawn()
}

async fn first_line(gateway: &mut Child) -> io::Result<String> {
    let mut line = String::new();
    if let Some(stdout) = gateway.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).await?;
    }
    Ok(line)
}

fn ended(status: Option<ExitStatus>) -> String {
    status.map_or_else(
        || "it closed its output".to_owned(),
        |status| status.to_string(),
    )
}

fn unusable(directory: &StateDirectory, error: &io::Error) -> Failure {
    Failure::problem(format!(
        "cannot use `{}`: {error}",
        directory.path().display()
    ))
    .hint("`XDG_STATE_HOME` moves it elsewhere")
}

/// The log of a gateway that is being started.
struct Log {
    path: PathBuf,
    file: File,
    /// Its length before.
    written: u64,
}

impl Log {
    /// What went wrong, in the gateway's own words where it said some.
    fn failure(&self, message: &str) -> Failure {
        let said = self.tail().unwrap_or_default();
        let said = said.trim();
        let message = if said.is_empty() {
            message.to_owned()
        } else {
            format!("{message}\n{said}")
        };
        Failure::problem(message).hint(format!("its log is `{}`", self.path.display()))
    }

    fn tail(&self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        let begin = self.written.max(length.saturating_sub(LOG_SHOWN));
        file.seek(SeekFrom::Start(begin))?;
        let mut tail = Vec::new();
        file.take(LOG_SHOWN).read_to_end(&mut tail)?;
        // The cut may have gone through a character.
        let text = tail.utf8_chunks().map(|chunk| chunk.valid());
        Ok(text.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_failed_start_shows_what_this_gateway_said() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        let (path, mut file) = directory.log("f").unwrap();
        file.write_all(b"from yesterday\n").unwrap();
        let written = file.metadata().unwrap().len();
        let log = Log {
            path,
            file,
            written,
        };
        let hint = format!("  hint: its log is `{}`", log.path.display());
        assert_eq!(log.failure("gone").to_string(), format!("gone\n{hint}"));
        (&log.file)
            .write_all("no \u{fc} room\n".as_bytes())
            .unwrap();
        assert_eq!(
            log.failure("gone").to_string(),
            format!("gone\nno \u{fc} room\n{hint}")
        );
    }

    #[tokio::test]
    async fn only_a_gateway_that_fits_is_joined() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entry = Entry {
            address: listener.local_addr().unwrap(),
            ..registry::tests::entry("1")
        };
        let _registration = registry::register(&directory, &entry).unwrap();
        let wanted = |fingerprint, version| Wanted {
            fingerprint,
            version,
            config: None,
            file: None,
            listen: None,
        };
        assert!(
            join(&directory, &wanted("other", "0"))
                .await
                .unwrap()
                .is_none()
        );
        assert!(join(&directory, &wanted("f", "1")).await.unwrap().is_none());
        drop(listener);
        // It fits, but nobody is there any more.
        assert!(join(&directory, &wanted("f", "0")).await.unwrap().is_none());
    }
}
