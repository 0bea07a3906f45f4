//! A large record is as quick as a small one.

use std::time::{Duration, Instant};

use lingate_store::{Filter, GroupBy, Options, Page, Reader};
use rustix::time::{ClockId, clock_gettime};

use crate::support::{Kept, at, exchange};

/// What a person notices.
const LIST: Duration = Duration::from_millis(50);
const START: Duration = Duration::from_millis(500);

/// Makes many rows of one.
const ROWS: &str = include_str!("../million.sql");

/// What this thread has used of a processor: unlike the clock it does not tell of what else the machine does.
fn processor() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// The quickest of three: what it takes, and not what else the machine does.
fn quickest(mut measure: impl FnMut() -> Duration) -> Duration {
    let first = measure();
    first.min(measure()).min(measure())
}

fn check_with(rows: u64) {
    let mut kept = Kept::new(Options::default());
    kept.put([exchange(0)]);
    let database = rusqlite::Connection::open(kept.dir.path().join("record/record.db")).unwrap();
    database
        .execute_batch(&format!(
            "CREATE TEMP TABLE wanted AS SELECT {rows} AS rows; {ROWS}"
        ))
        .unwrap();
    let cost: i64 = database
        .query_row("SELECT sum(cost) FROM exchanges", [], |row| row.get(0))
        .unwrap();
    drop(database);
    let start = quickest(|| {
        kept.end();
        let begin = Instant::now();
        kept.begin(Options::default());
        begin.elapsed()
    });
    println!("{rows} rows: started in {start:?}");
    assert!(start < START, "start took {start:?}");
    let reader = kept.reader();
    let middle = format!("session:session-{}", rows / 80);
    let filters = [
        "",
        "status:5xx",
        "status:529 model:kimi",
        "status:404",
        "model:kimi",
        "model:glm provider:local",
        "provider:other -model:kimi",
        "cost:>0.1",
        "cost:>0.05",
        "cost:>100",
        "duration:>59s",
        "duration:>1h",
        "tool:Bash",
        "tool:Bash status:5xx",
        "tool:Nothing",
        "quirk:rare",
        "since:2h",
        "since:2h status:5xx",
        "is:error",
        "is:ok",
        "end:killed",
        "key:once",
        "is:open",
        "error:refused",
        "attempts:>1",
        &middle,
        "session:session-123",
        "status:5xx model:kimi tool:Bash since:2h cost:>0.01",
    ];
    let end = at(rows as i64 * 1000);
    for filter in filters {
        let parsed = Filter::parse(filter, end).unwrap();
        let page = Page::default();
        let mut found = 0;
        let took = quickest(|| {
            let begin = processor();
            found = reader.list(&parsed, page).unwrap().items.len();
            processor() - begin
        });
        println!("{rows} rows: {:3} of `{filter}` in {took:?}", found);
        assert!(took < LIST, "`{filter}` took {took:?}");
    }
    for (page, what) in [
        (middle_page(rows), "a page in the middle"),
        (Page::default(), "the first page"),
    ] {
        let begin = processor();
        let listing = reader.list(&Filter::default(), page).unwrap();
        let sessions = reader.sessions(page).unwrap();
        let took = processor() - begin;
        assert_eq!((listing.items.len(), sessions.items.len()), (50, 50));
        assert!(took < LIST, "{what} took {took:?}");
    }
    bounded(&reader, rows);
    counted(&reader, rows);
    pulled(&reader, rows);
    sums(&reader, rows, cost);
}

/// Words without an index, each of which nothing here fits.
const WALKED: [&str; 17] = [
    "wire:gemini",
    "upstream-wire:gemini",
    "lane:passthrough",
    "class:subagent",
    "agent:a",
    "profile:team",
    "path:/v1/responses",
    "stop:tool_use",
    "preview:nothing",
    "tokens:>1M",
    "input:>1M",
    "output:>1M",
    "ttft:>1h",
    "losses:>0",
    "is:unpriced",
    "any:nowhere",
    "-is:stream -model:kimi",
];

/// What only looking at every row can tell is told page by page, each of them in time.
fn bounded(reader: &Reader, rows: u64) {
    for word in WALKED {
        walked(reader, rows, word);
    }
}

fn walked(reader: &Reader, rows: u64, word: &str) {
    let filter = Filter::parse(word, at(0)).unwrap();
    let (mut page, mut pages) = (Page::default(), 0);
    loop {
        let begin = processor();
        let listing = reader
            .list_until(&filter, page, &mut || processor() - begin > LIST / 4)
            .unwrap();
        let took = processor() - begin;
        assert!(took < LIST, "page {pages} of `{word}` took {took:?}");
        assert_eq!(
            (listing.items.len(), listing.truncated),
            (0, listing.next.is_some())
        );
        pages += 1;
        page.before = listing.next;
        if page.before.is_none() {
            break;
        }
    }
    println!("{rows} rows: {pages} pages to find nothing of `{word}`");
    assert!(pages > 1, "{pages}");
    let listing = reader.list(&filter, Page::default()).unwrap();
    assert_eq!((listing.items.len(), listing.next), (0, None), "all in one");
    let deep = Page {
        skip: 10_000,
        ..Page::default()
    };
    let begin = processor();
    let listing = reader
        .list_until(&filter, deep, &mut || processor() - begin > LIST / 4)
        .unwrap();
    let took = processor() - begin;
    assert!(took < LIST, "a deep page of `{word}` took {took:?}");
    assert_eq!((listing.next, listing.truncated), (None, true));
}

/// Counting stops at what was asked for, or when time is up.
fn counted(reader: &Reader, rows: u64) {
    for (filter, is_all) in [
        ("", false),
        ("quirk:rare", true),
        ("wire:gemini", false),
        ("wire:anthropic", false),
    ] {
        let parsed = Filter::parse(filter, at(0)).unwrap();
        let begin = processor();
        let counted = reader
            .count_until(&parsed, 10_000, &mut || processor() - begin > LIST / 4)
            .unwrap();
        let took = processor() - begin;
        println!("{rows} rows: {counted:?} of `{filter}` in {took:?}");
        assert!(took < LIST, "counting `{filter}` took {took:?}");
        assert_eq!(counted.is_all, is_all, "{filter}");
    }
}

/// Pages by time, from the head and from the middle.
fn pulled(reader: &Reader, rows: u64) {
    let middle = (at(rows as i64 / 2 * 1000).as_millisecond(), i64::MAX);
    for before in [None, Some(middle)] {
        let begin = processor();
        let items = reader.pull(before, 500).unwrap();
        let took = processor() - begin;
        assert_eq!(items.len(), 500);
        assert!(took < LIST, "a page by time took {took:?}");
    }
    let begin = processor();
    let extent = reader.extent().unwrap();
    let took = processor() - begin;
    assert_eq!((extent.rows_at_most, extent.open), (rows, 0));
    assert!(took < LIST, "the extent took {took:?}");
}

fn middle_page(rows: u64) -> Page {
    Page {
        before: Some(exchange(rows / 2).id),
        limit: 50,
        skip: 0,
    }
}

fn sums(reader: &Reader, rows: u64, cost: i64) {
    let begin = Instant::now();
    let stats = reader
        .stats(&Filter::default(), GroupBy::Model, 0, 10)
        .unwrap();
    println!("{rows} rows: sums in {:?}", begin.elapsed());
    assert_eq!(stats.total.exchanges, rows);
    assert_eq!(
        stats
            .groups
            .iter()
            .map(|group| group.exchanges)
            .sum::<u64>(),
        rows
    );
    assert_eq!(stats.total.cost_micro_usd, Some(cost));
    // The same in pieces, each of them in time.
    let (mut page, mut pieces, mut exchanges, mut sum) = (Page::default(), 0, 0, 0);
    loop {
        let begin = processor();
        let stats = reader
            .stats_until(&Filter::default(), GroupBy::Model, 0, page, &mut || {
                processor() - begin > LIST / 4
            })
            .unwrap();
        let took = processor() - begin;
        assert!(took < LIST * 2, "sums took {took:?}");
        exchanges += stats.total.exchanges;
        sum += stats.total.cost_micro_usd.unwrap_or(0);
        pieces += 1;
        page.before = stats.next;
        if page.before.is_none() {
            break;
        }
    }
    println!("{rows} rows: sums in {pieces} pieces");
    assert_eq!((exchanges, sum), (rows, cost));
}

#[test]
fn a_hundred_thousand_rows() {
    check_with(100_000);
}

#[test]
#[ignore = "minutes: part of the soak"]
fn a_million_rows() {
    check_with(1_000_000);
}
