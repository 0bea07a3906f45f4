//! Every fault at every place of an answer, for every client wire, streamed and whole: each exchange ends in a legal answer
//! or a legal error, with no byte twice and none lost.
//!
//! Target `a` stands behind a damaging proxy, `b` is well. What an upstream says is made of words that name it and the
//! request they answer, so that a mixture, a repetition or a gap shows. A gateway serves all cases of one upstream wire,
//! with one provider a fault and place.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use lingate_testkit::client::{Response, post};
use lingate_testkit::{Fault, Place, Proxy, Received, Reply, Upstream};
use lingate_wire::Wire;
use serde_json::Value;
use tokio::task::JoinError;

use crate::harness::{Lingate, accept};
use crate::program::Program;

const FAULTS: [Fault; 14] = [
    Fault::Latency(Duration::from_millis(2)),
    Fault::Slice(7),
    Fault::Pause(Duration::from_millis(50)),
    Fault::Stall,
    Fault::Cut,
    Fault::HalfClose,
    Fault::Reset,
    Fault::Truncate,
    Fault::Garbage,
    Fault::Lose(16),
    Fault::Repeat(16),
    Fault::Flip,
    Fault::Refuse,
    Fault::BlackHole,
];

/// Before the head, in it, behind it, behind the first word, within an event, behind the last word.
const PLACES: [Place; 6] = [
    Place::Byte(0),
    Place::Byte(30),
    Place::Behind("\r\n\r\n", 0),
    Place::Behind("#00", 0),
    Place::Behind("#07", 3),
    Place::Behind("#19", 0),
];

const N_WORDS: usize = 20;

/// How long an upstream with a fault may be silent.
const LIMITS: &str =
    "timeouts = { headers = \"700ms\", first_content = \"700ms\", idle = \"700ms\" }";

/// Exchanges under way at one time.
const AT_ONCE: usize = 48;

/// Everything that upstream `name` says to its `n`th request.
fn words(name: &str, n: usize) -> String {
    let words = (0..N_WORDS).map(|word| format!("{name}{n} #{word:02} "));
    words.collect::<String>().trim_end().to_owned()
}

async fn upstream(name: &'static str) -> Upstream {
    Upstream::start(move |request: &Received| Reply::text(&words(name, request.n)).answer(request))
        .await
}

#[derive(Debug, Clone, Copy)]
struct Case {
    fault: usize,
    place: usize,
    client: Wire,
    is_stream: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let faults = (0..FAULTS.len()).flat_map(|f| (0..PLACES.len()).map(move |p| (f, p)));
        faults.flat_map(|(fault, place)| {
            Wire::ALL.into_iter().flat_map(move |client| {
                [true, false].map(|is_stream| Self {
                    fault,
                    place,
                    client,
                    is_stream,
                })
            })
        })
    }

    /// The answer fails for certain before it has content.
    fn is_early(self) -> bool {
        match FAULTS[self.fault] {
            Fault::Refuse | Fault::BlackHole => true,
            Fault::Stall | Fault::Cut | Fault::HalfClose | Fault::Reset => {
                self.place < 3 || !self.is_stream
            }
            Fault::Truncate => self.place < 2,
            _ => false,
        }
    }
}

/// Nothing of the answer is damaged.
fn is_harmless(fault: Fault) -> bool {
    matches!(fault, Fault::Latency(_) | Fault::Slice(_) | Fault::Pause(_))
}

/// What a client got.
struct Got {
    text: String,
    /// The answer is complete by the rules of its wire.
    is_whole: bool,
    what: String,
}

/// Runs the matrix before upstreams of one wire; gives what is wrong.
async fn run(upstream_wire: Wire) -> Vec<String> {
    let (a, b) = (upstream("a").await, upstream("b").await);
    let mut proxies = Vec::new();
    let mut config = format!(
        "[failover]\nbreaker = {{ consecutive = 100000, ratio = 1.0 }}\n\
         [providers.b]\nbase_url = \"{}\"\nspeaks = [\"{upstream_wire}\"]\napi_key = \"sk-b\"\n",
        b.url()
    );
    for (f, fault) in FAULTS.into_iter().enumerate() {
        for (p, place) in PLACES.into_iter().enumerate() {
            let proxy = Proxy::start(&a, fault, place).await;
            let limits = if is_harmless(fault) { "" } else { LIMITS };
            config.push_str(&format!(
                "[providers.a{f}-{p}]\nbase_url = \"{}\"\nspeaks = [\"{upstream_wire}\"]\napi_key = \"sk-a\"\n\
                 {limits}\n\
                 [models.m{f}-{p}]\ntargets = [\"a{f}-{p}/x\", \"b/y\"]\n",
                proxy.url()
            ));
            proxies.push(proxy);
        }
    }
    let lingate = Arc::new(Lingate::start(&config).await);
    let wrong = iter(Case::all().map(|case| {
        let lingate = Arc::clone(&lingate);
        async move {
            let asked = tokio::spawn(async move { ask(&lingate, case).await });
            match asked.await {
                Ok(got) => verdict(case, &got)
                    .err()
                    .map(|why| (case, format!("{why}: {}", got.what))),
                Err(panic) => Some((case, format!("illegal: {}", said(panic)))),
            }
        }
    }))
    .buffer_unordered(AT_ONCE)
    .filter_map(async |wrong| wrong);
    let wrong: Vec<(Case, String)> = wrong.collect().await;
    let told = wrong.into_iter().map(|(case, why)| {
        let (fault, place) = (FAULTS[case.fault], PLACES[case.place]);
        let (client, is_stream) = (case.client, case.is_stream);
        format!(
            "{fault:?} at {place:?}, {client} before {upstream_wire}, stream {is_stream}: {why}"
        )
    });
    told.collect()
}

/// What a panic said.
fn said(panic: JoinError) -> String {
    let payload = panic.into_panic();
    let text = payload.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| "a panic".to_owned())
}

async fn ask(lingate: &Lingate, case: Case) -> Got {
    let mut program = Program::new(&lingate.url, case.client, case.is_stream);
    program.model = format!("m{}-{}", case.fault, case.place);
    // A session stays where it is: every case is one of its own.
    program.say(&format!("{case:?}"));
    let (path, body) = program.request();
    let response = post(&format!("{}{path}", lingate.url), &body).send().await;
    let (status, attempts) = (
        response.status,
        response.header("x-lingate-attempts").to_owned(),
    );
    let is_copied = response.header("x-lingate-lane") == "passthrough";
    let body = read(response).await;
    let what = format!("{status} after {attempts} attempts: {body}");
    if status != 200 {
        let error: Value = serde_json::from_str(&body).unwrap_or_default();
        let message = error["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "an error of the wire: {what}");
        return Got {
            text: String::new(),
            is_whole: false,
            what,
        };
    }
    if !case.is_stream {
        let whole: Value =
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {what}"));
        let text = match case.client {
            Wire::Anthropic => &whole["content"][0]["text"],
            Wire::Chat => &whole["choices"][0]["message"]["content"],
            Wire::Responses => &whole["output"][0]["content"][0]["text"],
            Wire::Gemini => &whole["candidates"][0]["content"]["parts"][0]["text"],
        };
        return Got {
            text: text.as_str().unwrap_or_default().to_owned(),
            is_whole: true,
            what,
        };
    }
    // What is copied of a host's own stream keeps its looks: the Gemini API's are not our own, and nobody sees that a bit of
    // a word was turned over.
    let is_own = !is_copied
        || match case.client {
            Wire::Anthropic | Wire::Chat | Wire::Responses => FAULTS[case.fault] != Fault::Flip,
            Wire::Gemini => false,
        };
    if is_own {
        accept(case.client, &without_comments(&body));
    }
    let events: Vec<Value> = (body.lines())
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect();
    let pieces = events.iter().filter_map(|event| {
        let piece = match case.client {
            Wire::Anthropic => &event["delta"]["text"],
            Wire::Chat => &event["choices"][0]["delta"]["content"],
            Wire::Responses if event["type"] != "response.output_text.delta" => &Value::Null,
            Wire::Responses => &event["delta"],
            Wire::Gemini => &event["candidates"][0]["content"]["parts"][0]["text"],
        };
        piece.as_str()
    });
    let last = events.last().cloned().unwrap_or_default();
    let is_whole = match case.client {
        Wire::Anthropic => last["type"] == "message_stop",
        Wire::Chat => body.trim_end().ends_with("data: [DONE]"),
        Wire::Responses => last["type"] == "response.completed",
        Wire::Gemini => last["error"].is_null() && events.iter().any(is_finished),
    };
    Got {
        text: pieces.collect(),
        is_whole,
        what,
    }
}

fn is_finished(chunk: &Value) -> bool {
    chunk["candidates"][0]["finishReason"].is_string()
}

/// The body, which has to end in the way its framing says.
async fn read(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Some(piece) = response.piece().await {
        match piece {
            Ok(piece) => body.extend_from_slice(&piece),
            Err(error) => panic!("{error} behind {}", String::from_utf8_lossy(&body)),
        }
    }
    // A byte that is no text shows as a replacement character.
    String::from_utf8_lossy(&body).into_owned()
}

/// The stream without comments.
fn without_comments(stream: &str) -> String {
    let events = stream.split_inclusive("\n\n");
    events.filter(|event| !event.starts_with(':')).collect()
}

/// Nothing twice, nothing lost, nothing mixed; and failover wherever it was possible.
fn verdict(case: Case, got: &Got) -> Result<(), &'static str> {
    let source = got.text.split(' ').next().unwrap_or_default();
    let (name, number) = source.split_at(source.len().min(1));
    let mut said = words(name, number.parse().unwrap_or(0));
    if let (Fault::Flip, Some(at)) = (FAULTS[case.fault], got.text.find('\u{fffd}')) {
        // Nothing tells the gateway what it was, or that it was anything else.
        said.replace_range(at..at + 1, "\u{fffd}");
    }
    if got.is_whole && got.text != said {
        return Err("a complete answer that is not what was said");
    }
    if !got.is_whole && !said.starts_with(&got.text) {
        return Err("more than was said");
    }
    if case.is_early() && !(got.is_whole && name == "b") {
        return Err("the second target was to serve");
    }
    if is_harmless(FAULTS[case.fault]) && !(got.is_whole && name == "a") {
        return Err("nothing was wrong with the first target");
    }
    if !case.is_stream && !got.is_whole {
        return Err("a whole answer can be asked for elsewhere to the end");
    }
    Ok(())
}

async fn check(upstream_wire: Wire) {
    let wrong = run(upstream_wire).await;
    let n = Case::all().count();
    assert_eq!(n, 14 * 6 * 4 * 2);
    assert!(
        wrong.is_empty(),
        "{} of {n}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_before_chat() {
    check(Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_before_anthropic() {
    check(Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_before_responses() {
    check(Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_before_gemini() {
    check(Wire::Gemini).await;
}
