//! What a gateway of a test leaves behind: its record and its log, searched for planted secrets when the test is over.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use lingate_store::{Mask, Options, Recorder, Store};
use lingate_testkit::canary;
use tempfile::TempDir;
use tracing_subscriber::filter::LevelFilter;

/// Everything that was logged in this process, at every level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A record for a gateway, and the place of it.
pub(crate) struct Traces {
    recorder: Recorder,
    dir: PathBuf,
    /// A record of the test's own is none of ours to end.
    own: Option<(Store, TempDir)>,
}

impl Traces {
    /// The record given, or else a new one that knows every planted secret.
    pub(crate) fn of(recorder: Option<&Recorder>) -> Self {
        listen();
        if let Some(recorder) = recorder {
            return Self {
                recorder: recorder.clone(),
                dir: recorder.dir().to_owned(),
                own: None,
            };
        }
        let dir = tempfile::tempdir().unwrap();
        let planted = canary::planted();
        let options = Options {
            mask: Mask::new(planted.iter().map(String::as_str)),
            ..Options::default()
        };
        let store = Store::open(dir.path(), options, jiff::Timestamp::now()).unwrap();
        Self {
            recorder: store.recorder(),
            dir: dir.path().to_owned(),
            own: Some((store, dir)),
        }
    }

    pub(crate) fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let dir = if let Some((store, dir)) = self.own.take() {
            // Writes what waits.
            drop(store);
            Some(dir)
        } else {
            // A record that a test has broken keeps what waits to itself.
            let _ = self.recorder.flush(Duration::from_secs(10));
            None
        };
        let mut found = canary::found_below(&self.dir, &[]);
        found.extend(canary::found_in("the log", &logged()));
        drop(dir);
        canary::none(&found);
    }
}

/// What was logged so far.
pub(crate) fn logged() -> Vec<u8> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on everything that is logged is kept, as text.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
    });
}
