//! A provider of a test's own, `lingate mock`, and requests to it and to the gateway before it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Ran, Serving, User, signal};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key that is the gateway's alone.
pub(crate) const KEY: &str = "sk-canary-0123456789abcdef";

/// A running `lingate mock`; ended with the test.
pub(crate) struct Mocked {
    child: Child,
    pub(crate) ready: String,
}

impl Mocked {
    pub(crate) fn start(user: &User, args: &[&str]) -> Self {
        let all = [&["mock"], args].concat();
        let mut command = user.command(&all);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        assert!(
            ready.starts_with("lingate mock ready http://127.0.0.1:"),
            "{ready:?}"
        );
        Self { child, ready }
    }

    pub(crate) fn url(&self) -> &str {
        self.ready.split(' ').nth(3).unwrap()
    }

    pub(crate) fn address(&self) -> &str {
        self.url().strip_prefix("http://").unwrap()
    }

    /// A configuration in which it serves the model `m`, over this wire and with this key.
    pub(crate) fn config(&self, user: &User, wire: &str, key: &str) -> PathBuf {
        let text = format!(
            "default = \"m\"\nfrom_env = false\n[providers.mocked]\nbase_url = \"{}\"\nspeaks = [\"{wire}\"]\napi_key = \"{key}\"\n\
             [models.m]\ntargets = [\"mocked/m-1\", \"mocked/m-2\"]\n",
            self.url()
        );
        user.file("lingate.toml", &text)
    }

    /// Ends it as a person would; what it said.
    pub(crate) fn end(mut self) -> Ran {
        signal(self.child.id(), "INT");
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        Ran {
            code: self.child.wait().unwrap().code().unwrap_or(-1),
            stdout: String::new(),
            stderr,
        }
    }
}

impl Drop for Mocked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway before a mock.
pub(crate) fn gateway(user: &User, mocked: &Mocked, wire: &str) -> Serving {
    let config = mocked.config(user, wire, KEY);
    user.serve(&["--config", config.to_str().unwrap()])
}

/// Sends a request and reads until the connection ends, in whatever way.
pub(crate) fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let bytes = exchange(address, path, headers, body, PATIENCE);
    String::from_utf8(bytes.unwrap_or_else(|(bytes, _)| bytes)).unwrap()
}

/// The same; how it failed with what came before.
pub(crate) fn exchange(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
    patience: Duration,
) -> Result<Vec<u8>, (Vec<u8>, std::io::ErrorKind)> {
    let body = body.to_string();
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(patience)).unwrap();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match connection.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) => return Err((bytes, error.kind())),
        }
    }
}

/// The id of an exchange by its answer.
pub(crate) fn id(answer: &str) -> String {
    let id = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-lingate-id: "));
    id.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// A request on the Anthropic wire.
pub(crate) fn message(texts: &[&str]) -> Value {
    let roles = ["user", "assistant"].into_iter().cycle();
    let messages: Vec<_> = texts
        .iter()
        .zip(roles)
        .map(|(text, role)| json!({"role": role, "content": text}))
        .collect();
    json!({"model": "m", "max_tokens": 100, "stream": true, "system": "You help.", "messages": messages})
}

/// Waits until this many exchanges have ended.
pub(crate) fn recorded(user: &User, expected: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let ran = user.run(&["logs", "list", "--json"]);
        let lines: Vec<Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if lines.len() == expected && lines.iter().all(|line| !line["end"].is_null()) {
            return lines;
        }
        assert!(began.elapsed() < PATIENCE, "{ran:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Makes an exchange of the record unreadable.
pub(crate) fn damage(user: &User, id: &str) {
    let record = user.home().join(".local/share/lingate/record/record.db");
    let database = rusqlite::Connection::open(record).unwrap();
    let changed = database.execute(
        "UPDATE endings SET detail = x'00' WHERE closed = (SELECT closed FROM exchanges WHERE lower(hex(id)) = ?1)",
        [id.replace('-', "")],
    );
    assert_eq!(changed.unwrap(), 1);
}

/// A cassette of Chat streams, each a list of events' data, asked in conversations of so many messages.
pub(crate) fn cassette(user: &User, answers: &[(usize, &[Value])]) -> PathBuf {
    let mut lines = vec![json!({"lingate_cassette": 1, "exchanges": answers.len()}).to_string()];
    for (at, (messages, events)) in answers.iter().enumerate() {
        let stream: String = events
            .iter()
            .map(|event| format!("data: {event}\n\n"))
            .collect();
        let request = json!({"model": "m-1", "stream": true, "messages": vec![json!({}); *messages], "tools": [{}]});
        let attempt = json!({
            "model": "m-1", "wire": "chat", "url": "POST http://h/v1/chat/completions", "status": 200,
            "request": {"text": request.to_string()},
            "response_headers": [["content-type", "text/event-stream"]],
            "response": {"text": format!("{stream}data: [DONE]\n\n")},
        });
        lines.push(json!({"id": format!("e{at}"), "attempts": [attempt]}).to_string());
    }
    user.file("made.cassette", &(lines.join("\n") + "\n"))
}

/// An event of a Chat stream.
pub(crate) fn delta(delta: Value, finish: Option<&str>) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

pub(crate) fn fine(ran: Ran) -> String {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}
