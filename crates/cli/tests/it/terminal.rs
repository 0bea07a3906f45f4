//! A gateway in the foreground of a terminal: when it ends with the terminal, and when a hangup is a reload.

use std::io::Read;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::Value;

use crate::harness::{PATIENCE, User, signal};

/// A terminal with a shell in it, which runs one gateway.
struct Terminal {
    /// As long as its window is open.
    master: Option<Box<dyn MasterPty + Send>>,
    shell: Box<dyn Child + Send + Sync>,
}

impl Terminal {
    /// The shell runs `script`, in which `$0` is the gateway's program.
    fn start(user: &User, script: &str) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let program = user.command(&[]);
        let mut shell = CommandBuilder::new("/bin/sh");
        shell.args(["-c", script]);
        shell.arg(program.get_program());
        shell.env_clear();
        for (name, value) in program.get_envs() {
            shell.env(name, value.unwrap());
        }
        shell.cwd(user.home());
        let shell = pair.slave.spawn_command(shell).unwrap();
        Self {
            master: Some(pair.master),
            shell,
        }
    }

    /// Waits until no process has it open any more.
    fn is_left(&self) {
        let mut reader = self.master.as_ref().unwrap().try_clone_reader().unwrap();
        let (open, left) = mpsc::sync_channel::<()>(0);
        thread::spawn(move || {
            let _open = open;
            let mut piece = [0; 4096];
            while matches!(reader.read(&mut piece), Ok(1..)) {}
        });
        assert_eq!(
            left.recv_timeout(PATIENCE),
            Err(RecvTimeoutError::Disconnected),
            "a process still has it open"
        );
    }

    fn close(&mut self) {
        self.master = None;
    }

    fn end_shell(&mut self, name: &str) {
        signal(self.shell.process_id().unwrap(), name);
        self.shell.wait().unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Waits until what the user's gateways are fits.
fn wait(user: &User, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let gateways = user.gateways();
        if fits(&gateways) {
            return gateways;
        }
        assert!(Instant::now() < until, "it stays {gateways:?}");
    }
}

fn pid(gateways: &[Value]) -> u32 {
    let pid = gateways.first().and_then(|own| own["pid"].as_u64());
    pid.unwrap().try_into().unwrap()
}

/// A gateway in a terminal's foreground, and its process.
fn started(user: &User, script: &str) -> (Terminal, u32) {
    let terminal = Terminal::start(user, script);
    let gateways = wait(user, |gateways| gateways.len() == 1);
    (terminal, pid(&gateways))
}

/// A shell that stays: with nothing behind the gateway some would become it.
const IN_FOREGROUND: &str = "\"$0\" serve; true";

#[test]
fn it_ends_with_the_shell() {
    for name in ["TERM", "KILL"] {
        let user = User::new();
        let (mut terminal, _) = started(&user, IN_FOREGROUND);
        terminal.end_shell(name);
        terminal.is_left();
        wait(&user, <[Value]>::is_empty);
    }
}

#[test]
fn it_ends_with_the_window() {
    let user = User::new();
    let (mut terminal, _) = started(&user, "exec \"$0\" serve");
    terminal.close();
    wait(&user, <[Value]>::is_empty);
}

#[test]
fn a_hangup_with_the_terminal_there_is_a_reload() {
    let user = User::new();
    let (terminal, pid) = started(&user, IN_FOREGROUND);
    for generation in 2..4 {
        signal(pid, "HUP");
        wait(&user, |gateways| gateways[0]["generation"] == generation);
    }
    signal(pid, "TERM");
    wait(&user, <[Value]>::is_empty);
    drop(terminal);
}

/// What is no foreground program stays when the terminal goes, and a hangup is a reload before and behind that.
#[test]
fn one_without_a_terminal_stays() {
    for script in [
        "nohup \"$0\" serve; true",
        "setsid \"$0\" serve </dev/null >out 2>&1; true",
        "\"$0\" serve </dev/null >out 2>&1; true",
    ] {
        let user = User::new();
        let (mut terminal, pid) = started(&user, script);
        signal(pid, "HUP");
        wait(&user, |gateways| gateways[0]["generation"] == 2);
        terminal.end_shell("KILL");
        drop(terminal);
        thread::sleep(Duration::from_millis(300));
        let before = wait(&user, |gateways| gateways.len() == 1)[0]["generation"].clone();
        signal(pid, "HUP");
        wait(&user, |gateways| gateways[0]["generation"] != before);
        signal(pid, "TERM");
        wait(&user, <[Value]>::is_empty);
    }
}
