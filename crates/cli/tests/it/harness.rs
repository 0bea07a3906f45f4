//! A user of their own for each test: home, state and configuration directories, and nothing in the environment.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use lingate_testkit::canary;

/// Longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What gateways and commands leave in the home, and what they write, is searched for the keys that the user has.
pub(crate) struct User {
    home: PathBuf,
    variables: Vec<(String, String)>,
    /// Files of the test's own: keys may stand in them.
    own: Mutex<Vec<PathBuf>>,
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
            own: Mutex::default(),
        };
        user.with("PATH", &path).with("LINGATE_PORT", "0")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        canary::plant_variable(name, value);
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
        canary::plant_settings(text);
        self.own.lock().unwrap().push(path.clone());
        path
    }

    /// A folder where keys may stand.
    pub(crate) fn keys_in(&self, name: &str) -> PathBuf {
        let path = self.home.join(name);
        self.own.lock().unwrap().push(path.clone());
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
        Self::ready(self.command(&[&["serve"], args].concat()), None)
    }

    /// The same with a log that is read from when the other end of `begin` is dropped.
    pub(crate) fn serve_unread(&self, args: &[&str], begin: mpsc::Receiver<()>) -> Serving {
        Self::ready(self.command(&[&["serve"], args].concat()), Some(begin))
    }

    /// Starts a gateway that lives on when it meets a limit on the size of files, as it would on a full disk.
    pub(crate) fn serve_on_a_small_disk(&self, args: &[&str]) -> Serving {
        let served = self.command(&[&["serve"], args].concat());
        // The signal that comes with the limit ends a process, unless it was ignored before it began.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(served.get_program())
            .args(served.get_args())
            .env_clear()
            .envs(
                served
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(&self.home)
            .stdin(Stdio::null());
        Self::ready(shell, None)
    }

    fn ready(mut command: Command, begin: Option<mpsc::Receiver<()>>) -> Serving {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            if let Some(begin) = begin {
                let _ = begin.recv();
            }
            let mut log = Vec::new();
            let _ = stderr.read_to_end(&mut log);
            log
        });
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        output.read_line(&mut ready).unwrap();
        if !ready.starts_with("lingate ready http://") {
            let _ = child.kill();
            let log = String::from_utf8_lossy(&log.join().unwrap()).into_owned();
            panic!("no ready line: {ready:?} {:?}: {log}", finish(child));
        }
        Serving {
            child,
            ready: ready.trim_end().to_owned(),
            output,
            log: Some(log),
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
        if !self.gateways().is_empty() {
            let stopped = self.run(&["stop", "--all", "--now"]);
            if !thread::panicking() {
                assert_eq!(stopped.code, 0, "{stopped:?}");
            }
        }
        let own = self.own.lock().unwrap();
        let found = canary::found_below(&self.home, &own);
        let _ = std::fs::remove_dir_all(&self.home);
        canary::none(&found);
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
    canary::none(&canary::found_in("standard output", &stdout));
    canary::none(&canary::found_in("standard error", &stderr));
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
    /// What it has written to standard error, once it has ended.
    log: Option<thread::JoinHandle<Vec<u8>>>,
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
        self.search_answers();
        signal(self.pid(), name);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        let stderr = String::from_utf8(log).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        canary::none(&canary::found_in(
            "the log",
            (rest.clone() + &stderr).as_bytes(),
        ));
        Ran {
            code,
            stdout: rest,
            stderr,
        }
    }

    /// Ends it as nothing can be ended more abruptly; its log.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        canary::none(&canary::found_in("the log", &log));
        String::from_utf8_lossy(&log).into_owned()
    }

    /// What it tells of itself holds no key.
    fn search_answers(&self) {
        for path in ["/health", "/metrics"] {
            let answer = try_get(self.address(), path, Duration::from_secs(2));
            canary::none(&canary::found_in(
                path,
                answer.unwrap_or_default().as_bytes(),
            ));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let runs = matches!(self.child.try_wait(), Ok(None));
        if runs && !thread::panicking() {
            self.search_answers();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take() {
            canary::none(&canary::found_in(
                "the log",
                &log.join().unwrap_or_default(),
            ));
        }
    }
}

/// Status line and body of a GET.
pub(crate) fn get(address: &str, path: &str) -> String {
    try_get(address, path, PATIENCE).unwrap()
}

fn try_get(address: &str, path: &str, limit: Duration) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(limit))?;
    write!(connection, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
