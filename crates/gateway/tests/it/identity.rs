//! One wire on both sides, every fixture there is: the upstream gets what the client sent but for the model's name, the
//! client gets what the upstream sent, whatever codings either of them uses. In lane 1 always; in lane 2 as long as
//! nothing on the route finds anything to change.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use lingate_testkit::client::Request;
use lingate_testkit::{Answer, Received, Reply, Upstream, Wire};
use serde_json::{Value, json};

use super::encodings::coded;
use crate::harness::{Lingate, completions, messages};

const WIRES: [Wire; 4] = [Wire::Anthropic, Wire::Chat, Wire::Responses, Wire::Gemini];
const CODINGS: [&str; 4] = ["identity", "gzip", "zstd", "br"];
/// What the client asks for; longer than what the upstream is asked for.
const ASKED: &str = "claude-opus-5-5";
const SERVED: &str = "served-model";

/// Looks inside every request and reply, and finds nothing in the fixtures.
const IDLE: &str = "[models.claude-opus-5-5]\ntargets = [\"up/served-model\"]\nmax_turns = 500";

/// Where every translation repairs something, quirk or not.
const REPAIRED: [(&str, &str); 6] = [
    ("stream.jsonl:2", "a call's id does not fit every client"),
    ("stream.jsonl:4", "arguments are an object"),
    ("stream.jsonl:7", "arguments are an empty text"),
    ("stream.jsonl:8", "a text of white space alone"),
    ("stream.jsonl:16", "a text inside a call"),
    ("vllm.tool_named.sse", "arguments are no JSON"),
];

/// A fixture of one wire, by its name.
#[derive(Clone)]
struct Fixture {
    wire: Wire,
    name: String,
    body: String,
}

fn fixture(wire: Wire, name: impl Into<String>, body: impl Into<String>) -> Fixture {
    Fixture {
        wire,
        name: name.into(),
        body: body.into(),
    }
}

/// All files of test data of the pure crates that speak of these two wires.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder of test data") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, files);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                files.push((path.display().to_string(), text));
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in [
        "wire/testdata/anthropic",
        "wire/testdata/chat",
        "wire/testdata/gemini",
        "wire/testdata/responses",
        "wire/testdata/vectors",
        "quirk/testdata",
    ] {
        walk(&crates.join(folder), &mut files);
    }
    files.sort();
    files
}

/// Every JSON document in those files, with the file's name and the document's number.
fn documents() -> Vec<(String, Value)> {
    let mut documents = Vec::new();
    for (path, text) in files() {
        let name = path
            .rsplit("testdata/")
            .next()
            .unwrap_or_default()
            .to_owned();
        if path.ends_with(".jsonl") {
            let lines = text.lines().enumerate();
            documents.extend(lines.filter_map(|(n, line)| {
                Some((
                    format!("{name}:{}", n + 1),
                    serde_json::from_str(line).ok()?,
                ))
            }));
        } else if let Ok(document) = serde_json::from_str(&text) {
            documents.push((name, document));
        }
    }
    documents
}

fn requests() -> Vec<Fixture> {
    let mut requests = Vec::new();
    let mut tools = Vec::new();
    let mut add = |wire, name: String, mut body: Value| {
        if wire != Wire::Gemini {
            body["model"] = ASKED.into();
        }
        if wire == Wire::Anthropic && body["max_tokens"].is_null() {
            body["max_tokens"] = 1024.into();
        }
        let pretty = serde_json::to_string_pretty(&body).unwrap();
        requests.push(fixture(wire, format!("{name}, spaced"), pretty));
        requests.push(fixture(wire, name, body.to_string()));
    };
    for (name, document) in documents() {
        if document["messages"].is_array() {
            add(Wire::Anthropic, name, document);
        } else if document["contents"].is_array() {
            add(Wire::Gemini, name, document);
        } else if !document["input"].is_null() && name.starts_with("responses/") {
            add(Wire::Responses, name, document);
        } else if document["anthropic"].is_object() {
            let chat = json!({"messages": document["openai_messages"]});
            if document["openai_messages"].is_array() {
                add(Wire::Chat, name.clone(), chat);
            }
            add(Wire::Anthropic, name, document["anthropic"].clone());
        } else if document["type"] == "object" {
            tools.push(document);
        }
    }
    let ask = json!([{"role": "user", "content": "caf\u{e9} \u{1f980} \u{7}"}]);
    let named = |n: usize, schema: &str, tool: &Value| json!({"name": format!("tool_{n}"), "description": "d", schema: tool});
    let anthropic: Vec<Value> = (tools.iter().enumerate())
        .map(|(n, tool)| named(n, "input_schema", tool))
        .collect();
    let chat: Vec<Value> = (tools.iter().enumerate())
        .map(|(n, tool)| json!({"type": "function", "function": named(n, "parameters", tool)}))
        .collect();
    add(
        Wire::Anthropic,
        "schemas".into(),
        json!({"messages": ask, "tools": anthropic}),
    );
    add(
        Wire::Chat,
        "schemas".into(),
        json!({"messages": ask, "tools": chat}),
    );
    requests
}

/// Whole streams. Those that an upstream breaks off are ended by the gateway, so they are not the same.
fn streams() -> Vec<Fixture> {
    // An error inside, nothing at all, half a call.
    const BROKEN: [&str; 9] = [
        "S11",
        "S19",
        "S20",
        "S24",
        "R07",
        "vllm_cut_call",
        "gemini/streams/cut.sse",
        "gemini/streams/error_midway",
        "gemini/streams/malformed_call",
    ];
    let mut streams = Vec::new();
    for (path, text) in files() {
        let is_broken = text.is_empty() || BROKEN.iter().any(|name| path.contains(name));
        if path.ends_with(".sse") && !is_broken {
            let of_folder = |wire: &&Wire| path.contains(&format!("/{}/", wire.name()));
            let wire = WIRES.iter().find(of_folder).copied();
            let wire = wire.unwrap_or(Wire::Anthropic);
            streams.push(fixture(wire, path, text));
        }
    }
    for (name, document) in documents() {
        if BROKEN.iter().any(|id| document["id"] == *id) {
            continue;
        }
        if let Some(chunks) = document["chunks"].as_array() {
            let chunks = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
            let body: String = chunks.chain(["data: [DONE]\n\n".to_owned()]).collect();
            streams.push(fixture(Wire::Chat, name, body));
        } else if let Some(events) = document["events"].as_array() {
            let line = |event: &Value| {
                format!(
                    "event: {}\ndata: {event}\n\n",
                    event["type"].as_str().unwrap()
                )
            };
            streams.push(fixture(
                Wire::Anthropic,
                name,
                events.iter().map(line).collect::<String>(),
            ));
        }
    }
    for wire in WIRES {
        streams.extend(scripted(wire, true));
    }
    streams
}

fn wholes() -> Vec<Fixture> {
    let mut wholes = Vec::new();
    for (path, text) in files() {
        if path.ends_with(".json") && text.contains("stop_reason") {
            wholes.push(fixture(Wire::Anthropic, path, text));
        }
    }
    for wire in WIRES {
        wholes.extend(scripted(wire, false));
    }
    wholes
}

/// What the testkit says.
fn scripted(wire: Wire, is_stream: bool) -> Vec<Fixture> {
    let input = json!({"command": "ls \u{2014} -la", "n": 1.50});
    let replies = [
        ("text", Reply::text("Hello, caf\u{e9} \u{1f980}")),
        ("thinking", Reply::default().think("hm").say("Hello")),
        (
            "call",
            Reply::default().say("Now.").call("toolu_1", "Bash", &input),
        ),
    ];
    let body = |reply: &Reply| match (wire, is_stream) {
        (Wire::Anthropic, true) => lingate_testkit::anthropic::stream(SERVED, reply).concat(),
        (Wire::Anthropic, false) => lingate_testkit::anthropic::message(SERVED, reply).to_string(),
        (Wire::Chat, true) => lingate_testkit::chat::stream(SERVED, reply).concat(),
        (Wire::Chat, false) => lingate_testkit::chat::completion(SERVED, reply).to_string(),
        (Wire::Responses, true) => {
            lingate_testkit::responses::stream(SERVED, reply, &|_| false).concat()
        }
        (Wire::Responses, false) => {
            lingate_testkit::responses::response(SERVED, reply, &|_| false).to_string()
        }
        (Wire::Gemini, true) => lingate_testkit::gemini::stream(SERVED, reply).concat(),
        (Wire::Gemini, false) => lingate_testkit::gemini::response(SERVED, reply).to_string(),
    };
    let fixtures = replies
        .iter()
        .map(|(name, reply)| fixture(wire, *name, body(reply)));
    fixtures.collect()
}

/// A gateway before an upstream that answers what it was told last.
struct Pair {
    upstream: Upstream,
    lingate: Lingate,
    next: Arc<Mutex<Option<Answer>>>,
    wire: Wire,
    lane: &'static str,
}

impl Pair {
    async fn start(wire: Wire, lane: &'static str, config: &str) -> Self {
        let next: Arc<Mutex<Option<Answer>>> = Arc::default();
        let script = Arc::clone(&next);
        let upstream =
            Upstream::start(move |_: &Received| script.lock().unwrap().clone().unwrap()).await;
        let config = format!(
            "default = \"up/{SERVED}\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"{}\"]\n{config}",
            upstream.url(),
            wire.name(),
        );
        Self {
            lingate: Lingate::start(&config).await,
            upstream,
            next,
            wire,
            lane,
        }
    }

    /// Sends `request` in the client's coding and has it answered by `reply` in the upstream's; both must arrive as they
    /// are. A translated reply tells the model that was asked for, so the fixtures of those name it.
    async fn check(
        &self,
        request: &Fixture,
        reply: &Fixture,
        is_stream: bool,
        codings: [&str; 2],
    ) -> Result<(), String> {
        let what = format!(
            "{} answered by {}, stream: {is_stream}, coded {codings:?}",
            request.name, reply.name
        );
        let body = match self.wire {
            Wire::Gemini => request.body.clone(),
            _ => streaming(&request.body, is_stream),
        };
        let sent = if self.lane == "translated" {
            named(self.wire, &reply.body)
        } else {
            reply.body.clone()
        };
        let packed = coded(codings[1], sent.as_bytes());
        let answer = if is_stream {
            // Two pieces, so that a coding is cut somewhere.
            let (a, b) = packed.split_at(packed.len() / 2);
            Answer::sse([a.to_vec(), b.to_vec()])
        } else {
            Answer::text(200, "application/json", packed)
        };
        let answer = match codings[1] {
            "identity" => answer,
            coding => answer.header("content-encoding", coding),
        };
        *self.next.lock().unwrap() = Some(answer);
        let path = path(self.wire, is_stream);
        let before = self.upstream.requests().len();
        let response = Request::new(
            "POST".parse().unwrap(),
            &format!("{}{path}", self.lingate.url),
        )
        .header("content-type", "application/json")
        .header("content-encoding", codings[0])
        .header("accept-encoding", "gzip, br, zstd")
        .body(coded(codings[0], body.as_bytes()))
        .send()
        .await;
        let (status, lane) = (
            response.status,
            response.header("x-lingate-lane").to_owned(),
        );
        let got_coding = response.header("content-encoding").to_owned();
        let got = response.bytes().await;
        let got = String::from_utf8_lossy(&got);
        let same = |name: &str, got: &str, due: &str| {
            let at = got.bytes().zip(due.bytes()).position(|(a, b)| a != b);
            let at = at.unwrap_or(got.len().min(due.len())).saturating_sub(60);
            let near = |text: &str| text.chars().skip(at).take(300).collect::<String>();
            (got == due).then_some(()).ok_or_else(|| {
                format!(
                    "{what}: {name}, at {at}:\n  got {}\n  due {}\n",
                    near(got),
                    near(due)
                )
            })
        };
        same(
            "lane",
            &format!("{status} {lane}"),
            &format!("200 {}", self.lane),
        )
        .map_err(|error| error + &got)?;
        same("the reply's coding", &got_coding, "")?;
        same("the reply", &got, &sent)?;
        let received = self.upstream.requests();
        assert_eq!(received.len(), before + 1, "{what}");
        let due = body.replacen(&format!("\"{ASKED}\""), &format!("\"{SERVED}\""), 1);
        same("the request", &received[before].text(), &due)?;
        same(
            "the request's coding",
            received[before].header("content-encoding"),
            "",
        )
    }

    /// Every request with every coding of the client's, every reply with every coding of the upstream's.
    async fn check_all(
        &self,
        requests: &[Fixture],
        streams: &[Fixture],
        wholes: &[Fixture],
    ) -> usize {
        let of_wire = |all: &[Fixture]| -> Vec<Fixture> {
            all.iter()
                .filter(|one| one.wire == self.wire)
                .cloned()
                .collect()
        };
        let (requests, streams, wholes) = (of_wire(requests), of_wire(streams), of_wire(wholes));
        let (mut n_checked, mut wrong) = (0, Vec::new());
        for (is_stream, replies) in [(true, &streams), (false, &wholes)] {
            for (n, request) in requests.iter().enumerate() {
                for (m, coding) in CODINGS.iter().enumerate() {
                    let reply = &replies[(n + m) % replies.len()];
                    self.check(request, reply, is_stream, [coding, "identity"])
                        .await
                        .unwrap_or_else(|error| wrong.push(error));
                    n_checked += 1;
                }
            }
            for (n, reply) in replies.iter().enumerate() {
                for (m, coding) in CODINGS.iter().enumerate() {
                    let request = &requests[(n + m) % requests.len()];
                    self.check(request, reply, is_stream, ["identity", coding])
                        .await
                        .unwrap_or_else(|error| wrong.push(error));
                    n_checked += 1;
                }
            }
        }
        let n_wrong = wrong.len();
        wrong.truncate(8);
        assert!(
            n_wrong == 0,
            "{n_wrong} of {n_checked}:\n{}",
            wrong.join("\n")
        );
        n_checked
    }
}

/// The request with its wish for a stream. Only what a client could write: the fixtures' own order and spelling stay.
fn streaming(body: &str, is_stream: bool) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap();
    match parsed["stream"].as_bool() {
        Some(own) if own == is_stream => body.to_owned(),
        Some(own) => {
            let (own, other) = (format!("{own}"), format!("{is_stream}"));
            let at = body.rfind("\"stream\"").unwrap();
            let (before, behind) = body.split_at(at);
            before.to_owned() + &behind.replacen(&own, &other, 1)
        }
        None => body.replacen('{', &format!("{{ \"stream\" : {is_stream},"), 1),
    }
}

fn path(wire: Wire, is_stream: bool) -> String {
    match (wire, is_stream) {
        (Wire::Anthropic, _) => "/v1/messages".to_owned(),
        (Wire::Chat, _) => "/v1/chat/completions".to_owned(),
        (Wire::Responses, _) => "/v1/responses".to_owned(),
        (Wire::Gemini, true) => {
            format!("/v1beta/models/{ASKED}:streamGenerateContent?alt=sse")
        }
        (Wire::Gemini, false) => format!("/v1beta/models/{ASKED}:generateContent"),
    }
}

/// A reply that names the model that was asked for.
fn named(wire: Wire, reply: &str) -> String {
    let key = match wire {
        Wire::Gemini => "\"modelVersion\"",
        Wire::Anthropic | Wire::Chat | Wire::Responses => "\"model\"",
    };
    let mut named = reply.to_owned();
    for (at, _) in reply.rmatch_indices(key) {
        let start = at + key.len() - 7;
        let rest = &reply[start + 7..];
        let colon = rest.find(':').unwrap();
        let open = colon + rest[colon..].find('"').unwrap() + 1;
        let close = open + rest[open..].find('"').unwrap();
        named.replace_range(start + 7 + open..start + 7 + close, ASKED);
    }
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn lane_1_changes_nothing_but_the_models_name() {
    let (requests, streams, wholes) = (requests(), streams(), wholes());
    let mut n_checked = 0;
    for wire in WIRES {
        let pair = Pair::start(wire, "passthrough", "").await;
        n_checked += pair.check_all(&requests, &streams, &wholes).await;
    }
    assert!(n_checked > 700, "{n_checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lane_2_with_an_idle_quirk_changes_nothing_either() {
    let (requests, mut streams, wholes) = (requests(), streams(), wholes());
    streams.retain(|stream| !REPAIRED.iter().any(|(name, _)| stream.name.ends_with(name)));
    let mut n_checked = 0;
    for wire in WIRES {
        let pair = Pair::start(wire, "translated", IDLE).await;
        n_checked += pair.check_all(&requests, &streams, &wholes).await;
    }
    assert!(n_checked > 700, "{n_checked}");
}

/// However a stream is cut, and where something is repaired in the middle of it, what comes out is one legal stream.
#[tokio::test(flavor = "multi_thread")]
async fn lane_2_repairs_in_the_middle_of_a_copy() {
    let streams: Vec<Fixture> = streams()
        .into_iter()
        .filter(|one| one.wire == Wire::Chat)
        .collect();
    let request = fixture(
        Wire::Chat,
        "a question",
        json!({"model": ASKED, "messages": [{"role": "user", "content": "?"}]}).to_string(),
    );
    let pair = Pair::start(Wire::Chat, "translated", IDLE).await;
    let mut n_repaired = 0;
    for stream in &streams {
        let sent = named(Wire::Chat, &stream.body);
        let mut answers = Vec::new();
        for size in [sent.len(), 7] {
            let answer = Answer::sse([sent.clone()]).split_every(size);
            *pair.next.lock().unwrap() = Some(answer);
            let body = serde_json::from_str(&streaming(&request.body, true)).unwrap();
            let response = pair
                .lingate
                .post("/v1/chat/completions", &body)
                .send()
                .await;
            answers.push(response.text().await);
        }
        let is_repaired = REPAIRED.iter().any(|(name, _)| stream.name.ends_with(name));
        assert_eq!(
            answers[0] != sent,
            is_repaired,
            "{}: {}",
            stream.name,
            answers[0]
        );
        let minted = |answer: &str| answer.replace(|letter: char| letter.is_ascii_hexdigit(), "");
        assert_eq!(minted(&answers[0]), minted(&answers[1]), "{}", stream.name);
        if is_repaired {
            assert_eq!(ids(&answers[0]).len(), 1, "{}", answers[0]);
            assert!(answers[0].ends_with("data: [DONE]\n\n"), "{}", answers[0]);
            n_repaired += 1;
        }
    }
    assert_eq!(n_repaired, REPAIRED.len());
}

/// The ids that the chunks of a stream carry; what an upstream sends without one aside.
fn ids(stream: &str) -> HashSet<String> {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let ids = chunks.filter_map(|chunk| chunk["id"].as_str().map(str::to_owned));
    ids.filter(|id| !id.is_empty()).collect()
}

/// A model that is not the one asked for is named as asked, everywhere in the reply; all else is copied.
#[tokio::test]
async fn lane_2_copies_under_the_name_that_was_asked_for() {
    for wire in WIRES {
        let pair = Pair::start(wire, "translated", IDLE).await;
        for is_stream in [true, false] {
            for reply in scripted(wire, is_stream) {
                let answer = match is_stream {
                    true => Answer::sse([reply.body.clone()]),
                    false => Answer::text(200, "application/json", reply.body.clone()),
                };
                *pair.next.lock().unwrap() = Some(answer);
                let mut body = match wire {
                    Wire::Anthropic => messages(is_stream),
                    Wire::Chat => completions(is_stream),
                    Wire::Responses => json!({"input": "hello", "stream": is_stream}),
                    Wire::Gemini => {
                        json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
                    }
                };
                if wire != Wire::Gemini {
                    body["model"] = ASKED.into();
                }
                let got = pair
                    .lingate
                    .post(&path(wire, is_stream), &body)
                    .send()
                    .await
                    .text()
                    .await;
                assert_eq!(got, named(wire, &reply.body), "{} {is_stream}", reply.name);
                assert!(!got.contains(SERVED));
            }
        }
    }
}

/// An event that never ends fills no memory.
#[tokio::test]
async fn an_event_without_an_end_is_refused() {
    let lanes = [("passthrough", ""), ("translated", IDLE)];
    for (lane, config) in lanes {
        let pair = Pair::start(Wire::Chat, lane, config).await;
        let piece = "x".repeat(1 << 20);
        let start = lingate_testkit::chat::text(SERVED, "Hello");
        let endless = (0..40).map(|_| piece.clone());
        let pieces = [start, "data: ".to_owned()].into_iter().chain(endless);
        *pair.next.lock().unwrap() = Some(Answer::sse(pieces).stall());
        let mut body = completions(true);
        body["model"] = ASKED.into();
        let response = pair
            .lingate
            .post("/v1/chat/completions", &body)
            .send()
            .await;
        let text = response.text().await;
        assert!(
            text.contains("larger than") && !text.contains("xxxx"),
            "{lane}: {}",
            text.len()
        );
    }
}
