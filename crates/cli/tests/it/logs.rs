//! `lingate logs` and `lingate cost`: the record is there with the gateway running, ended and killed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Ran, User};
use crate::provider::{KEY, Mocked};

/// Longest wait for something to be recorded.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for a reply; gives its id.
fn ask(address: &str, model: &str, text: &str) -> String {
    let body = json!({
        "model": model,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
    });
    let body = body.to_string();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        connection,
        "POST /v1/messages HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let id = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-lingate-id: "));
    id.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The lines of a list once there are as many as expected.
fn listed(user: &User, args: &[&str], expected: usize) -> Vec<Value> {
    let args = [&["logs", "list", "--json"], args].concat();
    let began = Instant::now();
    loop {
        let ran = user.run(&args);
        let lines: Vec<Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let is_complete = lines.iter().all(|line| !line["end"].is_null());
        if lines.len() == expected && is_complete {
            return lines;
        }
        assert!(began.elapsed() < PATIENCE, "{ran:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn fine(ran: Ran) -> String {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

#[test]
fn the_record_is_there_whatever_became_of_the_gateway() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let first = ask(gateway.address(), "demo", "a needle in the hay");
    let second = ask(gateway.address(), "demo", "nothing but hay");
    let rows = listed(&user, &[], 2);
    assert_eq!(rows[0]["id"], *second, "newest first");
    let row = &rows[1];
    assert_eq!(row["id"], *first);
    for (member, expected) in [
        ("client_wire", json!("anthropic")),
        ("upstream_wire", json!("chat")),
        ("lane", json!("translated")),
        ("model", json!("demo")),
        ("provider", json!("demo")),
        ("status", json!(200)),
        ("attempts", json!(1)),
        ("session", Value::Null),
        ("cost_micro_usd", json!(0)),
        ("billed_micro_usd", json!(0)),
        ("billing", json!("metered")),
    ] {
        assert_eq!(row[member], expected, "{member}: {row}");
    }
    for member in ["time", "usage", "duration_ms", "ttft_ms"] {
        assert!(!row[member].is_null(), "{member}: {row}");
    }
    assert_eq!(listed(&user, &["--limit", "1"], 1)[0]["id"], *second);

    // A gateway that is killed closes nothing.
    gateway.end("KILL");
    assert_eq!(listed(&user, &[], 2).len(), 2);
    let shown = fine(user.run(&["logs", "show", &first]));
    assert!(shown.contains("served by       demo/demo"), "{shown}");
    let body = fine(user.run(&["logs", "show", &first, "--body", "client-request"]));
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["messages"][0]["content"],
        "a needle in the hay"
    );
    let found = fine(user.run(&["logs", "search", "needle in"]));
    assert!(
        found.contains(&first) && !found.contains(&second),
        "{found}"
    );
    let nothing = user.run(&["logs", "search", "no such words"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (1, ""));
    let sums = fine(user.run(&["cost", "model", "--json"]));
    let sums: Value = serde_json::from_str(sums.trim()).unwrap();
    assert_eq!(
        (&sums["group"], &sums["exchanges"]),
        (&json!("demo"), &json!(2))
    );
    let pruned = fine(user.run(&["logs", "prune", "--days", "0", "--json"]));
    assert!(pruned.starts_with("{\"rows\":2,"), "{pruned}");
    assert_eq!(listed(&user, &[], 0).len(), 0);
}

#[test]
fn what_is_wrong_says_so() {
    let user = User::new();
    let none = user.run(&["logs", "list"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(
        none.stderr.contains("nothing has been recorded in"),
        "{none:?}"
    );
    let gateway = user.serve(&[]);
    ask(gateway.address(), "demo", "hello");
    listed(&user, &[], 1);
    let no_bodies = "looks at no bodies";
    for (args, expected) in [
        (&["logs", "list", "staus:200"][..], "status"),
        (&["logs", "list", "status:often"], "status"),
        (
            &["logs", "show", "0000"],
            "no exchange has an id that begins with `0000`",
        ),
        (&["logs", "list", "hello"], no_bodies),
        (&["logs", "tail", "hello"], no_bodies),
        (&["logs", "stats", "hello"], no_bodies),
        (&["cost", "day", "hello"], no_bodies),
    ] {
        let ran = user.run(args);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
}

#[test]
fn no_client_writes_to_the_terminal_of_who_looks() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let model = "x\u{1b}]0;pwn\u{7}\nfake row";
    ask(gateway.address(), model, "hello");
    listed(&user, &[], 1);
    for args in [
        &["logs", "list"][..],
        &["logs", "stats", "--by", "model"],
        &["logs", "search", "hello"],
        &["cost", "model"],
    ] {
        let shown = fine(user.run(args));
        assert!(shown.contains("x ]0;pwn  fake row"), "{args:?}: {shown:?}");
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{args:?}: {shown:?}");
    }
    let log = gateway.end("TERM").stderr;
    assert!(log.contains("\\u{1b}]0;pwn\\u{7}\\nfake row"), "{log:?}");
    assert!(!log.lines().any(|line| line.starts_with("fake")), "{log:?}");
}

#[test]
fn nothing_is_recorded_where_that_is_configured() {
    let user = User::new();
    let file = user.file("l.toml", "[record]\nbodies = \"off\"\n");
    let gateway = user.serve(&["--config", file.to_str().unwrap()]);
    ask(gateway.address(), "demo", "hello");
    gateway.end("TERM");
    let none = user.run(&["logs", "list", "--config", file.to_str().unwrap()]);
    assert!(
        none.stderr.contains("nothing has been recorded in"),
        "{none:?}"
    );
}

/// What a subscription pays for has its list price, and says that nobody is billed for it; what is metered does not.
#[test]
fn what_a_subscription_pays_for_says_so() {
    let user = User::new();
    let mocked = Mocked::start(&user, &[]);
    let provider = |name: &str, billing: &str| {
        format!(
            "[providers.{name}]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"{KEY}\"\nbilling = \"{billing}\"\n\
             [models.by-{name}]\ntargets = [\"{name}/m-1\"]\nprice = {{ input = \"1000\", output = \"1000\" }}\n",
            mocked.url()
        )
    };
    let config = format!(
        "from_env = false\n{}{}",
        provider("plan", "subscription"),
        provider("meter", "metered")
    );
    let file = user.file("lingate.toml", &config);
    let file = file.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    let by_plan = ask(gateway.address(), "by-plan", "hello");
    let metered = ask(gateway.address(), "by-meter", "hello");
    let rows = listed(&user, &[], 2);
    let amount = |row: &Value| {
        let cost = row["cost_micro_usd"].as_i64().unwrap();
        assert!(cost > 0, "{row}");
        format!("${}.{:02}", cost / 1_000_000, cost % 1_000_000 / 10_000)
    };
    let told = fine(user.run(&["logs", "list"]));
    for (row, id, billing) in [
        (&rows[1], &by_plan, "subscription"),
        (&rows[0], &metered, "metered"),
    ] {
        let (cost, words) = (amount(row), "(subscription: not billed)");
        let is_free = billing == "subscription";
        assert_eq!((&row["id"], &row["billing"]), (&json!(id), &json!(billing)));
        let billed = if is_free {
            json!(0)
        } else {
            row["cost_micro_usd"].clone()
        };
        assert_eq!(row["billed_micro_usd"], billed, "{row}");
        let shown = fine(user.run(&["logs", "show", id]));
        let cost_line = shown
            .lines()
            .find(|line| line.starts_with("cost "))
            .unwrap();
        let list_line = told
            .lines()
            .find(|line| line.contains(id.as_str()))
            .unwrap();
        for line in [cost_line, list_line] {
            assert!(line.contains(&cost), "{cost}: {line}");
            assert_eq!(line.contains(words), is_free, "{line}");
        }
    }
    let sums = fine(user.run(&["cost", "provider", "--json"]));
    let sums: Vec<Value> = sums
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for sum in &sums {
        let billed = &sum["billed_micro_usd"];
        match sum["group"].as_str() {
            Some("plan") => assert_eq!(
                (billed, &sum["cost_micro_usd"]),
                (&json!(0), &rows[1]["cost_micro_usd"])
            ),
            _ => assert_eq!(billed, &rows[0]["cost_micro_usd"], "{sum}"),
        }
    }
    assert_eq!(sums.len(), 2, "{sums:?}");
}
