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

/// More than the queue may hold: 32 MiB, and 6 MiB of numbers.
const MOST_MEMORY: u64 = 64 << 20;

/// Bytes of a prompt.
const PADDING: usize = 16_000;

/// So many prompts of a megabyte are more than the queue has room for.
const LARGE: usize = 40;

/// What is measured: windows of the same load in turns, one more of those in which the record is written.
struct Windows {
    /// Times that the record stands still.
    times: usize,
    /// Until caches are full and threads are there.
    before: Duration,
    /// How long it is written.
    written: Duration,
    /// How long it stands still.
    still: Duration,
    /// By how much the median may be more when it stands still.
    slower: f64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_writer_that_stands_still() {
    // Short windows on a machine that is doing other things are rough; who waits, waits for a hundred times as long.
    let windows = Windows {
        times: 4,
        before: Duration::from_millis(1500),
        written: Duration::from_millis(1500),
        still: Duration::from_millis(1500),
        slower: 1.0,
    };
    stands_still(&windows).await;
}

/// Takes three and a half minutes; its five per cent want a machine that does nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: part of the soak"]
async fn nobody_waits_for_a_minute() {
    let windows = Windows {
        times: 2,
        before: Duration::from_secs(10),
        written: Duration::from_secs(20),
        still: Duration::from_secs(60),
        slower: 0.05,
    };
    stands_still(&windows).await;
}

/// What a window of load came to.
struct Window {
    median: Duration,
    replies: usize,
    /// The most memory that the gateway had.
    memory: u64,
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
    let window = async |length| window(&gateway, length, &upstream, &numbers).await;
    window(windows.before).await;

    let mut written = vec![window(windows.written).await];
    let (mut still, mut grown) = (Vec::new(), 0);
    for _ in 0..windows.times {
        until_written(&gateway).await;
        let before = memory(gateway.pid());
        let lock = Lock::take(&record);
        let held = window(windows.still).await;
        grown = grown.max(held.memory.saturating_sub(before));
        still.push(held);
        assert_ne!(health(&gateway)["queued_rows"], 0, "it was not held at all");
        drop(lock);
        until_written(&gateway).await;
        written.push(window(windows.written).await);
    }
    // More than there is room for, whatever the machine.
    until_written(&gateway).await;
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

    // Each is held against its two neighbours, so that what changes with the time of day goes away.
    let seconds = |window: &Window| window.median.as_secs_f64();
    let around = written
        .windows(2)
        .map(|two| (seconds(&two[0]) + seconds(&two[1])) / 2.0);
    let ratios = still
        .iter()
        .zip(around)
        .map(|(still, around)| seconds(still) / around);
    let slower = ratios.sum::<f64>() / still.len() as f64 - 1.0;
    let told = |all: &[Window]| -> Vec<String> {
        let told = all
            .iter()
            .map(|own| format!("{:?} of {}", own.median, own.replies));
        told.collect()
    };
    let told = format!("{:?}, written {:?}", told(&still), told(&written));
    eprintln!(
        "{:+.1} % at the median: {told}; {} MiB more",
        slower * 100.0,
        grown >> 20
    );
    assert!(
        slower <= windows.slower,
        "{:.1} % slower: {told}",
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
    eprintln!("{asked} requests: {}", health["counts"]);
}

/// Everybody asks for so long.
async fn window(
    gateway: &Serving,
    length: Duration,
    upstream: &Upstream,
    numbers: &Arc<AtomicUsize>,
) -> Window {
    let load = Load::start(gateway.url(), 8, PADDING, numbers);
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < length {
        tokio::time::sleep(Duration::from_millis(100)).await;
        most = most.max(memory(gateway.pid()));
        upstream.forget();
    }
    let given = load.end().await;
    assert!(given.len() > 20, "{} replies", given.len());
    Window {
        median: median(given.iter().map(|given| given.took).collect()),
        replies: given.len(),
        memory: most,
    }
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
