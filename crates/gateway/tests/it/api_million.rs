//! A large record is as quick over HTTP as a small one: a part of the soak.
//!
//! What counts is what the process takes of a processor for an answer, client included: unlike the clock it does not tell of
//! what else the machine does. The clock's times are shown beside it.

#![expect(clippy::print_stdout, reason = "what is measured is shown")]

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::api::{CONFIG, START_MS, Scene, exchange};

const ROWS: u64 = 1_000_000;

/// What a person notices.
const LIST: Duration = Duration::from_millis(50);

/// Times a question is asked.
const ROUNDS: usize = 20;

/// Lists, rows and pages: each within [`LIST`].
const QUICK: &[&str] = &[
    "/api/logs",
    "/api/logs?page=200&page_size=50",
    "/api/logs?page_size=200",
    "/api/logs?q=status:5xx",
    "/api/logs?q=status:529+model:kimi",
    "/api/logs?q=status:404",
    "/api/logs?q=model:kimi",
    "/api/logs?q=model:glm+provider:local",
    "/api/logs?q=provider:other+-model:kimi",
    "/api/logs?q=upstream:k2",
    "/api/logs?q=cost:%3E0.1",
    "/api/logs?q=duration:%3E59s",
    "/api/logs?q=tool:Bash",
    "/api/logs?q=tool:Bash+status:5xx",
    "/api/logs?q=quirk:rare",
    "/api/logs?q=since:2026-12-01+status:5xx",
    "/api/logs?from=2026-12-01&to=2026-12-01T01:00:00Z",
    "/api/logs?q=is:error",
    "/api/logs?q=is:ok",
    "/api/logs?q=is:open",
    "/api/logs?q=is:unpriced",
    "/api/logs?q=is:stream",
    "/api/logs?q=end:killed",
    "/api/logs?q=key:once",
    "/api/logs?q=session:session-123",
    "/api/logs?q=error:refused",
    "/api/logs?q=attempts:%3E1",
    "/api/logs?q=losses:%3E0",
    "/api/logs?q=wire:gemini",
    "/api/logs?q=upstream-wire:gemini",
    "/api/logs?q=lane:passthrough",
    "/api/logs?q=class:subagent",
    "/api/logs?q=agent:a",
    "/api/logs?q=profile:team",
    "/api/logs?q=path:/v1/responses",
    "/api/logs?q=stop:tool_use",
    "/api/logs?q=preview:nothing",
    "/api/logs?q=tokens:%3E1M",
    "/api/logs?q=input:%3E1M",
    "/api/logs?q=output:%3E1M",
    "/api/logs?q=ttft:%3E1h",
    "/api/logs?search=moonshot",
    "/api/logs?search=nowhere",
    "/api/logs?q=wire:gemini&page=3",
    "/api/logs/500000",
    "/api/logs/500000/summary",
    "/api/logs/values?field=model",
    "/api/logs/values?field=tool",
    "/api/logs/values?field=class",
    "/api/logs/values?field=end",
    "/api/sessions",
    "/api/sessions/session-12345",
    "/api/livestore/pull",
    "/api/livestore/pull?limit=500&timestamp=2026-11-25T00:00:00.000Z&id=1",
    "/api/record",
    "/api/openapi.json",
];

/// A session and a page by cursor, and what is bounded by the time it is given.
const BOUNDED: &[(&str, u64)] = &[
    ("/api/stats?timeout_ms=200", 200),
    ("/api/stats?by=tool&timeout_ms=200", 200),
    ("/api/stats?by=session&timeout_ms=200", 200),
    ("/api/stats?by=day&q=status:5xx", 100),
    ("/api/stats?by=model&from=2026-12-02T12:00:00Z", 300),
    ("/api/logs/search?q=nowhere&timeout_ms=250", 250),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: part of the soak"]
async fn a_million_rows_over_http() {
    let scene = Scene::start(CONFIG).await;
    scene.put(exchange(0), Vec::new());
    scene.flush().await;
    let path = scene.dir.path().join("record/record.db");
    let filled = tokio::task::spawn_blocking(move || {
        let rows = include_str!("../../../store/tests/million.sql");
        let database = rusqlite::Connection::open(path).unwrap();
        database
            .execute_batch(&format!(
                "CREATE TEMP TABLE wanted AS SELECT {ROWS} AS rows; {rows}"
            ))
            .unwrap();
    });
    filled.await.unwrap();
    // Its last rows are of eleven days later.
    assert_eq!(START_MS + ROWS as i64 * 1000, 1_796_219_200_000);
    let (mut worst, mut slow) = (Duration::ZERO, Vec::new());
    for path in QUICK {
        let (_, p95) = measure(&scene, path).await;
        worst = worst.max(p95);
        slow.extend((p95 >= LIST).then_some((*path, p95)));
    }
    assert!(slow.is_empty(), "{slow:?}");
    println!("worst of {}: {worst:?}", QUICK.len());
    for (path, limit) in BOUNDED {
        let limit = Duration::from_millis(*limit) + LIST;
        let (median, _) = measure(&scene, path).await;
        assert!(median < limit, "{path}: {median:?}");
    }
    given_up(&scene).await;
}

/// The median and the 95th of a hundred of what an answer takes.
async fn measure(scene: &Scene, path: &str) -> (Duration, Duration) {
    let (mut times, mut clock) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (begin, began) = (processor(), Instant::now());
        let response = scene.get(path).await;
        assert_eq!(response.status, 200, "{path}");
        response.bytes().await;
        times.push(processor() - begin);
        clock.push(began.elapsed());
    }
    times.sort();
    clock.sort();
    let (median, p95) = (times[ROUNDS / 2], times[ROUNDS * 95 / 100 - 1]);
    println!(
        "{median:>9.1?} {p95:>9.1?}, by the clock {:>9.1?} {:>9.1?}  {path}",
        clock[ROUNDS / 2],
        clock[ROUNDS * 95 / 100 - 1]
    );
    (median, p95)
}

/// What this process has used of the processors.
fn processor() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Whoever leaves takes the question along: more of them than there are places keep nobody waiting.
async fn given_up(scene: &Scene) {
    for _ in 0..8 {
        let asked = scene.get("/api/stats?timeout_ms=60000");
        let left = tokio::time::timeout(Duration::from_millis(100), asked).await;
        assert!(left.is_err(), "sums over a million take longer");
    }
    let begin = Instant::now();
    assert_eq!(scene.get("/api/stats?timeout_ms=10").await.status, 200);
    let took = begin.elapsed();
    println!("{took:?} behind eight that were given up");
    assert!(took < Duration::from_secs(2), "{took:?}");
}
