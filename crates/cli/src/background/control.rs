//! Requests to a gateway of our own: its health, its end, and the lease of a session.
//!
//! HTTP as plain as it gets: one request a connection, small answers, every wait bounded.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::registry::{Entry, reachable};

/// Longer than a busy gateway takes, shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// As long as a provider with a dozen keys may take to answer a probe with each.
const PROBE_PATIENCE: Duration = Duration::from_secs(180);

/// Our answers are a few hundred bytes; that on all providers is a few hundred for each model.
const MAX_ANSWER: u64 = 8 << 20;

/// What a gateway says of itself now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Health {
    /// `ok`, or why not.
    pub(crate) status: String,
    /// Always `lingate`: tells it from whatever else may have taken its address.
    pub(crate) service: String,
    /// Its process id.
    pub(crate) pid: u32,
    /// When it began to accept, RFC 3339, UTC.
    pub(crate) since: String,
    /// Open leases.
    #[serde(default)]
    pub(crate) sessions: u64,
    /// Requests under way.
    #[serde(default)]
    pub(crate) active: u64,
    /// Requests for a reply so far.
    #[serde(default)]
    pub(crate) exchanges: u64,
    /// How its record does; none where nothing is recorded.
    #[serde(default)]
    pub(crate) record: Option<RecordHealth>,
}

/// How a record does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct RecordHealth {
    /// Why it cannot be written now.
    #[serde(default)]
    pub(crate) degraded: Option<String>,
    /// What it has come to.
    #[serde(default)]
    pub(crate) counts: RecordCounts,
}

/// Exchanges of which less than everything is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct RecordCounts {
    /// Nothing is kept.
    pub(crate) lost: u64,
    /// Their bodies are not: there was no room for them.
    pub(crate) bodies_shed: u64,
    /// Their bodies are not: they could not be written.
    pub(crate) bodies_failed: u64,
}

impl RecordHealth {
    /// What is wrong with it, in a few words.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.degraded.is_some() {
            return Some("the record cannot be written".to_owned());
        }
        let lost = self.counts.lost;
        (lost > 0).then(|| format!("{lost} exchanges are not in the record"))
    }
}

/// Which model serves names that nothing else does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct DefaultModel {
    /// The one in force.
    pub(crate) default: Option<String>,
    /// Whether `use` chose it, and not the configuration.
    pub(crate) switched: bool,
}

/// Which configuration a gateway runs on, and what became of the last reload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct InForce {
    /// Counts its configurations, from 1.
    pub(crate) generation: u64,
    /// The fingerprint of the one in force.
    pub(crate) config: String,
    /// The last reload, if there was one.
    pub(crate) reload: Option<Reload>,
}

/// What became of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Reload {
    /// When, RFC 3339, UTC.
    pub(crate) at: String,
    /// `applied`, `unchanged` or `refused`.
    pub(crate) outcome: String,
    /// What is wrong with the configuration.
    pub(crate) problems: Vec<String>,
}

/// Keeps a gateway that `run` started from ending.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The gateway.
    pub(crate) entry: Entry,
    /// Open for as long as the session lasts; the gateway sends a sign of life now and then.
    connection: TcpStream,
}

/// How a lease came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The gateway was told to end.
    Stopped,
    /// It is gone without a word.
    Died,
}

/// Asks a gateway how it is. An error if another process has its address now.
pub(crate) async fn health(entry: &Entry) -> io::Result<Health> {
    let (status, body) = exchange(entry, "GET", "/health", "").await?;
    if status != 200 {
        return Err(refused(status));
    }
    let health: Health = serde_json::from_slice(&body)?;
    if health.service != "lingate" || health.pid != entry.pid {
        return Err(io::Error::other("another process answers at its address"));
    }
    Ok(health)
}

/// Tells a gateway to end: once its last session is over, or `now`, when the requests it has are done.
pub(crate) async fn stop(entry: &Entry, now: bool) -> io::Result<()> {
    let path = if now { "/api/stop?now" } else { "/api/stop" };
    let (status, _) = exchange(entry, "POST", path, "").await?;
    if (200..300).contains(&status) {
        Ok(())
    } else {
        Err(refused(status))
    }
}

/// Asks a gateway for its default model.
pub(crate) async fn default_model(entry: &Entry) -> io::Result<DefaultModel> {
    told(exchange(entry, "GET", "/api/default", "").await?)
}

/// Asks a gateway what it runs on.
pub(crate) async fn in_force(entry: &Entry) -> io::Result<InForce> {
    match exchange(entry, "GET", "/api/reload", "").await? {
        (200, body) => Ok(serde_json::from_slice(&body)?),
        (status, _) => Err(refused(status)),
    }
}

/// Has a gateway read its configuration again; what it runs on then.
pub(crate) async fn reload(entry: &Entry) -> io::Result<InForce> {
    match exchange(entry, "POST", "/api/reload", "").await? {
        (200 | 422, body) => Ok(serde_json::from_slice(&body)?),
        (status, _) => Err(refused(status)),
    }
}

/// Asks a gateway how its providers stand: one object each, as `docs/api.md` has it. What is known of tool calls is put
/// to the targets.
pub(crate) async fn providers(entry: &Entry) -> io::Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct Answer {
        providers: Vec<Value>,
        models: Vec<Value>,
    }
    let (status, body) = exchange(entry, "GET", "/api/providers", "").await?;
    if status != 200 {
        return Err(refused(status));
    }
    let mut answer: Answer = serde_json::from_slice(&body)?;
    for provider in &mut answer.providers {
        let id = provider.get("id").cloned();
        let targets = provider.get_mut("targets").and_then(Value::as_array_mut);
        for target in targets
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            let seen = answer.models.iter().find(|seen| {
                seen.get("provider") == id.as_ref() && seen.get("model") == target.get("model")
            });
            for name in ["tool_calls", "schema_accuracy"] {
                let value = seen.and_then(|seen| seen.get(name)).cloned();
                target.insert(name.to_owned(), value.unwrap_or_default());
            }
        }
    }
    Ok(answer.providers)
}

/// Has a gateway drain, enable or probe a provider; how that stands then.
pub(crate) async fn act_on_provider(entry: &Entry, id: &str, action: &str) -> io::Result<Value> {
    let id: String = id.bytes().map(escaped).collect();
    let path = format!("/api/providers/{id}/{action}");
    // A probe waits for the provider.
    let answer = exchange_within(PROBE_PATIENCE, entry, "POST", &path, "").await?;
    told(answer)
}

/// As a path may hold it.
fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Switches a gateway's default model; `None` goes back to the configured one.
pub(crate) async fn switch_default(entry: &Entry, model: Option<&str>) -> io::Result<DefaultModel> {
    let body = serde_json::json!({ "model": model }).to_string();
    told(exchange(entry, "POST", "/api/default", &body).await?)
}

/// The document asked for, or what the gateway says is wrong.
fn told<T: DeserializeOwned>((status, body): (u16, Vec<u8>)) -> io::Result<T> {
    if status == 200 {
        return Ok(serde_json::from_slice(&body)?);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let words = body
        .pointer("/error/message")
        .and_then(|words| words.as_str());
    Err(words.map_or_else(|| refused(status), io::Error::other))
}

impl Lease {
    /// Takes a lease on a gateway; an error if it is about to end, or gone.
    pub(crate) async fn take(entry: Entry) -> io::Result<Self> {
        let request = request(&entry, "GET", "/api/lease", "HTTP/1.1", "");
        let taken = timeout(PATIENCE, async {
            let mut connection = connect(entry.address).await?;
            connection.write_all(request.as_bytes()).await?;
            let mut head = Vec::new();
            // A byte at a time: what follows the head is the gateway's to send and ours to leave unread.
            while !head.ends_with(b"\r\n\r\n") && (head.len() as u64) < MAX_ANSWER {
                head.push(connection.read_u8().await?);
            }
            match status(&head)? {
                200 => Ok(connection),
                status => Err(refused(status)),
            }
        });
        Ok(Self {
            connection: taken.await??,
            entry,
        })
    }

    /// Waits until the gateway is gone.
    pub(crate) async fn lost(&mut self) -> Loss {
        /// What ends a body that was meant to end.
        const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
        let mut tail = Vec::new();
        let mut read = [0; 256];
        while let Ok(length @ 1..) = self.connection.read(&mut read).await {
            tail.extend_from_slice(read.get(..length).unwrap_or_default());
            tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
        }
        if tail == LAST_CHUNK {
            Loss::Stopped
        } else {
            Loss::Died
        }
    }
}

async fn exchange(
    entry: &Entry,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, Vec<u8>)> {
    exchange_within(PATIENCE, entry, method, path, body).await
}

async fn exchange_within(
    limit: Duration,
    entry: &Entry,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, Vec<u8>)> {
    // Version 1.0 because its answers end with the connection: no chunks to take apart.
    let request = request(entry, method, path, "HTTP/1.0", body);
    let answer = timeout(limit, async {
        let mut connection = connect(entry.address).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    });
    let answer = answer.await??;
    let status = status(&answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let body = head
        .and_then(|end| answer.get(end + 4..))
        .unwrap_or_default();
    Ok((status, body.to_vec()))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(reachable(address)).await
}

fn request(entry: &Entry, method: &str, path: &str, version: &str, body: &str) -> String {
    format!(
        "{method} {path} {version}\r\nhost: {}\r\nx-lingate-instance: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        reachable(entry.address),
        entry.instance,
        body.len()
    )
}

fn status(answer: &[u8]) -> io::Result<u16> {
    let line = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("no HTTP answer"))
}

fn refused(status: u16) -> io::Error {
    io::Error::other(format!("it answered {status}"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::super::registry::tests::entry;
    use super::*;

    /// A listener that answers one connection with `answer` and gives back what it was asked.
    fn answering(answer: &'static str) -> (Entry, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                assert_eq!(connection.read(&mut byte).unwrap(), 1);
                request.extend(byte);
            }
            let head = String::from_utf8(request).unwrap();
            let length = head.split("content-length: ").nth(1).unwrap();
            // What is left unread would make the end a reset.
            let mut body = vec![0; length.trim_end().parse().unwrap()];
            connection.read_exact(&mut body).unwrap();
            connection.write_all(answer.as_bytes()).unwrap();
            head + std::str::from_utf8(&body).unwrap()
        });
        (
            Entry {
                address,
                ..entry("me")
            },
            asked,
        )
    }

    const HEALTHY: &str = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n\
        {\"status\":\"ok\",\"service\":\"lingate\",\"pid\":1,\"since\":\"2026-11-21T00:00:00Z\",\"sessions\":2,\"active\":1}";

    #[tokio::test]
    async fn health_is_the_gateways_own() {
        let (entry, asked) = answering(HEALTHY);
        let health = health(&entry).await.unwrap();
        assert_eq!(
            (health.sessions, health.active, health.exchanges),
            (2, 1, 0)
        );
        let asked = asked.join().unwrap();
        assert!(
            asked.starts_with("GET /health HTTP/1.0\r\nhost: 127.0.0.1:"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn whoever_took_the_address_since_is_no_gateway_of_ours() {
        let (entry, _) = answering(HEALTHY);
        let other = Entry { pid: 2, ..entry };
        assert!(health(&other).await.is_err());
        for answer in [
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "SSH-2.0-x\r\n",
            "",
            "HTTP/1.1 200 OK\r\n\r\nhello",
        ] {
            let (entry, _) = answering(answer);
            assert!(health(&entry).await.is_err(), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_stop_shows_the_instance() {
        let (entry, asked) = answering("HTTP/1.0 202 Accepted\r\n\r\n");
        stop(&entry, false).await.unwrap();
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /api/stop "), "{asked}");
        assert!(asked.contains("\r\nx-lingate-instance: me\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_switch_says_what_is_wrong_with_it() {
        let (entry, asked) =
            answering("HTTP/1.0 200 OK\r\n\r\n{\"default\":\"kimi\",\"switched\":true}");
        let now = switch_default(&entry, Some("kimi")).await.unwrap();
        assert_eq!((now.default.as_deref(), now.switched), (Some("kimi"), true));
        let asked = asked.join().unwrap();
        assert!(
            asked.starts_with("POST /api/default ")
                && asked.ends_with("\r\n\r\n{\"model\":\"kimi\"}"),
            "{asked}"
        );
        let cases = [
            (
                "HTTP/1.0 404 x\r\n\r\n{\"error\":{\"message\":\"no model\"}}",
                "no model",
            ),
            ("HTTP/1.0 404 x\r\n\r\nnothing", "it answered 404"),
        ];
        for (answer, words) in cases {
            let (entry, _) = answering(answer);
            let error = switch_default(&entry, None).await.unwrap_err();
            assert_eq!(error.to_string(), words);
        }
    }

    #[tokio::test]
    async fn a_lease_is_held_or_refused() {
        for (body, loss) in [
            ("", Loss::Died),
            ("5\r\nheld\n\r\n", Loss::Died),
            ("5\r\nheld\n\r\n0\r\n\r\n", Loss::Stopped),
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
            let (entry, _) = answering(answer.leak());
            let mut lease = Lease::take(entry).await.unwrap();
            assert_eq!(lease.lost().await, loss, "{body:?}");
        }
        let (entry, _) = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert_eq!(
            Lease::take(entry).await.unwrap_err().to_string(),
            "it answered 503"
        );
        let (entry, _) = answering("");
        assert!(Lease::take(entry).await.is_err());
    }
}
