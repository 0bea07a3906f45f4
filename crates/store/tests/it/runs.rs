//! Several processes on one record, and records of other versions.

use lingate_store::{BodyKind, End, Error, Options, Reader, Store};

use crate::support::{Kept, PATIENCE, accepted, all, at, body, exchange};

#[test]
fn two_gateways_share_a_record() {
    let first = Kept::new(Options::default());
    first.recorder().open(accepted(&exchange(0)), Vec::new());
    first.flush();
    // The second one finds a run without an end; it lives.
    let second = Store::open(first.dir.path(), Options::default(), at(0)).unwrap();
    assert_eq!(all(&first.reader())[0].end, None);
    for number in 1..40 {
        let recorder = if number % 2 == 0 {
            first.recorder()
        } else {
            second.recorder()
        };
        let bodies = vec![body(BodyKind::ClientRequest, format!("request {number}"))];
        recorder.close(exchange(number), lingate_store::Details::default(), bodies);
    }
    first.flush();
    assert!(second.recorder().flush(PATIENCE));
    drop(second);
    let reader = first.reader();
    let rows = all(&reader);
    assert_eq!(rows.len(), 40);
    for row in &rows[..39] {
        let read = reader
            .body(row.id, BodyKind::ClientRequest, None)
            .unwrap()
            .unwrap();
        let number = (row.time - at(0)).get_seconds();
        assert_eq!(read.bytes, format!("request {number}").into_bytes());
    }
    assert_eq!(rows[39].end, None, "the first one still has it open");
    let mut closed: Vec<_> = rows[..39].iter().map(|row| row.closed).collect();
    closed.sort_unstable();
    assert_eq!(closed, (1..=39).collect::<Vec<_>>(), "one order of ending");
}

#[test]
fn what_is_open_when_a_gateway_ends_is_closed() {
    let mut kept = Kept::new(Options::default());
    kept.recorder().open(
        accepted(&exchange(0)),
        vec![body(BodyKind::ClientRequest, "asked")],
    );
    kept.end();
    let reader = kept.reader();
    let rows = all(&reader);
    assert_eq!(rows[0].end, Some(End::Shutdown));
    assert_eq!(rows[0].closed, 1);
    let asked = reader
        .body(rows[0].id, BodyKind::ClientRequest, None)
        .unwrap()
        .unwrap();
    assert_eq!(asked.bytes, b"asked");
    assert_eq!(
        reader.session("s-1").unwrap().map(|session| session.errors),
        Some(1)
    );
}

#[test]
fn a_record_can_be_read_when_nobody_writes_it() {
    let mut kept = Kept::new(Options::default());
    kept.put((0..5).map(exchange));
    kept.end();
    assert_eq!(all(&kept.reader()).len(), 5);
    kept.begin(Options::default());
    kept.put([exchange(7)]);
    assert_eq!(all(&kept.reader()).len(), 6);
}

#[test]
fn an_end_without_a_beginning_is_kept_and_the_late_beginning_ignored() {
    let kept = Kept::new(Options::default());
    kept.put([exchange(0)]);
    kept.recorder().open(accepted(&exchange(0)), Vec::new());
    kept.flush();
    let rows = all(&kept.reader());
    assert_eq!((rows.len(), rows[0].end), (1, Some(End::Answered)));
}

#[test]
fn other_versions_are_refused_or_brought_up_to_date() {
    let mut kept = Kept::new(Options::default());
    kept.put([exchange(0)]);
    kept.end();
    let path = kept.dir.path().join("record/record.db");
    let set = |version: i64| {
        let database = rusqlite::Connection::open(&path).unwrap();
        database
            .pragma_update(None, "user_version", version)
            .unwrap();
    };
    set(99);
    let refused = Store::open(kept.dir.path(), Options::default(), at(0))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(refused, Error::TooNew { found: 99, .. }),
        "{refused}"
    );
    let refused = Reader::open(kept.dir.path()).map(drop).unwrap_err();
    assert!(
        matches!(refused, Error::TooNew { found: 99, .. }),
        "{refused}"
    );
    // An empty database is the oldest version there is.
    std::fs::write(&path, b"").unwrap();
    assert_eq!(all(&kept.reader()), []);
    let none = tempfile::tempdir().unwrap();
    let missing = Reader::open(none.path()).map(drop).unwrap_err();
    assert!(matches!(missing, Error::Missing(_)), "{missing}");
}

#[test]
fn the_library_is_one_that_does_not_damage_logs() {
    // Before 3.51.3 a write during a checkpoint could.
    assert!(
        rusqlite::version_number() >= 3_051_003,
        "{}",
        rusqlite::version()
    );
}

#[test]
fn the_database_is_set_up_for_its_life() {
    let kept = Kept::new(Options::default());
    kept.put([exchange(0)]);
    let database = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    let mode: String = database
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    let vacuum: i64 = database
        .query_row("PRAGMA auto_vacuum", [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        (mode.as_str(), vacuum),
        ("wal", 2),
        "a log, and room that is given back"
    );
}
