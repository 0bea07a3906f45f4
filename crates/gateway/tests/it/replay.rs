//! Recorded exchanges run again: on their own time, with nobody there, and told apart from what they were.
//!
//! That everything else that these tests have gateways serve is the same when it is run again, is seen at the end of each of
//! them (`again.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use lingate_config::FixedEnvironment;
use lingate_gateway::{Place, Recorded, Replay, ReplayOutcome as Outcome, ReplayReason, Replayed};
use lingate_store::{
    Attempt, Body, BodyKind, Details, End, Exchange, Fault, Header, Kept, Mark, Mask, Met, Options,
    Reader, Stood, Store, Streamed,
};
use lingate_wire::Wire;
use serde_json::json;
use uuid::Uuid;

use crate::harness::configuration;

const CONFIG: &str = r#"
    default = "up/served"
    [providers.up]
    base_url = "http://127.0.0.1:9"
    speaks = ["chat"]
    api_key = "sk-upstream"
    timeouts = { headers = "30s", idle = "60s" }
"#;

/// A streamed Chat reply, in two pieces.
const PIECES: [&str; 2] = [
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"served\",\"choices\":[{\"index\":0,\
     \"delta\":{\"role\":\"assistant\",\"content\":\"Hello\"}}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"served\",\"choices\":[{\"index\":0,\
     \"delta\":{\"content\":\", world.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
];

/// An exchange as a record would have it.
#[derive(Clone)]
struct Case {
    row: Exchange,
    details: Details,
    /// When the pieces of the reply came, in milliseconds.
    pieces_ms: [u64; 2],
    answer: Vec<u8>,
    bodies: bool,
    /// The second piece never came, and nobody saw an end.
    is_cut: bool,
}

/// A streamed exchange that went well; its answer is yet to be filled in.
fn streamed(pieces_ms: [u64; 2]) -> Case {
    let us = |ms: u64| ms * 1000;
    let mark = |what: &str, ms| Mark {
        what: what.into(),
        at_us: us(ms),
    };
    let [first, last] = pieces_ms;
    Case {
        row: Exchange {
            id: Uuid::parse_str("01a1ffe5-2ca4-7dad-8000-000000000001").unwrap(),
            client_wire: Some(Wire::Anthropic),
            path: "/v1/messages".to_owned(),
            model: "claude-x".to_owned(),
            status: Some(200),
            end: Some(End::Answered),
            attempts: 1,
            stream: true,
            ..Exchange::default()
        },
        details: Details {
            attempts: vec![Attempt {
                number: 1,
                provider: "up".into(),
                model: "served".into(),
                wire: "chat".into(),
                key: Some("up#1".to_owned()),
                status: Some(200),
                response_headers: vec![Header("content-type".into(), "text/event-stream".into())],
                started_us: us(2),
                ..Attempt::default()
            }],
            timings: vec![mark("body_read", 1), mark("last_byte", last)],
            stood: Stood {
                attempts: vec![Met {
                    attempt: 1,
                    head_us: Some(us(first)),
                    end_us: Some(us(last)),
                    ..Met::default()
                }],
                ..Stood::default()
            },
            ..Details::default()
        },
        pieces_ms,
        answer: Vec::new(),
        bodies: true,
        is_cut: false,
    }
}

impl Case {
    /// Records it, reads it, and runs it with this configuration.
    fn replayed(&self, config: &str) -> Replayed {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::default();
        let store = Store::open(dir.path(), options, jiff::Timestamp::now()).unwrap();
        let recorder = store.recorder();
        let request = json!({
            "model": "claude-x", "max_tokens": 100, "stream": true,
            "messages": [{"role": "user", "content": "Hello?"}],
        });
        let pieces = if self.is_cut { &PIECES[..1] } else { &PIECES };
        let came = pieces.iter().zip(self.pieces_ms);
        let came = came.map(|(piece, ms)| (piece.as_bytes(), ms * 1000));
        let bodies = vec![
            Body::streamed(BodyKind::ProviderResponse, 1, Streamed::of(came)),
            Body::whole(BodyKind::ClientResponse, 0, self.answer.clone()),
        ];
        let request = Body::whole(BodyKind::ClientRequest, 0, request.to_string());
        let asked = self.bodies.then_some(request);
        recorder.open(self.row.clone(), asked.into_iter().collect());
        if self.row.end.is_some() {
            let bodies = if self.bodies { bodies } else { Vec::new() };
            recorder.close(self.row.clone(), self.details.clone(), bodies);
        }
        assert!(recorder.flush(Duration::from_secs(10)));
        let reader = Reader::open(dir.path()).unwrap();
        let environment = FixedEnvironment::new([]);
        let config = configuration(config, &environment).unwrap_or_else(|all| panic!("{all}"));
        let replay = Replay::new(Arc::new(config), Mask::default());
        match Recorded::read(&reader, self.row.id).unwrap().unwrap() {
            Ok(recorded) => replay.replay(&recorded),
            Err(reason) => Replayed {
                outcome: Outcome::Cannot(reason),
                answer: lingate_gateway::Answer::default(),
            },
        }
    }

    /// The same with the answer that it has today.
    fn answered(self, config: &str) -> Self {
        let answer = self.replayed(config).answer;
        let mut case = Self {
            answer: answer.body,
            ..self
        };
        case.details.client_response_headers = answer.headers;
        case.row.status = answer.status;
        case
    }
}

fn text(replayed: &Replayed) -> &str {
    std::str::from_utf8(&replayed.answer.body).unwrap()
}

#[test]
fn a_slow_stream_has_its_keep_alives_in_no_time() {
    let check = |pieces_ms: [u64; 2], expected: usize| {
        let began = Instant::now();
        let replayed = streamed(pieces_ms).replayed(CONFIG);
        let said = text(&replayed);
        assert!(
            said.contains("Hello") && said.contains("message_stop"),
            "{said}"
        );
        let pings = said.matches("event: ping").count();
        assert_eq!(pings, expected, "{pieces_ms:?}: {said}");
        assert!(began.elapsed() < Duration::from_secs(10));
        let same = streamed(pieces_ms).answered(CONFIG).replayed(CONFIG);
        assert_eq!(same.outcome, Outcome::Same);
    };
    let quick = streamed([5, 10]).replayed(CONFIG);
    let own = text(&quick).matches("event: ping").count();
    check([5, 14_000], own);
    check([5, 16_000], own + 1);
    check([5, 50_000], own + 3);
    // The head goes out after ten seconds, with one of them.
    check([20_000, 21_000], own + 1);
    // A limit that ended nothing then ends nothing now.
    check([5, 70_000], own + 4);
    check([40_000, 40_001], own + 2);
    // One that did does.
    let mut silent = streamed([5, 6]);
    silent.is_cut = true;
    silent.details.stood.attempts[0].end_us = None;
    let silent = silent.replayed(CONFIG);
    assert!(
        text(&silent).contains("`timeouts.idle`"),
        "{}",
        text(&silent)
    );
    let mut headless = streamed([5, 6]);
    headless.details.attempts[0].status = None;
    headless.details.stood.attempts.clear();
    let headless = headless.replayed(CONFIG);
    assert!(
        text(&headless).contains("`timeouts.headers`"),
        "{}",
        text(&headless)
    );
}

#[test]
fn a_difference_is_found_where_it_is() {
    let case = streamed([5, 10]).answered(CONFIG);
    assert_eq!(case.replayed(CONFIG).outcome, Outcome::Same);
    let check = |change: fn(&mut Case), expected: fn(&Place) -> bool| {
        let mut case = case.clone();
        change(&mut case);
        match case.replayed(CONFIG).outcome {
            Outcome::Changed(change) if expected(&change.place) => {}
            other => panic!("{other:?}"),
        }
    };
    check(
        |case| case.row.status = Some(201),
        |place| *place == Place::Status,
    );
    check(
        |case| {
            let text = String::from_utf8(case.answer.clone()).unwrap();
            case.answer = text.replace("world", "World").into_bytes();
        },
        |place| {
            matches!(
                place,
                Place::Body {
                    offset: 100..,
                    event: Some(3..)
                }
            )
        },
    );
    check(
        |case| case.answer.truncate(50),
        |place| {
            matches!(
                place,
                Place::Body {
                    offset: 50,
                    event: Some(1)
                }
            )
        },
    );
    check(
        |case| case.details.client_response_headers[0].1 = "other".into(),
        |place| matches!(place, Place::Header(_)),
    );
    // Who left has what it got until then, and no more is compared.
    let left = |text: fn(&mut Vec<u8>)| {
        let mut case = case.clone();
        case.row.end = Some(End::ClientGone);
        text(&mut case.answer);
        case.replayed(CONFIG).outcome
    };
    assert_eq!(left(|_| {}), Outcome::Same);
    assert_eq!(left(|answer| answer.truncate(70)), Outcome::Same);
    assert_eq!(left(Vec::clear), Outcome::Same);
    assert!(matches!(
        left(|answer| answer[60] = b'#'),
        Outcome::Changed(_)
    ));
}

/// An attempt that was not made has no reply to be played.
#[test]
fn another_way_is_a_difference() {
    let case = streamed([5, 10]).answered(CONFIG);
    let asks_again =
        format!("{CONFIG}\n[models.m]\ntargets = [\"up/served\"]\nensure_tool_call = true\n")
            .replace("default = \"up/served\"", "default = \"m\"");
    let mut with_tools = case.clone();
    with_tools.details.stood.attempts[0].target = Some(lingate_store::MetTarget {
        model: "m".to_owned(),
        ..lingate_store::MetTarget::default()
    });
    // Nothing is asked for without tools.
    assert_eq!(with_tools.replayed(&asks_again).outcome, Outcome::Same);
    // The reply is missing, and was a failure of the way there: what it led to is the same today.
    let mut unreachable = case.clone();
    let attempt = &mut unreachable.details.attempts[0];
    (attempt.status, attempt.outcome) = (None, "failed".into());
    unreachable.details.stood.attempts[0].fault = Some(Fault {
        kind: "server".to_owned(),
        message: "provider `up` at 127.0.0.1:9 cannot be reached: refused".to_owned(),
        at_us: 3000,
        ..Fault::default()
    });
    let unreachable = unreachable.answered(CONFIG);
    assert_eq!(unreachable.row.status, Some(502));
    let replayed = unreachable.replayed(CONFIG);
    assert_eq!(replayed.outcome, Outcome::Same);
    assert!(
        text(&replayed).contains("cannot be reached"),
        "{}",
        text(&replayed)
    );
    // Without any attempt there was a reason not to make one, or a difference.
    let mut refused = unreachable.clone();
    refused.details.attempts.clear();
    let told = refused.replayed(CONFIG).outcome;
    assert!(
        matches!(&told, Outcome::Changed(change) if change.place == Place::Attempts),
        "{told:?}"
    );
    refused.details.stood.refused = Some(Fault {
        kind: "rate_limit".to_owned(),
        message: "nobody is well".to_owned(),
        retry_after: Some(7),
        ..Fault::default()
    });
    let refused = refused.answered(CONFIG);
    assert_eq!(refused.row.status, Some(429));
    assert_eq!(refused.replayed(CONFIG).outcome, Outcome::Same);
}

#[test]
fn what_cannot_be_told_has_a_reason() {
    let case = streamed([5, 10]).answered(CONFIG);
    let check = |change: fn(&mut Case), config: &str, expected: &ReplayReason| {
        let mut case = case.clone();
        change(&mut case);
        let outcome = case.replayed(config).outcome;
        assert_eq!(outcome, Outcome::Cannot(expected.clone()));
    };
    let same = |_: &mut Case| {};
    let gone = CONFIG.replace("up", "other");
    check(same, &gone, &ReplayReason::Provider("up".to_owned()));
    let disabled = CONFIG.replace("speaks", "enabled = false\nspeaks");
    check(same, &disabled, &ReplayReason::Provider("up".to_owned()));
    let moved = CONFIG.replace("\"chat\"", "\"responses\"");
    let wire = ReplayReason::Wire {
        provider: "up".to_owned(),
        then: "chat".to_owned(),
        now: "responses".to_owned(),
    };
    check(same, &moved, &wire);
    check(
        |case| case.details.attempts[0].key = Some("up#2".to_owned()),
        CONFIG,
        &ReplayReason::Key("up#2".to_owned()),
    );
    check(
        |case| case.row.key = Some("alice".to_owned()),
        CONFIG,
        &ReplayReason::ClientKey("alice".to_owned()),
    );
    check(|case| case.row.end = None, CONFIG, &ReplayReason::Running);
    check(
        |case| case.row.kept = Kept::Row,
        CONFIG,
        &ReplayReason::NotKept,
    );
    check(|case| case.bodies = false, CONFIG, &ReplayReason::NotKept);
    check(
        |case| case.details.timings.clear(),
        CONFIG,
        &ReplayReason::NoRequest,
    );
    check(
        |case| {
            case.details.timings.push(Mark {
                what: "client-response_cut 5 bytes".into(),
                at_us: 9,
            });
        },
        CONFIG,
        &ReplayReason::NotWhole,
    );
    check(
        |case| case.row.path.push_str("/count_tokens"),
        CONFIG,
        &ReplayReason::Count,
    );
    check(
        |case| case.row.path = "/v0/of/yesterday".to_owned(),
        CONFIG,
        &ReplayReason::Path("/v0/of/yesterday".to_owned()),
    );
}
