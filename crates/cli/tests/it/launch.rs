//! `lingate run`: joining and starting gateways, and what the client gets. The clients are shell scripts.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use lingate_testkit::canary;

use crate::harness::{User, finish, get, signal};

/// Prints what it was given, and calls the gateway.
const SHOW: &str = r#"
env | grep -E '^(ANTHROPIC|CLAUDE|OPENAI|GEMINI|GOOGLE|NO_PROXY)' | sort
for argument in "$@"; do echo "argument: $argument"; done
address=${ANTHROPIC_BASE_URL#http://}
exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
printf 'GET /health HTTP/1.0\r\nhost: %s\r\n\r\n' "$address" >&3
cat <&3
"#;

#[test]
fn a_fresh_home_and_one_key_are_enough() {
    let user = User::new()
        .with("MOONSHOT_API_KEY", "sk-canary")
        .with("ANTHROPIC_API_KEY", "sk-ant-canary");
    user.install("claude", SHOW);
    let ran = user.run(&["run", "--", "claude", "-p", "hi there"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "ANTHROPIC_AUTH_TOKEN=lingate-local",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS=1",
        "argument: --settings",
        "argument: -p",
        "argument: hi there",
    ] {
        assert!(
            ran.stdout.lines().any(|given| given == line),
            "{line}: {ran:?}"
        );
    }
    assert!(
        ran.stdout.contains("CLAUDE_CODE_MAX_CONTEXT_TOKENS="),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains("ANTHROPIC_API_KEY"), "{ran:?}");
    assert!(ran.stdout.contains("\"service\":\"lingate\""), "{ran:?}");
    assert!(ran.stdout.contains("\"sessions\":1"), "{ran:?}");
    assert!(
        ran.stderr
            .contains("added to the command line: claude --settings '{\"env\":"),
        "{ran:?}"
    );
    let log = std::fs::read_dir(user.home().join(".local/state/lingate")).unwrap();
    let logs = log
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect::<String>();
    for text in [&ran.stdout, &ran.stderr, &logs] {
        assert!(!text.contains("canary"), "{text}");
    }

    let listed = user.gateways();
    assert_eq!(listed.len(), 1, "it stays for the next session");
    assert_eq!(listed[0]["background"], true);
}

#[test]
fn without_a_key_the_demo_answers() {
    let user = User::new();
    user.install("claude", SHOW);
    let ran = user.run(&["run", "claude"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("the built-in demo answers"), "{ran:?}");
}

#[test]
fn two_at_once_share_one_gateway() {
    let user = User::new();
    user.install("claude", "echo \"$ANTHROPIC_BASE_URL\"");
    let urls: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| user.run(&["run", "--", "claude"])))
            .collect();
        let runs = runs.into_iter().map(|run| run.join().unwrap());
        runs.map(|ran| {
            assert_eq!(ran.code, 0, "{ran:?}");
            ran.stdout
        })
        .collect()
    });
    assert!(
        urls.iter()
            .all(|url| url == &urls[0] && url.starts_with("http://127.0.0.1:")),
        "{urls:?}"
    );
    assert_eq!(user.gateways().len(), 1);
}

#[test]
fn a_gateway_in_the_foreground_is_joined_if_it_is_the_same() {
    let user = User::new();
    user.install("claude", "echo \"$ANTHROPIC_BASE_URL\"");
    let gateway = user.serve(&[]);
    assert_eq!(
        user.run(&["run", "--", "claude"]).stdout.trim(),
        gateway.url()
    );
    let file = user.file("other.toml", "default = \"demo\"");
    let other = user.run(&["run", "--config", file.to_str().unwrap(), "--", "claude"]);
    assert_ne!(other.stdout.trim(), gateway.url(), "{other:?}");
    assert_eq!(user.gateways().len(), 2);
}

#[test]
fn a_busy_port_is_no_obstacle() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let user = User::new().with("LINGATE_PORT", &port);
    user.install("claude", SHOW);
    let ran = user.run(&["run", "--", "claude"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        !ran.stdout.contains(&format!("127.0.0.1:{port}\n")),
        "{ran:?}"
    );
}

#[test]
fn the_exit_code_is_the_clients() {
    let user = User::new();
    let check = |script: &str, expected: i32| {
        user.install("client", script);
        let ran = user.run(&["run", "--", "client"]);
        assert_eq!(ran.code, expected, "{script}: {ran:?}");
    };
    check("exit 7", 7);
    check("kill -TERM $$", 143);
}

#[test]
fn signals_are_handed_on() {
    for (name, code) in [("TERM", 42), ("HUP", 43)] {
        let user = User::new();
        let script = format!(
            "trap 'exit {code}' {name}\necho ready\nwhile :; do read -r -t 1 <> <(:) || :; done"
        );
        user.install("client", &script);
        let mut command = user.command(&["run", "--", "client"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        signal(child.id(), name);
        let ran = finish(child);
        assert_eq!(ran.code, code, "{ran:?}");
    }
}

#[test]
fn a_command_that_is_not_there_starts_nothing() {
    let user = User::new().with("PATH", "/nonexistent");
    let ran = user.run(&["run", "--", "claude"]);
    assert_eq!(ran.code, 127, "{ran:?}");
    assert!(
        ran.stderr
            .contains("npm install -g @anthropic-ai/claude-code"),
        "{ran:?}"
    );
    assert!(user.gateways().is_empty());
}

#[test]
fn a_gateway_that_cannot_start_says_why() {
    let user = User::new();
    user.install("claude", "exit 0");
    let file = user.file("l.toml", "[providers.own]\nbase_url = \"https://own.example\"\nspeaks = [\"chat\"]\nauth = \"none\"\nca_file = \"/nonexistent.pem\"\n");
    let ran = user.run(&["run", "--config", file.to_str().unwrap(), "--", "claude"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("the gateway did not start"), "{ran:?}");
    assert!(ran.stderr.contains("/nonexistent.pem"), "{ran:?}");
}

#[test]
fn a_wished_model_must_exist() {
    let user = User::new().with("MOONSHOT_API_KEY", "sk-canary");
    user.install("claude", SHOW);
    let ran = user.run(&["run", "--model", "moonshot/kimi-k2.6", "--", "claude"]);
    assert!(
        ran.stdout.contains("ANTHROPIC_MODEL=moonshot/kimi-k2.6\n"),
        "{ran:?}"
    );
    let ran = user.run(&["run", "--model", "dem", "--", "claude"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("did you mean `demo`?"), "{ran:?}");
}

#[test]
fn a_key_of_the_gateway_reaches_the_client_and_no_command_line() {
    let user = User::new().with("LINGATE_KEY", "lgk-canary");
    // The client says it.
    canary::lift("lgk-canary");
    user.install(
        "claude",
        "echo \"token: $ANTHROPIC_AUTH_TOKEN\"\nshift\ncat \"$1\"\nstat -c ' mode: %a' \"$1\"",
    );
    let file = user.file(
        "l.toml",
        &format!("[keys.me]\nsecret = \"sha256:{}\"\n", "0".repeat(64)),
    );
    let args = ["run", "--config", file.to_str().unwrap(), "--", "claude"];
    let ran = user.run(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("token: lgk-canary"), "{ran:?}");
    assert!(
        ran.stdout
            .contains("\"ANTHROPIC_AUTH_TOKEN\":\"lgk-canary\""),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("mode: 600"), "{ran:?}");
    assert!(!ran.stderr.contains("canary"), "{ran:?}");
    let left = std::fs::read_dir(user.home().join(".local/state/lingate")).unwrap();
    assert!(
        left.flatten()
            .all(|file| !file.file_name().to_str().unwrap().starts_with("settings"))
    );

    let keyless = user.with("LINGATE_KEY", "");
    let ran = keyless.run(&args);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("set `LINGATE_KEY`"), "{ran:?}");
}

#[test]
fn a_stop_waits_for_the_session() {
    let user = User::new();
    user.install(
        "client",
        "echo \"$ANTHROPIC_BASE_URL\"\nread -r line\nexit 5",
    );
    let mut command = user.command(&["run", "--", "client"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    let address = url.trim().strip_prefix("http://").unwrap();
    let mut stop = user.command(&["stop"]);
    let mut stop = stop
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(stop.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.contains("ends after its session"), "{said}");
    assert!(
        get(address, "/health").contains("\"status\":\"ok\""),
        "it serves on"
    );
    drop(child.stdin.take());
    assert_eq!(finish(child).code, 5);
    let stopped = finish(stop);
    assert!(stopped.stdout.contains("has ended"), "{stopped:?}");
}

#[test]
fn a_stop_now_waits_for_nobody() {
    let user = User::new();
    user.install("client", "read -r line");
    let mut command = user.command(&["run", "--", "client"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    let stopped = user.run(&["stop", "--now"]);
    assert!(stopped.stdout.contains("has ended"), "{stopped:?}");
    drop(child.stdin.take());
    finish(child);
}

#[test]
fn a_gateway_that_dies_comes_back_at_its_address() {
    let user = User::new();
    user.install("client", "echo \"$ANTHROPIC_BASE_URL\"\nread -r line");
    let mut command = user.command(&["run", "--", "client"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    let first = user.gateways()[0]["pid"].as_u64().unwrap();
    signal(first.try_into().unwrap(), "KILL");
    let mut looks = 0;
    let second = loop {
        let listed = user.gateways();
        if let Some(gateway) = listed
            .iter()
            .find(|gateway| gateway["pid"] != first && gateway["sessions"] == 1)
        {
            break gateway.clone();
        }
        looks += 1;
        assert!(looks < 1000, "{listed:?}");
    };
    assert_eq!(second["url"], url.trim());
    drop(child.stdin.take());
    finish(child);
}

#[test]
fn a_client_that_does_not_call_is_explained() {
    let user = User::new();
    user.install("client", "sleep 17");
    let ran = user.run(&["run", "--", "client"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr
            .contains("`client` has not called the gateway for 15 s"),
        "{ran:?}"
    );
}
