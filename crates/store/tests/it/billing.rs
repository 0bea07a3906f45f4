//! What is billed is told from what a subscription pays for, in every sum, and survives a restart.

use lingate_store::{
    Billing, Exchange, Filter, GroupBy, Kept as Part, Options, Page, QueueLimits, Reader, Spent,
    Store,
};
use rusqlite::Connection;

use crate::support::{Kept, all, at, exchange};

/// An exchange that cost so much, and of which so much is billed.
fn paid(number: u64, key: Option<&str>, billing: Option<Billing>, billed: Option<i64>) -> Exchange {
    Exchange {
        key: key.map(str::to_owned),
        billing,
        billed_micro_usd: billed,
        session: Some(format!("s-{number}")),
        ..exchange(number)
    }
}

fn spent(reader: &Reader) -> Spent {
    reader.spent(at(23 * 3_600_000), 10).unwrap()
}

fn pairs(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = pairs.iter().map(|(name, sum)| ((*name).to_owned(), *sum));
    owned.collect()
}

fn triples(triples: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    let owned = triples.iter();
    let owned = owned.map(|(session, key, sum)| ((*session).to_owned(), (*key).to_owned(), *sum));
    owned.collect()
}

#[test]
fn a_row_says_how_it_is_paid_for() {
    let kept = Kept::new(Options::default());
    let rows = [
        paid(0, None, Some(Billing::Metered), Some(1234)),
        paid(1, None, Some(Billing::Subscription), Some(0)),
        paid(2, None, None, None),
    ];
    kept.put(rows.clone());
    let found = all(&kept.reader());
    for (row, given) in found.iter().rev().zip(&rows) {
        assert_eq!(row.billing, given.billing);
        assert_eq!(row.billed_micro_usd, given.billed_micro_usd);
    }
    let json = serde_json::to_value(&found[1]).unwrap();
    assert_eq!(json["billing"], "subscription");
    assert_eq!(json["billed_micro_usd"], 0);
    assert_eq!(json["cost_micro_usd"], 1234, "the list price");
}

#[test]
fn sums_leave_out_what_a_subscription_pays_for() {
    let kept = Kept::new(Options::default());
    kept.put([
        paid(0, None, Some(Billing::Metered), Some(1000)),
        paid(1, Some("a"), Some(Billing::Subscription), Some(0)),
        paid(2, Some("a"), Some(Billing::Metered), Some(30)),
        paid(3, Some("a"), Some(Billing::Metered), Some(4)),
        // Of another day.
        paid(86_400, Some("a"), Some(Billing::Metered), Some(7)),
    ]);
    let reader = kept.reader();
    let total = reader
        .stats(&Filter::default(), GroupBy::Day, 0, 10)
        .unwrap();
    assert_eq!(
        (total.total.cost_micro_usd, total.total.billed_micro_usd),
        (Some(5 * 1234), Some(1041))
    );
    assert_eq!(total.groups[0].billed_micro_usd, Some(7), "by day");
    assert_eq!(reader.session("s-1").unwrap().unwrap().billed_micro_usd, 0);
    let expected = Spent {
        day: pairs(&[("", 1000), ("a", 34)]),
        sessions: pairs(&[
            ("s-86400", 7),
            ("s-3", 4),
            ("s-2", 30),
            ("s-1", 0),
            ("s-0", 1000),
        ]),
        session_keys: triples(&[("s-2", "a", 30), ("s-3", "a", 4), ("s-86400", "a", 7)]),
    };
    assert_eq!(spent(&reader), expected);
    assert_eq!(
        reader.spent(at(86_400_000), 1).unwrap().day,
        pairs(&[("a", 7)])
    );
    let last = reader.spent(at(0), 2).unwrap();
    assert_eq!((last.sessions.len(), last.session_keys.len()), (2, 2));
    // Several keys may share a conversation.
    let shared = |number, key| Exchange {
        session: Some("s-2".to_owned()),
        ..paid(number, Some(key), Some(Billing::Metered), Some(5))
    };
    kept.put([shared(90_000, "a"), shared(90_001, "b")]);
    let sums = triples(&[("s-2", "a", 35), ("s-2", "b", 5), ("s-86400", "a", 7)]);
    let mut found = reader.spent(at(0), 2).unwrap().session_keys;
    found.sort_unstable();
    assert_eq!(found, sums);
    assert!(reader.spent(at(0), 0).unwrap().session_keys.is_empty());
    // Who forgets a conversation forgets what its keys spent.
    let database = Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    database.execute("DELETE FROM sessions", []).unwrap();
    let left = database.query_row("SELECT count(*) FROM spent_by", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(left.unwrap(), 0);
}

#[test]
fn what_is_reduced_to_numbers_is_billed_all_the_same() {
    let queue = QueueLimits {
        rows: 0,
        ..QueueLimits::default()
    };
    let kept = Kept::new(Options {
        queue,
        ..Options::default()
    });
    kept.put([paid(0, None, Some(Billing::Metered), Some(1234))]);
    let rows = all(&kept.reader());
    assert_eq!(
        (rows[0].kept, rows[0].billing),
        (Part::Numbers, Some(Billing::Metered))
    );
    assert_eq!(spent(&kept.reader()).day, pairs(&[("", 1234)]));
}

#[test]
fn a_record_of_the_first_version_is_billed_at_its_cost() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("record");
    std::fs::create_dir_all(place.join("segments")).unwrap();
    let database = Connection::open(place.join("record.db")).unwrap();
    database
        .execute_batch(include_str!("../../src/schema/v1.sql"))
        .unwrap();
    let row =
        "INSERT INTO exchanges (id, run, time_ms, kept, end, status, session, key, cost, path)
               VALUES (?1, 1, ?2, 'all', 'answered', 200, 's-1', ?3, ?4, '/v1/messages')";
    for (number, key, cost) in [
        (0, None, Some(5)),
        (1, Some("a"), Some(70)),
        (2, None, None),
    ] {
        let Exchange { id, time, .. } = exchange(number);
        database
            .execute(row, (id, time.as_millisecond(), key, cost))
            .unwrap();
    }
    database
        .execute_batch(
            "INSERT INTO sessions VALUES ('s-1', 1, 2, x'01', 3, 0, 0, 75, 1, 'm', NULL);
             PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(database);

    let store = Store::open(dir.path(), Options::default(), at(0)).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let expected = Spent {
        day: pairs(&[("", 5), ("a", 70)]),
        sessions: pairs(&[("s-1", 75)]),
        session_keys: triples(&[("s-1", "a", 70)]),
    };
    assert_eq!(spent(&reader), expected);
    assert!(all(&reader).iter().all(|row| row.billing.is_none()));
    let more = paid(9, Some("a"), Some(Billing::Metered), Some(30));
    store
        .recorder()
        .close(more, lingate_store::Details::default(), Vec::new());
    drop(store);
    assert_eq!(spent(&reader).day, pairs(&[("", 5), ("a", 100)]));
}

#[test]
fn warnings_are_found() {
    let kept = Kept::new(Options::default());
    let warned = Exchange {
        warnings: vec!["loop".to_owned(), "budget".to_owned()],
        ..exchange(1)
    };
    kept.put([exchange(0), warned, exchange(2)]);
    let reader = kept.reader();
    let check = |words: &str, expected: &[u64]| {
        let filter = Filter::parse(words, at(0)).unwrap();
        let found = reader.list(&filter, Page::default()).unwrap().items;
        let found: Vec<_> = found.iter().map(|row| row.id).collect();
        let expected: Vec<_> = expected.iter().map(|number| exchange(*number).id).collect();
        assert_eq!(found, expected, "{words}");
    };
    check("warning:loop", &[1]);
    check("warning:bud", &[1]);
    check("-warning:loop", &[2, 0]);
    assert_eq!(all(&reader)[1].warnings, ["loop", "budget"]);
}
