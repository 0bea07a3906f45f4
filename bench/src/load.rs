//! The load: askers that each send a request, read its answer to the end, and ask again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::question::Question;

/// Longest wait for a piece of an answer: whatever hangs ends the run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Askers so far: each has texts of its own.
static ASKERS: AtomicU64 = AtomicU64::new(1);

/// When the askers stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After so long; what is under way is read to its end.
    Elapsed(Duration),
    /// After so many requests of each.
    Count(usize),
}

/// Asks `address` over `connections` connections at once. Gives the time of each request, shortest first.
pub(crate) async fn run(
    address: SocketAddr,
    question: &Question,
    connections: usize,
    until: Until,
) -> anyhow::Result<Vec<Duration>> {
    let mut askers = JoinSet::new();
    for _ in 0..connections {
        let question = question.seeded(ASKERS.fetch_add(1, Ordering::Relaxed));
        askers.spawn(ask(address, question, until));
    }
    let mut times = Vec::new();
    while let Some(asker) = askers.join_next().await {
        times.extend(asker??);
    }
    times.sort_unstable();
    Ok(times)
}

/// One answer's head, for a look at what the gateway says of itself.
pub(crate) async fn head_of_one(
    address: SocketAddr,
    question: &Question,
) -> anyhow::Result<String> {
    let mut asker = Asker::connect(address).await?;
    asker.once(question.seeded(0).next()).await?;
    Ok(asker.answer.head)
}

async fn ask(
    address: SocketAddr,
    mut question: Question,
    until: Until,
) -> anyhow::Result<Vec<Duration>> {
    let mut asker = Asker::connect(address).await?;
    let mut times = Vec::new();
    let begin = Instant::now();
    loop {
        let sent = Instant::now();
        asker.once(question.next()).await?;
        times.push(sent.elapsed());
        let is_over = match until {
            Until::Elapsed(limit) => begin.elapsed() >= limit,
            Until::Count(count) => times.len() >= count,
        };
        if is_over {
            return Ok(times);
        }
    }
}

struct Asker {
    stream: TcpStream,
    buffer: Vec<u8>,
    answer: Answer,
}

impl Asker {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 64 * 1024],
            answer: Answer::default(),
        })
    }

    async fn once(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        self.answer = Answer::default();
        loop {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut self.buffer));
            let n = read.await.context("the answer hangs")??;
            ensure!(n > 0, "the answer broke off");
            if self.answer.push(&self.buffer[..n])? {
                return Ok(());
            }
        }
    }
}

/// How far an answer has been read. Reads no more of HTTP/1.1 than our own servers and proxies write.
#[derive(Default)]
struct Answer {
    head: String,
    unparsed: Vec<u8>,
    rest: Rest,
}

#[derive(Default)]
enum Rest {
    #[default]
    Head,
    Length(usize),
    /// The last bytes, among which the last chunk will be.
    Chunks(Vec<u8>),
}

const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

impl Answer {
    /// Takes the next bytes; true with the last of the answer.
    fn push(&mut self, bytes: &[u8]) -> anyhow::Result<bool> {
        match &mut self.rest {
            Rest::Length(left) => {
                ensure!(bytes.len() <= *left, "more than the answer came");
                *left -= bytes.len();
                Ok(*left == 0)
            }
            Rest::Chunks(tail) => {
                tail.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_CHUNK.len())..]);
                tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
                Ok(tail == LAST_CHUNK)
            }
            Rest::Head => {
                self.unparsed.extend_from_slice(bytes);
                let Some(end) = memchr::memmem::find(&self.unparsed, b"\r\n\r\n") else {
                    return Ok(false);
                };
                let body = self.unparsed.split_off(end + 4);
                self.rest = rest_of(&self.unparsed, &body)?;
                self.head = String::from_utf8(std::mem::take(&mut self.unparsed))?;
                if body.is_empty() {
                    return Ok(matches!(self.rest, Rest::Length(0)));
                }
                self.push(&body)
            }
        }
    }
}

fn rest_of(head: &[u8], body: &[u8]) -> anyhow::Result<Rest> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(head)?;
    if response.code != Some(200) {
        bail!("status {:?}: {}", response.code, body.escape_ascii());
    }
    let header = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    if let Some(length) = header("content-length") {
        return Ok(Rest::Length(length.parse()?));
    }
    ensure!(
        header("transfer-encoding") == Some("chunked"),
        "the answer has no framing"
    );
    Ok(Rest::Chunks(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer is over with its last byte, however it is cut.
    #[track_caller]
    fn check(answer: &str) {
        for size in 1..=answer.len() {
            let mut reader = Answer::default();
            let mut pieces = answer.as_bytes().chunks(size).peekable();
            while let Some(piece) = pieces.next() {
                let is_over = reader.push(piece).unwrap();
                assert_eq!(is_over, pieces.peek().is_none(), "in pieces of {size}");
            }
        }
    }

    #[test]
    fn an_answer_is_over_with_its_last_byte() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc");
        check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\n\r\n0\r\r\n0\r\n\r\n",
        );
    }

    #[test]
    fn failures_and_bodies_without_an_end_are_errors() {
        for answer in [
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc",
        ] {
            assert!(
                Answer::default().push(answer.as_bytes()).is_err(),
                "{answer}"
            );
        }
    }
}
