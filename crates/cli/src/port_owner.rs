//! Which process listens on a port, so that a busy port says more than that it is busy.
//!
//! On Linux from `/proc`, which shows the sockets of other users' processes but not their owners; elsewhere from
//! `lsof`, if there is one. Best effort: not knowing is an answer.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A process that listens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    /// Its command line, or its name if that is all there is.
    pub(crate) command: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`)", self.pid, self.command)
    }
}

/// The process that keeps `address` from being bound.
pub(crate) fn port_owner(address: SocketAddr) -> Option<Owner> {
    if Path::new("/proc/net/tcp").exists() {
        let sockets = listening_sockets(address.port());
        proc_owner(&sockets)
    } else {
        lsof_owner(address.port())
    }
}

/// Inodes of the sockets that listen on `port`, at any address.
fn listening_sockets(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| listening_socket(line, port))
        .collect()
}

/// A line of the kernel's table: number, local address, remote address, state, ..., inode as the tenth field.
fn listening_socket(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let same = u16::from_str_radix(local_port, 16) == Ok(port);
    (same && state == LISTEN).then(|| inode.to_owned())
}

fn proc_owner(sockets: &[String]) -> Option<Owner> {
    let links: Vec<String> = sockets
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids =
        processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| holds(*pid, &links))?;
    Some(Owner {
        pid,
        command: command(pid).unwrap_or_default(),
    })
}

/// Whether one of the process's open files is one of these; false for a process we may not look into.
fn holds(pid: u32, links: &[String]) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let mut targets = files
        .flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.any(|target| links.iter().any(|link| target.as_os_str() == link.as_str()))
}

/// The first words of its command line: what follows may be long, and may be a secret.
fn command(pid: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    let words: Vec<&str> = words
        .filter_map(|word| std::str::from_utf8(word).ok())
        .take(2)
        .collect();
    if words.is_empty() {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        return Some(name.trim_end().to_owned());
    }
    Some(words.join(" "))
}

fn lsof_owner(port: u16) -> Option<Owner> {
    let listening = format!("-iTCP:{port}");
    let mut lsof = Command::new("lsof");
    lsof.args(["-nP", &listening, "-sTCP:LISTEN", "-Fpc"]);
    let output = lsof
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    lsof_answer(std::str::from_utf8(&output.stdout).ok()?)
}

/// One field a line, named by its first letter.
fn lsof_answer(text: &str) -> Option<Owner> {
    let field = |name: char| text.lines().find_map(|line| line.strip_prefix(name));
    Some(Owner {
        pid: field('p')?.parse().ok()?,
        command: field('c').unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn our_own_listener_is_ours() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let owner = port_owner(listener.local_addr().unwrap()).unwrap();
            assert_eq!(owner.pid, std::process::id(), "{address}");
            assert!(owner.command.contains("lingate"), "{owner}");
        }
    }

    #[test]
    fn a_free_port_is_nobodys() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(port_owner(address), None);
    }

    #[test]
    fn only_listeners_on_the_port_count() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(listening_socket(line, 8484).as_deref(), expected, "{line}");
        };
        let rest = "00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        check(
            &format!("  0: 0100007F:2124 00000000:0000 0A {rest}"),
            Some("4711"),
        );
        check(
            &format!("  0: 00000000000000000000000001000000:2124 0:0 0A {rest}"),
            Some("4711"),
        );
        check(&format!("  0: 0100007F:2124 0100007F:9999 01 {rest}"), None);
        check(&format!("  0: 0100007F:2125 00000000:0000 0A {rest}"), None);
        check("  0: 0100007F", None);
        check("", None);
    }

    #[test]
    fn lsof_says_it_line_by_line() {
        let owner = lsof_answer("p4711\ncnode\nf12\n").unwrap();
        assert_eq!(owner.to_string(), "process 4711 (`node`)");
        assert_eq!(lsof_answer(""), None);
    }
}
