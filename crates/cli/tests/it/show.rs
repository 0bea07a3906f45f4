//! `lingate logs show`, and how every list looks: on narrow screens, in colour, and with what peers wrote.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Ran, User};
use crate::provider::{Mocked, cassette, delta, fine, gateway, id, message, post, recorded};

/// A gateway's record of a stream that thinks between tags and tries to talk to the terminal.
fn record(user: &User, wire: &str) -> String {
    let words = [
        "<thi",
        "nk>\u{1b}[2J",
        "hm</think>",
        "Hello ",
        "there ",
        "you ",
        "all ",
        "out ",
        "there",
    ];
    let mut events: Vec<_> = words
        .iter()
        .map(|word| delta(json!({"content": word}), None))
        .collect();
    events.push(delta(json!({}), Some("stop")));
    let cassette = cassette(user, &[(1, &events)]);
    let mocked = Mocked::start(user, &["--cassette", cassette.to_str().unwrap()]);
    let gateway = gateway(user, &mocked, "chat");
    let (path, body) = match wire {
        "chat" => (
            "/v1/chat/completions",
            json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]}),
        ),
        _ => ("/v1/messages", message(&["hi"])),
    };
    let id = id(&post(gateway.address(), path, &[], &body));
    recorded(user, 1);
    id
}

fn with(command: &mut Command, variables: &[(&str, &str)]) -> String {
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn both_streams_side_by_side() {
    let user = User::new();
    let id = record(&user, "anthropic");
    let text = fine(user.run(&["logs", "show", &id]));
    assert!(
        text.contains("what the provider sent, what the client got"),
        "{text}"
    );
    let own = |line: &&str| line.contains(" ms  \"<thi\" ");
    let row = text.lines().find(own).unwrap_or_else(|| panic!("{text}"));
    assert!(
        row.ends_with("content_block_delta \"<thi\""),
        "both on one line: {row}"
    );
    assert!(
        text.contains("events more, the same words on both sides"),
        "{text}"
    );
    let raw = fine(user.run(&["logs", "show", "--raw", &id]));
    assert!(
        !raw.contains("events more") && raw.contains("< data: {\"id\":\"c\""),
        "{raw}"
    );
    let narrow = with(
        &mut user.command(&["logs", "show", &id]),
        &[("COLUMNS", "60")],
    );
    let (_, streams) = narrow.split_once("what the provider sent").unwrap();
    let widest = streams.lines().map(|line| line.chars().count()).max();
    assert!(
        widest <= Some(60) && streams.contains(" > content_block_delta"),
        "{streams}"
    );
    let json = fine(user.run(&["logs", "show", "--json", "last"]));
    assert!(
        json.contains(&id) && !json.contains("what the provider"),
        "{json}"
    );
}

#[test]
fn bytes_that_pass_are_called_identical() {
    let user = User::new();
    let id = record(&user, "chat");
    let body = |kind| fine(user.run(&["logs", "show", &id, "--body", kind]));
    let text = fine(user.run(&["logs", "show", &id]));
    let is_same = body("provider-response") == body("client-response");
    assert_eq!(text.contains("identical bytes"), is_same, "{text}");
}

#[test]
fn colours_are_for_terminals() {
    let user = User::new();
    let id = record(&user, "anthropic");
    for args in [
        &["logs", "list"][..],
        &["logs", "show", &id],
        &["logs", "stats"],
        &["logs", "search", "hi"],
        &["logs", "diff", &id, &id],
        &["cost"],
    ] {
        let plain = fine(user.run(args));
        let coloured = with(&mut user.command(args), &[("CLICOLOR_FORCE", "1")]);
        let off = with(
            &mut user.command(args),
            &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
        );
        let json = with(user.command(args).arg("--json"), &[("CLICOLOR_FORCE", "1")]);
        assert!(coloured.contains("\u{1b}["), "{args:?}: {coloured:?}");
        for text in [&plain, &off, &json] {
            assert!(!text.contains('\u{1b}'), "{args:?}: {text:?}");
        }
        // What a peer wrote clears no screen in any case.
        assert!(!coloured.contains("\u{1b}[2J"), "{args:?}: {coloured:?}");
    }
}

#[test]
fn what_ends_is_printed_as_it_ends() {
    let user = User::new();
    let mocked = Mocked::start(&user, &[]);
    let gateway = gateway(&user, &mocked, "chat");
    post(gateway.address(), "/v1/messages", &[], &message(&["hi"]));
    recorded(&user, 1);
    let mut tail = user.command(&["logs", "tail"]);
    let tail = tail.env("CLICOLOR_FORCE", "1").stdout(Stdio::piped());
    let mut tail = tail.spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // It may not be there yet when the next request ends.
    let asking = thread::spawn(move || {
        for _ in 0..20 {
            let mut body = message(&["hi"]);
            body["model"] = json!("x\u{1b}[2J");
            post(gateway.address(), "/v1/messages", &[], &body);
            thread::sleep(Duration::from_millis(250));
        }
    });
    let line = lines.next().unwrap().unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(
        line.contains("x [2J -> ") && line.contains("\u{1b}[32m 200\u{1b}[0m"),
        "{line:?}"
    );
    assert!(!line.contains("\u{1b}[2J"), "{line:?}");
    asking.join().unwrap();
}

#[test]
fn lists_fit_eighty_columns() {
    let user = User::new();
    record(&user, "anthropic");
    for args in [
        &["logs", "list"][..],
        &["logs", "stats"],
        &["cost"],
        &["logs", "functions"],
    ] {
        let text = with(&mut user.command(args), &[("COLUMNS", "80")]);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{args:?} {widest:?}: {text}");
    }
}

#[test]
fn a_new_user_is_told_what_to_do() {
    let user = User::new();
    let check = |args: &[&str], code: i32, parts: &[&str]| {
        let ran: Ran = user.run(args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        for part in parts {
            assert!(
                ran.stderr.contains(part),
                "{args:?}: {part}: {}",
                ran.stderr
            );
        }
    };
    for command in ["list", "stats", "functions", "export", "prune"] {
        check(
            &["logs", command],
            1,
            &["nothing has been recorded in", "hint: `lingate serve`"],
        );
    }
    // A record with nothing in it.
    let gateway = user.serve(&[]);
    for command in ["list", "functions"] {
        check(&["logs", command], 0, &["nothing has been recorded yet"]);
    }
    check(
        &["logs", "show", "last"],
        1,
        &["nothing has been recorded yet"],
    );
    check(&["logs", "export"], 1, &["nothing has been recorded yet"]);
    for _ in 0..2 {
        post(gateway.address(), "/v1/messages", &[], &message(&["hi"]));
    }
    let rows = recorded(&user, 2);
    let id = rows[0]["id"].as_str().unwrap();
    check(
        &["logs", "list", "staus:200"],
        2,
        &["is no field", "did you mean `status:`?"],
    );
    check(&["logs", "list", "model:nobody"], 0, &["no exchange fits"]);
    check(
        &["logs", "list", "--limit", "1001"],
        2,
        &["1001 is not in 1..=1000"],
    );
    check(
        &["logs", "search", "no such words"],
        1,
        &["nothing found in 2 exchanges"],
    );
    check(
        &["logs", "show", "xyz"],
        2,
        &["is no id of an exchange", "hexadecimal"],
    );
    check(
        &["logs", "show", "0000"],
        1,
        &["no exchange has an id that begins with `0000`"],
    );
    // Both began within the same minutes.
    check(
        &["logs", "show", &id[..5]],
        1,
        &["more than one exchange", id, "hint:"],
    );
    check(
        &["logs", "diff", "last"],
        1,
        &["belongs to no session", "`lingate logs diff A B`"],
    );
}
