//! `lingate logs replay`: what was recorded, once more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use lingate_testkit::{Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::harness::{Ran, User};
use crate::provider::damage;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a shell would obey, if it were let.
const EVIL: &str = "it's `touch a` $(touch b) \"$HOME\"";

/// A name that is refused whatever is configured.
fn too_long() -> String {
    "m".repeat(600)
}

/// Asks for a reply; gives its id and the answer once it is recorded.
fn ask(user: &User, address: &str, model: &str, is_stream: bool) -> (String, String) {
    let body = json!({
        "model": model,
        "max_tokens": 100,
        "stream": is_stream,
        "messages": [{"role": "user", "content": EVIL}],
    });
    let body = body.to_string();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        connection,
        "POST /v1/messages HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\nuser-agent: agent/1\r\n\
         anthropic-version: 2023-06-01\r\nx-claude-code-session-id: s-1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let mut lines = answer.lines();
    let id = lines.find_map(|line| line.strip_prefix("x-lingate-id: "));
    let id = id.unwrap_or_else(|| panic!("{answer}")).to_owned();
    let began = Instant::now();
    loop {
        let shown = user.run(&["logs", "show", &id, "--json"]).stdout;
        let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
        if !shown["end"].is_null() {
            return (id, answer);
        }
        assert!(began.elapsed() < PATIENCE, "{shown}");
    }
}

fn ended(ran: Ran, code: i32) -> String {
    assert_eq!(ran.code, code, "{ran:?}");
    ran.stdout
}

fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_is_recorded_is_the_same_again_with_nobody_there() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let (whole, _) = ask(&user, gateway.address(), "demo", false);
    let (streamed, answer) = ask(&user, gateway.address(), "demo", true);
    assert!(answer.contains("message_stop"), "{answer}");
    ask(&user, gateway.address(), &too_long(), true);
    gateway.end("TERM");
    let told = ended(user.run(&["logs", "replay", "--offline"]), 0);
    assert_eq!(told, "3 same, 0 changed, 0 cannot be told\n");
    let told = ended(
        user.run(&["logs", "replay", "--offline", &whole, &streamed, "--json"]),
        0,
    );
    let told = objects(&told);
    let ids: Vec<_> = told.iter().map(|own| own["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&*whole, &*streamed]);
    assert!(told.iter().all(|own| own["outcome"] == "same"), "{told:?}");
    let one = ended(
        user.run(&[
            "logs",
            "replay",
            "--offline",
            "--errors-only",
            "--limit",
            "1",
        ]),
        0,
    );
    assert_eq!(one, "1 same, 0 changed, 0 cannot be told\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_configuration_makes_of_it_is_shown() {
    let script = |request: &Received| Reply::text("Hm.</think>Hello.").answer(request);
    let upstream = Upstream::start(script).await;
    let config = |quirks: &str, name: &str| {
        format!(
            "default = \"{name}/qwq-32b\"\nfrom_env = false\n[providers.{name}]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\n\
             auth = \"none\"\n{quirks}\n",
            upstream.url()
        )
    };
    let with_quirk = config("quirks = [\"implicit-thinking\"]", "up");
    let without = config("", "up");
    let elsewhere = config("", "other");
    let ran = tokio::task::spawn_blocking(move || {
        let user = User::new();
        let file = |text: &str| user.file("lingate.toml", text).display().to_string();
        let path = file(&with_quirk);
        let gateway = user.serve(&["--config", &path]);
        let (id, _) = ask(&user, gateway.address(), "x", true);
        gateway.end("TERM");
        let replay = || user.run(&["logs", "replay", "--offline", "--config", &path]);
        assert_eq!(ended(replay(), 0), "1 same, 0 changed, 0 cannot be told\n");

        file(&without);
        let told = ended(replay(), 1);
        assert!(told.starts_with(&format!("changed  {id}")), "{told}");
        for part in [
            "in event",
            "then: ",
            "thinking",
            "now:  ",
            "0 same, 1 changed",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let told = user.run(&["logs", "replay", "--offline", "--config", &path, "--json"]);
        let told = objects(&ended(told, 1));
        assert_eq!(
            (&told[0]["outcome"], &told[0]["place"]),
            (&json!("changed"), &json!("body"))
        );
        assert!(told[0]["offset"].as_u64().unwrap() > 0, "{told:?}");

        file(&elsewhere);
        let told = ended(replay(), 0);
        assert!(
            told.contains("1: provider `up` is not configured"),
            "{told}"
        );
    });
    ran.await.unwrap();
}

#[test]
fn what_is_recorded_is_sent_again() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let (id, _) = ask(&user, gateway.address(), "demo", true);
    let (failed, _) = ask(&user, gateway.address(), &too_long(), false);
    let sent = objects(&ended(user.run(&["logs", "replay", &id, "--json"]), 0));
    let [sent] = &sent[..] else {
        panic!("{sent:?}")
    };
    for (member, expected) in [
        ("id", json!(id)),
        ("status", json!(200)),
        ("served_by", json!("demo/demo")),
        ("works", json!(true)),
        ("worked", json!(true)),
    ] {
        assert_eq!(sent[member], expected, "{member}: {sent}");
    }
    assert!(sent["output_tokens"].as_u64().unwrap() > 0, "{sent}");
    assert!(sent["preview"].as_str().unwrap().contains("demo"), "{sent}");
    let again = sent["sent_as"].as_str().unwrap();
    let body = |id: &str| {
        ended(
            user.run(&["logs", "show", id, "--body", "client-request"]),
            0,
        )
    };
    assert_eq!(body(again), body(&id), "to the byte");

    // A replay is nobody's but ours, unless it is asked to be.
    let agent = |id: &str| {
        let shown = ended(user.run(&["logs", "show", id, "--json"]), 0);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let headers = shown["details"]["client_request_headers"].to_string();
        (
            headers.contains("agent/1"),
            headers.contains("lingate/"),
            shown["session"].clone(),
        )
    };
    assert_eq!(agent(again), (false, true, Value::Null));
    let sent = user.run(&[
        "logs",
        "replay",
        &id,
        "--as-recorded",
        "--to",
        gateway.url(),
        "--json",
    ]);
    let sent = objects(&ended(sent, 0));
    let again = sent[0]["sent_as"].as_str().unwrap();
    assert_eq!(agent(again), (true, false, json!("s-1")));

    let told = ended(user.run(&["logs", "replay", &failed]), 1);
    assert!(told.contains("still fails"), "{told}");
    let told = ended(user.run(&["logs", "replay", &failed, "--model", "demo"]), 0);
    assert!(told.contains("works now, and failed before"), "{told}");
    let told = ended(
        user.run(&[
            "logs",
            "replay",
            "is:error",
            "--endpoint",
            "messages",
            "--limit",
            "1",
        ]),
        1,
    );
    assert!(told.contains("1 sent to http://127.0.0.1:"), "{told}");
}

#[test]
fn what_would_be_sent_can_be_looked_at() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let (id, _) = ask(&user, gateway.address(), "demo", false);
    let told = ended(user.run(&["logs", "replay", &id, "--dry-run"]), 0);
    assert!(
        told.starts_with(&format!("POST {}/v1/messages\n", gateway.url())),
        "{told}"
    );
    assert!(told.contains("  anthropic-version: 2023-06-01\n"), "{told}");
    let summary = ended(user.run(&["logs", "replay", "--output", "summary"]), 0);
    assert!(
        summary.starts_with("1 exchanges (anthropic 1), 0 errors"),
        "{summary}"
    );
    let request = objects(&ended(user.run(&["logs", "replay", "--output", "json"]), 0));
    assert_eq!(request[0]["body"]["messages"][0]["content"], EVIL);
    // Nothing was sent by any of it.
    let rows = ended(user.run(&["logs", "list", "--json"]), 0);
    assert_eq!(rows.lines().count(), 1, "{rows}");

    user.install("curl", "printf '<%s>\\n' \"$@\"; cat");
    let command = ended(user.run(&["logs", "replay", &id, "--output", "curl"]), 0);
    let run = |key: Option<&str>| {
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(&command)
            .env_clear()
            .current_dir(user.home());
        shell.env(
            "PATH",
            format!("{}:/usr/bin:/bin", user.home().join("bin").display()),
        );
        shell.envs(key.map(|key| ("LINGATE_KEY", key)));
        String::from_utf8(shell.output().unwrap().stdout).unwrap()
    };
    let ran = run(None);
    let body = ended(
        user.run(&["logs", "show", &id, "--body", "client-request"]),
        0,
    );
    assert!(
        ran.ends_with(&format!("<--data-binary>\n<@->\n{body}")),
        "{ran}"
    );
    assert!(
        ran.contains(&format!("<{}/v1/messages>\n", gateway.url())),
        "{ran}"
    );
    assert!(!ran.contains("x-lingate-key"), "{ran}");
    assert!(run(Some("a b")).contains("<-H>\n<x-lingate-key: a b>\n"));
    assert!(!user.home().join("a").exists() && !user.home().join("b").exists());
}

/// What cannot be read back keeps nothing else from being sent or shown, and is said at the end.
#[test]
fn a_damaged_row_is_passed_over() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let ids: Vec<String> = (0..3)
        .map(|_| ask(&user, gateway.address(), "demo", false).0)
        .collect();
    let [first, damaged, last] = &ids[..] else {
        panic!("{ids:?}")
    };
    damage(&user, damaged);
    for args in [
        &[][..],
        &["--json"],
        &["--dry-run"],
        &["--dry-run", "--json"],
        &["--output", "curl"],
        &["--output", "json"],
    ] {
        let named = [&["logs", "replay", first, damaged, last], args].concat();
        let ran = user.run(&named);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
        let told = format!("{damaged} is left out: the row of {damaged} is damaged");
        assert_eq!(ran.stderr.matches(&told).count(), 1, "{args:?}: {ran:?}");
        let end = ran.stderr.trim_end();
        assert!(
            end.ends_with("1 damaged exchanges were left out"),
            "{ran:?}"
        );
        for (id, is_there) in [(first, true), (damaged, false), (last, true)] {
            assert_eq!(
                ran.stdout.contains(&**id),
                is_there,
                "{args:?} {id}: {ran:?}"
            );
        }
    }
    let named = [
        "logs", "replay", first, damaged, last, "--output", "summary",
    ];
    let summary = user.run(&named);
    assert_eq!(summary.code, 1, "{summary:?}");
    assert!(
        summary.stdout.starts_with("2 exchanges (anthropic 2)"),
        "{summary:?}"
    );
}

#[test]
fn what_is_meant_has_to_be_clear() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let (id, _) = ask(&user, gateway.address(), "demo", false);
    for (args, said) in [
        (&[][..], "which exchanges"),
        (&[&*id, "model:demo"], "is an id and"),
        (
            &["--offline", "--model", "demo"],
            "`--offline` sends nothing",
        ),
        (&["--offline", "--dry-run"], "`--offline` sends nothing"),
        (
            &[&*id, "--to", "https://example.com"],
            "only `http` is spoken",
        ),
        (&[&*id, "--errors-only"], "nothing to choose"),
    ] {
        let ran = user.run(&[&["logs", "replay"], args].concat());
        assert_eq!(ran.code, 2, "{args:?} {ran:?}");
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
    gateway.end("TERM");
    let nobody = user.run(&["logs", "replay", &id]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.stderr.contains("no gateway runs"), "{nobody:?}");
}
