//! A kept connection that is closed as a request goes out over it costs nobody an attempt; what is closed in any other way
//! is an ordinary failure.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lingate_gateway::Options;
use lingate_store::{self as store, Filter, Page, Reader, Store};
use lingate_testkit::client::{Response, post};
use lingate_testkit::{Answer, Hangup, Misbehaviour, Received, Script as _, TlsFront, Upstream};
use lingate_wire::Wire;

use crate::harness::Lingate;
use crate::program::Program;

/// Whether the request goes out once more within its attempt.
const CASES: [(Hangup, bool); 6] = [
    (Hangup::KeptAtHead, true),
    (Hangup::KeptAtRequest, true),
    (Hangup::KeptReset, true),
    (Hangup::KeptAfterByte, false),
    (Hangup::KeptAfter(Duration::from_secs(3)), false),
    (Hangup::New, false),
];

const RESENDS: &str = "lingate_resends_total{provider=\"up\"}";

async fn ask(lingate: &Lingate, client: Wire, is_stream: bool) -> Response {
    let program = Program::new(&lingate.url, client, is_stream).user("hi");
    let (path, body) = program.request();
    post(&format!("{}{path}", lingate.url), &body).send().await
}

/// Asks so that its connection is kept: a whole answer is read to its end, which a stream need not be.
async fn ask_first(lingate: &Lingate, client: Wire) {
    let response = ask(lingate, client, false).await;
    assert_eq!(response.status, 200);
    drop(response.bytes().await);
    // The connection is put back a moment after the answer's end.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn check(hangup: Hangup, is_again: bool, client: Wire, is_stream: bool) {
    let place = format!("{hangup:?}, {client} before chat, stream {is_stream}");
    let upstream = Upstream::start(hangup).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    if hangup != Hangup::New {
        ask_first(&lingate, client).await;
    }
    let before = upstream.requests().len();
    let response = ask(&lingate, client, is_stream).await;
    let told = (
        response.status,
        response.header("x-lingate-attempts").to_owned(),
    );
    let body = response.text().await;
    let seen = upstream.requests().split_off(before);
    let metrics = lingate.get("/metrics").send().await.text().await;
    assert_eq!(
        is_again,
        metrics.contains(&format!("{RESENDS} 1")),
        "{place}"
    );
    assert!(
        hangup == Hangup::New || seen[0].on_connection > 0,
        "{place}"
    );
    if !is_again {
        // What follows is up to the policies, an attempt a request.
        assert_eq!(told.1, seen.len().to_string(), "{place}: {body}");
        return;
    }
    assert_eq!(told, (200, "1".to_owned()), "{place}: {body}");
    assert!(body.contains("Hello"), "{place}: {body}");
    let [lost, served] = &*seen else {
        panic!("{place}: {} requests", seen.len());
    };
    assert_eq!(
        (lost.on_connection, served.on_connection),
        (1, 0),
        "{place}"
    );
    assert_eq!(lost.headers, served.headers, "{place}");
    if hangup != Hangup::KeptAtHead {
        assert_eq!(lost.text(), served.text(), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hangup_in_both_lanes_streamed_and_whole() {
    let all = CASES.into_iter().flat_map(|(hangup, is_again)| {
        [Wire::Chat, Wire::Anthropic]
            .into_iter()
            .flat_map(move |client| {
                [false, true].map(|is_stream| check(hangup, is_again, client, is_stream))
            })
    });
    join_all(all).await;
}

/// A host that closes all its idle connections at once.
#[tokio::test(flavor = "multi_thread")]
async fn several_kept_connections_close_at_once() {
    let upstream = Upstream::start(|request: &Received| match request.on_connection {
        0 => Misbehaviour::Healthy
            .answer(request)
            .paced(Duration::from_millis(300)),
        _ => Answer::raw(""),
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    join_all((0..4).map(|_| ask_first(&lingate, Wire::Anthropic))).await;
    let told = join_all((0..4).map(|_| ask(&lingate, Wire::Anthropic, false))).await;
    for response in told {
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-lingate-attempts"), "1");
    }
    let seen = upstream.requests();
    let lost = seen.iter().filter(|request| request.on_connection > 0);
    let n_lost = lost.count();
    // On a slow machine fewer were open at a time.
    assert!((1..=4).contains(&n_lost), "{n_lost}");
    assert_eq!(seen.len(), 8 + n_lost);
}

/// A host says goodbye in TLS's own words before it closes; they are no byte of an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_over_tls_is_no_answer() {
    for (hangup, is_again) in [
        (Hangup::KeptAtRequest, true),
        (Hangup::KeptAfterByte, false),
    ] {
        let upstream = Upstream::start(hangup).await;
        let front = TlsFront::start(&upstream, "localhost").await;
        let dir = tempfile::tempdir().unwrap();
        let ca_file = dir.path().join("ca.pem");
        std::fs::write(&ca_file, front.certificate()).unwrap();
        let config = format!(
            "default = \"up/m\"\n[providers.up]\nbase_url = \"https://localhost:{}\"\n\
             speaks = [\"chat\"]\napi_key = \"sk-up\"\nca_file = \"{}\"",
            front.address().port(),
            ca_file.display(),
        );
        let lingate = Lingate::start(&config).await;
        ask_first(&lingate, Wire::Chat).await;
        let response = ask(&lingate, Wire::Chat, false).await;
        let (status, attempts) = (response.status, response.header("x-lingate-attempts"));
        assert_eq!(
            attempts == "1" && status == 200,
            is_again,
            "{hangup:?}: {status}, {attempts}"
        );
        assert_eq!(upstream.requests()[1].on_connection, 1, "{hangup:?}");
        let metrics = lingate.get("/metrics").send().await.text().await;
        assert_eq!(
            metrics.contains(&format!("{RESENDS} 1")),
            is_again,
            "{hangup:?}"
        );
    }
}

/// A host may end its body a moment after the wire's last word, or not at all: its connection is kept, and nobody waits long.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_out() {
    let later = |request: &Received| {
        let answer = Misbehaviour::Healthy.answer(request);
        match request.text().contains("never") {
            true => answer.stall(),
            false => answer.pause(Duration::from_millis(20)),
        }
    };
    for client in [Wire::Chat, Wire::Anthropic] {
        let upstream = Upstream::start(later).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        for _ in 0..3 {
            drop(ask(&lingate, client, true).await.bytes().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let seen = upstream.requests().into_iter();
        let places: Vec<_> = seen.map(|request| request.on_connection).collect();
        assert_eq!(places, [0, 1, 2], "{client}");
        let program = Program::new(&lingate.url, client, true).user("never");
        let (path, body) = program.request();
        let began = Instant::now();
        let response = lingate.post(&path, &body).send().await;
        assert!(response.text().await.contains("Hello"), "{client}");
        if client == Wire::Anthropic {
            // What was translated is whole without its host's end.
            assert!(began.elapsed() < Duration::from_secs(2), "{client}");
        }
    }
}

/// The row is that of an exchange with one attempt; its details tell what happened.
#[tokio::test]
async fn the_record_tells_of_it() {
    let upstream = Upstream::start(Hangup::KeptAtRequest).await;
    let dir = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::now();
    let store = Store::open(dir.path(), store::Options::default(), now).unwrap();
    let options = Options {
        recorder: Some(store.recorder()),
        ..Options::default()
    };
    let config = format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"sk-up\"",
        upstream.url()
    );
    let lingate = Lingate::start_as(&config, &[], options).await;
    ask_first(&lingate, Wire::Chat).await;
    drop(ask(&lingate, Wire::Chat, true).await.bytes().await);
    lingate.end().await;
    let recorder = store.recorder();
    let flushed = tokio::task::spawn_blocking(move || recorder.flush(Duration::from_secs(10)));
    assert!(flushed.await.unwrap());
    let reader = Reader::open(dir.path()).unwrap();
    let rows = reader.list(&Filter::default(), Page::default()).unwrap();
    let marks = rows.items.iter().map(|row| {
        assert_eq!((row.status, row.attempts), (Some(200), 1));
        let details = reader.get(row.id).unwrap().unwrap().details;
        assert_eq!(details.attempts.len(), 1);
        assert_eq!(details.attempts[0].outcome, "served");
        let marks = details.timings.iter();
        marks.filter(|mark| mark.what == "sent_again").count()
    });
    assert_eq!(marks.collect::<Vec<_>>(), [1, 0], "newest first");
}
