//! What is too old or too much goes, and nothing else.

use std::time::Duration;

use lingate_store::{Bodies, BodyKind, Options, Page, prune};

use crate::support::{Kept, PATIENCE, all, at, body, exchange, files, size};

const DAY_S: u64 = 24 * 3600;

fn noise(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(step).collect()
}

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
        for number in 0..30 {
            let exchange = exchange(day * DAY_S + number);
            kept.put_with(
                exchange,
                vec![body(
                    BodyKind::ClientRequest,
                    noise(day * 100 + number, 3000),
                )],
            );
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
    let tables = ["details", "bodies"];
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
fn on_demand_while_the_gateway_runs() {
    let kept = Kept::new(Options::default());
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
