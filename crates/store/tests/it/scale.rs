//! A large record is as quick as a small one.

use std::time::{Duration, Instant};

use lingate_store::{Filter, GroupBy, Options, Page, Reader};
use rustix::time::{ClockId, clock_gettime};

use crate::support::{Kept, at, exchange};

/// What a person notices.
const LIST: Duration = Duration::from_millis(50);
const START: Duration = Duration::from_millis(500);

/// Rows as a team makes them: few errors, fewer dear ones, many sessions. By SQL, because a million of them by the
/// recorder takes minutes. The recorder's own row is what they are copies of.
const ROWS: &str = "
WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n + 1 < ?1),
  mixed (n, m) AS (SELECT n, n * 2654435761 % 1000003 FROM counter)
INSERT INTO exchanges (
  id, run, closed, time_ms, ended_ms, end, kept, client_wire, upstream_wire, lane, path, model, upstream_model,
  provider, status, attempts, stream, session, class, key, input, cache_read, output, tokens, cost, duration_ms,
  ttft_ms, overhead_us, commit_ms, stop, preview)
SELECT
  unhex(printf('%012x70008000%012x', o.time_ms + x.n * 1000, x.n)), o.run, o.closed + x.n, o.time_ms + x.n * 1000,
  o.time_ms + x.n * 1000 + 800, o.end, o.kept, o.client_wire, o.upstream_wire, o.lane, o.path,
  CASE m % 4 WHEN 0 THEN 'kimi' WHEN 1 THEN 'claude-opus' WHEN 2 THEN 'claude-haiku' ELSE 'glm' END, o.upstream_model,
  CASE m % 3 WHEN 0 THEN 'moonshot' WHEN 1 THEN 'other' ELSE 'local' END, CASE WHEN m % 97 = 0 THEN 529 ELSE 200 END,
  o.attempts, o.stream, 'session-' || (x.n / 40), o.class, CASE x.n WHEN 5 THEN 'once' ELSE 'alice' END, o.input,
  o.cache_read, o.output, o.tokens, CASE WHEN m % 10007 = 0 THEN 5000000 ELSE m % 90000 END, m % 60000, o.ttft_ms,
  o.overhead_us, o.commit_ms, o.stop, o.preview
FROM mixed AS x, exchanges AS o WHERE o.n = 1";

const TAGS: &str = "
INSERT INTO tags (kind, value, id)
  SELECT 'tool', 'Bash', id FROM exchanges WHERE duration_ms % 3 = 0
  UNION ALL SELECT 'quirk', 'rare', id FROM exchanges WHERE duration_ms % 50021 = 0";

const SESSIONS: &str = "
INSERT OR REPLACE INTO sessions (
  session, first_ms, last_ms, last_id, exchanges, errors, tokens, cost, unpriced, model)
SELECT session, min(time_ms), max(time_ms), max(id), count(*), 0, sum(tokens), sum(cost), 0, max(model)
FROM exchanges GROUP BY session";

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
    database.execute(ROWS, [rows as i64]).unwrap();
    database
        .execute_batch(&format!("{TAGS};{SESSIONS}"))
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
    sums(&reader, rows, cost);
}

/// What only looking at every row can tell is told page by page, each of them in time.
fn bounded(reader: &Reader, rows: u64) {
    let filter = Filter::parse("wire:gemini", at(0)).unwrap();
    let (mut page, mut pages) = (Page::default(), 0);
    loop {
        let begin = processor();
        let listing = reader
            .list_until(&filter, page, &mut || processor() - begin > LIST / 4)
            .unwrap();
        let took = processor() - begin;
        assert!(took < LIST, "page {pages} took {took:?}");
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
    println!("{rows} rows: {pages} pages to find nothing");
    assert!(pages > 1, "{pages}");
    let listing = reader.list(&filter, Page::default()).unwrap();
    assert_eq!((listing.items.len(), listing.next), (0, None), "all in one");
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
    assert_eq!(stats.total.cost_micro_usd, cost);
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
