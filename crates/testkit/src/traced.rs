//! Finding everything that a test started, wherever it went.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Marks programs through their environment, so that whatever they start can be found again: descendants inherit it
/// even when they leave their process group. Dropping it kills those that are left.
#[derive(Debug)]
pub struct Traced {
    mark: String,
}

impl Default for Traced {
    fn default() -> Traced {
        Traced::new()
    }
}

impl Traced {
    /// The variable that carries the mark.
    pub const VARIABLE: &str = "LINGATE_TEST_TRACE";

    /// A mark that no other test has.
    pub fn new() -> Traced {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        Traced {
            mark: format!("{}-{n}", std::process::id()),
        }
    }

    /// The mark's value, for a command's environment.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Marked processes that run now: id and command line.
    pub fn survivors(&self) -> Vec<(i32, String)> {
        let entry = format!("{}={}", Traced::VARIABLE, self.mark).into_bytes();
        let ids = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let marked = |id: &i32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == entry)
        };
        ids.filter(marked)
            .map(|id| (id, command_line(id)))
            .collect()
    }

    /// Waits until no marked process is left.
    ///
    /// # Panics
    /// When some are left after `limit`; the message names them.
    pub async fn all_gone(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let survivors = self.survivors();
            if survivors.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "still running {limit:?} after their test: {survivors:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        for (id, _) in self.survivors() {
            if let Some(pid) = Pid::from_raw(id) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn command_line(id: i32) -> String {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}
