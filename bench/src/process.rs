//! A measured process: alone on its core, with the kernel's own account of what it used.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The measured process's core.
pub(crate) const MEASURED_CORE: usize = 0;
/// The core of upstream and load.
pub(crate) const LOAD_CORE: usize = 1;

/// Longest wait for a process to begin or end; under callgrind everything takes fifty times as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    started: Instant,
    /// From start to its ready line.
    pub ready_after: Duration,
}

/// What the kernel counted for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident now, in kB.
    pub resident: u64,
    /// The most that ever was, in kB.
    pub peak: u64,
}

/// Keeps this process and what it starts on one core.
pub(crate) fn pin_self(core: usize) -> anyhow::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .with_context(|| format!("cannot run on core {core}; the bench needs two"))
}

impl Process {
    /// Starts a command on the measured core, and waits for its line `NAME ready http://ADDRESS ...`.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<(Self, SocketAddr)> {
        command.stdout(Stdio::piped());
        let mut process = Self::spawn(command)?;
        let stdout = process.child.stdout.take().context("it is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        process.ready_after = process.started.elapsed();
        let mut words = line.split_whitespace().skip_while(|word| *word != "ready");
        let address = words.nth(1).and_then(|url| url.strip_prefix("http://"));
        let address = address.with_context(|| format!("{command:?} is not ready: {line:?}"))?;
        Ok((process, address.parse()?))
    }

    /// Starts a command on the measured core, and waits until something accepts connections at `address`.
    pub(crate) fn start_at(command: &mut Command, address: SocketAddr) -> anyhow::Result<Self> {
        let mut process = Self::spawn(command.stdout(Stdio::null()))?;
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(
                process.started.elapsed() < PATIENCE,
                "{command:?} does not listen"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        process.ready_after = process.started.elapsed();
        Ok(process)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        // A child keeps the core of the thread that starts it.
        pin_self(MEASURED_CORE)?;
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).spawn();
        pin_self(LOAD_CORE)?;
        let child = child.with_context(|| format!("{command:?}"))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            child,
            pid: pid.context("a process has an id")?,
            started,
            ready_after: Duration::ZERO,
        })
    }

    /// CPU time of all its threads so far, system calls included. `schedstat` has nanoseconds where `stat` has ticks of 10 ms.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = thread?.path().join("schedstat");
            let text = fs::read_to_string(&path)?;
            let nanoseconds = text.split_whitespace().next();
            total += nanoseconds.context("schedstat is empty")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        memory_of(&fs::read_to_string(format!(
            "/proc/{}/status",
            self.child.id()
        ))?)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        kill_process(self.pid, Signal::TERM)?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(
                begin.elapsed() < PATIENCE,
                "process {:?} does not end",
                self.pid
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn memory_of(status: &str) -> anyhow::Result<Memory> {
    let field = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number
            .with_context(|| format!("no {name} in status"))?
            .parse()?)
    };
    Ok(Memory {
        resident: field("VmRSS:")?,
        peak: field("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_status() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let expected = Memory {
            resident: 1024,
            peak: 2048,
        };
        assert_eq!(memory_of(status).unwrap(), expected);
        assert!(memory_of("Name:\tx\n").is_err());
    }

    #[test]
    fn a_process_that_is_never_ready_is_an_error() {
        assert!(Process::start(&mut Command::new("/bin/true")).is_err());
        assert!(Process::start(&mut Command::new("/nonexistent")).is_err());
    }
}
