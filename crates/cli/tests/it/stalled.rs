//! A record that stands still, under full load: no request waits for it, memory stays bounded, and every exchange that is
//! not kept is counted.

#![expect(clippy::print_stderr, reason = "what is measured is shown")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lingate_testkit::{Upstream, canary, client};
use serde_json::Value;

use crate::harness::{Serving, User, get};
use crate::load::{Load, ask, echo, median};

/// More than the queue may hold: 40 MiB, and 6 MiB of numbers.
const MOST_MEMORY: u64 = 64 << 20;

/// Bytes of a prompt.
const PADDING: usize = 16_000;

/// So many prompts of a megabyte are more than the queue has room for.
const LARGE: usize = 40;

/// What is measured while the record is written, or stands still.
struct Windows {
    /// Pairs of a window with and one without.
    pairs: usize,
    /// How long each is.
    length: Duration,
    /// By how much the median may be more when the record stands still.
    slower: f64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_writer_that_stands_still() {
    // Short windows on a machine that is doing other things are rough.
    let windows = Windows {
        pairs: 4,
        length: Duration::from_millis(1500),
        slower: 0.5,
    };
    stands_still(&windows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: part of the soak"]
async fn nobody_waits_for_a_minute() {
    let windows = Windows {
        pairs: 3,
        length: Duration::from_secs(60),
        slower: 0.05,
    };
    stands_still(&windows).await;
}

async fn stands_still(windows: &Windows) {
    let upstream = Upstream::start(echo).await;
    let user = User::new();
    let text = format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"{}\"\n",
        upstream.url(),
        canary::PROVIDER_KEY
    );
    let file = user.file("l.toml", &text);
    let gateway = user.serve(&["--config", file.to_str().unwrap()]);
    let numbers = Arc::new(AtomicUsize::new(0));
    let record = user.home().join(".local/share/lingate/record/record.db");
    // Caches fill, threads start.
    window(&gateway, windows.length, &numbers).await;

    let (mut written, mut still) = (Vec::new(), Vec::new());
    let mut grown = 0;
    for _ in 0..windows.pairs {
        written.push(window(&gateway, windows.length, &numbers).await);
        until_written(&gateway).await;
        let before = memory(gateway.pid());
        let lock = Lock::take(&record);
        still.push(window(&gateway, windows.length, &numbers).await);
        grown = grown.max(memory(gateway.pid()).saturating_sub(before));
        assert_ne!(health(&gateway)["queued_rows"], 0, "it was not held at all");
        drop(lock);
        until_written(&gateway).await;
    }
    // More than there is room for, whatever the machine.
    let before = memory(gateway.pid());
    let lock = Lock::take(&record);
    for _ in 0..LARGE {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let given = ask(&format!("{}/v1/messages", gateway.url()), number, 1 << 20).await;
        assert!(given.is_some());
    }
    grown = grown.max(memory(gateway.pid()).saturating_sub(before));
    drop(lock);
    until_written(&gateway).await;

    let (with, without) = (median(still.clone()), median(written.clone()));
    let slower = with.as_secs_f64() / without.as_secs_f64() - 1.0;
    let told = format!("{with:?} ({still:?}) against {without:?} ({written:?})");
    assert!(
        slower <= windows.slower,
        "the median is {:.0} % slower: {told}",
        slower * 100.0
    );
    assert!(grown < MOST_MEMORY, "{} MiB more", grown >> 20);

    // Everything that was accepted is a row, or counted as lost.
    let asked = numbers.load(Ordering::Relaxed) as u64;
    let health = health(&gateway);
    let count = |name: &str| health["counts"][name].as_u64().unwrap();
    assert_eq!(
        (count("opened"), count("closed")),
        (asked, asked),
        "{health}"
    );
    assert_eq!(count("written") + count("lost"), asked, "{health}");
    assert!(
        count("bodies_shed") > 0,
        "there was room for everything: {health}"
    );
    let database = rusqlite::Connection::open(&record).unwrap();
    let rows = |condition: &str| -> u64 {
        let sql = format!("SELECT count(*) FROM exchanges WHERE {condition}");
        let rows: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
        rows as u64
    };
    assert_eq!(rows("end IS NOT NULL"), count("written"));
    assert_eq!(rows("end IS NULL"), 0);
    assert_eq!(
        rows("kept = 'numbers'"),
        count("rows_sampled") + count("rows_reduced")
    );
    assert_eq!(
        rows("kept = 'row'"),
        count("bodies_shed") + count("bodies_failed")
    );
    let metrics = client::get(&format!("{}/metrics", gateway.url()))
        .send()
        .await
        .text()
        .await;
    for (metric, count) in [
        ("record_rows_total", count("written")),
        ("record_lost_total", count("lost")),
        ("record_bodies_shed_total", count("bodies_shed")),
        ("record_degraded", 0),
    ] {
        let line = format!("lingate_{metric} {count}\n");
        assert!(metrics.contains(&line), "{line}");
    }
    eprintln!(
        "{:+.1} % at the median: {told}; {} MiB more; {asked} requests: {}",
        slower * 100.0,
        grown >> 20,
        health["counts"]
    );
}

/// Everybody asks for so long; the median of what that took.
async fn window(gateway: &Serving, length: Duration, numbers: &Arc<AtomicUsize>) -> Duration {
    let load = Load::start(gateway.url(), 8, PADDING, numbers);
    tokio::time::sleep(length).await;
    let given = load.end().await;
    assert!(given.len() > 20, "{} replies", given.len());
    median(given.iter().map(|given| given.took).collect())
}

/// Waits until nothing waits for the writer.
async fn until_written(gateway: &Serving) {
    let begun = Instant::now();
    loop {
        let health = health(gateway);
        let counts = &health["counts"];
        let done = counts["written"].as_u64().unwrap() + counts["lost"].as_u64().unwrap();
        if done == counts["opened"] && health["degraded"].is_null() {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not catch up: {health}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How the record does.
fn health(gateway: &Serving) -> Value {
    let answer = get(gateway.address(), "/health");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<Value>(body).unwrap()["record"].clone()
}

/// Bytes of memory that a process has.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Keeps everybody else from writing.
struct Lock(rusqlite::Connection);

impl Lock {
    fn take(record: &Path) -> Self {
        let database = rusqlite::Connection::open(record).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(database)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("ROLLBACK");
    }
}
