//! A disk that is slow, full or broken: the recorder never waits, counts what it drops, and recovers by itself.

use std::io::Write as _;
use std::time::{Duration, Instant};

use lingate_store::{
    Bodies, BodyKind, Details, Exchange, Filter, Options, Reader, Recorder, Store,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Kept, PATIENCE, accepted, all, at, body, exchange, noise, size, spawn, told};

fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_writer_that_stands_still() {
    let kept = Kept::new(Options::default());
    let recorder = kept.recorder();
    kept.put([exchange(0)]);
    let other = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut slowest, mut all_pushes) = (Duration::ZERO, Duration::ZERO);
    const COUNT: u64 = 60_000;
    for number in 1..=COUNT {
        let mut ended = exchange(number);
        if number % 100 == 0 {
            ended.status = Some(500);
        }
        let bodies = vec![body(BodyKind::ClientRequest, vec![b'x'; 20_000])];
        let begin = Instant::now();
        recorder.open(accepted(&ended), Vec::new());
        recorder.close(ended, Details::default(), bodies);
        let took = begin.elapsed();
        slowest = slowest.max(took);
        all_pushes += took;
        assert!(recorder.state().queued_bytes <= 32 << 20);
    }
    assert!(
        all_pushes / COUNT as u32 * 2 < Duration::from_millis(1),
        "{all_pushes:?}, slowest {slowest:?}"
    );
    let before = recorder.state();
    assert!(before.counts.bodies_shed > 1000, "{before:?}");
    assert!(before.counts.lost > 1000, "{before:?}");
    until("degraded", Duration::from_secs(20), || {
        recorder.state().degraded.is_some()
    });
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    kept.flush();
    let state = recorder.state();
    let counts = state.counts;
    assert_eq!(state.degraded, None);
    assert_eq!(counts.closed, COUNT + 1);
    assert_eq!(counts.written + counts.lost, COUNT + 1, "{counts:?}");
    // The rows say the same as the counts.
    let count = |sql: &str| {
        let database =
            rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
        database
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap() as u64
    };
    assert_eq!(
        count("SELECT count(*) FROM exchanges WHERE end IS NOT NULL"),
        counts.written
    );
    assert_eq!(
        count("SELECT count(*) FROM exchanges WHERE kept = 'numbers'"),
        counts.rows_sampled + counts.rows_reduced
    );
    assert_eq!(
        count("SELECT count(*) FROM exchanges WHERE kept = 'row'"),
        counts.bodies_shed + counts.bodies_failed
    );
    assert_eq!(
        count("SELECT count(*) FROM exchanges WHERE cost IS NULL AND end IS NOT NULL"),
        0,
        "costs are kept"
    );
    let errors = count("SELECT count(*) FROM exchanges WHERE status = 500 AND kept <> 'numbers'");
    let reduced_errors =
        count("SELECT count(*) FROM exchanges WHERE status = 500 AND kept = 'numbers'");
    assert!(
        errors > reduced_errors,
        "{errors} with all details, {reduced_errors} without"
    );
}

/// Sets the limit on the size of files.
fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(
        Resource::Fsize,
        Rlimit {
            current: bytes.or(maximum),
            maximum,
        },
    )
    .unwrap();
}

/// Records some exchanges with a body of its own each.
fn record(recorder: &Recorder, numbers: std::ops::Range<u64>) {
    for number in numbers {
        recorder.open(accepted(&exchange(number)), Vec::new());
        recorder.close(
            exchange(number),
            Details::default(),
            vec![body(BodyKind::ClientRequest, noise(number, 100_000))],
        );
    }
}

#[test]
#[ignore = "a child of a test below"]
fn child() {
    full_disk(PATIENCE, PATIENCE);
}

/// With what is promised (R12 of the reliability goals).
#[test]
#[ignore = "a child of a test below"]
fn prompt_child() {
    full_disk(Duration::from_secs(1), Duration::from_secs(5));
}

/// A disk that becomes full is noticed, and one that has room again used, within these times.
fn full_disk(noticed: Duration, used: Duration) {
    let Some(dir) = told() else { return };
    let options = Options {
        fail_closed: true,
        ..Options::default()
    };
    let store = Store::open(&dir, options, at(0)).unwrap();
    let recorder = store.recorder();
    record(&recorder, 0..100);
    assert!(recorder.flush(PATIENCE));
    assert_eq!(recorder.refuses(), None);

    // No room for bodies; the smaller files of the database may still grow.
    limit_files(Some(size(&dir, ".seg") + 4096));
    record(&recorder, 100..120);
    assert!(recorder.flush(PATIENCE), "{:?}", recorder.state());
    let counts = recorder.state().counts;
    assert_eq!(counts.written, 120);
    // Those of one group; another segment has room again.
    assert!((1..=20).contains(&counts.bodies_failed), "{counts:?}");
    limit_files(None);
    until("recovered, with nothing to write", used, || {
        recorder.refuses().is_none()
    });

    // No room for anything.
    limit_files(Some(0));
    record(&recorder, 120..140);
    until("degraded", noticed, || recorder.state().degraded.is_some());
    std::thread::sleep(Duration::from_millis(1200));
    record(&recorder, 140..160);
    assert!(recorder.refuses().is_some());
    limit_files(None);
    until("recovered", used, || recorder.refuses().is_none());
    assert!(recorder.flush(PATIENCE));
    record(&recorder, 160..180);
    assert!(recorder.flush(PATIENCE));
    let counts = recorder.state().counts;
    assert_eq!(
        (counts.closed, counts.written, counts.lost),
        (180, 180, 0),
        "{counts:?}"
    );
    drop(store);

    let reader = Reader::open(&dir).unwrap();
    assert_eq!(reader.check().unwrap(), [""; 0]);
    let rows = all(&reader);
    assert_eq!(rows.len(), 180);
    let with_bodies = |row: &&Exchange| {
        reader
            .body(row.id, BodyKind::ClientRequest, None)
            .unwrap()
            .is_some()
    };
    let kept = rows.iter().filter(with_bodies).count() as u64;
    assert_eq!(kept, 180 - counts.bodies_failed);
    assert!(kept >= 120, "{kept}");
    println!("all is well");
    std::io::stdout().flush().unwrap();
}

#[test]
fn a_disk_that_is_full() {
    ends_well("pressure::child");
}

/// Its second wants a machine that does nothing else.
#[test]
#[ignore = "its bounds are of time: part of the soak"]
fn a_full_disk_is_noticed_within_a_second() {
    ends_well("pressure::prompt_child");
}

/// Runs one of the children.
fn ends_well(child: &str) {
    let dir = tempfile::tempdir().unwrap();
    let output = spawn(child, dir.path()).wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.contains("all is well"),
        "{said}"
    );
}

#[test]
fn the_body_of_a_beginning_that_cannot_be_written() {
    let kept = Kept::new(Options::default());
    let recorder = kept.recorder();
    let segments = kept.dir.path().join("record/segments");
    let away = kept.dir.path().join("away");
    std::fs::rename(&segments, &away).unwrap();
    let bodies = vec![body(BodyKind::ClientRequest, b"lost".to_vec())];
    assert!(recorder.open(accepted(&exchange(1)), bodies));
    kept.flush();
    std::fs::rename(&away, &segments).unwrap();
    let answer = vec![body(BodyKind::ClientResponse, b"there".to_vec())];
    kept.put_with(exchange(1), answer);
    kept.put([exchange(2)]);
    let rows = all(&kept.reader());
    let parts: Vec<_> = rows.iter().map(|row| row.kept).collect();
    assert_eq!(parts, [lingate_store::Kept::All, lingate_store::Kept::Row]);
    assert_eq!(recorder.state().counts.bodies_failed, 1);
}

#[test]
fn a_segment_that_cannot_begin_yet() {
    let kept = Kept::new(Options::default());
    let other = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 1..4 {
        let bodies = vec![body(BodyKind::ClientRequest, format!("request {number}"))];
        kept.put_with(exchange(number), bodies);
    }
    until("degraded", Duration::from_secs(20), || {
        kept.recorder().state().degraded.is_some()
    });
    other.execute_batch("ROLLBACK").unwrap();
    kept.flush();
    let counts = kept.recorder().state().counts;
    assert_eq!((counts.written, counts.bodies_failed), (3, 0), "{counts:?}");
    for number in 1..4 {
        let id = exchange(number).id;
        let read = kept.reader().body(id, BodyKind::ClientRequest, None);
        let bytes = read.unwrap().unwrap().bytes;
        assert_eq!(bytes, format!("request {number}").into_bytes());
    }
}

#[test]
fn who_needs_no_record_is_never_refused() {
    let kept = Kept::new(Options {
        bodies: Bodies::Metadata,
        ..Options::default()
    });
    let other = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    kept.put_with(exchange(1), Vec::new());
    until("degraded", Duration::from_secs(20), || {
        kept.recorder().state().degraded.is_some()
    });
    assert_eq!(kept.recorder().refuses(), None);
    // Reading goes on.
    assert_eq!(
        kept.reader()
            .list(&Filter::default(), lingate_store::Page::default())
            .unwrap()
            .items,
        []
    );
    other.execute_batch("ROLLBACK").unwrap();
    kept.flush();
    assert_eq!(all(&kept.reader()).len(), 1);
}
