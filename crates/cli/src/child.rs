//! The client as a child process: it gets the terminal, the signals, and its exit code is ours.
//!
//! The child stays in our process group, so what the terminal sends (ctrl-c, a new window size, ctrl-z) reaches it
//! directly; we only must not die of it first. What is sent to us alone is handed on.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};

/// Runs `command` to its end. `watch` runs beside it and is dropped with it.
pub(crate) async fn run(
    mut command: Command,
    watch: impl Future<Output = ()>,
) -> io::Result<ExitCode> {
    // Before the child is there: a signal in between must not end us and leave it behind.
    let mut signals = Signals::listen()?;
    let mut child = command.spawn()?;
    let mut watch = std::pin::pin!(watch);
    let mut watching = true;
    loop {
        tokio::select! {
            status = child.wait() => return status.map(exit_code),
            signal = signals.next() => forward(&child, signal),
            () = &mut watch, if watching => watching = false,
        }
    }
}

/// The program that a command names, as a shell would find it; none if there is none.
pub(crate) fn find(command: &OsStr, path: Option<&str>) -> Option<PathBuf> {
    let executable = |path: &Path| {
        let metadata = std::fs::metadata(path).ok();
        metadata.is_some_and(|metadata| {
            metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
        })
    };
    if Path::new(command).components().count() > 1 {
        return Some(PathBuf::from(command)).filter(|path| executable(path));
    }
    let folders = std::env::split_paths(path?).map(OsString::from);
    let mut programs = folders.map(|folder| Path::new(&folder).join(command));
    programs.find(|program| executable(program))
}

/// The child's code, or what shells make of the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    const SIGNALLED: i32 = 128;
    let code = status.code().or_else(|| Some(SIGNALLED + status.signal()?));
    let code = code.and_then(|code| u8::try_from(code & 0xff).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn forward(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    if let Some(pid) = pid {
        // It may have ended this very moment; then its exit is noticed next.
        let _ = kill_process(pid, signal);
    }
}

/// The signals that would end us.
struct Signals {
    terminate: unix::Signal,
    hangup: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    /// Whether ctrl-c and ctrl-\ reach the child from its terminal, so that handing them on would double them.
    terminal: bool,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            quit: unix::signal(SignalKind::quit())?,
            terminal: File::open("/dev/tty").is_ok(),
        })
    }

    /// The next one that is to be handed on.
    async fn next(&mut self) -> Signal {
        loop {
            let (signal, from_terminal) = tokio::select! {
                _ = self.terminate.recv() => (Signal::TERM, false),
                _ = self.hangup.recv() => (Signal::HUP, false),
                _ = self.interrupt.recv() => (Signal::INT, self.terminal),
                _ = self.quit.recv() => (Signal::QUIT, self.terminal),
            };
            if !from_terminal {
                return signal;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    async fn code(script: &str) -> ExitCode {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, std::future::pending()).await.unwrap()
    }

    #[tokio::test]
    async fn the_exit_code_is_the_childs() {
        assert_eq!(code("exit 0").await, ExitCode::from(0));
        assert_eq!(code("exit 7").await, ExitCode::from(7));
        assert_eq!(code("kill -TERM $$").await, ExitCode::from(143));
        assert_eq!(code("kill -KILL $$").await, ExitCode::from(137));
    }

    #[tokio::test]
    async fn a_watch_that_ends_ends_nothing() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 3"]);
        assert_eq!(run(command, async {}).await.unwrap(), ExitCode::from(3));
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let scratch = Scratch::new();
        let program = scratch.path().join("client");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let path = format!("/nonexistent:{}", scratch.path().display());
        let find = |command: &str| find(OsStr::new(command), Some(&path));
        assert_eq!(find("client"), None, "not executable");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(find("client").as_deref(), Some(program.as_path()));
        assert_eq!(
            find(program.to_str().unwrap()).as_deref(),
            Some(program.as_path())
        );
        assert_eq!(find("other"), None);
        assert_eq!(find("./client"), None);
    }
}
