//! The gateway that a session goes through: found by its address, and asked how it is.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use lingate_config::{Environment, SystemEnvironment};
use serde_json::Value;

use crate::background::{Entry, StateDirectory, running};

/// Longest wait for it, all in all: the line is printed after every turn.
const PATIENCE: Duration = Duration::from_millis(50);
/// An answer is shorter.
const MOST_ANSWER: u64 = 64 << 10;

/// How the gateway of a session is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It answers; `true` if its record is degraded.
    Running(bool),
    /// Nobody answers there.
    Silent,
    /// The client was pointed nowhere, or at somebody else.
    Elsewhere,
}

/// Where the client sends its requests, if it was told.
pub(super) fn address(environment: &SystemEnvironment) -> Option<SocketAddr> {
    let url = environment.var("ANTHROPIC_BASE_URL")?;
    let rest = url.strip_prefix("http://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.to_socket_addrs().ok()?.next()
}

/// The gateway of this user that listens there, else the only one that runs.
pub(super) fn entry(environment: &SystemEnvironment, at: Option<SocketAddr>) -> Option<Entry> {
    let directory = StateDirectory::of(environment)?;
    let mut all = running(&directory).ok()?;
    match at {
        Some(at) => all
            .into_iter()
            .find(|entry| entry.address.port() == at.port()),
        None if all.len() == 1 => all.pop(),
        None => None,
    }
}

/// Asks it.
pub(super) fn state(at: Option<SocketAddr>) -> State {
    let Some(at) = at.filter(|at| at.ip().is_loopback()) else {
        return State::Elsewhere;
    };
    match health(at) {
        None => State::Silent,
        Some(health) if health.get("service").is_some_and(|own| own == "lingate") => {
            let degraded = health.pointer("/record/degraded");
            State::Running(degraded.is_some_and(Value::is_string))
        }
        Some(_) => State::Elsewhere,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a wait for another process is measured in real time"
)]
fn health(at: SocketAddr) -> Option<Value> {
    let began = Instant::now();
    let mut connection = TcpStream::connect_timeout(&at, PATIENCE).ok()?;
    let left = PATIENCE.checked_sub(began.elapsed())?;
    connection.set_read_timeout(Some(left)).ok()?;
    connection.set_write_timeout(Some(left)).ok()?;
    let head = format!("GET /health HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // It closes the connection behind its answer; what came before a time limit is looked at.
    let _ = connection.take(MOST_ANSWER).read_to_end(&mut answer);
    let answer = String::from_utf8(answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body.trim()).ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What is found of a server that answers this and closes.
    fn check(answer: &'static str, expected: State) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut head = [0; 512];
            let _ = connection.read(&mut head);
            let _ = connection.write_all(answer.as_bytes());
        });
        assert_eq!(state(Some(at)), expected, "{answer}");
        server.join().unwrap();
    }

    #[test]
    fn only_our_own_gateway_is_asked() {
        check(
            "HTTP/1.1 200 OK\r\n\r\n{\"service\":\"lingate\",\"record\":{\"degraded\":null}}",
            State::Running(false),
        );
        check(
            "HTTP/1.1 200 OK\r\n\r\n{\"service\":\"lingate\",\"record\":{\"degraded\":\"it cannot be written\"}}",
            State::Running(true),
        );
        check(
            "HTTP/1.1 200 OK\r\n\r\n{\"service\":\"lingate\",\"record\":null}",
            State::Running(false),
        );
        check("HTTP/1.1 200 OK\r\n\r\n{\"ok\":true}", State::Elsewhere);
        check("nonsense", State::Silent);
        assert_eq!(state(None), State::Elsewhere);
        assert_eq!(state("192.0.2.1:80".parse().ok()), State::Elsewhere);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    fn nobody_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let began = Instant::now();
        assert_eq!(state(listener.local_addr().ok()), State::Silent);
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
