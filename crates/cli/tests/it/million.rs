//! A start on a large record is as quick as one on a small: a part of the soak.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{User, get};
use crate::provider::{message, post, recorded};

const ROWS: u64 = 1_000_000;

/// Until its ready line is there: what somebody waits for who starts an agent.
const START: Duration = Duration::from_millis(500);

/// Times it is started.
const ROUNDS: usize = 7;

#[test]
#[ignore = "minutes: part of the soak"]
fn a_million_rows_at_the_start() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let session = [("x-claude-code-session-id", "first")];
    let answer = post(
        gateway.address(),
        "/v1/messages",
        &session,
        &message(&["hello"]),
    );
    assert!(answer.contains(" 200 OK"), "{answer}");
    recorded(&user, 1);
    gateway.end("TERM");
    fill(&user);

    let mut times: Vec<(Duration, Duration)> = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let gateway = user.serve(&[]);
        let ready = begun.elapsed();
        let answer = get(gateway.address(), "/api/logs?page_size=1");
        times.push((ready, begun.elapsed() - ready));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let listing: Value = serde_json::from_str(body).unwrap();
        assert_eq!(listing["total_is_at_least"], true, "{body}");
        // Like one that was killed: the next start has to look for what it left.
        gateway.kill();
    }
    eprintln!("ready, and the first list after that: {times:?}");
    times.sort();
    let (ready, _) = times[ROUNDS / 2];
    assert!(ready < START, "ready after {ready:?}");
}

/// Makes a million of the one row that is there.
fn fill(user: &User) {
    let record = user.home().join(".local/share/lingate/record/record.db");
    let database = rusqlite::Connection::open(record).unwrap();
    let rows = include_str!("../../../store/tests/million.sql");
    let wanted = format!("CREATE TEMP TABLE wanted AS SELECT {ROWS} AS rows; {rows}");
    database.execute_batch(&wanted).unwrap();
}
