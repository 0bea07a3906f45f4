//! Sums stay sums, whatever an upstream says it used, and count as unpriced only what cost something.

use std::fs;
use std::path::Path;

use lingate_store::{
    Details, Exchange, Filter, GroupBy, Kept as Part, Options, Page, QueueLimits, Reader, Stats,
    Store,
};
use lingate_wire::turn::Usage;

use crate::support::{Kept, PATIENCE, accepted, at, copy, exchange};

fn stats(kept: &Kept) -> Stats {
    kept.reader()
        .stats(&Filter::default(), GroupBy::Model, 0, 10)
        .unwrap()
}

#[test]
fn an_absurd_count_is_none() {
    let kept = Kept::new(Options::default());
    let absurd = |number| Exchange {
        usage: Usage {
            input: Some(i64::MAX as u64),
            output: Some(u64::MAX),
            cache_read: Some(7),
            ..Usage::default()
        },
        cost_micro_usd: Some(i64::MAX),
        ..exchange(number)
    };
    kept.put([exchange(0), absurd(1), absurd(2)]);
    let total = stats(&kept).total;
    assert_eq!(
        (
            total.usage.input,
            total.usage.output,
            total.usage.cache_read
        ),
        (Some(100), Some(50), Some(1014))
    );
    assert_eq!((total.cost_micro_usd, total.unpriced), (Some(1234), 2));
    let session = kept.reader().sessions(Page::default()).unwrap();
    assert_eq!(session.items[0].cost_micro_usd, Some(1234));
}

#[test]
fn rows_that_were_written_with_absurd_counts_spoil_nothing() {
    let kept = Kept::new(Options::default());
    kept.put((0..4).map(exchange));
    let database = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    database
        .execute_batch(
            "UPDATE exchanges SET input = 9223372036854775807, cost = 9223372036854775807,
               duration_ms = 9223372036854775807 WHERE n > 1;
             UPDATE sessions SET tokens = 9223372036854775807 + 9223372036854775807, cost = 1e300;",
        )
        .unwrap();
    let total = stats(&kept).total;
    assert_eq!(
        (total.usage.input, total.cost_micro_usd),
        (Some(100), Some(1234))
    );
    assert_eq!(total.usage.reasoning, None, "nobody told");
    let session = kept.reader().sessions(Page::default()).unwrap();
    assert_eq!(session.items[0].cost_micro_usd, Some(i64::MAX));
}

#[test]
fn what_nobody_knows_the_price_of_is_not_free() {
    let kept = Kept::new(Options::default());
    let of = |number, model: &str, cost| Exchange {
        model: model.to_owned(),
        cost_micro_usd: cost,
        ..exchange(number)
    };
    let check = |expected: &[(&str, Option<i64>, u64)]| {
        let stats = stats(&kept);
        let money = |group: &lingate_store::Group| {
            assert_eq!(group.billed_micro_usd, group.cost_micro_usd);
            (group.cost_micro_usd, group.unpriced)
        };
        for (name, cost, unpriced) in expected {
            let named = (stats.groups.iter()).find(|group| group.group.as_deref() == Some(*name));
            let group = named.unwrap_or(&stats.total);
            assert_eq!(money(group), (*cost, *unpriced), "{name}");
        }
    };
    kept.put([of(0, "a", None), of(1, "b", None)]);
    check(&[("a", None, 1), ("b", None, 1), ("total", None, 2)]);
    kept.put([of(2, "b", Some(0)), of(3, "c", Some(7)), of(4, "c", None)]);
    check(&[("b", Some(0), 1), ("c", Some(7), 1), ("total", Some(7), 3)]);
}

#[test]
fn unpriced_is_what_cost_something() {
    let kept = Kept::new(Options::default());
    let unpriced = |number, path: &str, status, has_tokens| Exchange {
        path: path.to_owned(),
        status: Some(status),
        cost_micro_usd: None,
        usage: match has_tokens {
            true => exchange(0).usage,
            false => Usage::default(),
        },
        ..exchange(number)
    };
    kept.put([
        exchange(0),
        unpriced(1, "/v1/messages", 200, true),
        unpriced(2, "/v1/messages", 200, false),
        unpriced(3, "/v1/messages", 502, true),
        // Nothing was used.
        unpriced(4, "/v1/messages", 400, false),
        unpriced(5, "/v1/messages/count_tokens", 200, true),
        unpriced(6, "/v1beta/models/m:countTokens", 200, false),
    ]);
    assert_eq!(stats(&kept).total.unpriced, 3);
    let filter = Filter::parse("is:unpriced", at(0)).unwrap();
    let rows = kept.reader().list(&filter, Page::default()).unwrap().items;
    let expected: Vec<_> = [3, 2, 1].map(|number| exchange(number).id).into();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
    let sessions = kept.reader().sessions(Page::default()).unwrap();
    assert_eq!(sessions.items[0].unpriced, 3);
    assert!(rows.iter().all(|row| row.kept == Part::All));
}

/// How many rows are open, and how many exchanges the conversation has.
fn open_and_summed(dir: &Path) -> (i64, u64) {
    let database = rusqlite::Connection::open(dir.join("record/record.db")).unwrap();
    let open = "SELECT count(*) FROM exchanges WHERE end IS NULL";
    let open = database.query_row(open, [], |row| row.get(0)).unwrap();
    let session = Reader::open(dir).unwrap().session("s-1").unwrap();
    (open, session.map_or(0, |session| session.exchanges))
}

#[test]
fn a_damaged_row_holds_up_neither_a_group_nor_a_start() {
    for damage in [
        "losses = -1",
        "attempts = 65536",
        "stream = 'x'",
        "path = x'ff'",
        "model = CAST(x'ff' AS TEXT)",
        "time_ms = 'soon'",
    ] {
        let kept = Kept::new(Options::default());
        for number in [0, 1] {
            let begun = accepted(&exchange(number));
            kept.recorder().open(begun, Vec::new());
        }
        kept.flush();
        let database = rusqlite::Connection::open(kept.dir.path().join("record/record.db"));
        let update = format!("UPDATE exchanges SET {damage} WHERE n = 1");
        assert_eq!(database.unwrap().execute(&update, []).unwrap(), 1);
        assert_eq!(open_and_summed(kept.dir.path()), (2, 0), "{damage}");

        // As it lies there when the gateway dies.
        let dead = tempfile::tempdir().unwrap();
        copy(kept.dir.path(), dead.path());
        fs::remove_file(dead.path().join("record/record.db-shm")).unwrap();
        drop(Store::open(dead.path(), Options::default(), at(0)).unwrap());
        assert_eq!(open_and_summed(dead.path()), (0, 1), "{damage}");

        // What ends while there is room only for numbers.
        let queue = QueueLimits {
            rows: 0,
            ..QueueLimits::default()
        };
        let options = Options {
            queue,
            ..Options::default()
        };
        let scarce = Store::open(kept.dir.path(), options, at(0)).unwrap();
        for number in [0, 1] {
            let recorder = scarce.recorder();
            recorder.close(exchange(number), Details::default(), Vec::new());
        }
        assert!(scarce.recorder().flush(PATIENCE), "{damage}");
        let (open, summed) = open_and_summed(kept.dir.path());
        // Numbers tell how many attempts there were.
        let expected = 1 + u64::from(damage.starts_with("attempts"));
        assert_eq!((open, summed), (0, expected), "{damage}");
    }
}
