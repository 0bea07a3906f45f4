//! `lingate logs diff`: turns of a session, the prompt cache, and answers.

use serde_json::{Value, json};

use crate::harness::User;
use crate::provider::{KEY, Mocked, fine, gateway, id, message, post, recorded};

const SESSION: [(&str, &str); 1] = [("x-claude-code-session-id", "5e55")];

fn diff(user: &User, args: &[&str]) -> (String, Value) {
    let text = fine(user.run(&[&["logs", "diff"], args].concat()));
    let json = fine(user.run(&[&["logs", "diff", "--json"], args].concat()));
    (text, serde_json::from_str(json.trim()).unwrap())
}

#[test]
fn turns_of_a_session() {
    let user = User::new();
    let mocked = Mocked::start(&user, &[]);
    let gateway = gateway(&user, &mocked, "chat");
    let ask = |body: &Value| id(&post(gateway.address(), "/v1/messages", &SESSION, body));
    let first = ask(&message(&["hello"]));
    let second = ask(&message(&["hello", "Hi.", "go\u{1b}[2J on"]));
    recorded(&user, 2);

    let (text, found) = diff(&user, &["last"]);
    assert_eq!(
        (&found["before"], &found["after"]),
        (&json!(first), &json!(second)),
        "against the turn before"
    );
    for part in [
        "  + messages[1]  assistant: Hi.\n",
        "  + messages[2]  user: go [2J on\n",
        "  + messages[3]  user: go [2J on\n",
        "the second goes on where the first ends",
        "(100 %)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert_eq!(found["prefix"]["parts"], Value::Null);
    assert_eq!(found["client_request"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["client_request"][0]["kind"], "added");

    let mut body = message(&["hello", "Hi.", "go on"]);
    body["system"] = json!("You yelp.");
    body["tools"] =
        json!([{"name": "Read", "description": "Reads", "input_schema": {"type": "object"}}]);
    let third = ask(&body);
    recorded(&user, 3);
    let (text, found) = diff(&user, &[&second, &third]);
    for part in [
        "  ~ system  You [-h-]{+y+}elp.\n",
        "  + tools[0]",
        "the cache ends at byte",
        "in tools\n",
    ] {
        assert!(
            text.contains(part) || part == "  + tools[0]" && text.contains("  + tools  "),
            "{part}: {text}"
        );
    }
    assert_eq!(
        (
            &found["prefix"]["kept_bytes"],
            &found["prefix"]["parts"]["path"]
        ),
        (&json!(0), &json!("tools"))
    );
    let coloured = user
        .command(&["logs", "diff", &second, &third])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    let coloured = String::from_utf8(coloured.stdout).unwrap();
    assert!(
        coloured.contains("\u{1b}[31mh\u{1b}[0m\u{1b}[32my\u{1b}[0m"),
        "{coloured:?}"
    );

    let none = user.run(&["logs", "diff", &first]);
    assert_eq!(
        (
            none.code,
            none.stderr.contains("is the first of its session")
        ),
        (1, true),
        "{none:?}"
    );
    let same = diff(&user, &[&first, &first]).0;
    assert!(same.contains("no difference"), "{same}");
}

#[test]
fn what_routing_moved_is_a_miss() {
    let user = User::new();
    let mocked = Mocked::start(&user, &[]);
    let config = user.file(
        "two.toml",
        &format!(
            "from_env = false\n[providers.one]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\napi_key = \"{KEY}\"\n\
             [providers.two]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\napi_key = \"{KEY}\"\n",
            url = mocked.url()
        ),
    );
    let gateway = user.serve(&["--config", config.to_str().unwrap()]);
    for model in ["one/m", "two/m"] {
        let mut body = message(&["hello"]);
        body["model"] = json!(model);
        post(gateway.address(), "/v1/messages", &SESSION, &body);
    }
    recorded(&user, 2);
    let (text, found) = diff(&user, &["last"]);
    for part in [
        "the provider moved: one -> two",
        "a miss that routing caused",
        "the key moved: one#1 -> two#1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(
        found["moved"][0],
        json!({"what": "provider", "before": "one", "after": "two"})
    );
    // Without a session nothing is known to come before.
    post(gateway.address(), "/v1/messages", &[], &message(&["hello"]));
    recorded(&user, 3);
    let alone = user.run(&["logs", "diff", "last"]);
    assert!(alone.stderr.contains("belongs to no session"), "{alone:?}");
}
