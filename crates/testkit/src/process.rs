//! Programs that cannot outlive their test.

use std::fmt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::canary;

/// A running program in a process group of its own, with its output collected. Dropping it kills the group, and
/// fails the test if a planted secret is in what it wrote.
pub struct Process {
    child: Child,
    pid: Pid,
    started: Instant,
    stdout: Output,
    stderr: Output,
    readers: JoinSet<()>,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Everything it wrote.
    pub stdout: String,
    /// Everything it complained about.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finished {
            code,
            signal,
            stdout,
            stderr,
            took,
        } = self;
        write!(
            f,
            "code {code:?}, signal {signal:?}, {took:?}\n{}",
            outputs(stdout, stderr)
        )
    }
}

type Output = watch::Receiver<Vec<u8>>;

impl Process {
    /// Starts a command without input and with its output collected.
    pub fn spawn(command: &mut Command) -> Process {
        command
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = raw
            .and_then(Pid::from_raw)
            .expect("a process just started has an id");
        let mut readers = JoinSet::new();
        let stdout = collect(child.stdout.take().expect("it is piped"), &mut readers);
        let stderr = collect(child.stderr.take().expect("it is piped"), &mut readers);
        Process {
            child,
            pid,
            started: Instant::now(),
            stdout,
            stderr,
            readers,
        }
    }

    /// Its process id, which is also its group's.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What it has written so far.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it has complained about so far.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Waits for a whole line on stdout that starts with `start`, and returns it.
    ///
    /// # Panics
    /// When the program ends or `limit` passes without that line; the message holds its output.
    pub async fn line(&mut self, start: &str, limit: Duration) -> String {
        let found = |output: &Vec<u8>| whole_line(output, start).is_some();
        let waited = tokio::time::timeout(limit, self.stdout.wait_for(found))
            .await
            .map(|seen| seen.is_ok());
        let line = whole_line(&self.stdout.borrow(), start);
        line.unwrap_or_else(|| {
            let why = if waited.is_ok() {
                "the program ended"
            } else {
                "time ran out"
            };
            panic!(
                "{why} without a line {start:?}
{}",
                outputs(&self.stdout(), &self.stderr())
            )
        })
    }

    /// Sends a signal to the program alone, not to its group.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the program still runs");
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended within `limit`; the message holds its output.
    pub async fn finish(mut self, limit: Duration) -> Finished {
        use std::os::unix::process::ExitStatusExt;
        let Ok(status) = tokio::time::timeout(limit, self.child.wait()).await else {
            panic!(
                "still running after {limit:?}
{}",
                outputs(&self.stdout(), &self.stderr())
            );
        };
        let took = self.started.elapsed();
        // A child that lives on may hold the pipes open: what came until now must do then.
        let _ = tokio::time::timeout(Duration::from_secs(2), async {
            while self.readers.join_next().await.is_some() {}
        })
        .await;
        let status = status.expect("waiting for an own child works");
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            took,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is what we want.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let outputs = [
            ("standard output", &self.stdout),
            ("standard error", &self.stderr),
        ];
        let found = outputs.map(|(place, output)| canary::found_in(place, &output.borrow()));
        canary::none(&found.concat());
    }
}

fn collect(mut pipe: impl AsyncRead + Send + Unpin + 'static, readers: &mut JoinSet<()>) -> Output {
    let (sender, receiver) = watch::channel(Vec::new());
    readers.spawn(async move {
        let mut piece = Vec::with_capacity(8192);
        while let Ok(1..) = pipe.read_buf(&mut piece).await {
            sender.send_modify(|output| output.append(&mut piece));
        }
    });
    receiver
}

fn whole_line(output: &[u8], start: &str) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text
        .split_inclusive('\n')
        .find(|line| line.starts_with(start) && line.ends_with('\n'))?;
    Some(line.trim_end().to_owned())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.borrow()).into_owned()
}

/// The ends of both outputs, short enough for a failure's message.
fn outputs(stdout: &str, stderr: &str) -> String {
    const SHOWN: usize = 4000;
    let end = |text: &str| -> String {
        let skipped = text.chars().count().saturating_sub(SHOWN);
        let mark = if skipped > 0 { "[..] " } else { "" };
        mark.chars().chain(text.chars().skip(skipped)).collect()
    };
    format!("stdout: {}\nstderr: {}", end(stdout), end(stderr))
}
