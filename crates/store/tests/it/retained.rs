//! What is too old or too much goes, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lingate_store::{Bodies, BodyKind, Details, Options, Page, Store, prune};

use crate::support::{Kept, PATIENCE, accepted, all, at, body, exchange, files, noise, size};

const DAY_S: u64 = 24 * 3600;

fn tidied(kept: &Kept, is_so: impl Fn() -> bool) {
    for _ in 0..PATIENCE.as_millis() / 50 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!(
        "{:?}: {} rows",
        kept.recorder().state(),
        all(&kept.reader()).len()
    );
}

#[test]
fn by_age() {
    let kept = Kept::new(Options {
        keep: Duration::from_secs(3 * DAY_S),
        trust_after: Duration::ZERO,
        ..Options::default()
    });
    for day in 0..10 {
        let exchanges = || (0..30).map(|number| exchange(day * DAY_S + number));
        let bodies = |kind, of: u64| vec![body(kind, noise(day * 100 + of, 3000))];
        for (number, exchange) in (0..).zip(exchanges()) {
            kept.recorder()
                .open(accepted(&exchange), bodies(BodyKind::ClientRequest, number));
        }
        // What begins and ends within a group has one row, and what does not has two.
        kept.flush();
        for (number, exchange) in (50..).zip(exchanges()) {
            let bodies = bodies(BodyKind::ClientResponse, number);
            kept.recorder().close(exchange, Details::default(), bodies);
        }
        kept.flush();
    }
    kept.recorder().tick(at((10 * DAY_S * 1000) as i64));
    tidied(&kept, || all(&kept.reader()).len() == 90);
    let rows = all(&kept.reader());
    assert_eq!(rows.last().map(|row| row.id), Some(exchange(7 * DAY_S).id));
    for row in &rows {
        assert!(
            kept.reader()
                .body(row.id, BodyKind::ClientRequest, None)
                .unwrap()
                .is_some()
        );
    }
    // A segment a day; the day that is partly too old is still there as a whole.
    let segments = || files(&kept.dir.path().join("record/segments")).len();
    tidied(&kept, || segments() <= 4);
    assert!(segments() >= 3);
    let tables = ["endings", "bodies"];
    let database = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    for table in tables {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 90, "{table}");
    }
    assert_eq!(
        kept.reader().sessions(Page::default()).unwrap().items.len(),
        1,
        "still in use"
    );
}

/// What was told at the end of an exchange stood by its number in records of version 4.
#[test]
fn what_an_earlier_version_wrote_is_read_and_goes_with_its_row() {
    let options = || Options {
        keep: Duration::from_secs(3 * DAY_S),
        trust_after: Duration::ZERO,
        ..Options::default()
    };
    let mut kept = Kept::new(options());
    let details = |number: u64| Details {
        losses: vec![format!("loss {number}")],
        ..Details::default()
    };
    let put = |kept: &Kept, number: u64| {
        let exchange = exchange(number);
        kept.recorder().open(accepted(&exchange), Vec::new());
        kept.flush();
        let reply = body(BodyKind::ProviderResponse, noise(number, 3000));
        kept.recorder()
            .close(exchange, details(number), vec![reply]);
        kept.flush();
    };
    (0..3).for_each(|number| put(&kept, number));
    kept.end();
    let database = kept.dir.path().join("record/record.db");
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch(
            "INSERT INTO details (n, detail, segment, manifest)
             SELECT n, detail, segment, manifest FROM endings JOIN exchanges USING (closed);
             DROP TABLE endings; PRAGMA user_version = 4;",
        )
        .unwrap();
    kept.begin(options());
    (3..5).for_each(|number| put(&kept, number));
    let reader = kept.reader();
    for number in 0..5 {
        let id = exchange(number).id;
        let record = reader.get(id).unwrap().unwrap();
        assert_eq!(record.details, details(number));
        let reply = reader.body(id, BodyKind::ProviderResponse, None).unwrap();
        assert_eq!(reply.unwrap().bytes, noise(number, 3000));
    }
    let rows = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        let database = rusqlite::Connection::open(&database).unwrap();
        database.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((rows("details"), rows("endings")), (3, 2));
    kept.recorder().tick(at((9 * DAY_S * 1000) as i64));
    tidied(&kept, || all(&kept.reader()).is_empty());
    assert_eq!((rows("details"), rows("endings")), (0, 0));
}

#[test]
fn a_clock_that_is_wrong_at_the_start_deletes_nothing() {
    let options = || Options {
        keep: Duration::from_secs(3 * DAY_S),
        trust_after: Duration::from_millis(1500),
        ..Options::default()
    };
    let mut kept = Kept::new(options());
    let asked = |number| vec![body(BodyKind::ClientRequest, noise(number, 3000))];
    for number in 0..30 {
        kept.put_with(exchange(number), asked(number));
    }
    kept.end();
    let far = (400 * DAY_S * 1000) as i64;
    for (ms, tells) in [(far, false), (60_000, false), (far, true)] {
        let store = Store::open(kept.dir.path(), options(), at(ms)).unwrap();
        let recorder = store.recorder();
        // An idle writer looks once a second.
        std::thread::sleep(Duration::from_millis(1200));
        assert_eq!(all(&kept.reader()).len(), 30, "at {ms}");
        let last = kept
            .reader()
            .body(exchange(29).id, BodyKind::ClientRequest, None);
        assert!(last.unwrap().is_some(), "at {ms}");
        if tells {
            // It lasts.
            std::thread::sleep(Duration::from_millis(500));
            recorder.tick(at(ms + 1700));
            tidied(&kept, || all(&kept.reader()).is_empty());
        }
    }
}

#[test]
fn a_start_after_a_while_is_believed_where_something_was_recorded_since() {
    let options = || Options {
        keep: Duration::from_secs(3 * DAY_S),
        ..Options::default()
    };
    let mut kept = Kept::new(options());
    // No run has ended since the first one began, as after a crash; but rows tell how the time went.
    kept.put((0..20).map(|day| exchange(day * DAY_S)));
    let copy = tempfile::tempdir().unwrap();
    crate::support::copy(kept.dir.path(), copy.path());
    kept.end();
    let now = at((20 * DAY_S * 1000) as i64);
    let store = Store::open(copy.path(), options(), now).unwrap();
    let rows = || all(&lingate_store::Reader::open(copy.path()).unwrap()).len();
    let begin = Instant::now();
    while rows() > 3 {
        assert!(begin.elapsed() < PATIENCE, "{} rows", rows());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(store);
    assert_eq!(rows(), 3);
}

#[test]
fn by_size() {
    const KEEP: u64 = 32 << 20;
    let kept = Kept::new(Options {
        keep_bytes: KEEP,
        ..Options::default()
    });
    let mut largest = 0;
    for number in 0..160 {
        kept.put_with(
            exchange(number),
            vec![body(BodyKind::ClientRequest, noise(number, 400_000))],
        );
        kept.flush();
        largest = largest.max(size(kept.dir.path(), ""));
    }
    assert!(largest < KEEP + KEEP / 20, "{largest} of {KEEP}");
    assert!(largest > KEEP / 2, "{largest}: much less than may be kept");
    let rows = all(&kept.reader());
    assert_eq!(rows.len(), 160, "rows outlive bodies");
    let reader = kept.reader();
    let bodies: Vec<bool> = rows
        .iter()
        .map(|row| {
            reader
                .body(row.id, BodyKind::ClientRequest, None)
                .unwrap()
                .is_some()
        })
        .collect();
    let kept_bodies = bodies.iter().take_while(|there| **there).count();
    assert!(kept_bodies > 40, "{kept_bodies}");
    assert!(
        bodies[kept_bodies..].iter().all(|there| !there),
        "the oldest went"
    );
    let gone = reader.get(rows.last().unwrap().id).unwrap().unwrap();
    assert!(!gone.bodies[0].available);
    assert_eq!(gone.bodies[0].bytes, 400_000);
}

#[test]
fn rows_alone_are_limited_too() {
    const KEEP: u64 = 4 << 20;
    let kept = Kept::new(Options {
        keep_bytes: KEEP,
        bodies: Bodies::Metadata,
        ..Options::default()
    });
    for round in 0..10 {
        kept.put((0..400).map(|number| exchange(round * 400 + number)));
    }
    tidied(&kept, || {
        size(kept.dir.path(), ".db") < KEEP / 2 + (2 << 20) && all(&kept.reader()).len() < 4000
    });
    let rows = all(&kept.reader());
    assert!(rows.len() > 500, "{}", rows.len());
    assert_eq!(rows[0].id, exchange(3999).id, "the newest stay");
}

#[test]
fn deleting_much_keeps_nobody_waiting() {
    const ROWS: u64 = 3000;
    let kept = Kept::new(Options::default());
    for round in 0..ROWS / 500 {
        kept.put((0..500).map(|number| exchange(round * 500 + number)));
    }
    // How long until an exchange is on disk, nine of ten times and at worst.
    let waits = |first: u64, go_on: &dyn Fn(usize) -> bool| {
        let mut waits = Vec::new();
        while go_on(waits.len()) {
            let begin = Instant::now();
            kept.put([exchange(first + waits.len() as u64)]);
            waits.push(begin.elapsed());
        }
        waits.sort_unstable();
        (waits[waits.len() * 9 / 10], waits[waits.len() - 1])
    };
    let (before, _) = waits(ROWS, &|count| count < 30);
    let is_over = AtomicBool::new(false);
    let ((during, worst), deleted) = std::thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let deleted = prune(kept.dir.path(), at(ROWS as i64 * 1000), u64::MAX);
            is_over.store(true, Ordering::Relaxed);
            deleted.unwrap()
        });
        let go_on = |count: usize| count == 0 || !is_over.load(Ordering::Relaxed);
        (waits(2 * ROWS, &go_on), pruning.join().unwrap())
    });
    assert_eq!(deleted.rows, ROWS);
    let bound = before * 5 + Duration::from_millis(500);
    assert!(
        during < bound && worst < bound * 2,
        "{before:?} before, {during:?} and {worst:?} meanwhile"
    );
}

/// Files of bodies.
fn segments(dir: &std::path::Path) -> usize {
    files(&dir.join("record/segments")).len()
}

#[test]
fn what_an_idle_gateway_wrote_gets_too_old() {
    let kept = Kept::new(Options {
        keep: Duration::from_secs(3 * DAY_S),
        trust_after: Duration::ZERO,
        ..Options::default()
    });
    let asked = || vec![body(BodyKind::ClientRequest, noise(1, 3000))];
    kept.put_with(exchange(1), asked());
    kept.flush();
    assert_eq!(segments(kept.dir.path()), 1);
    kept.recorder().tick(at((4 * DAY_S * 1000) as i64));
    tidied(&kept, || segments(kept.dir.path()) == 0);
    let later = exchange(4 * DAY_S);
    kept.put_with(later.clone(), asked());
    kept.flush();
    let read = kept.reader().body(later.id, BodyKind::ClientRequest, None);
    assert!(read.unwrap().is_some(), "it goes on in another");
}

#[test]
fn prune_deletes_bodies_of_a_gateway_that_runs_and_of_one_that_died() {
    let kept = Kept::new(Options {
        trust_after: Duration::ZERO,
        ..Options::default()
    });
    let put = |number| {
        let asked = vec![body(BodyKind::ClientRequest, noise(number, 3000))];
        kept.put_with(exchange(number), asked);
        kept.flush();
        exchange(number).id
    };
    let pruned = |dir: &std::path::Path, seconds: i64| {
        let deleted = prune(dir, at(seconds * 1000), u64::MAX).unwrap();
        (deleted.rows, deleted.segments, deleted.staying)
    };
    put(1);
    let copy = tempfile::tempdir().unwrap();
    crate::support::copy(kept.dir.path(), copy.path());
    assert_eq!(pruned(copy.path(), 60), (1, 1, 0), "nobody holds its lock");
    assert_eq!(segments(copy.path()), 0);
    assert_eq!(pruned(kept.dir.path(), 60), (1, 1, 0));
    assert_eq!(segments(kept.dir.path()), 0);
    // A segment with what is older and what is newer is sealed and stays.
    put(2);
    kept.recorder().tick(at(100_000));
    let newer = put(100);
    assert_eq!(pruned(kept.dir.path(), 60), (1, 0, 1));
    kept.recorder().tick(at(200_000));
    let newest = put(200);
    for id in [newer, newest] {
        let read = kept.reader().body(id, BodyKind::ClientRequest, None);
        assert!(read.unwrap().is_some());
    }
    assert_eq!(pruned(kept.dir.path(), 150), (1, 1, 0));
}

#[test]
fn numbers_and_places_are_given_once() {
    let kept = Kept::new(Options::default());
    let reader = kept.reader();
    let places = || {
        (
            reader.first_closed().unwrap(),
            reader.last_closed().unwrap(),
        )
    };
    assert_eq!(places(), (1, 0));
    for round in 0..3 {
        let begin = round * 10;
        kept.put((0..5).map(|number| exchange(begin + number)));
        let closed = all(&reader).iter().map(|row| row.closed).max();
        assert_eq!(closed, Some(round as i64 * 5 + 5));
        let numbers: Vec<i64> = all(&reader).iter().rev().map(|row| row.number).collect();
        let first = round as i64 * 5 + 1;
        assert_eq!(numbers, (first..first + 5).collect::<Vec<_>>());
        prune(kept.dir.path(), at((begin as i64 + 9) * 1000), u64::MAX).unwrap();
        assert_eq!(places(), (first + 5, first + 4));
    }
}

#[test]
fn on_demand_while_the_gateway_runs() {
    let kept = Kept::new(Options {
        trust_after: Duration::ZERO,
        ..Options::default()
    });
    kept.recorder().tick(at(100_000));
    for number in 0..100 {
        kept.put_with(
            exchange(number),
            vec![body(BodyKind::ClientRequest, noise(number, 1000))],
        );
    }
    kept.flush();
    let deleted = prune(kept.dir.path(), at(60_000), u64::MAX).unwrap();
    assert_eq!((deleted.rows, deleted.segments), (60, 0));
    assert_eq!(all(&kept.reader()).len(), 40);
    kept.put([exchange(200)]);
    assert_eq!(all(&kept.reader()).len(), 41);
    let none = tempfile::tempdir().unwrap();
    assert!(
        prune(none.path(), at(0), 0)
            .unwrap_err()
            .to_string()
            .contains("no record")
    );
}
