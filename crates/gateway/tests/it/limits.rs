//! What a client cannot make the gateway do: wait for ever, hold much, nest deep.

use std::time::{Duration, Instant};

use lingate_gateway::Limits;
use lingate_testkit::{Misbehaviour, Upstream, client};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::{Lingate, completions, messages};

const SHORT: Limits = Limits {
    head: Duration::from_secs(1),
    body_idle: Duration::from_secs(1),
    body_rate: 1024,
    connections: None,
};
/// What a busy machine may take on top.
const SLACK: Duration = Duration::from_secs(20);
const HEAD: &str =
    "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

#[test]
fn the_limits_in_use() {
    let due = Limits {
        head: Duration::from_secs(10),
        body_idle: Duration::from_secs(30),
        body_rate: 1024,
        connections: None,
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
    assert_eq!(status_of(&lingate, target.as_bytes()).await, 414);
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

/// A piece now and then is not enough: the body as a whole has to come.
#[tokio::test]
async fn a_body_that_drips_is_told_so_and_a_slow_one_is_not() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let limits = Limits {
        body_rate: 100,
        ..SHORT
    };
    let lingate = Lingate::start_within(&to_chat(&upstream, ""), limits).await;
    let mut asked = JoinSet::new();
    // A second for nothing, and one more for each hundred bytes.
    for (bytes_a_step, due) in [(1, 408), (8, 408), (60, 200)] {
        for path in ["/v1/messages", "/v1/chat/completions"] {
            let address = address(&lingate);
            asked.spawn(async move {
                let mut body = match path {
                    "/v1/messages" => messages(false),
                    _ => completions(false),
                };
                body["metadata"] = json!({"user_id": "u".repeat(600)});
                let body = body.to_string();
                let head = HEAD.replace("/v1/messages", path);
                let head = format!("{head}content-length: {}\r\n\r\n", body.len());
                let mut socket = TcpStream::connect(address).await.expect("it listens");
                let (mut from, mut to) = socket.split();
                let write = async {
                    let _ = to.write_all(head.as_bytes()).await;
                    for piece in body.as_bytes().chunks(bytes_a_step) {
                        let _ = to.write_all(piece).await;
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    std::future::pending::<()>().await;
                };
                let mut answer = vec![0; 16 * 1024];
                let answered = from.read(&mut answer);
                let count = tokio::select! {
                    () = write => 0,
                    count = tokio::time::timeout(SLACK * 2, answered) => {
                        count.expect("an answer").expect("a connection")
                    }
                };
                let (status, body) = read(&answer[..count]);
                assert_eq!(status, due, "{path}, {bytes_a_step} bytes a step: {body}");
                let kind = &body["error"]["type"];
                assert_eq!(*kind == "timeout_error", due == 408, "{body}");
            });
        }
    }
    asked.join_all().await;
}

/// Who comes too late is told so at once, and served when there is room again.
#[tokio::test]
async fn connections_have_a_limit() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let limits = Limits {
        connections: Some(2),
        ..Limits::default()
    };
    let lingate = Lingate::start_within(&to_chat(&upstream, ""), limits).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(
            TcpStream::connect(address(&lingate))
                .await
                .expect("it listens"),
        );
    }
    for (path, body, due) in [
        ("/v1/messages", messages(true), 529),
        ("/v1/chat/completions", completions(true), 503),
    ] {
        let began = Instant::now();
        let response = lingate.post(path, &body).send().await;
        assert_eq!(response.status, due);
        assert_eq!(response.header("retry-after"), "1");
        let error = response.json().await["error"].clone();
        assert_eq!(error["type"], "overloaded_error", "{error}");
        assert!(began.elapsed() < SLACK);
    }
    let health = lingate.get("/health").send().await;
    assert_eq!(health.status, 200, "its own state is told all the same");
    // A crowd waits in the queue and is told one after the other.
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        let request = lingate.post("/v1/messages", &messages(false));
        crowd.spawn(async move { request.send().await.status });
    }
    let crowd = crowd.join_all().await;
    assert!(crowd.iter().all(|status| *status == 529), "{crowd:?}");
    assert!(upstream.requests().is_empty());

    drop(held);
    let served = async {
        while lingate
            .post("/v1/messages", &messages(false))
            .send()
            .await
            .status
            != 200
        {}
    };
    let served = tokio::time::timeout(SLACK, served).await;
    assert!(served.is_ok(), "no room again");
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
