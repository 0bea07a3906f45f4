//! `lingate mock`: faults as a client meets them, and what it cannot be told.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{User, get};
use crate::provider::{Mocked, exchange, message, post};

/// What a request to a mock with this fault gets: the head and body, and how it ended if not in order.
fn asked(user: &User, fault: &str, patience: Duration) -> (String, Option<ErrorKind>) {
    let mocked = Mocked::start(user, &["--fault", fault]);
    let got = exchange(
        mocked.address(),
        "/v1/messages",
        &[],
        &message(&["hello"]),
        patience,
    );
    let (bytes, end) = match got {
        Ok(bytes) => (bytes, None),
        Err((bytes, kind)) => (bytes, Some(kind)),
    };
    (String::from_utf8(bytes).unwrap(), end)
}

#[test]
fn faults_as_a_client_meets_them() {
    let user = User::new();
    let whole = "\r\n0\r\n\r\n";
    for (fault, status, has, is_whole) in [
        ("drip", "200", "\r\n1\r\ne\r\n", true),
        ("status=529", "529", "overloaded_error", true),
        ("rate-limit=7", "429", "retry-after: 7", true),
        ("html", "200", "<!doctype", true),
        ("error-after=3", "200", "event: error", true),
        ("cut-after=3", "200", "content_block_delta", false),
    ] {
        let (answer, end) = asked(&user, fault, Duration::from_secs(20));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{fault}: {answer}"
        );
        assert!(answer.contains(has), "{fault}: {answer}");
        assert_eq!(
            (answer.ends_with(whole), end),
            (is_whole, None),
            "{fault}: {answer}"
        );
    }
    let (answer, end) = asked(&user, "reset-after=3", Duration::from_secs(20));
    assert!(answer.contains("content_block_delta"), "{answer}");
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    let (answer, end) = asked(&user, "reset", Duration::from_secs(20));
    assert_eq!((&*answer, end), ("", Some(ErrorKind::ConnectionReset)));
    let (answer, end) = asked(&user, "stall-after=3", Duration::from_millis(700));
    assert!(
        answer.contains("content_block_delta") && !answer.contains("message_stop"),
        "{answer}"
    );
    assert_eq!(end, Some(ErrorKind::WouldBlock));
    let (answer, end) = asked(&user, "silence", Duration::from_millis(700));
    assert_eq!((&*answer, end), ("", Some(ErrorKind::WouldBlock)));
    let began = Instant::now();
    let (answer, _) = asked(&user, "slow=400ms", Duration::from_secs(20));
    assert!(
        answer.contains("message_stop") && began.elapsed() > Duration::from_millis(400),
        "{answer}"
    );
}

#[test]
fn faults_meet_the_requests_they_are_for() {
    let user = User::new();
    let mocked = Mocked::start(
        &user,
        &[
            "--fault",
            "status=500:first=1",
            "--fault",
            "status=503:every=3",
        ],
    );
    assert!(
        mocked
            .ready
            .contains("| faults: status=500:first=1 status=503:every=3 |"),
        "{}",
        mocked.ready
    );
    let statuses: Vec<_> = (0..4)
        .map(|_| {
            post(mocked.address(), "/v1/messages", &[], &message(&["hello"]))[9..12].to_owned()
        })
        .collect();
    assert_eq!(statuses, ["500", "200", "503", "200"]);
    let said = mocked.end();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("4 requests, 4 scripted"), "{said:?}");
    assert!(
        said.stderr
            .contains("/v1/messages m, 1 messages: scripted, fault status=500:first=1"),
        "{said:?}"
    );
}

#[test]
fn every_model_is_there() {
    let user = User::new();
    let mocked = Mocked::start(&user, &[]);
    for path in ["/v1/models", "/v1beta/models"] {
        let answer = get(mocked.address(), path);
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(
            (&body["data"][0]["id"], &body["models"][0]["name"]),
            (&json!("mock"), &json!("models/mock"))
        );
    }
    assert!(get(mocked.address(), "/v1/models/any/name").contains("\"id\":\"any/name\""));
    assert!(get(mocked.address(), "/elsewhere").starts_with("HTTP/1.0 404"));
}

#[test]
fn what_is_wrong_says_so() {
    let user = User::new();
    let other = user.file("other.jsonl", "{\"id\":1}\n");
    let bare = user.file("bare", "{\"lingate_cassette\":1,\"exchanges\":0}\n");
    for (args, expected) in [
        (
            &["--listen", "0.0.0.0:0"][..],
            "can be reached from other machines",
        ),
        (&["--cassette", "/nowhere"], "cannot read `/nowhere`"),
        (&["--cassette", other.to_str().unwrap()], "is no cassette"),
        (
            &["--cassette", bare.to_str().unwrap()],
            "no exchange of the cassette holds",
        ),
        (&["--fault", "stats=500"], "did you mean `status`?"),
        (&["--speed", "fast"], "`max`"),
    ] {
        let ran = user.run(&[&["mock"], args].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
    let help = user.run(&["mock", "--help"]).stdout;
    assert!(help.contains("cut-after=N"), "{help}");
}
