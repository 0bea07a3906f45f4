//! One request to a gateway, and its whole answer. No more HTTP than that takes: version 1.0, whose answers end with the
//! connection.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use http::Uri;
use lingate_store::Header;

use super::request::Request;
use crate::failure::Failure;

/// How long a gateway may be silent; it sends a sign of life to streams every 15 seconds.
const PATIENCE: Duration = Duration::from_secs(600);
/// Most bytes of an answer that are read.
const MOST: u64 = 64 << 20;

/// Where requests are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Host and port.
    authority: String,
    /// Before every path; empty or with a slash in front.
    prefix: String,
}

impl Address {
    /// Reads what somebody typed.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::usage(format!("`--to {text}`: {why}")).hint(
                "an address is `http://127.0.0.1:8484`; `lingate status` shows those that run",
            )
        };
        let full = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let uri: Uri = full.parse().map_err(|_| refused("not an address"))?;
        if uri.scheme_str() != Some("http") {
            return Err(refused(
                "only `http` is spoken to a gateway; run this where it runs",
            ));
        }
        let authority = uri.authority().ok_or_else(|| refused("not an address"))?;
        if authority.as_str().contains('@') {
            return Err(refused(
                "a credential has no place in an address; the key is `$LINGATE_KEY`",
            ));
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}{}", self.authority, self.prefix)
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Sent {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// To its last byte.
    pub took: Duration,
}

impl Sent {
    /// A header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends a request, showing `key` if there is one.
pub(super) fn send(to: &Address, request: &Request, key: Option<&str>) -> io::Result<Sent> {
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    let began = Instant::now();
    let mut head = format!(
        "POST {}{} HTTP/1.0\r\nhost: {}\r\ncontent-length: {}\r\n",
        to.prefix,
        request.target,
        to.authority,
        request.body.len()
    );
    let shown = key.map(|key| Header("x-lingate-key".into(), key.into()));
    for Header(name, value) in request.headers.iter().chain(&shown) {
        // Neither can end a line: they were headers once.
        let is_sound = |text: &str| !text.contains(['\r', '\n']);
        if is_sound(name) && is_sound(value) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    let mut answer = Vec::new();
    let mut connection = connect(&to.authority)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.write_all(head.as_bytes())?;
    connection.write_all(request.body.as_bytes())?;
    connection.take(MOST).read_to_end(&mut answer)?;
    let mut sent = read(&answer)?;
    sent.took = began.elapsed();
    Ok(sent)
}

fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last = None;
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("it has no address")))
}

fn read(answer: &[u8]) -> io::Result<Sent> {
    let not_http = || io::Error::other("no HTTP answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(not_http)?;
    let head = std::str::from_utf8(answer.get(..end).unwrap_or_default());
    let head = head.map_err(|_| not_http())?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1));
    let status = status
        .and_then(|code| code.parse().ok())
        .ok_or_else(not_http)?;
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok(Sent {
        status,
        headers: headers.collect(),
        body: answer.get(end + 4..).unwrap_or_default().to_vec(),
        took: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Option<&str>| {
            let read = Address::read(text).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check("http://127.0.0.1:8484", Some("http://127.0.0.1:8484"));
        check("127.0.0.1:8484", Some("http://127.0.0.1:8484"));
        check("http://[::1]:8484/team/", Some("http://[::1]:8484/team"));
        check("http://localhost", Some("http://localhost:80"));
        check("https://example.com", None);
        check("http://user:word@127.0.0.1:1", None);
        check("::", None);
        check("", None);
    }

    #[test]
    fn answers() {
        let sent = read(b"HTTP/1.0 529 Busy\r\nX-Lingate-Id: 7\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!((sent.status, sent.header("x-lingate-id")), (529, Some("7")));
        assert_eq!(sent.body, b"{}\r\n\r\n");
        for not in [&b""[..], b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n"] {
            read(not).unwrap_err();
        }
    }
}
