//! Watches the files of the configuration, and asks for a reload when they change.
//!
//! Not the files are watched but the directories they are in: editors write a new file and rename it over the old one,
//! and Kubernetes exchanges a link beside it. What happens within a short time is one change.

use std::collections::BTreeSet;
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
    loop {
        let now: Vec<PathBuf> = files.borrow_and_update().clone();
        // One place is enough: whoever finds it taken has nothing to add.
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = match watcher(&now, changed) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(
                    "changes of the configuration are not noticed: {error}; SIGHUP or `POST /api/reload` reloads it"
                );
                return;
            }
        };
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
                    settled(&mut changes).await;
                    generations.reload(Trigger::File).await;
                }
            }
        }
    }
}

/// Waits until nothing has happened for a while.
async fn settled(changes: &mut mpsc::Receiver<()>) {
    while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
}

/// Says when something happens in a directory of one of these files.
fn watcher(files: &[PathBuf], changed: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error means that events were lost: there may have been a change.
        if event.map_or(true, |event| is_change(event.kind)) {
            let _taken_is_enough = changed.try_send(());
        }
    })?;
    for directory in directories(files) {
        watcher.watch(&directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
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
