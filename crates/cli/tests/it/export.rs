//! `lingate logs export`: what leaves the record, and a session played back from it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::User;
use crate::provider::{KEY, Mocked, damage, fine, gateway, id, message, post, recorded};

const SESSION: [(&str, &str); 1] = [("x-claude-code-session-id", "5e55")];

/// A recorded session of two turns, which speaks of a key that was nobody's then. Its ids.
fn session(user: &User) -> Vec<String> {
    let mocked = Mocked::start(
        user,
        &["--fault", "status=529:first=1", "--fault", "slow=800ms"],
    );
    let gateway = gateway(user, &mocked, "chat");
    let mut ids = Vec::new();
    for texts in [
        &["my password is corp-later-key"][..],
        &[
            "my password is corp-later-key",
            "so?",
            "sk-0123456789abcdefghij1",
        ],
    ] {
        ids.push(id(&post(
            gateway.address(),
            "/v1/messages",
            &SESSION,
            &message(texts),
        )));
    }
    recorded(user, 2);
    ids
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn lines_with_bodies_and_without_secrets() {
    let user = User::new();
    let ids = session(&user);
    // The password of the session is a key of today's configuration. It was none when it was recorded, so there it stays.
    let config = user.home().join("later.toml");
    let text = "[providers.other]\nbase_url = \"http://127.0.0.1:9\"\nspeaks = [\"chat\"]\napi_key = \"corp-later-key\"\n";
    std::fs::write(&config, text).unwrap();
    let export = |args: &[&str]| {
        user.run(
            &[
                &["logs", "export", "--config", config.to_str().unwrap()],
                args,
            ]
            .concat(),
        )
    };
    let ran = export(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in [
        "2 exchanges of 1 sessions",
        "hosts: 127.0.0.1:",
        "as they were said",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    for secret in ["corp-later-key", KEY, "sk-0123456789abcdefghij1"] {
        assert!(!ran.stdout.contains(secret), "{secret}: {}", ran.stdout);
    }
    assert!(
        ran.stdout.contains("my password is **************"),
        "{}",
        ran.stdout
    );
    let exported = lines(&ran.stdout);
    let exported_ids: Vec<_> = exported
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    assert_eq!(exported_ids, ids, "the oldest first");
    let bodies = exported[0]["bodies"].as_array().unwrap();
    let kinds: Vec<_> = bodies
        .iter()
        .map(|body| (body["kind"].as_str().unwrap(), &body["attempt"]))
        .collect();
    assert_eq!(kinds.len(), 6, "two attempts: {kinds:?}");
    // It would tell of what was masked.
    assert!(bodies.iter().all(|body| body["etag"].is_null()));
    let answer = bodies
        .iter()
        .find(|body| body["kind"] == "client-response")
        .unwrap();
    assert!(
        answer["text"]
            .as_str()
            .unwrap()
            .contains("event: message_stop"),
        "{answer}"
    );
    assert!(answer["arrivals"][0][1].as_u64() > Some(0), "{answer}");

    assert_eq!(lines(&export(&[&ids[1][..18]]).stdout).len(), 1);
    assert_eq!(lines(&export(&["last", &ids[0]]).stdout).len(), 2);
    assert_eq!(lines(&export(&["status:200", "so?"]).stdout).len(), 1);
    assert_eq!(lines(&export(&["--limit", "1"]).stdout).len(), 1);
    let none = export(&["status:404"]);
    assert_eq!(
        (none.code, none.stderr.contains("no exchange fits")),
        (1, true),
        "{none:?}"
    );
    let both = export(&[&ids[0], "status:200"]);
    assert_eq!(
        (both.code, both.stderr.contains("not both")),
        (2, true),
        "{both:?}"
    );

    let file = user.home().join("out.jsonl.zst");
    let path = file.to_str().unwrap();
    fine(export(&["-o", path]));
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let again = export(&["-o", path]);
    assert_eq!(
        (again.code, again.stderr.contains("is there already")),
        (2, true),
        "{again:?}"
    );
}

#[test]
fn texts_can_be_left_out() {
    let user = User::new();
    session(&user);
    let file = user.home().join("shape.cassette");
    let path = file.to_str().unwrap();
    let plain = fine(user.run(&["logs", "export", "--redact-texts"]));
    let ran = user.run(&["logs", "export", "--redact-texts", "--cassette", path]);
    assert!(ran.stderr.contains("replaced by filler"), "{ran:?}");
    let cassette = std::fs::read_to_string(&file).unwrap();
    for text in [&plain, &cassette] {
        for word in ["password", "corp", "no model", "You help"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    assert_eq!(lines(&cassette)[0]["redacted_texts"], true);
    // It still plays.
    let mocked = Mocked::start(&user, &["--cassette", path, "--speed", "max"]);
    let body = json!({"model": "m-2", "stream": true, "messages": [{}, {}]});
    let answer = post(mocked.address(), "/v1/chat/completions", &[], &body);
    assert!(
        answer.contains("xxxx xx") && answer.contains("[DONE]"),
        "{answer}"
    );
}

#[test]
fn a_session_is_played_back() {
    let user = User::new();
    session(&user);
    let file = user.home().join("s.cassette.zst");
    let path = file.to_str().unwrap();
    fine(user.run(&["logs", "export", "--cassette", path, "session:5e55"]));

    let mocked = Mocked::start(&user, &["--cassette", path]);
    assert!(
        mocked.ready.contains("3 answers of 2 exchanges (m-1, m-2)"),
        "{}",
        mocked.ready
    );
    let gateway = gateway(&user, &mocked, "chat");
    let began = Instant::now();
    let answer = post(
        gateway.address(),
        "/v1/messages",
        &[],
        &message(&["my password is corp-later-key"]),
    );
    assert!(
        answer.contains("event: message_stop") && answer.contains("mock"),
        "{answer}"
    );
    assert!(
        began.elapsed() > Duration::from_millis(1500),
        "twice 800 ms, as recorded: {:?}",
        began.elapsed()
    );
    let answer = post(
        gateway.address(),
        "/v1/messages",
        &[],
        &message(&["another", "conversation", "here"]),
    );
    assert!(answer.contains("event: message_stop"), "{answer}");
    let said = mocked.end();
    assert!(
        said.stderr.contains("attempt 1, same bytes"),
        "the busy answer first: {said:?}"
    );
    assert!(said.stderr.contains("attempt 2, same bytes"), "{said:?}");
    assert!(
        said.stderr
            .contains("3 requests, 2 same bytes, 1 same turn; 0 answers unused"),
        "{said:?}"
    );
    let fast = Mocked::start(&user, &["--cassette", path, "--speed", "max"]);
    let body = json!({"model": "m-2", "stream": true, "messages": [{}, {}, {}, {}]});
    // A busy machine is slow now and then, a pause of 800 ms is there every time.
    let mut took = (0..20).map(|_| {
        let began = Instant::now();
        let answer = post(fast.address(), "/v1/chat/completions", &[], &body);
        assert!(answer.contains("data: [DONE]"), "{answer}");
        began.elapsed()
    });
    assert!(took.any(|took| took < Duration::from_millis(700)));
}

/// One row that cannot be read back does not keep the others.
#[test]
fn a_damaged_row_is_left_out_and_said() {
    let user = User::new();
    let ids = session(&user);
    let (damaged, sound) = (&ids[0], &ids[1]);
    damage(&user, damaged);
    let cassette = user.home().join("session.cassette");
    for args in [
        &["logs", "export"][..],
        &["logs", "export", "--cassette", cassette.to_str().unwrap()],
        &["logs", "replay", "--offline", "--json"],
    ] {
        let ran = user.run(args);
        assert_eq!(ran.code, 1, "{ran:?}");
        let told = format!("{damaged} is left out: the row of {damaged} is damaged");
        assert_eq!(ran.stderr.matches(&told).count(), 1, "{ran:?}");
        assert!(
            ran.stderr.contains("1 damaged exchanges were left out"),
            "{ran:?}"
        );
        let written = match args.contains(&"--cassette") {
            true => std::fs::read_to_string(&cassette).unwrap(),
            false => ran.stdout,
        };
        assert!(written.contains(sound.as_str()), "{written}");
        assert!(!written.contains(damaged.as_str()), "{written}");
    }
}
