//! `lingate statusline`: one line whatever is there, and never a failure.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Ran, User, finish};

/// Longest wait for something to be recorded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs it with this on its standard input, as Claude Code does; its one line.
fn line(user: &User, args: &[&str], input: &[u8]) -> String {
    let all = [&["statusline"], args].concat();
    let mut child = user
        .command(&all)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that answers without reading has closed it.
    let _ = stdin.write_all(input);
    drop(stdin);
    let ran: Ran = finish(child);
    assert_eq!((ran.code, &*ran.stderr), (0, ""), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    ran.stdout.trim_end().to_owned()
}

fn told(session: &str) -> Vec<u8> {
    let told = json!({
        "session_id": session,
        "model": {"id": "claude-opus-5-5", "display_name": "Opus 5.5"},
        "cost": {"total_cost_usd": 0.1},
    });
    told.to_string().into_bytes()
}

/// Asks for a reply in this session.
fn ask(address: &str, session: &str, model: &str) {
    let body = json!({
        "model": model,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}],
    });
    let body = body.to_string();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        connection,
        "POST /v1/messages HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         x-claude-code-session-id: {session}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
}

/// Waits until the line says this.
fn says(user: &User, session: &str, part: &str) -> String {
    let began = Instant::now();
    loop {
        let line = line(user, &[], &told(session));
        if line.contains(part) {
            return line;
        }
        assert!(began.elapsed() < PATIENCE, "{line}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_session_before_and_behind_its_first_answer() {
    let user = User::new().with("NO_COLOR", "1");
    let config = "[models.mine]\ntargets = [\"demo/demo\"]\nprice = { input = \"100\", output = \"100\" }\n\
                  [budget]\nday = \"1 USD\"\n";
    user.file(".config/lingate/lingate.toml", config);
    let gateway = user.serve(&[]);
    let url = format!("http://{}", gateway.address());
    let user = user.with("ANTHROPIC_BASE_URL", &url);

    let line = line(&user, &[], &told("one"));
    assert!(
        line.contains("nothing is recorded of this session yet"),
        "{line}"
    );
    ask(gateway.address(), "one", "mine");
    let line = says(&user, "one", "demo @ demo");
    for part in ["budget day ", "% of $1.00", " session", " today"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains('\u{1b}'), "{line}");
    // Of another session only the day is known.
    let other = says(&user, "two", "nothing is recorded of this session yet");
    assert!(
        other.contains(" today") && !other.contains("demo @ demo"),
        "{other}"
    );

    let json = self::line(&user, &["--json"], &told("one"));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["session"], &json["provider"]),
        (&json!("one"), &json!("demo"))
    );
    assert_eq!(json["budgets"][0]["budget"], "budget.day");
    assert_eq!(json["cost_micro_usd"], json["billed_micro_usd"]);

    // The record stays when the gateway is gone; that it is gone is said.
    drop(gateway);
    let line = says(&user, "one", "gateway does not answer");
    assert!(line.contains("demo @ demo"), "{line}");
}

#[test]
fn whatever_is_missing_it_says_so() {
    let user = User::new().with("NO_COLOR", "1");
    for input in [&b""[..], b"{", b"\xff\xfe", b"[1]", b"null"] {
        let line = line(&user, &[], input);
        assert_eq!(line, "lingate: nothing is recorded yet", "{input:?}");
    }
    let elsewhere = line(&user, &[], &told("one"));
    assert!(
        elsewhere.contains("does not go through lingate"),
        "{elsewhere}"
    );

    let broken = user.file("broken.toml", "nonsense = [\n");
    let args = ["--config", broken.to_str().unwrap()];
    let line = line(&user, &args, &told("one"));
    assert!(line.contains("`lingate check` says why"), "{line}");
    let missing = self::line(&user, &["--config", "/nowhere/lingate.toml"], b"");
    assert!(missing.contains("`lingate check` says why"), "{missing}");
}

#[test]
fn cost_tells_what_is_billed() {
    let user = User::new();
    let config =
        "[models.mine]\ntargets = [\"demo/demo\"]\nprice = { input = \"100\", output = \"100\" }\n";
    user.file(".config/lingate/lingate.toml", config);
    let gateway = user.serve(&[]);
    ask(gateway.address(), "one", "mine");
    let began = Instant::now();
    let day = loop {
        let ran = user.run(&["cost", "day", "--json"]);
        if let Some(Ok(day)) = ran.stdout.lines().next().map(serde_json::from_str::<Value>)
            && day["cost_micro_usd"].as_i64() > Some(0)
        {
            break day;
        }
        assert!(began.elapsed() < PATIENCE, "{ran:?}");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(day["billed_micro_usd"], day["cost_micro_usd"]);
    let table = user.run(&["cost", "session"]);
    assert!(
        table.stdout.contains("list price") && table.stdout.contains("billed"),
        "{table:?}"
    );
    assert!(!table.stderr.contains("subscription"), "{table:?}");
}
