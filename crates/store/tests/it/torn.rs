//! Files cut or damaged anywhere: what is left is whole.

use std::fs::{self, OpenOptions};
use std::path::Path;

use lingate_store::{Body, BodyKind, Error, Exchange, Options, Reader, Store};

use crate::streams::{by_event, events};
use crate::support::{Kept, all, at, body, copy, exchange};

/// Twelve groups of three exchanges each, as they lie on disk while the gateway runs. Nothing is checkpointed yet. Every
/// second group is of streams, in frames that have their repeats left out.
fn record() -> (tempfile::TempDir, Vec<Exchange>) {
    let kept = Kept::new(Options::default());
    let mut given = Vec::new();
    for number in 0..36 {
        given.push(exchange(number));
        kept.put_with(exchange(number), vec![kept_of(number)]);
        if number % 3 == 2 {
            kept.flush();
        }
    }
    let snapshot = tempfile::tempdir().unwrap();
    copy(kept.dir.path(), snapshot.path());
    fs::remove_file(snapshot.path().join("record/record.db-shm")).unwrap();
    let segment = fs::read(snapshot.path().join("record/segments/00000001.seg")).unwrap();
    for magic in ["LgF2", "LgF3"] {
        let found = segment.windows(4).filter(|at| *at == magic.as_bytes());
        assert_eq!(found.count(), 6, "{magic}");
    }
    (snapshot, given)
}

/// The body that is recorded of an exchange.
fn kept_of(number: u64) -> Body {
    if (number / 3).is_multiple_of(2) {
        let text = format!("request {number}: {}", "words of one exchange ".repeat(20));
        return body(BodyKind::ClientRequest, text);
    }
    let texts: Vec<String> = (0..9).map(|n| format!("{number}, {n} ")).collect();
    by_event(&events(texts.iter().map(String::as_str)))
}

/// Reads what was kept of an exchange, which is right. Whether there is any.
fn is_read(reader: &Reader, exchange: &Exchange, body: &Body, what: &str) -> Result<bool, Error> {
    let read = reader.body(exchange.id, body.kind, None)?;
    if let Some(read) = &read {
        assert_eq!(read.bytes, body.bytes.joined(), "{what}");
        assert_eq!(read.arrivals, body.bytes.arrivals(), "{what}");
    }
    Ok(read.is_some())
}

fn cut(file: &Path, length: u64) {
    OpenOptions::new()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(length)
        .unwrap();
}

#[test]
fn a_log_cut_anywhere_leaves_the_first_groups() {
    let (snapshot, given) = record();
    let log = snapshot.path().join("record/record.db-wal");
    let length = log.metadata().unwrap().len();
    let (mut cuts, mut lengths) = (0, Vec::new());
    // An odd step: within headers and pages as well as between them.
    for at_byte in (0..=length).rev().step_by(1531) {
        let dir = tempfile::tempdir().unwrap();
        copy(snapshot.path(), dir.path());
        cut(&dir.path().join("record/record.db-wal"), at_byte);
        let reader = match Reader::open(dir.path()) {
            Ok(reader) => reader,
            Err(error) => panic!("cut at {at_byte} of {length}: {error}"),
        };
        assert_eq!(reader.check().unwrap(), [""; 0], "cut at {at_byte}");
        let rows = all(&reader);
        lengths.push(rows.len());
        assert_eq!(rows.len() % 3, 0, "cut at {at_byte}: half a group");
        for (row, given) in rows.iter().rev().zip(&given) {
            assert_eq!(row.id, given.id, "cut at {at_byte}: not the first ones");
        }
        if cuts % 40 == 0 {
            drop(reader);
            drop(Store::open(dir.path(), Options::default(), at(0)).unwrap());
            let reader = Reader::open(dir.path()).unwrap();
            for (number, row) in all(&reader).iter().rev().enumerate() {
                let kept = kept_of(number as u64);
                assert!(is_read(&reader, row, &kept, "first ones").unwrap());
            }
        }
        cuts += 1;
    }
    assert!(cuts > 100, "{cuts}");
    lengths.dedup();
    let expected: Vec<usize> = (0..=12).rev().map(|groups| groups * 3).collect();
    assert_eq!(lengths, expected, "each group goes as a whole");
}

/// Bodies that are read are right; those that are not say why.
fn check_bodies(dir: &Path, given: &[Exchange], what: &str) -> usize {
    let reader = Reader::open(dir).unwrap();
    let mut read = 0;
    for (number, exchange) in given.iter().enumerate() {
        assert!(reader.get(exchange.id).unwrap().is_some(), "{what}");
        match is_read(&reader, exchange, &kept_of(number as u64), what) {
            Ok(true) => read += 1,
            Ok(false) => panic!("{what}: the body of {number} is gone without a word"),
            Err(Error::Damaged { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
    read
}

#[test]
fn a_segment_cut_anywhere_leaves_the_bodies_before() {
    let (snapshot, given) = record();
    let segment = snapshot.path().join("record/segments/00000001.seg");
    let mut before = given.len();
    assert_eq!(check_bodies(snapshot.path(), &given, "whole"), before);
    let mut counts = Vec::new();
    for length in (0..segment.metadata().unwrap().len()).rev().step_by(13) {
        cut(&segment, length);
        let read = check_bodies(snapshot.path(), &given, &format!("cut at {length}"));
        assert!(read <= before);
        before = read;
        counts.push(read);
    }
    assert_eq!(counts.last(), Some(&0));
    counts.dedup();
    assert!(counts.len() > 10, "{counts:?}");
}

#[test]
fn a_segment_damaged_anywhere_never_gives_wrong_bytes() {
    let (snapshot, given) = record();
    let segment = snapshot.path().join("record/segments/00000001.seg");
    let whole = fs::read(&segment).unwrap();
    // Behind the title, which nobody reads.
    for at in (16..whole.len()).step_by(17) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&segment, damaged).unwrap();
        let read = check_bodies(snapshot.path(), &given, &format!("damaged at {at}"));
        assert!(read < given.len(), "damaged at {at}, and nobody noticed");
    }
}
