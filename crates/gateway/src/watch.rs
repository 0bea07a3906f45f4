//! Watches the files of the configuration, and asks for a reload when they change.
//!
//! Not the files are watched but the directories they are in: editors write a new file and rename it over the old one,
//! and Kubernetes exchanges a link beside it (`..data`). Other files there do not count: the log may be one of them. What
//! happens within a short time is one change.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::generations::{Generations, Trigger};

/// How long nothing must happen before the change counts as whole.
const QUIET: Duration = Duration::from_millis(300);

/// Asks for reloads until the gateway is stopping.
pub(crate) async fn watch(generations: Arc<Generations>) {
    let mut files = generations.files();
    let stopping = generations.process.stopping.clone();
    // One place is enough: whoever finds it taken has nothing to add.
    let (changed, mut changes) = mpsc::channel(1);
    loop {
        let now: Vec<PathBuf> = files.borrow_and_update().clone();
        let _watcher = match watcher(&now, changed.clone()) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(
                    "changes of the configuration are not noticed: {error}; SIGHUP or `POST /api/reload` reloads it"
                );
                return;
            }
        };
        // From being read until it is watched, a file could change unseen.
        let _taken_is_enough = changed.try_send(());
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                moved = files.changed() => {
                    if moved.is_err() {
                        return;
                    }
                    if *files.borrow() != now {
                        break;
                    }
                }
                Some(()) = changes.recv() => {
                    let reloaded = async {
                        settled(&mut changes).await;
                        generations.reload(Trigger::File).await
                    };
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        _told = reloaded => {}
                    }
                }
            }
        }
    }
}

/// Waits until nothing has happened for a while.
async fn settled(changes: &mut mpsc::Receiver<()>) {
    while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
}

/// Says when one of these files may have changed.
fn watcher(files: &[PathBuf], changed: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let names: BTreeSet<OsString> = files
        .iter()
        .flat_map(|file| [file.canonicalize().ok(), Some(file.clone())])
        .filter_map(|path| Some(path?.file_name()?.to_owned()))
        .collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error means that events were lost: there may have been a change.
        let is_change = event.map_or(true, |event| {
            is_change(event.kind) && event.paths.iter().any(|path| is_meant(path, &names))
        });
        if is_change {
            let _taken_is_enough = changed.try_send(());
        }
    })?;
    for directory in directories(files) {
        watcher.watch(&directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Whether it is one of the names, or a link of the kind that stands for a whole directory of them.
fn is_meant(path: &Path, names: &BTreeSet<OsString>) -> bool {
    let name = path.file_name();
    name.is_some_and(|name| names.contains(name) || name.as_encoded_bytes().starts_with(b".."))
}

/// The directories that the files are in, by name and, behind links, in truth; those that are there.
fn directories(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    for file in files {
        let real = file.canonicalize().ok();
        for path in [Some(file.as_path()), real.as_deref()]
            .into_iter()
            .flatten()
        {
            let directory = path.parent().filter(|parent| parent.is_dir());
            directories.extend(directory.map(Path::to_owned));
        }
    }
    directories
}

/// Whether an event may be a change of what a file says: reading it is none.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_files_themselves_and_their_links_count() {
        let names = BTreeSet::from([OsString::from("lingate.toml"), OsString::from("key")]);
        let check = |path: &str, expected| {
            assert_eq!(is_meant(Path::new(path), &names), expected, "{path}");
        };
        check("/etc/lingate/lingate.toml", true);
        check("/run/secrets/key", true);
        check("/etc/lingate/..data", true);
        check("/etc/lingate/.lingate.toml.swp", false);
        check("/etc/lingate/lingate.toml~", false);
        check("/etc/lingate/lingate.log", false);
    }
}
