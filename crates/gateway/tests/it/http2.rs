//! HTTP/2 by prior knowledge: served under the same rules, and not to be flooded.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lingate_gateway::Limits;
use lingate_testkit::{Misbehaviour, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Lingate, messages};

/// A header line.
type Line = (String, String);

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

#[tokio::test]
async fn requests_are_judged_as_in_http1() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_anthropic(&upstream.url()).await;
    let mut client = connect(&lingate).await;
    let lines = |count: usize| {
        (0..count)
            .map(|n| (format!("x-{n}"), "1".to_owned()))
            .collect()
    };
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let json = || one("content-type", "application/json");
    let cases: [(&str, &str, Vec<Line>, u16); 8] = [
        ("POST", "localhost", json(), 200),
        ("POST", "localhost", one("content-type", "text/plain"), 415),
        ("POST", "evil.test", json(), 421),
        ("POST", "localhost", one("host", "evil.test"), 421),
        ("POST", "localhost", one("origin", "http://evil.test"), 403),
        (
            "POST",
            "localhost",
            one("sec-fetch-site", "cross-site"),
            403,
        ),
        ("STEAL", "localhost", json(), 405),
        ("POST", "localhost", lines(101), 431),
    ];
    let body = messages(false).to_string();
    for (method, authority, headers, due) in cases {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{authority}/v1/messages"));
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.clone()))).unwrap();
        let response = client.send_request(request).await.expect("it answers");
        let what = format!("{method} {authority} {:?}", headers.first());
        assert_eq!(response.status(), due, "{what}");
        response.into_body().collect().await.expect("a whole body");
    }
    let received = upstream.requests();
    assert_eq!(received.len(), 1);
    assert!(!received[0].text().is_empty());
}

/// Each flood ends its connection, reaches no upstream, and leaves the gateway to others.
#[tokio::test]
async fn floods_end_their_connection() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let limits = Limits {
        head: Duration::from_secs(1),
        ..Limits::default()
    };
    let config = format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]",
        upstream.url()
    );
    let lingate = Lingate::start_within(&config, limits).await;
    // `:method: POST`, `:scheme: http`, `:path: /`, `:authority: localhost`, by HPACK's static table.
    let head = b"\x83\x86\x84\x41\x09localhost";
    let resets = (0..2_000).flat_map(|n| {
        let stream = 2 * n + 1;
        let request = frame(HEADERS, END_HEADERS, stream, head);
        [request, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    let unending = frame(HEADERS, 0, 1, head).into_iter();
    let unending =
        unending.chain((0..2_000).flat_map(|_| frame(CONTINUATION, 0, 1, b"\0\x01a\x01b")));
    let large = frame(HEADERS, 0, 1, head).into_iter();
    let large = large.chain((0..64).flat_map(|_| frame(CONTINUATION, 0, 1, &[0; 16_000])));
    let pings = (0..50_000).flat_map(|_| frame(SETTINGS, 0, 0, &[]));
    // The last one costs no more than it sends.
    let floods: [(&str, Vec<u8>, bool); 4] = [
        ("resets", resets.collect(), true),
        ("continuations", unending.collect(), true),
        ("large continuations", large.collect(), true),
        ("settings", pings.collect(), false),
    ];
    for (name, frames, is_ended) in floods {
        let start = [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            &frame(SETTINGS, 0, 0, &[]),
        ]
        .concat();
        let answer = raw_flood(&lingate, &[start, frames].concat()).await;
        assert_eq!(
            is_ended,
            kinds(&answer).contains(&GOAWAY),
            "{name}: {:?}",
            kinds(&answer)
        );
        let served = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(served.status, 200, "after {name}");
    }
    assert_eq!(upstream.requests().len(), 4);
}

async fn connect(lingate: &Lingate) -> SendRequest<Full<Bytes>> {
    let address = lingate.url.trim_start_matches("http://");
    let socket = TcpStream::connect(address).await.expect("it listens");
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    client
}

async fn raw_flood(lingate: &Lingate, bytes: &[u8]) -> Vec<u8> {
    let address = lingate.url.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.expect("it listens");
    let mut answer = Vec::new();
    let asked = async {
        let (mut from, mut to) = socket.split();
        // The gateway may close before everything is written.
        let _ = tokio::join!(to.write_all(bytes), from.read_to_end(&mut answer));
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), asked).await;
    answer
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

/// The kinds of the frames in a row.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        bytes = rest.get(length..).unwrap_or_default();
    }
    kinds.dedup();
    kinds
}
