//! A client that reads slowly or not at all holds up its own upstream, and nobody else.
//!
//! What the gateway holds of a stream is what the upstream could write, less what the client took and what the system
//! queues for the sockets on the way. The system's queues are counted apart: its own for the client is bounded by the
//! gateway, the one for the upstream by the system.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lingate_testkit::{Usage, anthropic, chat};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Lingate, completions, messages};

/// Most bytes of a stream that the gateway may hold.
const HELD: usize = 256 * 1024;
/// Most that it may have the system queue for the client, whose own room is [`ROOM`].
const QUEUED: usize = 192 * 1024;
/// The client's receive buffer.
const ROOM: u32 = 16 * 1024;
/// Time in which another stream is read, on a busy machine.
const SLACK: Duration = Duration::from_secs(120);

/// How the client speaks, and how much it reads before it stops.
#[derive(Debug, Clone, Copy)]
enum Client {
    Http1,
    /// With all the flow control windows that the protocol knows.
    WideHttp2,
    /// With a window of 10 KiB that never opens again.
    NarrowHttp2,
}

impl Client {
    fn reads(self) -> usize {
        match self {
            Self::Http1 | Self::WideHttp2 => 20 * 1024,
            Self::NarrowHttp2 => 8 * 1024,
        }
    }

    /// All bytes of a request.
    fn request(self, path: &str, body: &str) -> Vec<u8> {
        let window: u32 = match self {
            Self::Http1 => {
                let head = format!(
                    "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                return (head + body).into_bytes();
            }
            Self::WideHttp2 => (1 << 31) - 1,
            Self::NarrowHttp2 => 10 * 1024,
        };
        let more = (1u32 << 31) - 1 - 65_535;
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        bytes.extend(frame(4, 0, 0, &settings));
        bytes.extend(frame(8, 0, 0, &more.to_be_bytes()));
        // `:method: POST`, `:scheme: http` by HPACK's static table, `:path`, `:authority` and `content-type` in plain.
        let mut head = vec![0x83, 0x86];
        for (name, value) in [
            (&[4][..], path),
            (&[1], "localhost"),
            (&[0x0f, 16], "application/json"),
        ] {
            head.extend(name);
            head.push(u8::try_from(value.len()).unwrap());
            head.extend(value.as_bytes());
        }
        bytes.extend(frame(1, 4, 1, &head));
        bytes.extend(frame(0, 1, 1, body.as_bytes()));
        bytes
    }
}

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The upstream's wire, the client's path, and the size of a text in the endless reply.
const STREAMS: [(&str, &str, usize); 6] = [
    ("anthropic", "/v1/messages", 4096),
    ("anthropic", "/v1/messages", 4),
    ("chat", "/v1/messages", 4096),
    ("chat", "/v1/messages", 4),
    ("anthropic", "/v1/chat/completions", 4096),
    ("chat", "/v1/chat/completions", 4096),
];

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_its_upstream_and_nobody_else() {
    let mut cases = JoinSet::new();
    for client in [Client::Http1, Client::WideHttp2, Client::NarrowHttp2] {
        for (wire, path, text) in STREAMS {
            cases.spawn(held_up(client, wire, path, text, false));
        }
        cases.spawn(held_up(client, "chat", "/v1/messages", 4096, true));
        cases.spawn(held_up(client, "chat", "/v1/chat/completions", 4096, true));
    }
    assert_eq!(cases.join_all().await.len(), 24);
}

#[cfg(target_os = "linux")]
async fn held_up(client: Client, wire: &'static str, path: &str, text: usize, is_coded: bool) {
    let what = format!("{client:?} {path}, {wire} in texts of {text}, coded: {is_coded}");
    let endless = Endless::start(wire, text, is_coded).await;
    let lingate = match wire {
        "chat" => Lingate::to_chat(&format!("http://{}", endless.address)).await,
        _ => Lingate::to_anthropic(&format!("http://{}", endless.address)).await,
    };
    let address: SocketAddr = lingate.url.trim_start_matches("http://").parse().unwrap();
    let body = match path {
        "/v1/messages" => messages(true),
        _ => completions(true),
    };
    let request = client.request(path, &body.to_string());
    let ask = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(ROOM).unwrap();
        let mut socket = socket.connect(address).await.expect("it listens");
        socket.write_all(&request).await.expect("it reads");
        socket
    };
    let mut slow = ask().await;
    let mut kib = [0; 1024];
    for _ in 0..client.reads() / kib.len() {
        slow.read_exact(&mut kib).await.expect("there is more");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Until nothing moves any more.
    let now = || {
        let written = endless.written.load(Ordering::Relaxed);
        (written, Queues::of(endless.address.port(), address.port()))
    };
    // On a busy machine nobody may have had a turn between two looks.
    let (mut then, mut n_alike) = (now(), 0);
    while n_alike < 3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = std::mem::replace(&mut then, now());
        n_alike = if then == before { n_alike + 1 } else { 0 };
    }
    let (written, queues) = then;
    let came = (written - queues.upstream) * endless.grows.0 / endless.grows.1;
    let held = came.saturating_sub(client.reads() + queues.own + queues.client);
    assert!(written > HELD, "{what}: only {written} were written");
    assert!(held <= HELD, "{what}: {held} held, {queues:?}");
    assert!(queues.own <= QUEUED, "{what}: {queues:?}");

    // The narrow window would hold up this one too.
    if !matches!(client, Client::NarrowHttp2) {
        let mut other = ask().await;
        let read = async {
            for _ in 0..512 {
                other.read_exact(&mut kib).await.expect("there is more");
            }
        };
        let read = tokio::time::timeout(SLACK, read).await;
        assert!(read.is_ok(), "{what}: another stream was held up");
    }
}

/// An upstream whose replies do not end.
struct Endless {
    address: SocketAddr,
    written: Arc<AtomicUsize>,
    /// What a piece is decoded, and what it is on the way.
    grows: (usize, usize),
}

impl Endless {
    async fn start(wire: &str, text: usize, is_coded: bool) -> Self {
        let text = letters(text);
        let (mut start, mut piece) = if wire == "chat" {
            (Vec::new(), chat::text("m", &text).into_bytes())
        } else {
            let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
            let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
            let start = anthropic::message_start("msg_1", "m", Usage::default());
            let start = start + &anthropic::event(&block);
            (start.into_bytes(), anthropic::event(&delta).into_bytes())
        };
        let plain = piece.len();
        let mut head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n".to_owned();
        if is_coded {
            head += "content-encoding: gzip\r\n";
            (start, piece) = (gzip(&start), gzip(&piece));
        }
        let start = [(head + "\r\n").into_bytes(), start].concat();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endless = Self {
            address: listener.local_addr().expect("it is bound"),
            written: Arc::default(),
            grows: (plain, piece.len()),
        };
        // Many pieces in one write: a write each would be what the test waits for.
        let pieces = piece.repeat(1 + 16 * 1024 / piece.len());
        let counter = Arc::clone(&endless.written);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (start, pieces, counter) =
                    (start.clone(), pieces.clone(), Arc::clone(&counter));
                tokio::spawn(write(socket, start, pieces, counter));
            }
        });
        endless
    }
}

async fn write(mut socket: TcpStream, start: Vec<u8>, pieces: Vec<u8>, counter: Arc<AtomicUsize>) {
    let _ = socket.read(&mut [0; 8192]).await;
    let mut rest = &start[..];
    while let Ok(count) = socket.write(rest).await {
        counter.fetch_add(count, Ordering::Relaxed);
        rest = &rest[count..];
        if rest.is_empty() {
            rest = &pieces;
        }
    }
}

/// Text that does not shrink much.
fn letters(count: usize) -> String {
    let mut state = 1u32;
    let letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'A' + u8::try_from(state >> 24).unwrap() % 58 % 26 + (state >> 31 << 5) as u8)
    };
    (0..count).map(letter).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Bytes that the system holds for sockets: sent and not taken, or come and not read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Queues {
    /// Between the upstream and the gateway.
    upstream: usize,
    /// The gateway's, for the client.
    own: usize,
    /// The client's.
    client: usize,
}

#[cfg(target_os = "linux")]
impl Queues {
    /// What is queued for the connections to these two ports.
    fn of(upstream: u16, gateway: u16) -> Self {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux lists its sockets");
        let mut queues = Self::default();
        for line in table.lines().skip(1) {
            let mut fields = line.split_whitespace().skip(1);
            let mut port = || {
                let end = fields.next().unwrap_or_default();
                let port = end.split(':').nth(1).unwrap_or_default();
                u16::from_str_radix(port, 16).unwrap_or_default()
            };
            let (local, remote) = (port(), port());
            let both = fields.nth(1).unwrap_or_default().split(':');
            let sum: usize = both
                .filter_map(|queue| usize::from_str_radix(queue, 16).ok())
                .sum();
            match (local, remote) {
                (port, _) | (_, port) if port == upstream => queues.upstream += sum,
                (port, _) if port == gateway => queues.own += sum,
                (_, port) if port == gateway => queues.client += sum,
                _ => {}
            }
        }
        queues
    }
}
