//! The end of a gateway by signals, and its replacement under a service manager.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{User, finish, get, signal};

/// A request whose answer is held up: the demo's words come one after the other.
fn begin(address: &str) -> TcpStream {
    let body = r#"{"model":"demo","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut connection = TcpStream::connect(address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    // The body's last byte is kept back, so that the request is under way for as long as the test wants.
    let (most, last) = body.split_at(body.len() - 1);
    write!(
        connection,
        "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{most}",
        most.len() + last.len()
    )
    .unwrap();
    connection
}

fn complete(mut connection: TcpStream) -> String {
    connection.write_all(b"}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

fn is_refused(address: &str) -> bool {
    TcpStream::connect(address).is_err()
}

#[test]
fn the_first_signal_lets_requests_end_and_the_second_does_not() {
    for (signals, code) in [
        (vec!["TERM"], 0),
        (vec!["TERM", "TERM"], 143),
        (vec!["INT", "INT"], 130),
    ] {
        let user = User::new();
        let mut gateway = user.serve(&[]);
        let address = gateway.address().to_owned();
        let running = begin(&address);
        let began = Instant::now();
        while !get(&address, "/health").contains("\"active\":1,") {
            assert!(began.elapsed() < Duration::from_secs(30), "it is not begun");
        }
        signal(gateway.pid(), signals[0]);
        while !is_refused(&address) {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "it still accepts"
            );
        }
        assert!(gateway.child.try_wait().unwrap().is_none(), "it waits");
        // A hangup is no second word.
        signal(gateway.pid(), "HUP");
        match signals.get(1) {
            None => {
                let answer = complete(running);
                assert!(answer.contains("message_stop"), "{answer}");
            }
            Some(second) => signal(gateway.pid(), second),
        }
        let ended = gateway.child.wait().unwrap();
        assert_eq!(ended.code(), Some(code), "{signals:?}");
    }
}

/// Starts `serve` with a socket as systemd does: descriptor 3, named to this very process.
fn activated(user: &User, listener: &TcpListener, notify: &str) -> Child {
    let serve = user.command(&["serve"]);
    let mut shell = Command::new("/bin/sh");
    shell
        .args([
            "-c",
            "exec 3<&0 </dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"",
        ])
        .arg(serve.get_program())
        .args(serve.get_args())
        .env_clear()
        .envs(
            serve
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env_remove("LINGATE_PORT")
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", notify)
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    shell.spawn().unwrap()
}

#[test]
fn nothing_is_refused_while_a_service_is_replaced() {
    let user = User::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let notify = user.home().join("notify");
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let hear = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        std::str::from_utf8(&buffer[..length]).unwrap().to_owned()
    };
    let start = || {
        let child = activated(&user, &listener, notify.to_str().unwrap());
        assert_eq!(hear(), "READY=1");
        child
    };
    static OVER: AtomicBool = AtomicBool::new(false);
    let asked_at = address.clone();
    let asking = thread::spawn(move || {
        let mut answered = 0;
        while !OVER.load(Ordering::Relaxed) {
            let connection = begin(&asked_at);
            let answer = complete(connection);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answered += 1;
        }
        answered
    });
    let mut child = start();
    for _ in 0..3 {
        signal(child.id(), "HUP");
        assert!(hear().starts_with("RELOADING=1\n"));
        assert_eq!(hear(), "READY=1");
        signal(child.id(), "TERM");
        assert!(hear().starts_with("STOPPING=1\n"));
        let ended = finish(child);
        assert_eq!(ended.code, 0, "{ended:?}");
        child = start();
    }
    OVER.store(true, Ordering::Relaxed);
    let answered = asking.join().unwrap();
    assert!(answered > 3, "{answered}");
    signal(child.id(), "TERM");
    finish(child);
}

#[test]
fn a_socket_and_an_address_are_too_much() {
    let user = User::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut serve = user.command(&["serve", "--port", "0"]);
    let program = serve.get_program().to_owned();
    serve = {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" serve --port 0"])
            .arg(program)
            .env_clear()
            .env("HOME", user.home())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        shell
    };
    let ran = finish(serve.spawn().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("LISTEN_FDS"), "{ran:?}");
}
