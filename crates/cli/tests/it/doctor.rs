//! `lingate doctor` against scripted providers: each trouble is told from the others, with what to do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use lingate_testkit::{Answer, Received, Reply, Upstream, chat};
use serde_json::{Value as Json, json};

use crate::harness::{Ran, User};

/// A provider that lists `served` and answers to the right key only.
fn healthy(request: &Received) -> Answer {
    if request
        .headers
        .get("authorization")
        .is_none_or(|key| key != "Bearer sk-canary")
    {
        return Answer::json(401, &chat::error("invalid_api_key", "no such key"));
    }
    if request.method == "GET" {
        return Answer::json(200, &json!({"object": "list", "data": [{"id": "served"}]}));
    }
    Reply::text("hi").answer(request)
}

fn file(url: &str, key: &str, model: &str) -> String {
    format!(
        "default = \"mine\"\n[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\napi_key = \"{key}\"\n\
         [models.mine]\ntargets = [\"up/{model}\"]\n"
    )
}

/// What the doctor says of a configuration.
fn examined(file: &str, args: &[&str]) -> Ran {
    let user = User::new();
    let path = user.file("l.toml", file);
    let base = ["doctor", "--config", path.to_str().unwrap()];
    let ran = user.run(&[&base[..], args].concat());
    assert!(
        !(ran.stdout.clone() + &ran.stderr).contains("canary"),
        "{ran:?}"
    );
    ran
}

/// The finding of that check.
fn found(ran: &Ran, check: &str) -> Json {
    let lines = ran.stdout.lines();
    let mut objects = lines.map(|line| serde_json::from_str::<Json>(line).unwrap());
    let found = objects.find(|object| object["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {}", ran.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_setup_is_fine_and_costs_nothing() {
    let upstream = Upstream::start(healthy).await;
    let config = file(&upstream.url(), "sk-canary", "served");
    let ran = examined(&config, &["--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let provider = found(&ran, "provider up");
    assert_eq!(provider["level"], "fine");
    let message = provider["message"].as_str().unwrap();
    assert!(
        message.contains("lists 1 models") && message.contains("l.toml:5"),
        "{message}"
    );
    found(&ran, "disk, state");
    found(&ran, "Claude Code");
    let methods: Vec<String> = upstream
        .requests()
        .into_iter()
        .map(|request| request.method)
        .collect();
    assert_eq!(methods, ["GET"], "a reply is asked for with `--spend` only");

    let ran = examined(&config, &["--json", "--spend"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        found(&ran, "provider up, reply of served")["message"],
        "streams"
    );
    let asked = upstream.requests().pop().unwrap();
    assert!(
        asked.json().to_string().contains("\"stream\":true"),
        "{}",
        asked.text()
    );

    let text = examined(&config, &[]).stdout;
    assert!(
        text.contains("ok    provider up: answers, takes the key from"),
        "{text}"
    );
    assert!(
        text.contains(" fine, ") && text.contains(", 0 broken"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_has_its_own_words() {
    let check = async |answer: Answer, level: &str, words: &str| {
        let upstream = Upstream::start(answer).await;
        let ran = examined(&file(&upstream.url(), "sk-canary", "served"), &["--json"]);
        let provider = found(&ran, "provider up");
        assert_eq!(provider["level"], level, "{provider}");
        assert!(provider.to_string().contains(words), "{provider}");
        assert_eq!(ran.code, i32::from(level == "problem"), "{ran:?}");
        if level != "fine" {
            assert!(
                provider["cause"].is_string() && provider["fix"].is_string(),
                "{provider}"
            );
        }
    };
    let error = |status| Answer::json(status, &chat::error("x", "their words"));
    check(error(401), "problem", "does not know the key").await;
    check(error(403), "problem", "their words").await;
    check(error(429), "warning", "limits").await;
    check(error(503), "warning", "trouble of its own").await;
    check(error(404), "fine", "no list of models").await;
    check(Answer::raw("SSH-2.0-x\r\n"), "problem", "cannot connect").await;
}

#[test]
fn names_ports_and_certificates_are_told_apart() {
    let check = |url: &str, words: &str| {
        let ran = examined(&file(url, "sk-canary", "served"), &["--json"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let provider = found(&ran, "provider up");
        assert!(provider.to_string().contains(words), "{provider}");
    };
    check("https://no-such-host.invalid/v1", "has no address");
    // Port 1 of the loopback: nobody listens there.
    check("http://127.0.0.1:1/v1", "the local server does not run");
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/v1", plain.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut connection, _) = plain.accept().unwrap();
        let _ = connection.read(&mut [0; 1024]);
        connection.write_all(b"HTTP/1.1 400 no\r\n\r\n").unwrap();
    });
    check(&url, "does not speak TLS");
    served.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_listed_is_to_be_looked_at() {
    let upstream = Upstream::start(healthy).await;
    let ran = examined(&file(&upstream.url(), "sk-canary", "other"), &["--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("does not hold `other`"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_noticed() {
    let upstream = Upstream::start(|request: &Received| {
        healthy(request).header("date", "Sat, 21 Nov 2020 10:00:00 GMT")
    })
    .await;
    let ran = examined(&file(&upstream.url(), "sk-canary", "served"), &["--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(found(&ran, "clock")["level"], "problem");
}

#[test]
fn claude_code_and_what_is_in_its_way() {
    let user = User::new().with("ANTHROPIC_BASE_URL", "http://elsewhere.example");
    user.install("claude", "echo '9.9.9 (Claude Code)'");
    user.file(".claude/settings.json", r#"{"apiKeyHelper":"x.sh"}"#);
    let ran = user.run(&["doctor", "--json"]);
    assert_eq!(found(&ran, "Claude Code")["message"], "9.9.9 (Claude Code)");
    assert_eq!(found(&ran, "environment")["level"], "warning");
    assert_eq!(found(&ran, "Claude Code settings")["level"], "warning");
}
