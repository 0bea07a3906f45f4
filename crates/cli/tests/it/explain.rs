//! `lingate explain`: the whole way of one request, on paper.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::harness::{Ran, User, finish};

const FILE: &str = r#"
[providers.off]
base_url = "http://127.0.0.1:1"
speaks = ["chat"]
auth = "none"
enabled = false
[providers.first]
base_url = "http://127.0.0.1:1/v1"
speaks = ["chat"]
api_key = "sk-canary"
[providers.second]
base_url = "http://127.0.0.1:2"
speaks = ["anthropic"]
auth = "none"
[models.kimi]
targets = ["off/k", "first/k-large", "second/k-small"]
[aliases]
"claude-*" = "kimi"
[[rules]]
when = { header = { x-team = "red" } }
use = "second/k-red"
[profiles.home]
default = "kimi"
"#;

fn request() -> Json {
    json!({
        "model": "claude-opus-x",
        "max_tokens": 10,
        "top_k": 5,
        "system": "be brief",
        "messages": [{"role": "user", "content": "hi"}],
    })
}

fn explain(args: &[&str], request: &str) -> Ran {
    let user = User::new();
    let file = user.file("l.toml", FILE);
    let body = user.file("body.json", request);
    let base = [
        "explain",
        body.to_str().unwrap(),
        "--config",
        file.to_str().unwrap(),
    ];
    user.run(&[&base[..], args].concat())
}

#[test]
fn people_read_the_way_from_name_to_bytes() {
    let ran = explain(&[], &request().to_string());
    assert_eq!(ran.code, 0, "{ran:?}");
    let expected = [
        "asked for: claude-opus-x (anthropic client, class main)",
        "alias `claude-*` -> kimi",
        "candidate 1: first/k-large, target 2 of model `kimi`",
        "lane: translated (the provider speaks another wire)",
        "not carried over: top_k",
        "POST http://127.0.0.1:1/v1/chat/completions",
        "authorization: (hidden)",
        "\"model\": \"k-large\"",
        "candidate 2: second/k-small, target 3 of model `kimi`",
        "lane: passthrough (same wire, and nothing to change)",
        "POST http://127.0.0.1:2/v1/messages",
        "left out: off/k, its provider is disabled",
    ];
    let mut rest = ran.stdout.as_str();
    for words in expected {
        let found = rest.split_once(words);
        rest = found
            .unwrap_or_else(|| panic!("{words} in {}", ran.stdout))
            .1;
    }
    assert!(!ran.stdout.contains("canary"), "{}", ran.stdout);
}

/// Who cannot take the request is named with the reason, and so is the class that the client gives it.
#[test]
fn who_is_left_out_is_told() {
    let mut search = request();
    search["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let class = ["--header", "x-claude-code-request-class=subagent"];
    let ran = explain(&[&["--json"], &class[..]].concat(), &search.to_string());
    let object: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(object["class"], "subagent");
    assert_eq!(object["candidates"][0]["provider"], "second");
    let why = "the request is for the tool `web_search`, which it does not have";
    assert_eq!(
        object["left_out"],
        json!([{"target": "first/k-large", "reason": "tool", "why": why}])
    );
    let ran = explain(&[], &search.to_string());
    let line = format!("left out: first/k-large, {why}");
    assert!(ran.stdout.contains(&line), "{}", ran.stdout);
}

#[test]
fn programs_read_one_object() {
    let ran = explain(
        &["--json", "--header", "x-team=red"],
        &request().to_string(),
    );
    let object: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        object["steps"],
        json!(["rule 1 -> second/k-red", "provider `second`"])
    );
    let candidate = &object["candidates"][0];
    assert_eq!(candidate["lane"], "passthrough");
    let mut sent = request();
    sent["model"] = json!("k-red");
    assert_eq!(candidate["body"], sent);

    let ran = explain(
        &["--json", "--wire", "chat", "--profile", "home"],
        r#"{"model":"x","messages":[]}"#,
    );
    let object: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(object["client_wire"], "chat");
    assert_eq!(object["steps"][0], "default -> kimi");
    assert_eq!(object["candidates"][0]["lane"], "passthrough");
}

#[test]
fn standard_input_is_read() {
    let user = User::new();
    let mut command = user.command(&["explain", "-"]);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(request().to_string().as_bytes()).unwrap();
    drop(input);
    let ran = finish(child);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout.contains("answered by the built-in demo"),
        "{ran:?}"
    );
}

#[test]
fn what_cannot_be_explained_is_said() {
    let check = |args: &[&str], body: &str, code: i32, words: &str| {
        let ran = explain(args, body);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    };
    check(&[], "{", 2, "not JSON");
    check(&[], "{}", 2, "--wire");
    check(
        &[],
        r#"{"model":"kimy","messages":[]}"#,
        1,
        "did you mean kimi",
    );
    check(&["--profile", "hom"], &request().to_string(), 2, "home");
    check(&["--header", "x"], &request().to_string(), 2, "NAME=VALUE");
}
