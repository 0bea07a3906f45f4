//! A disk that is full: requests succeed, the record says so at once, and goes on by itself when there is room again.

#![expect(clippy::print_stderr, reason = "what is measured is shown")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lingate_store::Reader;
use lingate_testkit::{Upstream, Wire, canary, client};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::harness::{Serving, User, get};
use crate::load::{Load, echo};

/// Longer than the record takes to notice, on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Within what time a disk that is full is noticed, and one that has room again used.
struct Bounds {
    noticed: Duration,
    used: Duration,
}

/// For a machine that does other things besides.
const WIDE: Bounds = Bounds {
    noticed: PATIENCE,
    used: PATIENCE,
};

/// What is promised: R12 of the reliability goals.
const PROMISED: Bounds = Bounds {
    noticed: Duration::from_secs(1),
    used: Duration::from_secs(5),
};

/// The largest file that the gateway may write; `None` takes the limit away.
fn limit_files(gateway: &Serving, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap());
    let limit = Rlimit {
        current: bytes,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

fn config(upstream: &Upstream, more: &str) -> String {
    format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"{}\"\n{more}",
        upstream.url(),
        canary::PROVIDER_KEY
    )
}

/// How the record does.
fn record(gateway: &Serving) -> Value {
    let answer = get(gateway.address(), "/health");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<Value>(body).unwrap()["record"].clone()
}

/// Waits until so many more requests were begun: nobody waits for the record, so they come one after the other.
async fn asked_more(numbers: &AtomicUsize, more: usize) {
    let (begun, before) = (Instant::now(), numbers.load(Ordering::Relaxed));
    while numbers.load(Ordering::Relaxed) < before + more {
        assert!(begun.elapsed() < PATIENCE, "requests wait for the record");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the record can, or cannot, be written.
async fn until(gateway: &Serving, is_degraded: bool, limit: Duration) {
    let begun = Instant::now();
    loop {
        let record = record(gateway);
        let took = begun.elapsed();
        assert!(
            took < limit,
            "degraded is to be {is_degraded} within {limit:?}, and after {took:?}: {record}"
        );
        if record["degraded"].is_null() != is_degraded {
            eprintln!("degraded is {is_degraded} after {took:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_succeed_and_the_record_recovers() {
    requests_succeed(&WIDE).await;
}

/// Its second wants a machine that does nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "its bounds are of time: part of the soak"]
async fn a_full_disk_is_noticed_within_a_second() {
    requests_succeed(&PROMISED).await;
}

async fn requests_succeed(bounds: &Bounds) {
    let upstream = Upstream::start(echo).await;
    let user = User::new();
    let file = user.file("l.toml", &config(&upstream, ""));
    let gateway = user.serve_on_a_small_disk(&["--config", file.to_str().unwrap()]);
    let numbers = Arc::new(AtomicUsize::new(0));
    for round in 0..2 {
        // A client that is refused, or gets half an answer, fails the test.
        let load = Load::start(gateway.url(), 4, 8_000, &numbers);
        asked_more(&numbers, 10).await;
        limit_files(&gateway, Some(0));
        until(&gateway, true, bounds.noticed).await;
        let metrics = get(gateway.address(), "/metrics");
        assert!(metrics.contains("lingate_record_degraded 1\n"), "{metrics}");
        let shown = user.run(&["status"]);
        assert!(
            shown.stdout.contains("the record cannot be written"),
            "{shown:?}"
        );
        let before = numbers.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(700)).await;
        asked_more(&numbers, 20).await;
        let during = numbers.load(Ordering::Relaxed) - before;
        limit_files(&gateway, None);
        until(&gateway, false, bounds.used).await;
        let given = load.end().await;
        assert!(given.len() >= during, "round {round}");
    }
    let asked = numbers.load(Ordering::Relaxed) as u64;
    let begun = Instant::now();
    let counts = loop {
        let counts = record(&gateway)["counts"].clone();
        let count = |name: &str| counts[name].as_u64().unwrap();
        if count("written") + count("lost") == asked {
            break counts;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{asked} requests: {counts}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    let reader = Reader::open(&user.home().join(".local/share/lingate")).unwrap();
    assert_eq!(reader.check().unwrap(), [""; 0]);
    let database = user.home().join(".local/share/lingate/record/record.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let rows: i64 = database
        .query_row(
            "SELECT count(*) FROM exchanges WHERE end = 'answered'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(counts["written"], rows, "{counts}");
    eprintln!("{asked} requests: {counts}");
}

/// A question in each wire, and the status and type by which its clients know that they are to come back later.
fn questions() -> [(Wire, &'static str, Value); 4] {
    let hi = json!([{"role": "user", "content": "hi"}]);
    [
        (
            Wire::Anthropic,
            "/v1/messages",
            json!({"model": "m", "max_tokens": 9, "messages": hi}),
        ),
        (
            Wire::Chat,
            "/v1/chat/completions",
            json!({"model": "m", "messages": hi}),
        ),
        (
            Wire::Responses,
            "/v1/responses",
            json!({"model": "m", "input": "hi"}),
        ),
        (
            Wire::Gemini,
            "/v1beta/models/m:generateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_a_record_of_everything_is_refused_in_every_wire() {
    let upstream = Upstream::start(echo).await;
    let user = User::new();
    let file = user.file(
        "l.toml",
        &config(&upstream, "[record]\nfail_closed = true\n"),
    );
    let gateway = user.serve_on_a_small_disk(&["--config", file.to_str().unwrap()]);
    let ask = async |path: &str, body: &Value| {
        client::post(&format!("{}{path}", gateway.url()), body)
            .send()
            .await
    };
    for (wire, path, body) in questions() {
        assert_eq!(ask(path, &body).await.status, 200, "{wire:?}");
    }
    limit_files(&gateway, Some(0));
    // What is written next meets the limit.
    drop(ask("/v1/messages", &questions()[0].2).await);
    until(&gateway, true, WIDE.noticed).await;
    let asked = upstream.requests().len();
    for (wire, path, body) in questions() {
        let response = ask(path, &body).await;
        let status = response.status;
        let error = response.json().await["error"].clone();
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("`record.fail_closed`"),
            "{wire:?}: {message}"
        );
        let told = match wire {
            Wire::Anthropic => (529, &error["type"], json!("overloaded_error")),
            Wire::Chat | Wire::Responses => (503, &error["type"], json!("overloaded_error")),
            Wire::Gemini => (503, &error["status"], json!("UNAVAILABLE")),
        };
        assert_eq!((status, told.1), (told.0, &told.2), "{wire:?}: {error}");
    }
    assert_eq!(
        upstream.requests().len(),
        asked,
        "nothing is sent that cannot be recorded"
    );
    limit_files(&gateway, None);
    until(&gateway, false, WIDE.used).await;
    for (wire, path, body) in questions() {
        assert_eq!(ask(path, &body).await.status, 200, "{wire:?}");
    }
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
}
