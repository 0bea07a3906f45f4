//! Every client wire before every upstream wire, streamed and whole: one list of scenarios for all 32 ways.
//!
//! The upstreams are strict: what a request of their wire must not hold is a complaint. Every translated stream is read by
//! its wire's acceptor (in [`Program`]).

use std::future::Future;

use lingate_testkit::{
    Answer, Misbehaviour, OverflowWords, Received, Reply, Script, Upstream, complaints,
};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::Lingate;
use crate::program::{Program, Said};

/// One way through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub client: Wire,
    pub upstream: Wire,
    pub is_stream: bool,
}

impl Cell {
    /// An upstream of this cell's wire, and a gateway before it. `more` is said of the model.
    pub(crate) async fn start(self, script: impl Script, more: &str) -> (Upstream, Lingate) {
        let model = format!("targets = [\"up/served-model\"]\n{more}");
        self.start_as(script, "", &model).await
    }

    /// As [`Cell::start`], with more said of the provider.
    async fn start_as(
        self,
        script: impl Script,
        provider: &str,
        model: &str,
    ) -> (Upstream, Lingate) {
        let upstream = Upstream::start(script).await;
        let lingate = Lingate::start(&format!(
            "default = \"m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"{}\"]\napi_key = \"sk-upstream\"\n\
             {provider}\n[models.m]\n{model}",
            upstream.url(),
            self.upstream,
        ))
        .await;
        (upstream, lingate)
    }

    pub(crate) fn program(self, lingate: &Lingate) -> Program {
        Program::new(&lingate.url, self.client, self.is_stream)
    }

    fn is_same_wire(self) -> bool {
        self.client == self.upstream
    }
}

/// Runs a scenario in every cell; all that fail are told.
pub(crate) async fn for_every_cell<F>(scenario: impl Fn(Cell) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut failed = Vec::new();
    for client in Wire::ALL {
        for upstream in Wire::ALL {
            for is_stream in [false, true] {
                let cell = Cell {
                    client,
                    upstream,
                    is_stream,
                };
                if tokio::spawn(scenario(cell)).await.is_err() {
                    failed.push(format!("{client} before {upstream}, streamed: {is_stream}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The upstream has nothing to complain about.
pub(crate) fn sound(cell: Cell, upstream: &Upstream) -> Vec<Received> {
    let requests = upstream.requests();
    for request in &requests {
        // What the program itself sends is its own business.
        if !cell.is_same_wire() {
            let found = complaints(request);
            assert!(found.is_empty(), "{cell:?}: {found:#?}\n{}", request.text());
        }
        assert!(
            !request.text().contains("lg1."),
            "{cell:?}: {}",
            request.text()
        );
        assert!(
            !request.target.contains("key="),
            "{cell:?}: {}",
            request.target
        );
    }
    requests
}

fn path(of: &str) -> Value {
    json!({ "path": of })
}

fn plain(said: &Said) -> (u16, &str, &str, Option<&str>) {
    (said.status, &said.text, &said.stop, said.failure.as_deref())
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_what_it_costs() {
    for_every_cell(async |cell| {
        let reply = Reply::text("Hello, caf\u{e9} \u{1f980}, in a few words.");
        let (upstream, lingate) = cell
            .start(
                move |request: &Received| with_reasoning(&reply, request),
                "",
            )
            .await;
        let said = cell.program(&lingate).user("Say hello.").ask().await;
        let text = "Hello, caf\u{e9} \u{1f980}, in a few words.";
        assert_eq!(plain(&said), (200, text, "stop", None), "{cell:?}");
        let reasoning = match (cell.client, cell.upstream) {
            (Wire::Anthropic, _) | (_, Wire::Anthropic) => 0,
            _ => 7,
        };
        assert_eq!(
            said.usage,
            [120, 80, 12, reasoning],
            "{cell:?}: {}",
            said.raw
        );
        let lane = if cell.is_same_wire() {
            "passthrough"
        } else {
            "translated"
        };
        assert_eq!(said.lane, lane, "{cell:?}");
        sound(cell, &upstream);
    })
    .await;
}

/// Seven of the output's twelve tokens are thoughts, where the wire has a place for that.
fn with_reasoning(reply: &Reply, request: &Received) -> Answer {
    let answer = reply.answer(request);
    let body = String::from_utf8(answer.body()).unwrap();
    let body = body
        .replace("\"reasoning_tokens\":0", "\"reasoning_tokens\":7")
        .replace(
            "\"candidatesTokenCount\":12",
            "\"candidatesTokenCount\":5,\"thoughtsTokenCount\":7",
        )
        .replace(
            "\"prompt_tokens_details\":",
            "\"completion_tokens_details\":{\"reasoning_tokens\":7},\"prompt_tokens_details\":",
        );
    if request.streams() {
        Answer::sse([body])
    } else {
        Answer::text(200, "application/json", body)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_parallel_and_their_results() {
    for_every_cell(async |cell| {
        let script = |request: &Received| match request.n {
            0 => Reply::text("Let me look.")
                .call("call_a", "Read", &path("a.rs"))
                .call("call_b", "Read", &path("b.rs"))
                .answer(request),
            _ => Reply::text("Both are empty.").answer(request),
        };
        let (upstream, lingate) = cell.start(script, "").await;
        let mut program = cell
            .program(&lingate)
            .user("Compare them.")
            .tools(&["Read", "Bash"]);
        let said = program.ask().await;
        assert_eq!(
            plain(&said),
            (200, "Let me look.", "calls", None),
            "{cell:?}: {}",
            said.raw
        );
        assert_eq!(said.names(), ["Read", "Read"], "{cell:?}");
        assert_eq!(
            [&said.calls[0].2, &said.calls[1].2],
            [&path("a.rs"), &path("b.rs")],
            "{cell:?}"
        );
        program.results(&said, &["the first result", "the second result"]);
        let said = program.ask().await;
        assert_eq!(
            plain(&said),
            (200, "Both are empty.", "stop", None),
            "{cell:?}: {}",
            said.raw
        );
        let requests = sound(cell, &upstream);
        let sent = requests[1].text();
        let at = |text: &str| {
            sent.find(text)
                .unwrap_or_else(|| panic!("{cell:?}: no {text} in {sent}"))
        };
        assert!(at("the first result") < at("the second result"), "{cell:?}");
        assert!(
            at("a.rs") < at("b.rs") && at("b.rs") < at("the first result"),
            "{cell:?}: {sent}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_is_shown() {
    for_every_cell(async |cell| {
        let script = |request: &Received| {
            Reply::default()
                .think("Let me think about it.")
                .say("42.")
                .answer(request)
        };
        let (upstream, lingate) = cell.start(script, "").await;
        let said = cell.program(&lingate).user("Why?").thinks().ask().await;
        assert_eq!(
            plain(&said),
            (200, "42.", "stop", None),
            "{cell:?}: {}",
            said.raw
        );
        assert_eq!(
            said.thinking, "Let me think about it.",
            "{cell:?}: {}",
            said.raw
        );
        let sent = sound(cell, &upstream)[0].json();
        let asked = match cell.upstream {
            Wire::Anthropic => &sent["thinking"],
            // Hosts that nobody knows are not asked for what they may refuse.
            Wire::Chat => &sent["messages"],
            Wire::Responses => &sent["reasoning"]["effort"],
            Wire::Gemini => &sent["generationConfig"]["thinkingConfig"],
        };
        assert!(!asked.is_null(), "{cell:?}: {sent}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_and_documents_go_in() {
    const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const PDF: &str = "JVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSPj4=";
    for_every_cell(async |cell| {
        let (upstream, lingate) = cell.start(Misbehaviour::Healthy, "").await;
        let said = cell.program(&lingate).shows(PNG, PDF).ask().await;
        assert_eq!(said.status, 200, "{cell:?}: {}", said.raw);
        let requests = sound(cell, &upstream);
        let sent = requests[0].text();
        for data in [PNG, PDF] {
            assert!(sent.contains(data), "{cell:?}: {sent}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_for_the_answer() {
    for_every_cell(async |cell| {
        let schema = json!({
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": false,
        });
        let answer = r#"{"city":"Paris"}"#;
        let (upstream, lingate) = cell
            .start(
                move |request: &Received| Reply::text(answer).answer(request),
                "",
            )
            .await;
        let said = cell
            .program(&lingate)
            .user("Which city?")
            .format(&schema)
            .ask()
            .await;
        assert_eq!(plain(&said), (200, answer, "stop", None), "{cell:?}");
        let sent = sound(cell, &upstream)[0].json();
        let schema = match cell.upstream {
            Wire::Anthropic => &sent["output_config"]["format"]["schema"],
            Wire::Chat => &sent["response_format"]["json_schema"]["schema"],
            Wire::Responses => &sent["text"]["format"]["schema"],
            Wire::Gemini => &sent["generationConfig"]["responseJsonSchema"],
        };
        assert_eq!(
            schema["properties"]["city"]["type"], "string",
            "{cell:?}: {sent}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_by_the_limit_says_so() {
    for_every_cell(async |cell| {
        let script = |request: &Received| Reply::text("Half a sen").cut_by_limit().answer(request);
        let (_upstream, lingate) = cell.start(script, "").await;
        let said = cell.program(&lingate).user("Tell me a story.").ask().await;
        assert_eq!(
            plain(&said),
            (200, "Half a sen", "length", None),
            "{cell:?}: {}",
            said.raw
        );
    })
    .await;
}

/// Before the first event a failure has a status, in the client's shape.
#[tokio::test(flavor = "multi_thread")]
async fn failures_before_the_first_event() {
    for_every_cell(async |cell| {
        let busy = if cell.client == Wire::Anthropic {
            529
        } else {
            503
        };
        for (misbehaviour, status) in [
            (Misbehaviour::WrongKey, 502),
            (Misbehaviour::RateLimited(3), 429),
            (Misbehaviour::Overloaded, busy),
            (overflow(cell.upstream), 400),
            (Misbehaviour::ErrorInsideStream, 500),
            (Misbehaviour::HtmlPage200, 502),
            (Misbehaviour::NoContent, 502),
            (Misbehaviour::CutBeforeContent, 502),
        ] {
            let (_upstream, lingate) = cell.start(misbehaviour, "").await;
            let said = cell.program(&lingate).user("Hello.").ask().await;
            let message = said.failure.clone().unwrap_or_default();
            assert!(
                !message.is_empty(),
                "{cell:?} {misbehaviour:?}: {}",
                said.raw
            );
            assert!(
                shaped(cell.client, said.status, &said.raw),
                "{cell:?} {misbehaviour:?}: {}",
                said.raw
            );
            let is_due = if status == 500 {
                matches!(said.status, 500..=503 | 529)
            } else {
                said.status == status
            };
            assert!(
                is_due,
                "{cell:?} {misbehaviour:?}: {} {}",
                said.status, said.raw
            );
            if let Misbehaviour::ContextOverflow(_) = misbehaviour {
                let words = match cell.client {
                    Wire::Anthropic => "prompt is too long",
                    Wire::Chat | Wire::Responses => "context_length_exceeded",
                    Wire::Gemini => "input token count",
                };
                assert!(said.raw.contains(words), "{cell:?}: {}", said.raw);
            }
        }
    })
    .await;
}

/// The conversation does not fit, in words that hosts of this wire use.
fn overflow(upstream: Wire) -> Misbehaviour {
    Misbehaviour::ContextOverflow(match upstream {
        Wire::Anthropic => OverflowWords::Anthropic,
        Wire::Chat | Wire::Responses | Wire::Gemini => OverflowWords::OpenAi,
    })
}

/// An error body of this wire.
fn shaped(wire: Wire, status: u16, body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let error = &body["error"];
    match wire {
        Wire::Anthropic => body["type"] == "error" && error["type"].is_string(),
        Wire::Chat | Wire::Responses => error["type"].is_string(),
        Wire::Gemini => error["code"] == status && error["status"].is_string(),
    }
}

/// After it only the stream can tell; a whole answer still has a status.
#[tokio::test(flavor = "multi_thread")]
async fn failures_after_the_first_event() {
    for_every_cell(async |cell| {
        for misbehaviour in [
            Misbehaviour::ErrorAfterText,
            Misbehaviour::CutAfterText,
            Misbehaviour::ResetAfterText,
        ] {
            let (_upstream, lingate) = cell.start(misbehaviour, "").await;
            let said = cell.program(&lingate).user("Hello.").ask().await;
            assert!(
                said.failure.is_some(),
                "{cell:?} {misbehaviour:?}: {}",
                said.raw
            );
            if cell.is_stream {
                assert_eq!(said.status, 200, "{cell:?} {misbehaviour:?}: {}", said.raw);
                assert!(
                    said.raw.contains("Hello"),
                    "{cell:?} {misbehaviour:?}: {}",
                    said.raw
                );
            } else {
                assert!(
                    said.status >= 500,
                    "{cell:?} {misbehaviour:?}: {}",
                    said.raw
                );
            }
        }
    })
    .await;
}

/// A call with half its arguments never passes for a whole one.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_call_is_no_call() {
    for_every_cell(async |cell| {
        // Their bodies have no place for unfinished JSON.
        if matches!(cell.upstream, Wire::Gemini)
            || (cell.upstream == Wire::Anthropic && !cell.is_stream)
        {
            return;
        }
        let (_upstream, lingate) = cell.start(Misbehaviour::TruncatedToolJson, "").await;
        let said = cell
            .program(&lingate)
            .user("Clean up.")
            .tools(&["Bash"])
            .ask()
            .await;
        assert!(said.failure.is_some(), "{cell:?}: {}", said.raw);
    })
    .await;
}

/// `ensure_tool_call`: an answer without a call is continued by another attempt, in the same message.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_insisted_on() {
    for_every_cell(async |cell| {
        let script = |request: &Received| match request.n {
            0 => Reply::text("I will read it.").answer(request),
            _ => Reply::default()
                .call("call_a", "Read", &path("a.rs"))
                .answer(request),
        };
        let (upstream, lingate) = cell.start(script, "ensure_tool_call = true").await;
        let said = cell
            .program(&lingate)
            .user("Fix it.")
            .tools(&["Read"])
            .ask()
            .await;
        assert_eq!(
            plain(&said),
            (200, "I will read it.", "calls", None),
            "{cell:?}: {}",
            said.raw
        );
        assert_eq!(said.names(), ["Read"], "{cell:?}");
        assert_eq!(said.usage[2], 24, "{cell:?}: {}", said.raw);
        assert_eq!(upstream.requests().len(), 2, "{cell:?}");
    })
    .await;
}

/// `validate_tool_calls`: arguments that do not fit the schema are put right or asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn arguments_are_held_against_their_schema() {
    for_every_cell(async |cell| {
        for mode in ["repair", "retry"] {
            let script = |request: &Received| {
                let input = match request.n {
                    0 => json!({"path": 7}),
                    _ => path("7"),
                };
                Reply::default()
                    .call("call_a", "Read", &input)
                    .answer(request)
            };
            let (_upstream, lingate) = cell
                .start(script, &format!("validate_tool_calls = \"{mode}\""))
                .await;
            let said = cell
                .program(&lingate)
                .user("Read it.")
                .tools(&["Read"])
                .ask()
                .await;
            assert_eq!(
                plain(&said),
                (200, "", "calls", None),
                "{cell:?} {mode}: {}",
                said.raw
            );
            assert_eq!(said.calls[0].2, path("7"), "{cell:?} {mode}: {}", said.raw);
        }
    })
    .await;
}

/// A host that leaves Kimi K2's calls in the text, behind every client.
#[tokio::test(flavor = "multi_thread")]
async fn calls_in_the_text_of_kimi_k2() {
    let text = "Let me look.<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>\
                {\"path\":\"a.rs\"}<|tool_call_end|><|tool_calls_section_end|>";
    for_every_cell(async |cell| {
        if cell.upstream != Wire::Chat {
            return;
        }
        let script = |request: &Received| match request.n {
            0 => Reply::text(text).answer(request),
            _ => Reply::text("Empty.").answer(request),
        };
        let (upstream, lingate) = cell
            .start_as(
                script,
                "quirks = [\"kimi-k2\"]",
                "targets = [\"up/kimi-k2-instruct\"]",
            )
            .await;
        let mut program = cell.program(&lingate).user("Look.").tools(&["Read"]);
        let said = program.ask().await;
        assert_eq!(
            plain(&said),
            (200, "Let me look.", "calls", None),
            "{cell:?}: {}",
            said.raw
        );
        assert_eq!(
            (said.names(), &said.calls[0].2),
            (vec!["Read"], &path("a.rs")),
            "{cell:?}"
        );
        program.results(&said, &["nothing"]);
        let said = program.ask().await;
        assert_eq!(
            plain(&said),
            (200, "Empty.", "stop", None),
            "{cell:?}: {}",
            said.raw
        );
        sound(cell, &upstream);
    })
    .await;
}
