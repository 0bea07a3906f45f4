//! `kill -9` while it works: what a client has got for a quarter of a second is in the record, for good.

#![expect(clippy::print_stderr, reason = "what is measured is shown")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lingate_store::{BodyKind, End, Exchange, Filter, Page, Reader};
use lingate_testkit::{Received, Upstream};

use crate::harness::User;
use crate::load::{Given, Load, echo, number_in, request};

/// What was given so long before the end is acknowledged.
const ACKNOWLEDGED: Duration = Duration::from_millis(250);

const CLIENTS: usize = 4;

/// Bytes of a prompt.
const PADDING: usize = 600;

/// A reply that must outlive its gateway.
struct Acknowledged {
    cycle: u32,
    /// How long before the kill its last byte was there.
    before: Duration,
    given: Given,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills() {
    cycles(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a quarter of an hour: part of the soak"]
async fn a_thousand_kills() {
    cycles(1000).await;
}

async fn cycles(count: u32) {
    let upstream = Upstream::start(echo).await;
    let user = User::new();
    let file = user.file("l.toml", &config(&upstream.url()));
    let file = file.to_str().unwrap();
    let record = user.home().join(".local/share/lingate");
    let numbers = Arc::new(AtomicUsize::new(0));
    let mut acknowledged: HashMap<String, Acknowledged> = HashMap::new();
    let (mut killed, mut said) = (0, Vec::new());
    for cycle in 0..count {
        // This one's start buries the one before.
        let gateway = user.serve(&["--config", file]);
        let pid = gateway.pid();
        if cycle > 0 {
            killed += buried(&record, cycle);
        }
        let load = Load::start(gateway.url(), CLIENTS, PADDING, &numbers);
        // Spread over a group and the syncs around it.
        let after = u64::from(cycle) * 7919 % 60_000;
        let begin = Instant::now();
        let length = ACKNOWLEDGED + Duration::from_micros(50_000 + after);
        while begin.elapsed() < length + starved(pid) && begin.elapsed() < 20 * length {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (end, starved) = (Instant::now(), starved(pid));
        let log = gateway.kill();
        let complaints = log
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"));
        said.extend(complaints.map(|line| format!("{cycle}: {line}")));
        let given = load.end().await;
        let told = given.into_iter().map(|given| Acknowledged {
            cycle,
            before: end.saturating_duration_since(given.at),
            given,
        });
        let in_time = told.filter(|told| told.before >= ACKNOWLEDGED + starved);
        acknowledged.extend(in_time.map(|told| (told.given.id.clone(), told)));
    }
    let last = user.serve(&["--config", file]);
    killed += buried(&record, count);
    let ended = last.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");

    assert!(
        acknowledged.len() > count as usize,
        "{} exchanges",
        acknowledged.len()
    );
    assert!(killed > 0, "no exchange was ever cut off");
    let reader = Reader::open(&record).unwrap();
    let rows: HashMap<String, Exchange> = all(&reader)
        .into_iter()
        .map(|row| (row.id.to_string(), row))
        .collect();
    let is_there = |id: &String| {
        rows.get(id)
            .is_some_and(|row| row.end == Some(End::Answered))
    };
    let lost = acknowledged.iter().filter(|(id, _)| !is_there(id));
    let mut lost: Vec<(u32, Duration)> = lost.map(|(_, own)| (own.cycle, own.before)).collect();
    lost.sort_unstable();
    let n = acknowledged.len();
    assert!(
        lost.is_empty(),
        "{} of {n} are lost, by cycle and time before the kill: {lost:?}\n{}",
        lost.len(),
        said.join("\n")
    );
    // The upstream is the witness of what was sent and said.
    let seen: HashMap<usize, Received> = upstream
        .requests()
        .into_iter()
        .filter_map(|request| Some((number_in(&request.text())?, request)))
        .collect();
    for (id, Acknowledged { given, .. }) in &acknowledged {
        let row = &rows[id];
        assert_eq!(row.status, Some(200), "{row:?}");
        let read = |kind| {
            let body = reader.body(row.id, kind, None).unwrap();
            let body = body.unwrap_or_else(|| panic!("{id} has no {kind:?}"));
            String::from_utf8(body.bytes.to_vec()).unwrap()
        };
        assert_eq!(read(BodyKind::ClientResponse), given.body, "{id}");
        let sent = &seen[&given.number];
        assert_eq!(
            read(BodyKind::ClientRequest),
            request(given.number, PADDING).to_string(),
            "{id}"
        );
        assert_eq!(read(BodyKind::ProviderRequest), sent.text(), "{id}");
        assert_eq!(
            read(BodyKind::ProviderResponse).into_bytes(),
            echo(sent).body(),
            "{id}"
        );
    }
    // Nothing is there that nobody asked for, and nothing twice.
    let asked = numbers.load(Ordering::Relaxed);
    assert!(
        rows.len() <= asked,
        "{} rows of {asked} requests",
        rows.len()
    );
    eprintln!(
        "{count} kills, {asked} requests, {} acknowledged, {} rows, {killed} cut off",
        acknowledged.len(),
        rows.len()
    );
}

fn config(url: &str) -> String {
    format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\n\
         api_key = \"{}\"\n",
        lingate_testkit::canary::PROVIDER_KEY
    )
}

/// How long the process's threads were ready to run and had no processor, at most: what a machine that does other things
/// takes from it is no time in which it could have written.
fn starved(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let waits = tasks.filter_map(|task| {
        let told = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanoseconds = told.split(' ').nth(1)?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    });
    waits.max().unwrap_or_default()
}

/// What a start makes of the process before, in a record that is being written by the new one. How many rows it closed.
fn buried(record: &Path, cycle: u32) -> usize {
    let reader = Reader::open(record).unwrap();
    assert_eq!(reader.check().unwrap(), [""; 0], "cycle {cycle}");
    let rows = reader
        .list(&Filter::default(), Page::default())
        .unwrap()
        .items;
    let open: Vec<&Exchange> = rows.iter().filter(|row| row.end.is_none()).collect();
    assert!(open.is_empty(), "cycle {cycle}: {open:?}");
    no_orphans(record, cycle);
    let since = |row: &&Exchange| row.end == Some(End::Killed);
    // Those of the last run are the newest.
    rows.iter().take(CLIENTS).filter(since).count()
}

/// Every segment file is known and no longer than its row says; nobody but this run is there.
fn no_orphans(record: &Path, cycle: u32) {
    let folder = record.join("record");
    let database = rusqlite::Connection::open(folder.join("record.db")).unwrap();
    for entry in std::fs::read_dir(folder.join("segments")).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let segment: i64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let known: rusqlite::Result<i64> = database.query_row(
            "SELECT bytes FROM segments WHERE segment = ?1",
            [segment],
            |row| row.get(0),
        );
        let known =
            known.unwrap_or_else(|_| panic!("cycle {cycle}: {} is an orphan", path.display()));
        assert_eq!(
            entry.metadata().unwrap().len() as i64,
            known,
            "cycle {cycle}: {}",
            path.display()
        );
    }
    let runs = std::fs::read_dir(folder.join("runs")).unwrap().count();
    assert!(runs <= 1, "cycle {cycle}: {runs} runs");
}

fn all(reader: &Reader) -> Vec<Exchange> {
    let mut page = Page {
        limit: 500,
        ..Page::default()
    };
    let mut rows = Vec::new();
    loop {
        let listing = reader.list(&Filter::default(), page).unwrap();
        rows.extend(listing.items);
        page.before = listing.next;
        if page.before.is_none() {
            return rows;
        }
    }
}
