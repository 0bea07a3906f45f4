//! What a client cannot make the gateway do: wait for ever, hold much, nest deep.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lingate_gateway::Limits;
use lingate_testkit::{Misbehaviour, Upstream, Usage, anthropic, chat, client};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Lingate, completions, messages};

const SHORT: Limits = Limits {
    head: Duration::from_secs(1),
    body_idle: Duration::from_secs(1),
};
/// What a busy machine may take on top.
const SLACK: Duration = Duration::from_secs(4);
const HEAD: &str =
    "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

#[test]
fn the_limits_in_use() {
    let due = Limits {
        head: Duration::from_secs(10),
        body_idle: Duration::from_secs(30),
    };
    assert_eq!(Limits::default(), due);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_heads_are_closed_while_others_are_served() {
    let most = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, limit).expect("a process may use what it is allowed");
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start_within(&to_chat(&upstream, ""), SHORT).await;
    let beginnings = [
        "",
        "P",
        "POST /v1/messages HTTP/1.1\r\n",
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        "PRI * HTTP/2.0\r\n\r\n",
    ];
    let mut slow = JoinSet::new();
    for n in 0..500 {
        // One after another: the system does not tell a silent client that the queue of the listener was full.
        let mut socket = TcpStream::connect(address(&lingate))
            .await
            .expect("it listens");
        slow.spawn(async move {
            let began = Instant::now();
            socket
                .write_all(beginnings[n % beginnings.len()].as_bytes())
                .await
                .expect("it reads");
            // One in five also goes on, a byte at a time: what counts is the whole head.
            while n % beginnings.len() == 3 && began.elapsed() < SHORT.head / 2 {
                tokio::time::sleep(SHORT.head / 8).await;
                let _ = socket.write_all(b"x").await;
            }
            let mut answer = Vec::new();
            let closed = socket.read_to_end(&mut answer);
            let closed = tokio::time::timeout(SHORT.head + SLACK, closed).await;
            (n, closed.is_ok())
        });
    }
    for _ in 0..5 {
        let asked = Instant::now();
        let response = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(response.status, 200);
        assert!(asked.elapsed() < SLACK, "{:?}", asked.elapsed());
    }
    let slow = slow.join_all().await;
    let open: Vec<_> = slow
        .iter()
        .filter(|(_, is_closed)| !is_closed)
        .map(|(n, _)| n)
        .collect();
    assert!(open.is_empty(), "left open: {open:?}");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_told_so_in_the_wires_shape() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start_within(&to_chat(&upstream, ""), SHORT).await;
    let length = "content-length: 100\r\n\r\n";
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let cases = [
        ("/v1/messages", length, "", "timeout_error"),
        ("/v1/messages", length, "{\"model\"", "timeout_error"),
        ("/v1/messages", chunked, "5\r\n{\"mod", "timeout_error"),
        ("/v1/messages", chunked, "5\r\n{\"mod\r\n", "timeout_error"),
        ("/v1/messages/count_tokens", length, "{", "timeout_error"),
        ("/v1/chat/completions", length, "{", "timeout_error"),
    ];
    let mut asked = JoinSet::new();
    for (path, framing, start, kind) in cases {
        let address = address(&lingate);
        asked.spawn(async move {
            let head = HEAD.replace("/v1/messages", path);
            let bytes = format!("{head}{framing}{start}");
            let limit = SHORT.body_idle + SLACK;
            let answer = client::raw(&address, bytes.as_bytes(), limit).await;
            let (status, body) = read(&answer);
            assert_eq!(
                (status, &body["error"]["type"]),
                (408, &kind.into()),
                "{path} {start}"
            );
            let message = body["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("send the request again"), "{body}");
            assert_eq!(body["type"] == "error", !path.contains("chat"), "{body}");
        });
    }
    asked.join_all().await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn heads_have_a_size() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&to_chat(&upstream, "")).await;
    let body = messages(false).to_string();
    let lines = |count: usize| "x-line: 1\r\n".repeat(count);
    let long = |bytes: usize| format!("x-long: {}\r\n", "a".repeat(bytes));
    // Four lines are in every request.
    let cases = [
        ("few lines", lines(10), 200),
        ("as many as there may be", lines(96), 200),
        ("one line too many", lines(97), 431),
        ("very many lines", lines(5_000), 431),
        ("a long line", long(60_000), 200),
        ("too long a line", long(64 * 1024), 431),
        ("far too long a line", long(1_000_000), 431),
    ];
    for (name, headers, due) in cases {
        let length = format!(
            "connection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let request = format!("{HEAD}{headers}{length}{body}");
        assert_eq!(status_of(&lingate, request.as_bytes()).await, due, "{name}");
    }
    let target = format!(
        "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "a".repeat(70_000)
    );
    assert_eq!(status_of(&lingate, target.as_bytes()).await, 431);
}

/// A client that is still sending must read the refusal, not a reset: it would try again.
#[tokio::test]
async fn too_large_a_body_is_refused_while_it_is_sent() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&to_chat(&upstream, "[server]\nmax_body = \"1KiB\"")).await;
    let body = "x".repeat(4 << 20);
    let declared = format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "{HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}",
        body.len()
    );
    for request in [declared, chunked] {
        assert_eq!(status_of(&lingate, request.as_bytes()).await, 413);
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn json_nests_128_deep_at_most() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let url = upstream.url();
    for lingate in [
        Lingate::to_chat(&url).await,
        Lingate::to_anthropic(&url).await,
    ] {
        for (depth, due) in [(100, 200), (200, 400), (1_000_000, 400)] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let mut body = messages(false);
                body["metadata"] = json!({ "deep": "@" });
                let body = body.to_string().replace("\"@\"", &deep);
                let request = client::Request::new(
                    "POST".parse().unwrap(),
                    &format!("{}/v1/messages", lingate.url),
                )
                .header("content-type", "application/json")
                .body(body);
                let response = request.send().await;
                assert_eq!(response.status, due, "{depth} times {open}");
            }
        }
    }
}

/// Bytes of one piece of an endless reply.
const PIECE: usize = 4096;
/// Most bytes of a stream that the gateway may hold for a client that does not read, what the system queues for
/// sockets set off. That count is rough, so the bound is wide: it tells a held-up upstream from one that is read on.
const HELD: usize = 2 * 1024 * 1024;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_its_upstream_and_nobody_else() {
    let cases = [
        ("anthropic", "/v1/messages", messages(true)),
        ("chat", "/v1/messages", messages(true)),
        ("chat", "/v1/chat/completions", completions(true)),
    ];
    for (wire, path, body) in cases {
        let (upstream, written) = endless(wire).await;
        let lingate = match wire {
            "chat" => Lingate::to_chat(&format!("http://{upstream}")).await,
            _ => Lingate::to_anthropic(&format!("http://{upstream}")).await,
        };
        let address: SocketAddr = address(&lingate).parse().unwrap();
        let (head, body) = (HEAD.replace("/v1/messages", path), body.to_string());
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let ask = async || {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(16 * 1024).unwrap();
            let mut socket = socket.connect(address).await.expect("it listens");
            socket
                .write_all(request.as_bytes())
                .await
                .expect("it reads");
            socket
        };
        let mut slow = ask().await;
        let mut kib = [0; 1024];
        for _ in 0..20 {
            slow.read_exact(&mut kib).await.expect("there is more");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Until nothing moves any more.
        let ports = [upstream.port(), address.port()];
        let now = || (written.load(Ordering::Relaxed), in_sockets(&ports));
        let (mut then, mut before) = (now(), (0, 0));
        while then != before {
            tokio::time::sleep(Duration::from_millis(200)).await;
            before = std::mem::replace(&mut then, now());
        }
        let (written, in_sockets) = then;
        let held = written.saturating_sub(20 * kib.len() + in_sockets);
        assert!(
            held <= HELD,
            "{path} holds {held} of {written}, {in_sockets} in sockets"
        );

        let mut other = ask().await;
        let read = async {
            for _ in 0..1024 {
                other.read_exact(&mut kib).await.expect("there is more");
            }
        };
        let read = tokio::time::timeout(SLACK, read).await;
        assert!(read.is_ok(), "another stream was held up");
    }
}

/// An upstream of this wire whose replies do not end, and the bytes it has written.
async fn endless(wire: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let text = "a".repeat(PIECE);
    let (start, piece) = if wire == "chat" {
        (String::new(), chat::text("m", &text))
    } else {
        let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        let start = anthropic::message_start("msg_1", "m", Usage::default());
        (start + &anthropic::event(&block), anthropic::event(&delta))
    };
    let start = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{start}");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (start, piece, counter) = (start.clone(), piece.clone(), Arc::clone(&counter));
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 8192]).await;
                let mut rest = start.as_bytes();
                while let Ok(count) = socket.write(rest).await {
                    counter.fetch_add(count, Ordering::Relaxed);
                    rest = &rest[count..];
                    if rest.is_empty() {
                        rest = piece.as_bytes();
                    }
                }
            });
        }
    });
    (address, written)
}

/// Bytes that the system holds for connections with one of these ports at an end: sent and not taken, or come and not
/// read.
#[cfg(target_os = "linux")]
fn in_sockets(ports: &[u16]) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux lists its sockets");
    let of_line = |line: &str| -> Option<usize> {
        let mut fields = line.split_whitespace().skip(1);
        let ends = [fields.next()?, fields.next()?];
        let is_ours = ends.iter().any(|end| {
            let port = end
                .split(':')
                .nth(1)
                .and_then(|port| u16::from_str_radix(port, 16).ok());
            port.is_some_and(|port| ports.contains(&port))
        });
        let queues = fields
            .nth(1)?
            .split(':')
            .map(|queue| usize::from_str_radix(queue, 16));
        is_ours.then(|| queues.filter_map(Result::ok).sum())
    };
    table.lines().filter_map(of_line).sum()
}

fn to_chat(upstream: &Upstream, more: &str) -> String {
    format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\n{more}",
        upstream.url()
    )
}

fn address(lingate: &Lingate) -> String {
    lingate.url.trim_start_matches("http://").to_owned()
}

/// The status of the answer to these bytes, of which the gateway need not read all.
async fn status_of(lingate: &Lingate, bytes: &[u8]) -> u16 {
    let mut socket = TcpStream::connect(address(lingate))
        .await
        .expect("it listens");
    let mut answer = Vec::new();
    let asked = async {
        let (mut from, mut to) = socket.split();
        let _ = tokio::join!(to.write_all(bytes), from.read_to_end(&mut answer));
    };
    let _ = tokio::time::timeout(SLACK * 2, asked).await;
    read(&answer).0
}

/// Status and JSON body of an answer.
fn read(answer: &[u8]) -> (u16, Value) {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.unwrap_or(0),
        serde_json::from_str(body).unwrap_or_default(),
    )
}
