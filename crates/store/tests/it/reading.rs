//! What those read who ask piece by piece: counts, sums, bodies and pages that end before everything was looked at.

use std::collections::HashMap;
use std::time::Duration;

use jiff::SignedDuration;
use lingate_store::filter::{Tag, WordField};
use lingate_store::{BodyKind, End, Exchange, Filter, GroupBy, Options, Page, Stats, Valued};

use crate::support::{Kept, accepted, all, at, body, exchange, id};

/// More rows than one window holds.
const MANY: u64 = 12_000;

fn filter(text: &str) -> Filter {
    Filter::parse(text, at(MANY as i64 * 1000)).unwrap()
}

/// Many rows of different kinds, made from one by SQL.
fn many() -> Kept {
    let kept = Kept::new(Options::default());
    kept.put([exchange(0)]);
    let database = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    let rows = include_str!("../million.sql");
    database
        .execute_batch(&format!(
            "CREATE TEMP TABLE wanted AS SELECT {MANY} AS rows; {rows};
             UPDATE exchanges SET lane = 'passthrough' WHERE n % 3000 = 0"
        ))
        .unwrap();
    kept
}

#[test]
fn a_count_is_a_lower_bound_when_time_is_up() {
    let kept = many();
    let reader = kept.reader();
    let check = |text: &str, most, patience: usize, expected: (u64, bool)| {
        let mut asked = 0;
        let counted = reader
            .count_until(&filter(text), most, &mut || {
                asked += 1;
                asked > patience
            })
            .unwrap();
        assert_eq!(
            (counted.count, counted.is_all),
            expected,
            "`{text}` up to {most}"
        );
    };
    check("", 20_000, 0, (MANY, true));
    check("", MANY as u32, 0, (MANY, true));
    check("", MANY as u32 - 1, 0, (MANY - 1, false));
    check("lane:passthrough", 20_000, 99, (4, true));
    check("lane:passthrough", 3, 99, (3, false));
    // One window of five thousand, from the end.
    check("lane:passthrough", 20_000, 0, (2, false));
    check("lane:nothing", 20_000, 0, (0, false));
    check("model:nothing", 20_000, 0, (0, true));
}

#[test]
fn a_page_with_a_number_is_found_however_few_fit() {
    let kept = many();
    let reader = kept.reader();
    let numbers = |skip| {
        let page = Page {
            limit: 1,
            skip,
            ..Page::default()
        };
        let listing = reader.list(&filter("lane:passthrough"), page).unwrap();
        let found = listing.items.first().map(|exchange| exchange.number);
        (found, listing.next.is_some())
    };
    assert_eq!(numbers(0), (Some(12_000), true));
    assert_eq!(numbers(1), (Some(9000), true));
    assert_eq!(numbers(3), (Some(3000), false));
    assert_eq!(numbers(4), (None, false));
    let page = Page {
        skip: 3,
        ..Page::default()
    };
    let short = reader
        .list_until(&filter("lane:passthrough"), page, &mut || true)
        .unwrap();
    assert_eq!(
        (short.items.len(), short.next, short.truncated),
        (0, None, true)
    );
}

/// What a group of an exchange is called.
fn groups(by: GroupBy, exchange: &Exchange) -> Vec<Option<String>> {
    // Half an hour east of UTC.
    let local = exchange.time + SignedDuration::from_mins(30);
    match by {
        GroupBy::Hour => vec![Some(local.to_string()[..13].to_owned())],
        GroupBy::Day => vec![Some(local.to_string()[..10].to_owned())],
        GroupBy::Provider => vec![exchange.provider.clone()],
        GroupBy::Session => vec![exchange.session.clone()],
        GroupBy::Status => vec![exchange.status.map(|status| status.to_string())],
        GroupBy::Tool if exchange.duration_ms.unwrap().is_multiple_of(3) => {
            vec![Some("Bash".to_owned())]
        }
        GroupBy::Tool => Vec::new(),
        _ => vec![Some(exchange.model.clone())],
    }
}

#[test]
fn sums_are_those_of_the_rows() {
    let kept = many();
    let reader = kept.reader();
    let rows = all(&reader);
    let fits = |text: &str, row: &Exchange| match text {
        "model:kimi" => row.model == "kimi",
        "key:once" => row.key.as_deref() == Some("once"),
        "lane:passthrough" => row.lane.as_deref() == Some("passthrough"),
        _ => true,
    };
    for text in ["", "model:kimi", "lane:passthrough", "key:once"] {
        for by in [
            GroupBy::Hour,
            GroupBy::Day,
            GroupBy::Model,
            GroupBy::Provider,
            GroupBy::Session,
            GroupBy::Status,
            GroupBy::Tool,
        ] {
            let mut expected: HashMap<Option<String>, (u64, Option<i64>)> = HashMap::new();
            for row in rows.iter().filter(|row| fits(text, row)) {
                for group in groups(by, row) {
                    let sums = expected.entry(group).or_default();
                    sums.0 += 1;
                    *sums.1.get_or_insert(0) += row.cost_micro_usd.unwrap();
                }
            }
            let stats = reader.stats(&filter(text), by, 1800, 1000).unwrap();
            let told: HashMap<_, _> = (stats.groups.iter())
                .map(|group| (group.group.clone(), (group.exchanges, group.cost_micro_usd)))
                .collect();
            assert_eq!(told, expected, "`{text}` by {by:?}");
            assert_eq!((stats.truncated, stats.next), (false, None));
            let fitting = rows.iter().filter(|row| fits(text, row));
            let costs = fitting.clone().filter_map(|row| row.cost_micro_usd);
            let cost = costs.reduce(|one, other| one + other);
            let total = (stats.total.exchanges, stats.total.cost_micro_usd);
            assert_eq!(total, (fitting.count() as u64, cost), "`{text}` by {by:?}");
        }
    }
}

#[test]
fn sums_go_on_where_they_stopped() {
    let reader_of = many();
    let reader = reader_of.reader();
    let mut page = Page::default();
    let mut total = 0;
    let mut n_pieces = 0;
    loop {
        let Stats {
            total: piece, next, ..
        } = reader
            .stats_until(&Filter::default(), GroupBy::Tool, 0, page, &mut || true)
            .unwrap();
        total += piece.exchanges;
        n_pieces += 1;
        page.before = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!((total, n_pieces), (MANY, 3));
}

#[test]
fn groups_are_bounded_and_say_so() {
    let kept = many();
    let page = Page {
        limit: 2,
        ..Page::default()
    };
    let stats = kept
        .reader()
        .stats_until(&Filter::default(), GroupBy::Model, 0, page, &mut || false)
        .unwrap();
    assert_eq!((stats.groups.len(), stats.truncated), (2, true));
    assert_eq!(stats.total.exchanges, MANY, "the total is of all");
}

#[test]
fn pages_by_time_have_every_end_once() {
    let kept = Kept::new(Options::default());
    // Three in one millisecond, in another order than their ids, and one that still runs.
    let within = |number: u64| Exchange {
        id: id(5000, 10 - number),
        time: at(5000),
        ..exchange(number)
    };
    kept.put([
        exchange(0),
        exchange(1),
        within(2),
        within(3),
        within(4),
        exchange(9),
    ]);
    kept.recorder().open(accepted(&exchange(20)), Vec::new());
    kept.flush();
    let reader = kept.reader();
    let mut before = None;
    let mut seen = Vec::new();
    loop {
        let items = reader.pull(before, 2).unwrap();
        let Some(last) = items.last() else { break };
        before = Some((last.time.as_millisecond(), last.number));
        seen.extend(items.iter().map(|item| item.number));
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
    let head = reader
        .pull(Some((at(5000).as_millisecond(), 4)), 9)
        .unwrap();
    let numbers: Vec<i64> = head.iter().map(|item| item.number).collect();
    assert_eq!(numbers, [3, 2, 1], "the same millisecond, lower numbers");
    assert_eq!(reader.numbered(3).unwrap(), Some(within(2).id));
    assert_eq!(reader.numbered(99).unwrap(), None);
    assert_eq!(
        (
            reader.first_closed().unwrap(),
            reader.last_closed().unwrap()
        ),
        (1, 6)
    );
}

#[test]
fn words_with_an_index_of_their_own() {
    let kept = Kept::new(Options::default());
    let with = |number, attempts, error: Option<&str>, provider: &str| Exchange {
        attempts,
        error: error.map(str::to_owned),
        error_kind: error.map(|_| "server".to_owned()),
        provider: Some(provider.to_owned()),
        ..exchange(number)
    };
    kept.put([
        with(0, 1, None, "moonshot"),
        with(1, 2, None, "other"),
        with(2, 4, Some("connection refused"), "moonshot"),
        with(3, 1, Some("overloaded"), "local"),
        Exchange {
            status: Some(529),
            ..with(4, 1, Some("busy"), "local")
        },
        Exchange {
            end: Some(End::ClientGone),
            status: None,
            ..with(5, 1, Some("left"), "local")
        },
    ]);
    let reader = kept.reader();
    let check = |text: &str, expected: &[u64]| {
        let rows = reader.list(&filter(text), Page::default()).unwrap().items;
        let expected: Vec<_> = expected.iter().map(|number| exchange(*number).id).collect();
        assert_eq!(
            rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    };
    check("error:REFUSED", &[2]);
    check("error:=overloaded", &[3]);
    check("error:*load*", &[3]);
    check("-error:refused", &[5, 4, 3, 1, 0]);
    check("attempts:>1", &[2, 1]);
    check("attempts:2..3", &[1]);
    check("attempts:1", &[5, 4, 3, 0]);
    check("attempts:>1 error:refused", &[2]);
    check("any:MOON", &[2, 0]);
    check("any:/v1/mess", &[5, 4, 3, 2, 1, 0]);
    check("any:post", &[5, 4, 3, 2, 1, 0]);
    check("any:nowhere", &[]);
    check("-any:moonshot", &[5, 4, 3, 1]);
    // What is rare has an index, and what is not has none.
    check("status:200", &[3, 2, 1, 0]);
    check("status:529", &[4]);
    check("status:5xx", &[4]);
    check("status:>=200", &[4, 3, 2, 1, 0]);
    check("status:>200", &[4]);
    check("-status:5xx", &[5, 3, 2, 1, 0]);
    check("end:answered", &[4, 3, 2, 1, 0]);
    check("end:client_gone", &[5]);
    check("end:*gone", &[5]);
    check("end:answ", &[4, 3, 2, 1, 0]);
    check("end:nothing", &[]);
    check("-end:answered", &[5]);
}

#[test]
fn values_of_every_field() {
    let kept = Kept::new(Options::default());
    kept.put([
        Exchange {
            tools: vec!["Bash".into(), "Read".into()],
            quirks: vec!["think-tags".into()],
            key: Some("alice".into()),
            ..exchange(0)
        },
        Exchange {
            status: Some(500),
            end: Some(End::Broken),
            class: None,
            ..exchange(1)
        },
    ]);
    let reader = kept.reader();
    let check = |field, expected: &[&str]| {
        assert_eq!(reader.values(field).unwrap(), expected, "{field:?}");
    };
    check(Valued::Tag(Tag::Tool), &["Bash", "Read"]);
    check(Valued::Tag(Tag::Quirk), &["think-tags"]);
    check(Valued::Status, &["200", "500"]);
    check(Valued::Word(WordField::Key), &["alice"]);
    check(Valued::Word(WordField::Class), &["main"]);
    check(Valued::Word(WordField::End), &["answered", "broken"]);
    check(Valued::Word(WordField::Wire), &["anthropic"]);
    check(Valued::Word(WordField::Path), &[]);
}

#[test]
fn a_body_in_parts_is_the_body() {
    let kept = Kept::new(Options::default());
    let text: String = (0..60_000)
        .map(|number| format!("{{\"n\":{number},\"of\":\"{}\"}},", number * 7919))
        .collect();
    kept.put_with(
        exchange(0),
        vec![
            body(BodyKind::ProviderResponse, text.clone()),
            body(BodyKind::ClientResponse, ""),
        ],
    );
    kept.flush();
    let reader = kept.reader();
    let of = |kind| reader.body_place(exchange(0).id, kind, None).unwrap();
    let place = of(BodyKind::ProviderResponse).unwrap();
    assert_eq!(place.info.bytes, text.len() as u64);
    for most in [1, 1000, 256 << 10, usize::MAX] {
        let mut read = Vec::new();
        loop {
            let part = reader
                .body_part(&place, read.len() as u64, most)
                .unwrap()
                .unwrap();
            if part.is_empty() {
                break;
            }
            assert!(
                most == usize::MAX || part.len() < most + (300 << 10),
                "{}",
                part.len()
            );
            read.extend(part);
        }
        assert!(read == text.as_bytes(), "in parts of {most}");
    }
    let middle = text.len() / 2 + 1;
    let rest = reader
        .body_part(&place, middle as u64, usize::MAX)
        .unwrap()
        .unwrap();
    assert!(rest == text.as_bytes()[middle..], "from anywhere");
    let empty = of(BodyKind::ClientResponse).unwrap();
    assert_eq!(reader.body_part(&empty, 0, 9).unwrap(), Some(Vec::new()));
    assert!(of(BodyKind::ClientRequest).is_none());
    std::fs::remove_dir_all(kept.dir.path().join("record/segments")).unwrap();
    assert_eq!(kept.reader().body_part(&place, 0, 9).unwrap(), None);
}

#[test]
fn how_large_it_is() {
    let kept = Kept::new(Options::default());
    let extent = kept.reader().extent().unwrap();
    assert_eq!((extent.rows_at_most, extent.oldest), (0, None));
    kept.put([exchange(3), exchange(1)]);
    kept.recorder().open(accepted(&exchange(2)), Vec::new());
    kept.put_with(exchange(4), vec![body(BodyKind::ClientRequest, "hello")]);
    kept.flush();
    let extent = kept.reader().extent().unwrap();
    assert_eq!(
        (extent.rows_at_most, extent.open, extent.segments),
        (4, 1, 1)
    );
    assert_eq!(
        (extent.oldest, extent.newest),
        (Some(at(1000)), Some(at(4000)))
    );
    assert!(extent.segment_bytes > 0 && extent.database_bytes > 4096);
}

#[test]
fn a_question_nobody_waits_for_ends() {
    let kept = many();
    let reader = kept.reader();
    let interrupt = reader.interrupt();
    let begun = std::sync::Barrier::new(2);
    let ended = std::sync::atomic::AtomicBool::new(false);
    let (begun, ended) = (&begun, &ended);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            begun.wait();
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                interrupt.interrupt();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        begun.wait();
        let error = loop {
            match reader.stats(&Filter::default(), GroupBy::Session, 0, 10) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(error.is_interruption(), "{error}");
    });
    assert!(reader.last_closed().is_ok(), "the next one is answered");
}
