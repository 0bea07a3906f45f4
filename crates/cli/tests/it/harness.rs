//! A user of their own for each test: home, state and configuration directories, and nothing in the environment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct User {
    home: PathBuf,
    variables: Vec<(String, String)>,
}

impl User {
    /// Somebody without keys, whose gateways listen on any free port.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("lingate-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(home.join("bin")).unwrap();
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            home.join("bin").display()
        );
        let user = Self {
            home,
            variables: Vec::new(),
        };
        user.with("PATH", &path).with("LINGATE_PORT", "0")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(set, _)| set != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Puts a client of that name into the user's PATH.
    pub(crate) fn install(&self, name: &str, script: &str) {
        let path = self.file(&format!("bin/{name}"), &format!("#!/bin/bash\n{script}"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lingate"));
        command
            .env_clear()
            .env("HOME", &self.home)
            .args(args)
            .current_dir(&self.home);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        finish(child)
    }

    /// Starts a gateway in the foreground and waits for its ready line.
    pub(crate) fn serve(&self, args: &[&str]) -> Serving {
        let all = [&["serve"], args].concat();
        let mut child = self
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        output.read_line(&mut ready).unwrap();
        if !ready.starts_with("lingate ready http://") {
            let _ = child.kill();
            panic!("no ready line: {ready:?} {:?}", finish(child));
        }
        Serving {
            child,
            ready: ready.trim_end().to_owned(),
            output,
        }
    }

    /// What `status --json` lists.
    pub(crate) fn gateways(&self) -> Vec<serde_json::Value> {
        let text = self.run(&["status", "--json"]).stdout;
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // Gateways that `run` left behind are this user's alone.
        if self.gateways().is_empty() {
            let _ = std::fs::remove_dir_all(&self.home);
            return;
        }
        let stopped = self.run(&["stop", "--all", "--now"]);
        if !thread::panicking() {
            assert_eq!(stopped.code, 0, "{stopped:?}");
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Waits for a child's end; one that does not end is killed and fails the test.
pub(crate) fn finish(child: Child) -> Ran {
    let pid = child.id();
    let (done, ended) = mpsc::sync_channel(1);
    thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        signal(pid, "KILL");
        panic!("process {pid} does not end");
    };
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("/bin/kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "kill -{name} {pid}"
    );
}

/// A gateway in the foreground; ended with the test.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) ready: String,
    pub(crate) output: BufReader<ChildStdout>,
}

impl Serving {
    pub(crate) fn url(&self) -> &str {
        self.ready.split(' ').nth(2).unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        self.url().strip_prefix("http://").unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it by a signal; what it wrote since it was ready.
    pub(crate) fn end(mut self, name: &str) -> Ran {
        signal(self.pid(), name);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ran {
            code,
            stdout: rest,
            stderr,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status line and body of a GET.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(connection, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}
