//! The file in which what is known of providers outlives the process.
//!
//! It holds ids of providers, names of models, hashes of keys and of sessions' names, and times; no key and no word of a
//! conversation, and with `record.bodies = "off"` no sessions either. It is written anew and renamed, so that there is
//! always a whole one; a file that cannot be read, or is of another version, is as good as none.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lingate_config::{Bodies, Config};
use lingate_route::health::Saved;
use serde_json::{Value, json};

use crate::clock;
use crate::generations::Generations;
use crate::shared::Process;

/// How often what is new is written.
const EVERY: Duration = Duration::from_secs(30);
/// Of the format.
const VERSION: u64 = 1;
/// Far more than the bounds of what is kept amount to.
const LARGEST: u64 = 16 << 20;
/// Held while a file is written: what is written now and then, and at the end, must not meet in the file aside.
static WRITING: Mutex<()> = Mutex::new(());

/// Takes up what the last process left, if it did.
pub(crate) fn take_up(process: &Process, path: &Path) {
    match read(path, clock::wall()) {
        Ok((saved, ago)) => process.health.restore(saved, ago),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(
            "what was known of the providers is forgotten: `{}`: {error}",
            path.display()
        ),
    }
}

/// Writes now and then until the gateway is stopping.
pub(crate) async fn keep(generations: Arc<Generations>, path: PathBuf) {
    let process = Arc::clone(&generations.process);
    let mut written = process.health.changes();
    loop {
        tokio::select! {
            () = process.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if process.health.changes() != written {
            written = process.health.changes();
            let (config, process) = (
                Arc::clone(&generations.current().config),
                Arc::clone(&process),
            );
            let path = path.clone();
            let writing = generations
                .process
                .tasks
                .spawn_blocking(move || leave(&process, &config, &path));
            let _ended = writing.await;
        }
    }
}

/// Leaves it to the next process.
pub(crate) fn leave(process: &Process, config: &Config, path: &Path) {
    let saved = || {
        let (saved, _) = process.health.save();
        match config.record.bodies {
            Bodies::Off => saved.without_sessions(),
            Bodies::Full | Bodies::Errors | Bodies::Metadata => saved,
        }
    };
    if let Err(error) = write(path, saved, clock::wall()) {
        tracing::warn!(
            "what is known of the providers cannot be kept: `{}`: {error}",
            path.display()
        );
    }
}

/// Writes what `saved` gives; it is asked when its turn has come, so that what is newer is written later.
fn write(path: &Path, saved: impl FnOnce() -> Saved, now: Timestamp) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let document = json!({ "version": VERSION, "saved_at": now.to_string(), "board": saved() });
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(document.to_string().as_bytes())?;
    drop(file);
    std::fs::rename(&aside, path)
}

/// What was kept, and how long ago. A clock that went backwards since counts as no time.
fn read(path: &Path, now: Timestamp) -> io::Result<(Saved, Duration)> {
    if std::fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is too large"));
    }
    let mut document: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let version = document.get("version").and_then(Value::as_u64);
    if version != Some(VERSION) {
        return Err(io::Error::other("it is of another version"));
    }
    let saved_at = document.get("saved_at").and_then(Value::as_str);
    let saved_at: Timestamp = saved_at
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other("it does not say when it was written"))?;
    let ago = Duration::try_from(now.duration_since(saved_at)).unwrap_or_default();
    let board = document.get_mut("board").map(Value::take);
    Ok((serde_json::from_value(board.unwrap_or_default())?, ago))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_is_written_is_read_with_its_age() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/health.json");
        assert_eq!(
            read(&path, at(0)).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        for _ in 0..2 {
            write(&path, Saved::default, at(0)).unwrap();
        }
        let ago = |seconds: i64| read(&path, at(seconds)).unwrap().1.as_secs();
        assert_eq!((ago(0), ago(90), ago(-3600)), (0, 90, 0));
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn two_who_write_at_once_leave_a_whole_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("health.json");
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..200 {
                        write(path, Saved::default, at(writer * 1000 + n)).unwrap();
                        read(path, at(0)).unwrap();
                    }
                });
            }
        });
    }

    #[test]
    fn damage_is_as_good_as_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("health.json");
        for text in [
            "",
            "nothing",
            "{}",
            r#"{"version":2,"saved_at":"2026-11-21T12:00:00Z","board":{}}"#,
            r#"{"version":1,"board":{}}"#,
            r#"{"version":1,"saved_at":"2026-11-21T12:00:00Z","board":{"keys":7}}"#,
            "{\"version\":1,\"saved_at\":\"2026-11-21T12:00:00Z\",\"board\":{\"pla",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(read(&path, at(0)).is_err(), "{text}");
        }
    }
}
