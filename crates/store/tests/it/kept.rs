//! What is given comes back.

use lingate_store::{
    Arrival, Attempt, Bodies, Body, BodyKind, Details, End, Exchange, Filter, Header, Hit, Mark,
    Met, Options, Price, QueueLimits, Stood, Store, Streamed,
};

use crate::support::{Kept, PATIENCE, accepted, all, at, body, exchange};

fn details() -> Details {
    Details {
        client_request_headers: vec![Header("user-agent".into(), "agent/1".into())],
        client_response_headers: vec![Header("content-type".into(), "text/event-stream".into())],
        attempts: vec![
            Attempt {
                number: 1,
                provider: "moonshot".into(),
                reason: "first".into(),
                outcome: "failed".into(),
                status: Some(529),
                error: Some("overloaded".into()),
                started_us: 90,
                ended_us: Some(5000),
                ..Attempt::default()
            },
            Attempt {
                number: 2,
                provider: "other".into(),
                key: Some("other#2".into()),
                reason: "overloaded".into(),
                outcome: "served".into(),
                ..Attempt::default()
            },
        ],
        hits: vec![Hit {
            quirk: "think-tags".into(),
            attempt: 2,
            place: Some("17".into()),
            before: Some("<think>a".into()),
            after: Some("a".into()),
        }],
        noticed: vec!["late-usage".into()],
        losses: vec!["messages[3].content[0].citations".into()],
        timings: vec![Mark {
            what: "commit".into(),
            at_us: 310_000,
        }],
        usage_raw: Some("{\"prompt_tokens\":100}".into()),
        price: Some(Price {
            table: "2026-11-20".into(),
            model: "kimi-k2".into(),
            input: Some(600_000),
            ..Price::default()
        }),
        stood: Stood {
            query: Some("alt=sse".into()),
            attempts: vec![Met {
                attempt: 2,
                estimate: Some((1_000, 1_200)),
                end_us: Some(9_000),
                ..Met::default()
            }],
            ..Stood::default()
        },
    }
}

#[test]
fn everything_of_an_exchange() {
    let kept = Kept::new(Options::default());
    let given = Exchange {
        error_kind: Some("overloaded".into()),
        error: Some("said so".into()),
        agent: Some("a1".into()),
        profile: Some("team".into()),
        key: Some("alice".into()),
        tools: vec!["Bash".into(), "Read".into()],
        quirks: vec!["think-tags".into()],
        losses: 1,
        ..exchange(1)
    };
    let pieces = [(&b"data: 1\n\n"[..], 400), (b"data: 2\n\n", 900_000)];
    let stream = Body::streamed(BodyKind::ProviderResponse, 2, Streamed::of(pieces));
    let request = body(BodyKind::ClientRequest, r#"{"model":"kimi","messages":[]}"#);
    kept.recorder()
        .open(accepted(&given), vec![request.clone()]);
    let bodies = vec![
        stream.clone(),
        Body::whole(BodyKind::ProviderRequest, 1, &b"first"[..]),
        Body::whole(BodyKind::ProviderRequest, 2, &b"second"[..]),
        Body::whole(BodyKind::ClientResponse, 0, &b""[..]),
    ];
    kept.recorder().close(given.clone(), details(), bodies);
    kept.flush();

    let reader = kept.reader();
    let record = reader.get(given.id).unwrap().unwrap();
    let stored = Exchange {
        number: record.exchange.number,
        closed: 1,
        ..given.clone()
    };
    assert_eq!(record.exchange, stored);
    assert_eq!(record.details, details());
    let kinds: Vec<_> = record
        .bodies
        .iter()
        .map(|info| (info.kind.name(), info.attempt, info.bytes))
        .collect();
    assert_eq!(
        kinds,
        [
            ("client-request", 0, 30),
            ("provider-request", 1, 5),
            ("provider-request", 2, 6),
            ("provider-response", 2, 18),
            ("client-response", 0, 0),
        ]
    );
    let response = reader
        .body(given.id, BodyKind::ProviderResponse, None)
        .unwrap()
        .unwrap();
    assert_eq!(response.bytes, b"data: 1\n\ndata: 2\n\n");
    let arrival = |end, at_us| Arrival { end, at_us };
    assert_eq!(response.arrivals, [arrival(9, 400), arrival(18, 900_000)]);
    let read = |attempt| {
        reader
            .body(given.id, BodyKind::ProviderRequest, attempt)
            .unwrap()
    };
    assert_eq!(read(None).unwrap().bytes, b"second");
    assert_eq!(read(Some(1)).unwrap().bytes, b"first");
    assert_eq!(read(Some(3)), None);
    let sent = reader
        .body(given.id, BodyKind::ClientRequest, None)
        .unwrap()
        .unwrap();
    assert_eq!(sent.bytes, request.bytes.joined());
    let digits = given.id.simple().to_string();
    assert_eq!(reader.named(&digits[..20]).unwrap(), Some(given.id));
    assert_eq!(reader.named("ffff").unwrap(), None);
    assert_eq!(reader.named("no id").unwrap(), None);
}

#[test]
fn as_json_it_has_the_members_that_are_promised() {
    let json = serde_json::to_value(exchange(1)).unwrap();
    for member in [
        "id",
        "time",
        "client_wire",
        "upstream_wire",
        "lane",
        "model",
        "provider",
        "status",
        "attempts",
        "usage",
        "cost_micro_usd",
        "duration_ms",
        "ttft_ms",
        "session",
    ] {
        assert!(json.get(member).is_some(), "{member} in {json}");
    }
    assert_eq!(json["time"], "2026-11-21T00:00:01.000Z");
    assert_eq!(json["client_wire"], "anthropic");
    assert_eq!(json["usage"]["cache_read"], 1000);
    assert_eq!(json["usage"]["cache_write_5m"], serde_json::Value::Null);
}

#[test]
fn the_setting_says_which_bodies() {
    for (bodies, of_success, of_error) in [
        (Bodies::Full, true, true),
        (Bodies::Errors, false, true),
        (Bodies::Metadata, false, false),
    ] {
        let kept = Kept::new(Options {
            bodies,
            ..Options::default()
        });
        let (good, mut bad) = (exchange(1), exchange(2));
        bad.status = Some(500);
        for exchange in [&good, &bad] {
            kept.recorder().open(accepted(exchange), Vec::new());
            kept.put_with(exchange.clone(), vec![body(BodyKind::ClientRequest, "{}")]);
        }
        kept.flush();
        let reader = kept.reader();
        let has_body =
            |exchange: &Exchange| !reader.get(exchange.id).unwrap().unwrap().bodies.is_empty();
        assert_eq!(has_body(&good), of_success, "{bodies:?}");
        assert_eq!(has_body(&bad), of_error, "{bodies:?}");
    }
}

#[test]
fn each_request_has_one_row_however_it_ends() {
    let kept = Kept::new(Options::default());
    let ends = [
        End::Answered,
        End::Broken,
        End::ClientGone,
        End::Shutdown,
        End::Panic,
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let ended = Exchange {
            end: Some(end),
            ..exchange(number as u64)
        };
        kept.recorder().open(accepted(&ended), Vec::new());
        // Some in the group of their beginning, some in one of their own.
        if number % 2 == 0 {
            kept.flush();
        }
        kept.put_with(ended, Vec::new());
    }
    kept.recorder().open(accepted(&exchange(9)), Vec::new());
    kept.flush();
    let rows = all(&kept.reader());
    let found: Vec<_> = rows.iter().rev().map(|row| row.end).collect();
    let mut expected: Vec<_> = ends.into_iter().map(Some).collect();
    expected.push(None);
    assert_eq!(found, expected);
    let counts = kept.recorder().state().counts;
    assert_eq!(
        (counts.opened, counts.closed, counts.written, counts.lost),
        (6, 5, 5, 0)
    );
}

#[test]
fn bodies_that_are_not_kept_at_the_start_may_come_at_the_end() {
    let take = |bodies| {
        let kept = Kept::new(Options {
            bodies,
            ..Options::default()
        });
        let asked = vec![body(BodyKind::ClientRequest, "asked")];
        let taken = kept.recorder().open(accepted(&exchange(1)), asked.clone());
        let failed = Exchange {
            status: Some(500),
            ..exchange(1)
        };
        kept.put_with(failed, if taken { Vec::new() } else { asked });
        kept.flush();
        let read = kept
            .reader()
            .body(exchange(1).id, BodyKind::ClientRequest, None)
            .unwrap();
        (taken, read.map(|body| body.bytes))
    };
    assert_eq!(take(Bodies::Full), (true, Some(b"asked".to_vec())));
    assert_eq!(take(Bodies::Errors), (false, Some(b"asked".to_vec())));
    assert_eq!(take(Bodies::Metadata), (false, None));
}

#[test]
fn what_keeps_only_its_numbers_still_counts() {
    let kept = Kept::new(Options {
        queue: QueueLimits {
            rows: 0,
            bytes: 1 << 20,
            numbers: 10,
        },
        ..Options::default()
    });
    // The row of its beginning is there from before.
    let roomy = Store::open(kept.dir.path(), Options::default(), at(0)).unwrap();
    roomy.recorder().open(accepted(&exchange(1)), Vec::new());
    assert!(roomy.recorder().flush(PATIENCE));
    kept.put_with(exchange(1), vec![body(BodyKind::ClientRequest, "asked")]);
    kept.flush();
    let reader = kept.reader();
    let row = reader.exchange(exchange(1).id).unwrap().unwrap();
    assert_eq!(
        (row.kept, row.end, row.status),
        (lingate_store::Kept::Numbers, Some(End::Answered), Some(200))
    );
    assert_eq!(
        (row.cost_micro_usd, row.usage),
        (Some(1234), exchange(1).usage)
    );
    let session = reader.session("s-1").unwrap().unwrap();
    assert_eq!(
        (session.exchanges, session.errors, session.cost_micro_usd),
        (1, 0, Some(1234))
    );
    assert_eq!(
        reader.get(row.id).unwrap().unwrap().details,
        Details::default()
    );
}

#[test]
fn those_who_watch_see_what_fits_however_long_it_took() {
    let kept = Kept::new(Options::default());
    let reader = kept.reader();
    // One that was accepted long before a thousand others fit, and ends now.
    kept.put((1..1100).map(exchange));
    let seen = reader.last_closed().unwrap();
    let other = Exchange {
        model: "other".to_owned(),
        ..exchange(2000)
    };
    kept.put([exchange(0), other]);
    let last = reader.last_closed().unwrap();
    let filter = Filter::parse("model:kimi", at(0)).unwrap();
    let fitting = reader.tail(&filter, seen, last, 100).unwrap();
    assert_eq!(
        fitting.iter().map(|row| row.id).collect::<Vec<_>>(),
        [exchange(0).id]
    );
}

#[test]
fn those_who_watch_see_each_end_once() {
    let kept = Kept::new(Options::default());
    let reader = kept.reader();
    let mut seen = reader.last_closed().unwrap();
    assert_eq!(seen, 0);
    let mut watched = Vec::new();
    for round in 0..5 {
        // The later one ends first.
        kept.put([exchange(round * 2 + 1), exchange(round * 2)]);
        let last = reader.last_closed().unwrap();
        for exchange in reader.tail(&Filter::default(), seen, last, 100).unwrap() {
            seen = exchange.closed;
            watched.push(exchange.id);
        }
    }
    let expected: Vec<_> = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8]
        .map(|number| exchange(number).id)
        .into();
    assert_eq!(watched, expected);
}

/// What could not be read back is not written.
#[test]
fn details_without_measure_are_left_out() {
    let kept = Kept::new(Options::default());
    let many = Details {
        losses: vec!["x".repeat(1 << 20); 17],
        ..Details::default()
    };
    kept.recorder().close(exchange(1), many, Vec::new());
    kept.flush();
    let reader = kept.reader();
    let row = &all(&reader)[0];
    let record = reader.get(row.id).unwrap().unwrap();
    assert_eq!(record.details, Details::default());
}
