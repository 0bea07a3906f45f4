//! `lingate serve`: the ready line, busy ports, wrong configurations, signals.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use crate::harness::{User, get};

#[test]
fn the_ready_line_comes_when_it_accepts() {
    let user = User::new().with("MOONSHOT_API_KEY", "sk-canary");
    let gateway = user.serve(&["--port", "0"]);
    let health = get(gateway.address(), "/health");
    assert!(health.starts_with("HTTP/1.0 200"), "{health}");
    assert!(health.contains("\"service\":\"lingate\""), "{health}");
    let ready = &gateway.ready;
    assert!(
        ready.contains("moonshot (key from environment variable MOONSHOT_API_KEY)"),
        "{ready}"
    );
    assert!(ready.contains("lingate run -- claude"), "{ready}");

    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.stdout, "", "one line on standard output");
    assert!(!ended.stderr.contains("canary"), "{ended:?}");
}

#[test]
fn without_a_key_it_serves_the_demo_and_says_so() {
    let user = User::new();
    let gateway = user.serve(&[]);
    assert!(
        gateway
            .ready
            .contains("no provider key found: the built-in demo answers"),
        "{}",
        gateway.ready
    );
    let models = get(gateway.address(), "/v1/models");
    assert!(models.contains("\"demo\""), "{models}");
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    /// Three megabytes of lines: more than a pipe has room for, and what waits twice over.
    const N_REQUESTS: usize = 400;
    let user = User::new();
    let (reads, begin) = mpsc::sync_channel(1);
    let gateway = user.serve_unread(&[], begin);
    // Each is told in a line.
    let path = format!("/{}", "x".repeat(8000));
    for _ in 0..N_REQUESTS {
        let answer = get(gateway.address(), &path);
        assert!(answer.starts_with("HTTP/1.0 404"), "{answer}");
    }
    drop(reads);
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0);
    let lines = ended.stderr.lines();
    let n_told = lines.filter(|line| line.contains(&path)).count();
    let said = ended
        .stderr
        .split(" lines of the log are missing here")
        .next();
    let n_lost = said.and_then(|said| said.rsplit(' ').next()?.parse().ok());
    assert_eq!(n_lost, Some(N_REQUESTS - n_told), "{n_told} told");
    assert!((1..N_REQUESTS).contains(&n_told), "{n_told} told");
}

#[test]
fn ctrl_c_ends_it_too() {
    let user = User::new();
    let ended = user.serve(&[]).end("INT");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(user.gateways().is_empty());
}

#[test]
fn a_busy_port_says_who_holds_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ran = User::new().run(&["serve", "--port", &port]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.stdout, "");
    let said = format!(
        "127.0.0.1:{port} is in use by process {}",
        std::process::id()
    );
    assert!(ran.stderr.contains(&said), "{ran:?}");
    assert!(ran.stderr.contains("--port N"), "{ran:?}");
}

#[test]
fn a_typo_is_wrong_usage_with_its_place() {
    let user = User::new();
    let file = user.file(
        "l.toml",
        "default = \"demo\"\n\n[server]\nlistne = \"127.0.0.1:0\"\n",
    );
    let file = file.to_str().unwrap();
    for args in [["serve", "--config", file], ["check", "--config", file]] {
        let ran = user.run(&args);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(&format!("{file}:4: ")), "{ran:?}");
        assert!(ran.stderr.contains("did you mean `listen`?"), "{ran:?}");
    }
}

#[test]
fn other_than_loopback_needs_keys() {
    let ran = User::new().run(&["serve", "--listen", "0.0.0.0", "--port", "0"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn a_gateway_in_the_foreground_is_listed_and_stopped() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let listed = user.gateways();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["url"], gateway.url());
    assert_eq!(listed[0]["pid"], gateway.pid());
    assert_eq!(listed[0]["status"], "ok");
    assert_eq!(listed[0]["current"], true);
    assert_eq!(listed[0]["background"], false);
    let status = user.run(&["status"]);
    assert_eq!(status.code, 0);
    assert!(status.stdout.contains(gateway.url()), "{status:?}");

    // Another configuration: it runs, but is not the one meant.
    let other = user.file("l.toml", "default = \"demo\"");
    let status = user.run(&["status", "--config", other.to_str().unwrap()]);
    assert!(status.stdout.contains("not the current one"), "{status:?}");

    let env = user.run(&["env"]);
    assert!(
        env.stdout
            .contains(&format!("ANTHROPIC_BASE_URL={}\n", gateway.url())),
        "{env:?}"
    );

    let stopped = user.run(&["stop"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert!(stopped.stdout.contains("has ended"), "{stopped:?}");
    assert_eq!(user.run(&["status"]).code, 1);
    let again = user.run(&["stop"]);
    assert_eq!(again.code, 1, "{again:?}");
}

/// Who is told that a gateway has ended finds nothing of it any more: no request that runs, and nobody who writes.
#[test]
fn a_stop_waits_for_what_runs_and_for_the_record() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let body = r#"{"model":"demo","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    write!(
        stream,
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        gateway.address(),
        body.len()
    )
    .unwrap();
    let mut answer = BufReader::new(stream);
    let mut begun = String::new();
    while !begun.contains("content_block_start") {
        assert_ne!(answer.read_line(&mut begun).unwrap(), 0, "{begun}");
    }
    let stopped = user.run(&["stop"]);
    assert!(stopped.stdout.contains("has ended"), "{stopped:?}");
    let log = || {
        user.home()
            .join(".local/share/lingate/record/record.db-wal")
            .exists()
    };
    assert!(!log(), "somebody still writes");
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("message_stop"), "{rest}");
    for time in 0..8 {
        let _gateway = user.serve(&[]);
        assert!(log());
        user.run(&["stop"]);
        assert!(!log(), "somebody still writes the {time}. time");
    }
}

#[test]
fn what_a_killed_gateway_left_is_not_listed() {
    let user = User::new();
    user.serve(&[]).end("KILL");
    assert!(user.gateways().is_empty());
    assert_eq!(
        std::fs::read_dir(user.home().join(".local/state/lingate"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_gateway_at_rest_holds_little_of_its_code() {
    let user = User::new();
    let file = user.file("l.toml", "default = \"demo\"\n");
    let gateway = user.serve(&["--config", file.to_str().unwrap()]);
    // A start touches 10 MB of it, in builds for tests more. It is enough to have seen it: what runs comes back.
    let until = Instant::now() + Duration::from_secs(20);
    while code_in_memory(gateway.pid()) > 3000 {
        assert!(
            Instant::now() < until,
            "{} kB",
            code_in_memory(gateway.pid())
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(get(gateway.address(), "/health").contains("200 OK"));
    assert!(code_in_memory(gateway.pid()) > 0);
    assert_eq!(gateway.end("TERM").code, 0);
}

/// What a gateway has of its program's code in memory, in kB.
#[cfg(target_os = "linux")]
fn code_in_memory(pid: u32) -> u64 {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut is_code = false;
    let mut n_kilobytes = 0;
    for line in smaps.lines() {
        if line.starts_with(|first: char| first.is_ascii_hexdigit() && !first.is_uppercase()) {
            is_code = line.contains(" r-xp ") && line.ends_with("/lingate");
        } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| is_code) {
            n_kilobytes += size.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        }
    }
    n_kilobytes
}
