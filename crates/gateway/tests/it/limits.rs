//! What a client cannot make the gateway do: wait for ever, hold much, nest deep.

use std::time::{Duration, Instant};

use lingate_gateway::Limits;
use lingate_testkit::{
    Answer, Ending, Misbehaviour, Received, Script as _, Upstream, Usage, anthropic, chat, client,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
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
/// Most bytes of a stream that the gateway may hold for a client that does not read.
const HELD: usize = 256 * 1024;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_its_upstream_and_nobody_else() {
    let upstream = Upstream::start(endless).await;
    let url = upstream.url();
    let cases = [
        (
            Lingate::to_anthropic(&url).await,
            "/v1/messages",
            messages(true),
        ),
        (Lingate::to_chat(&url).await, "/v1/messages", messages(true)),
        (
            Lingate::to_chat(&url).await,
            "/v1/chat/completions",
            completions(true),
        ),
    ];
    for (n, (lingate, path, body)) in cases.into_iter().enumerate() {
        let address: std::net::SocketAddr = address(&lingate).parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut slow = socket.connect(address).await.expect("it listens");
        let (head, body) = (HEAD.replace("/v1/messages", path), body.to_string());
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        slow.write_all(request.as_bytes()).await.expect("it reads");
        let mut kib = [0; 1024];
        for _ in 0..20 {
            let read = slow.read_exact(&mut kib).await;
            read.unwrap_or_else(|error| panic!("{path}: {error}: {}", kib.escape_ascii()));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }

        let asked = Instant::now();
        let other = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(other.status, 200);
        assert!(asked.elapsed() < SLACK, "held up for {:?}", asked.elapsed());

        // Until nothing moves any more.
        let ports = [upstream.address().port(), address.port()];
        let (mut in_sockets, mut before) = (in_sockets_of(&ports), 0);
        while in_sockets != before {
            tokio::time::sleep(Duration::from_millis(200)).await;
            before = std::mem::replace(&mut in_sockets, in_sockets_of(&ports));
        }
        drop(slow);
        let request = upstream
            .requests()
            .into_iter()
            .find(|request| request.streams() && request.n == 2 * n);
        let ending = request.expect("it came first").ending(SLACK).await;
        let Ending::HungUp { after_bytes, .. } = ending else {
            panic!("{path}: the upstream was not held up: {ending:?}");
        };
        let held = after_bytes.saturating_sub(20 * kib.len() + in_sockets);
        assert!(
            held <= HELD,
            "{path} holds {held} of {after_bytes}, {in_sockets} in sockets"
        );
    }
}

/// 32 MiB of reply for those who want a stream.
fn endless(request: &Received) -> Answer {
    let text = "a".repeat(PIECE);
    let is_chat = request.path().contains("chat");
    if !request.streams() {
        return Misbehaviour::Healthy.answer(request);
    }
    let (start, piece) = if is_chat {
        let piece = chat::text("m", &text);
        (piece.clone(), piece)
    } else {
        let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        let start = anthropic::message_start("msg_1", "m", Usage::default());
        (start + &anthropic::event(&block), anthropic::event(&delta))
    };
    let piece = bytes::Bytes::from(piece);
    let pieces = std::iter::repeat_n(piece, (32 << 20) / PIECE);
    Answer::sse(std::iter::once(start.into()).chain(pieces))
}

/// Bytes that the system holds for connections with one of these ports at an end: sent and not taken, or come and not
/// read.
#[cfg(target_os = "linux")]
fn in_sockets_of(ports: &[u16]) -> usize {
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
