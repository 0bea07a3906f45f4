//! One wire on both sides, and something on the route that is at work: what it has not changed is copied, and where it
//! changes something the stream stays one stream.

use std::collections::HashSet;

use lingate_testkit::{Misbehaviour, Reply, Upstream, anthropic, chat, gemini, responses};
use lingate_wire::Wire;
use lingate_wire::turn::SealKey;
use serde_json::{Value, json};

use crate::harness::{Lingate, accept};

/// What clients ask for, and what the upstream calls it: a model whose texts a quirk reads on the Chat wire.
const MODEL: &str = "gpt-oss-120b";
const WIRES: [Wire; 4] = [Wire::Anthropic, Wire::Chat, Wire::Responses, Wire::Gemini];

fn config(upstream: &Upstream, wire: Wire, more: &str) -> String {
    format!(
        "default = \"up/{MODEL}\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"{}\"]\n{more}",
        upstream.url(),
        wire.name()
    )
}

fn path(wire: Wire, is_stream: bool) -> String {
    match (wire, is_stream) {
        (Wire::Anthropic, _) => "/v1/messages".to_owned(),
        (Wire::Chat, _) => "/v1/chat/completions".to_owned(),
        (Wire::Responses, _) => "/v1/responses".to_owned(),
        (Wire::Gemini, true) => format!("/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"),
        (Wire::Gemini, false) => format!("/v1beta/models/{MODEL}:generateContent"),
    }
}

/// A question in the client's wire; with `seal`, behind an answer that bears it.
fn question(wire: Wire, is_stream: bool, seal: Option<&str>) -> Value {
    let tool = json!({"type": "object", "properties": {"command": {"type": "string"}}});
    let mut body = match wire {
        Wire::Anthropic => {
            let thought =
                seal.map(|seal| json!({"type": "thinking", "thinking": "hm", "signature": seal}));
            let said = json!({"type": "text", "text": "Hello."});
            let answer: Vec<Value> = thought.into_iter().chain([said]).collect();
            json!({"max_tokens": 100, "messages": [{"role": "user", "content": "hi"},
                {"role": "assistant", "content": answer}, {"role": "user", "content": "and now?"}],
                "tools": [{"name": "Bash", "input_schema": tool}]})
        }
        Wire::Chat => json!({"messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "Bash", "parameters": tool}}]}),
        Wire::Responses => {
            let thought = seal
                .map(|seal| json!({"type": "reasoning", "summary": [], "encrypted_content": seal}));
            let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]});
            let ask = |text: &str| json!({"role": "user", "content": text});
            let mut input = vec![ask("hi")];
            input.extend(thought);
            input.extend([said, ask("and now?")]);
            json!({"input": input, "store": false,
                "tools": [{"type": "function", "name": "Bash", "parameters": tool}]})
        }
        Wire::Gemini => {
            let mut part = json!({"text": "Hello."});
            if let Some(seal) = seal {
                part["thoughtSignature"] = seal.into();
            }
            let said = |text: &str| json!({"role": "user", "parts": [{"text": text}]});
            json!({"contents": [said("hi"), {"role": "model", "parts": [part]}, said("and now?")],
                "tools": [{"functionDeclarations": [{"name": "Bash", "parameters": tool}]}]})
        }
    };
    if wire != Wire::Gemini {
        body["model"] = MODEL.into();
        body["stream"] = is_stream.into();
    }
    body
}

fn replies() -> [(&'static str, Reply); 4] {
    let input = json!({"command": "ls"});
    let call = |reply: Reply| reply.call("toolu_1", "Bash", &input);
    [
        ("text", Reply::text("Hello, caf\u{e9}")),
        ("call", call(Reply::default().say("Now."))),
        ("thought", Reply::default().think("hm, well").say("Hello")),
        ("thought and call", call(Reply::default().think("hm"))),
    ]
}

/// What the upstream sends.
fn sent(wire: Wire, reply: &Reply, n: usize, is_stream: bool) -> String {
    let reply = &Reply { n, ..reply.clone() };
    match (wire, is_stream) {
        (Wire::Anthropic, true) => anthropic::stream(MODEL, reply).concat(),
        (Wire::Anthropic, false) => anthropic::message(MODEL, reply).to_string(),
        (Wire::Chat, true) => chat::stream(MODEL, reply).concat(),
        (Wire::Chat, false) => chat::completion(MODEL, reply).to_string(),
        (Wire::Responses, true) => responses::stream(MODEL, reply, &|_| false).concat(),
        (Wire::Responses, false) => responses::response(MODEL, reply, &|_| false).to_string(),
        (Wire::Gemini, true) => gemini::stream(MODEL, reply).concat(),
        (Wire::Gemini, false) => gemini::response(MODEL, reply).to_string(),
    }
}

/// What a client gets of each reply, with what was sent, its lane and the request that arrived.
async fn ask(
    wire: Wire,
    is_stream: bool,
    more: &str,
    seal: Option<&str>,
) -> Vec<(&'static str, String, String)> {
    let mut all = Vec::new();
    for (name, reply) in replies() {
        let script = reply.clone();
        let upstream =
            Upstream::start(move |request: &lingate_testkit::Received| script.answer(request))
                .await;
        let lingate = Lingate::start(&config(&upstream, wire, more)).await;
        let body = question(wire, is_stream, seal);
        let response = lingate.post(&path(wire, is_stream), &body).send().await;
        let lane = response.header("x-lingate-lane").to_owned();
        let label = format!("{wire}, {name}, stream: {is_stream}");
        let got = response.text().await;
        assert_eq!(lane, "translated", "{label}: {got}");
        if seal.is_none() {
            let received = upstream.requests()[0].text();
            assert_eq!(received, body.to_string(), "{label}");
        }
        all.push((name, got, sent(wire, &reply, 0, is_stream)));
    }
    all
}

/// What looks at every reply of a wire and finds nothing: a quirk that reads calls out of texts, or a limit on turns.
fn idle(wire: Wire) -> String {
    match wire {
        Wire::Chat => "quirks = [\"harmony\"]".to_owned(),
        _ => format!("[models.{MODEL}]\ntargets = [\"up/{MODEL}\"]\nmax_turns = 500"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_idle_changes_nothing() {
    for wire in WIRES {
        for is_stream in [true, false] {
            for (name, got, sent) in ask(wire, is_stream, &idle(wire), None).await {
                assert_eq!(got, sent, "{wire}, {name}, stream: {is_stream}");
            }
        }
    }
}

/// In a session with seals a reply's token gets one, too; everything before it, and a reply without one, is copied.
#[tokio::test(flavor = "multi_thread")]
async fn a_seal_changes_what_it_seals_alone() {
    let seal = SealKey::new("other", "account", "model").seal("token");
    for wire in [Wire::Anthropic, Wire::Responses, Wire::Gemini] {
        // The Gemini wire's tokens are base64.
        let (token, mark) = match wire {
            Wire::Anthropic => (anthropic::SEAL, "\"lg1."),
            Wire::Responses => (responses::SEAL, "\"lg1."),
            _ => (gemini::SEAL, "\"bGcxL"),
        };
        let mut n_sealed = 0;
        for is_stream in [true, false] {
            for (name, got, sent) in ask(wire, is_stream, "", Some(&seal)).await {
                let label = format!("{wire}, {name}, stream: {is_stream}:\n{got}\n{sent}");
                // A thought without a token is sealed, too: it came from this upstream.
                if !sent.contains(token) && !name.contains("thought") {
                    assert_eq!(got, sent, "{label}");
                    continue;
                }
                n_sealed += 1;
                let bare = format!("\"{token}\"");
                // The beginning of an item tells a token that counts for nothing yet.
                let counts = |line: &&str| !line.contains("response.output_item.added");
                let told: String = got.lines().filter(counts).collect();
                assert!(told.contains(mark) && !told.contains(&bare), "{label}");
                if is_stream {
                    // Google counts in every chunk, the gateway in the last: a mixture is no chunk's fault.
                    if wire != Wire::Gemini {
                        accept(wire, &got);
                    }
                    let same = got.bytes().zip(sent.bytes()).take_while(|(a, b)| a == b);
                    let first = sent.find("\n\n").unwrap_or_default();
                    assert!(same.count() > first, "the beginning is copied: {label}");
                }
            }
        }
        assert!(n_sealed >= 2, "{wire}");
    }
}

/// What is written behind a copy bears the copy's names and goes on with its numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_responses_stream_stays_one_stream() {
    let seal = SealKey::new("other", "account", "model").seal("token");
    for (name, got, sent) in ask(Wire::Responses, true, "", Some(&seal)).await {
        check_one_stream(&got, &format!("{name}:\n{got}\n{sent}"));
    }
}

/// The same where the gateway has to end a stream that broke off, in both lanes.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_responses_stream_stays_one_stream() {
    let upstream = Upstream::start(Misbehaviour::CutAfterText).await;
    for (lane, more) in [
        ("passthrough", String::new()),
        ("translated", idle(Wire::Responses)),
    ] {
        let lingate = Lingate::start(&config(&upstream, Wire::Responses, &more)).await;
        let body = question(Wire::Responses, true, None);
        let response = lingate.post("/v1/responses", &body).send().await;
        assert_eq!(response.header("x-lingate-lane"), lane);
        let got = response.text().await;
        assert!(got.contains("event: response.failed"), "{lane}: {got}");
        check_one_stream(&got, &format!("{lane}: {got}"));
    }
}

/// One reply, numbered without a gap, whose items are told of once and by one name each.
fn check_one_stream(stream: &str, label: &str) {
    accept(Wire::Responses, stream);
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = data
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let replies: HashSet<&str> = events
        .iter()
        .filter_map(|event| event["response"]["id"].as_str())
        .collect();
    assert_eq!(replies.len(), 1, "{label}");
    let mut once = HashSet::new();
    let mut items = HashSet::new();
    for (number, event) in events.iter().enumerate() {
        let kind = event["type"].as_str().unwrap();
        assert_eq!(event["sequence_number"], number, "{label}");
        if kind == "response.output_item.added" {
            items.insert(event["item"]["id"].as_str().unwrap());
        }
        if let Some(item) = event["item_id"].as_str() {
            assert!(items.contains(item), "{kind} is of {item}: {label}");
        }
        if !kind.ends_with(".delta") {
            let place = event["output_index"].as_u64();
            assert!(once.insert((kind, place)), "{kind} came twice: {label}");
        }
    }
}
