//! A gateway that runs follows its configuration: by itself, on a hangup, and when `run` looks for one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{User, get, signal};

const CONFIG: &str = "default = \"demo\"\n";

/// Waits until what `status` lists fits.
fn listed(user: &User, config: &str, fits: &dyn Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = user.run(&["status", "--json", "--config", config]).stdout;
        let listed: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        if fits(&listed) {
            return listed;
        }
        assert!(Instant::now() < until, "it stays {listed}");
    }
}

#[test]
fn a_changed_file_is_followed_and_a_bad_one_is_not() {
    let user = User::new();
    let path = user.file("l.toml", CONFIG);
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    let first = listed(&user, file, &|own| own["current"] == true);
    assert_eq!(
        (&first["generation"], &first["reload"]),
        (&Value::from(1), &Value::Null)
    );

    // As an editor does it.
    let aside = user.file(
        "l.toml~",
        "default = \"demo\"\n[models.new]\ntargets = [\"demo/demo\"]\n",
    );
    std::fs::rename(aside, &path).unwrap();
    let second = listed(&user, file, &|own| own["generation"] == 2);
    assert_eq!(second["current"], true, "`run` would join it: {second}");
    assert_ne!(first["config_hash"], second["config_hash"]);
    assert!(get(gateway.address(), "/v1/models").contains("\"new\""));

    user.file("l.toml", "defualt = 1\n");
    let refused = listed(&user, file, &|own| own["reload"]["outcome"] == "refused");
    assert_eq!(refused["generation"], 2);
    let problem = refused["reload"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("did you mean `default`"), "{problem}");
    assert!(get(gateway.address(), "/v1/models").contains("\"new\""));
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stderr.contains("the last good one stays in force"),
        "{ended:?}"
    );
}

/// Asks for a reply with this text, and waits until it is over.
fn ask(address: &str, text: &str) {
    let body = format!(
        "{{\"model\":\"demo\",\"max_tokens\":9,\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}"
    );
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "POST /v1/messages HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 OK"), "{answer}");
}

#[test]
fn the_record_follows() {
    let user = User::new();
    let with = |provider: &str, record: &str| {
        format!(
            "{CONFIG}[providers.own]\nbase_url = \"http://127.0.0.1:9/v1\"\n\
             api_key = \"{provider}\"\n[record]\n{record}\n"
        )
    };
    let path = user.file("l.toml", &with("first-corp-key", ""));
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    // What follows is done a moment after the generation is in force.
    let reloaded = |generation: u64, text: &str| {
        user.file("l.toml", text);
        signal(gateway.pid(), "HUP");
        listed(&user, file, &|own| own["generation"] == generation);
        std::thread::sleep(Duration::from_millis(1500));
    };
    reloaded(2, &with("next-corp-key", ""));
    ask(gateway.address(), "first-corp-key or next-corp-key, word1");
    reloaded(3, &with("next-corp-key", "bodies = \"metadata\""));
    ask(gateway.address(), "word2");
    reloaded(
        4,
        &with("next-corp-key", "bodies = \"off\"\ndir = \"~/elsewhere\""),
    );
    ask(gateway.address(), "word3");
    let ended = gateway.end("TERM");
    assert!(
        ended
            .stderr
            .contains("`record.dir` is another: that needs a restart"),
        "{ended:?}"
    );

    user.file("l.toml", &with("next-corp-key", ""));
    let found = |text: &str| user.run(&["logs", "search", text, "--config", file]).stdout;
    assert!(
        found("word1").contains("************** or *************, word1"),
        "{}",
        found("word1")
    );
    for text in ["corp-key", "word2", "word3"] {
        assert_eq!(found(text), "", "{text}");
    }
    let rows = user
        .run(&["logs", "list", "--json", "--config", file])
        .stdout;
    assert_eq!(rows.lines().count(), 2, "{rows}");
}

#[test]
fn a_hangup_reloads() {
    let user = User::new();
    let path = user.file("l.toml", CONFIG);
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    for generation in 2..5 {
        signal(gateway.pid(), "HUP");
        listed(&user, file, &|own| own["generation"] == generation);
    }
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn run_joins_the_gateway_whose_file_it_just_changed() {
    let user = User::new();
    user.install("claude", "echo \"$ANTHROPIC_BASE_URL\"");
    let path = user.file("l.toml", CONFIG);
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    for n in 0..3 {
        user.file("l.toml", &format!("{CONFIG}# {n}\n"));
        let ran = user.run(&["run", "--config", file, "--", "claude"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.stdout.trim(), gateway.url(), "another gateway: {ran:?}");
    }
    assert_eq!(user.gateways().len(), 1);
}
