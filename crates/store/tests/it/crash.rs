//! What was acknowledged survives `kill -9`, and what was not leaves nothing behind.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lingate_store::{BodyKind, Details, End, Filter, Options, Page, Reader, Store};
use uuid::Uuid;

use crate::support::{PATIENCE, accepted, all, at, body, exchange, files, spawn, told};

/// What every body of the child says, besides its number.
fn request(number: u64) -> String {
    format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}],\"n\":{number}}}",
        "same text ".repeat(60)
    )
}

/// The number of an exchange is the end of its id.
fn number(id: Uuid) -> u64 {
    id.as_u128() as u64 & 0x3fff_ffff_ffff_ffff
}

#[test]
#[ignore = "a child of the tests below"]
fn child() {
    let Some(dir) = told() else { return };
    let store = Store::open(&dir, Options::default(), at(0)).unwrap();
    let recorder = store.recorder();
    let first = Reader::open(&dir)
        .unwrap()
        .list(&Filter::default(), Page::default())
        .unwrap();
    let first = first.items.first().map_or(0, |last| number(last.id) + 1);
    for round in 0.. {
        let numbers: Vec<u64> = (0..4).map(|n| first + round * 5 + n).collect();
        for number in &numbers {
            let exchange = exchange(*number);
            recorder.open(
                accepted(&exchange),
                vec![body(BodyKind::ClientRequest, request(*number))],
            );
            let reply = vec![body(BodyKind::ClientResponse, number.to_string())];
            recorder.close(exchange, Details::default(), reply);
        }
        // One that stays open.
        recorder.open(accepted(&exchange(first + round * 5 + 4)), Vec::new());
        assert!(recorder.flush(PATIENCE));
        println!(
            "ack {}",
            numbers
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        );
        std::io::stdout().flush().unwrap();
    }
}

/// Kills the child after some milliseconds of work. What it acknowledged until then.
fn run_and_kill(dir: &Path, after: Duration) -> Vec<u64> {
    let mut child = spawn("crash::child", dir);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Work begins with the first acknowledgement.
    let is_ack = |line: &String| line.starts_with("ack ");
    let mut acknowledged: Vec<String> = lines
        .by_ref()
        .map(Result::unwrap)
        .find(is_ack)
        .into_iter()
        .collect();
    std::thread::sleep(after);
    child.kill().unwrap();
    acknowledged.extend(lines.map_while(Result::ok).filter(is_ack));
    child.wait().unwrap();
    assert!(!acknowledged.is_empty(), "the child did nothing");
    let numbers = acknowledged.iter().flat_map(|line| line.split(' ').skip(1));
    numbers.filter_map(|number| number.parse().ok()).collect()
}

fn cycles(count: u32) {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    for cycle in 0..count {
        // Spread over the 25 ms of a group and the fsyncs around it.
        let after = Duration::from_micros(u64::from(cycle) * 7919 % 60_000);
        acknowledged.extend(run_and_kill(dir.path(), after));
        drop(Store::open(dir.path(), Options::default(), at(0)).unwrap());
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.check().unwrap(), [""; 0], "cycle {cycle}");
        if cycle % 10 != 9 && cycle + 1 != count {
            continue;
        }
        let rows = all(&reader);
        assert!(
            rows.iter().all(|row| row.end.is_some()),
            "cycle {cycle}: a row is open"
        );
        assert!(rows.iter().any(|row| row.end == Some(End::Killed)));
        let ended = rows.iter().filter(|row| row.end == Some(End::Answered));
        let ended: HashSet<u64> = ended.map(|row| number(row.id)).collect();
        let lost: Vec<_> = acknowledged.difference(&ended).collect();
        assert!(lost.is_empty(), "cycle {cycle}: {lost:?} were acknowledged");
        for row in rows
            .iter()
            .take(200)
            .filter(|row| row.end == Some(End::Answered))
        {
            let number = number(row.id);
            let read = |kind| {
                reader
                    .body(row.id, kind, None)
                    .unwrap()
                    .map(|body| body.bytes)
            };
            assert_eq!(
                read(BodyKind::ClientRequest),
                Some(request(number).into_bytes())
            );
            assert_eq!(
                read(BodyKind::ClientResponse),
                Some(number.to_string().into_bytes())
            );
        }
        no_orphans(dir.path());
    }
}

/// Every segment file is known and no longer than its row says.
fn no_orphans(dir: &Path) {
    let database = rusqlite::Connection::open(dir.join("record/record.db")).unwrap();
    for file in files(&dir.join("record/segments")) {
        let segment: i64 = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let length = file.metadata().unwrap().len() as i64;
        let bytes: i64 = database
            .query_row(
                "SELECT bytes FROM segments WHERE segment = ?1",
                [segment],
                |row| row.get(0),
            )
            .unwrap_or_else(|_| panic!("{} is an orphan", file.display()));
        assert_eq!(length, bytes, "{}", file.display());
    }
    assert_eq!(files(&dir.join("record/runs")), [""; 0].map(Path::new));
}

#[test]
fn one_of_two_gateways_dies() {
    /// The child begins behind the newest exchange: below it are this process's.
    const CHILDS: u64 = 500_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default(), at(0)).unwrap();
    let recorder = store.recorder();
    let record = |number| {
        let asked = body(BodyKind::ClientRequest, request(number));
        recorder.open(accepted(&exchange(number)), vec![asked]);
        recorder.close(exchange(number), Details::default(), Vec::new());
        assert!(recorder.flush(PATIENCE));
    };
    record(CHILDS - 1);
    recorder.open(accepted(&exchange(0)), Vec::new());
    let is_over = AtomicBool::new(false);
    let (acknowledged, own) = std::thread::scope(|scope| {
        let child = scope.spawn(|| {
            let acknowledged = run_and_kill(dir.path(), Duration::from_millis(300));
            is_over.store(true, Ordering::Relaxed);
            acknowledged
        });
        let mut own = 1;
        while !is_over.load(Ordering::Relaxed) {
            record(own);
            own += 1;
        }
        (child.join().unwrap(), own)
    });
    // The next one closes what the dead one left, and nothing of the living one.
    drop(Store::open(dir.path(), Options::default(), at(0)).unwrap());
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.check().unwrap(), [""; 0]);
    let rows = all(&reader);
    let end = |sought: u64| {
        let row = rows.iter().find(|row| number(row.id) == sought);
        row.unwrap_or_else(|| panic!("{sought} is gone")).end
    };
    assert_eq!(end(0), None);
    for number in acknowledged.into_iter().chain(1..own) {
        assert_eq!(end(number), Some(End::Answered), "{number}");
        let id = exchange(number).id;
        let asked = reader.body(id, BodyKind::ClientRequest, None).unwrap();
        assert_eq!(asked.unwrap().bytes, request(number).into_bytes());
    }
    assert!(rows.iter().any(|row| row.end == Some(End::Killed)));
    drop(store);
    let shut = Reader::open(dir.path()).unwrap().get(exchange(0).id);
    assert_eq!(shut.unwrap().unwrap().exchange.end, Some(End::Shutdown));
}

#[test]
fn a_hundred_kills() {
    cycles(100);
}

#[test]
#[ignore = "minutes: part of the soak"]
fn a_thousand_kills() {
    cycles(1000);
}
