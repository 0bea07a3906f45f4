//! The scripted model behind the gateway: the words of a prompt decide what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lingate_testkit::{
    Agent, Answer, Misbehaviour, OverflowWords, Received, Reply, Script, Step, Wire, anthropic,
    chat, gemini, responses,
};
use serde_json::json;

/// Faults that a prompt can ask for as `FAULT-name`, with the ways in which scripts ask for them: whole, streamed.
const FAULTS: &[(&str, Misbehaviour)] = &[
    ("wrong-key", Misbehaviour::WrongKey),
    ("overloaded", Misbehaviour::Overloaded),
    ("limited", Misbehaviour::RateLimited(1)),
    (
        "overflow",
        Misbehaviour::ContextOverflow(OverflowWords::OpenAi),
    ),
    ("error-at-once", Misbehaviour::ErrorInsideStream),
    ("error-after-text", Misbehaviour::ErrorAfterText),
    ("cut-after-text", Misbehaviour::CutAfterText),
    ("html", Misbehaviour::HtmlPage200),
    ("truncated-call", Misbehaviour::TruncatedToolJson),
    ("drip", Misbehaviour::DripByte),
];

/// The cases that a script makes of [`FAULTS`] before a provider of this wire: each whole and streamed.
pub(crate) fn fault_cases(wire: Wire) -> Vec<String> {
    let both = FAULTS
        .iter()
        .flat_map(|(name, _)| [(*name).to_owned(), format!("{name}_streamed")]);
    // A whole message has no place for unfinished JSON where arguments are an object, and Gemini's never grow.
    let fits = |case: &String| match wire {
        Wire::Chat | Wire::Responses => true,
        Wire::Anthropic => case != "truncated-call",
        Wire::Gemini => !case.starts_with("truncated-call"),
    };
    both.filter(fits).collect()
}

/// Plays a model with two tools' worth of scenarios, and a provider with every fault of [`FAULTS`].
#[derive(Clone)]
pub(crate) struct Model {
    agent: Agent,
    wire: Wire,
    limited_already: Arc<AtomicBool>,
}

impl Model {
    /// A model on this wire.
    pub(crate) fn new(wire: Wire) -> Model {
        let weather = |city: &str| json!({ "city": city });
        let agent = Agent::new()
            .on("SAY", [Step::say("Hello from the upstream.")])
            .on(
                "THINK",
                [
                    Step::call("get_weather", weather("Paris"))
                        .thinking("The user wants the weather."),
                    Step::report(|results| format!("It is {}.", results.join(", "))),
                ],
            )
            .on(
                "WEATHER",
                [
                    Step::call("get_weather", weather("Paris"))
                        .and("get_weather", weather("Rome"))
                        .saying("Let me look."),
                    Step::report(|results| format!("It is {}.", results.join(", "))),
                ],
            )
            .on("KNOBS", [Step::call("get_weather", weather("Paris"))])
            .on(
                "FREE-FORM",
                [
                    Step::call("note", json!({"input": "two\nlines \"as they are\""})),
                    Step::report(|results| format!("It is {}.", results.join(", "))),
                ],
            )
            .on("READING", [Step::say(r#"{"city":"Paris","degrees":21}"#)]);
        Model {
            agent,
            wire,
            limited_already: Arc::default(),
        }
    }

    /// What went wrong from the model's point of view.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.agent.faults()
    }
}

impl Script for Model {
    fn answer(&self, request: &Received) -> Answer {
        let text = request.text();
        if request.path().ends_with("/count_tokens") {
            return Answer::json(200, &json!({"input_tokens": 321}));
        }
        if request.path().ends_with(":countTokens") {
            return Answer::json(200, &json!({"totalTokens": 321}));
        }
        if request.json()["thread"].is_object() {
            return no_threads();
        }
        if text.contains("ONCE-LIMITED") && !self.limited_already.swap(true, Ordering::SeqCst) {
            return Misbehaviour::RateLimited(1).answer(request);
        }
        let named = |(name, _): &&(&str, Misbehaviour)| text.contains(&format!("FAULT-{name}"));
        if let Some((_, fault)) = FAULTS.iter().find(named) {
            return match (fault, self.wire) {
                (Misbehaviour::ContextOverflow(_), Wire::Anthropic) => {
                    Misbehaviour::ContextOverflow(OverflowWords::Anthropic).answer(request)
                }
                (Misbehaviour::ContextOverflow(_), Wire::Gemini) => too_long_for_gemini(),
                _ => fault.answer(request),
            };
        }
        if text.contains("CUT-SHORT") {
            return Reply::text("Half a sen").cut_by_limit().answer(request);
        }
        if text.contains("ENDLESS") {
            return self.endless();
        }
        self.agent.answer(request)
    }
}

impl Model {
    /// A text that goes on for a minute.
    fn endless(&self) -> Answer {
        let usage = lingate_testkit::Usage::default();
        let (first, piece) = match self.wire {
            Wire::Chat => {
                let start = chat::delta("mock-1", &json!({"role": "assistant", "content": ""}));
                (start, chat::text("mock-1", "word "))
            }
            Wire::Responses => {
                let frames = responses::stream("mock-1", &Reply::text("word "), &|_| false);
                // All before the first delta, and that delta again and again.
                let (head, rest) = frames.split_at(4);
                (head.concat(), rest[0].clone())
            }
            Wire::Gemini => {
                let frames = gemini::stream("mock-1", &Reply::text("word word "));
                (frames[0].clone(), frames[0].clone())
            }
            Wire::Anthropic => {
                let start = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
                let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}});
                let head = anthropic::message_start("msg_endless", "mock-1", usage);
                (head + &anthropic::event(&start), anthropic::event(&delta))
            }
        };
        let pieces = (0..1200).fold(Answer::sse([first]), |answer, _| {
            answer.write(piece.clone()).pause(Duration::from_millis(50))
        });
        pieces.stall()
    }
}

/// How a provider of the Anthropic wire without threads says so; SDKs then send the whole conversation.
fn no_threads() -> Answer {
    let mut body = anthropic::error("invalid_request_error", "threads are not supported");
    body["error"]["details"] =
        json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
    Answer::json(400, &body)
}

/// How a provider of the Gemini wire says that a prompt does not fit.
fn too_long_for_gemini() -> Answer {
    let message =
        "The input token count (250000) exceeds the maximum number of tokens allowed (200000).";
    Answer::json(400, &gemini::error(400, "INVALID_ARGUMENT", message))
}
