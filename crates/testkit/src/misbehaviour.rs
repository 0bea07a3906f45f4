//! Providers named by what they do wrong. Each answers in the wire and the mode that was asked for.

use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::{Part, Reply, Wire, anthropic, chat, gemini, responses};
use crate::{Answer, Received, Script};

/// What a provider gets wrong, for every request alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Nothing: "Hello from the upstream."
    Healthy,
    /// 401 in the wire's words.
    WrongKey,
    /// 529 on the Anthropic wire, 503 elsewhere.
    Overloaded,
    /// 429 with this `retry-after` in seconds.
    RateLimited(u32),
    /// 400 because the prompt is too long, in the words of one kind of provider.
    ContextOverflow(OverflowWords),
    /// 200, then an error as the first event.
    ErrorInsideStream,
    /// Half a text, then an error event.
    ErrorAfterText,
    /// 200 with a web page, as captive portals and wrong base URLs give.
    HtmlPage200,
    /// 200 `text/event-stream` and not one event.
    EmptyStream,
    /// A stream that starts and ends properly without any content.
    NoContent,
    /// The connection ends before the first content.
    CutBeforeContent,
    /// The connection ends after half a text.
    CutAfterText,
    /// As [`Misbehaviour::CutAfterText`], with a TCP reset.
    ResetAfterText,
    /// Status and headers, then nothing.
    StallsAfterHeaders,
    /// Half a text, then nothing.
    StallsAfterText,
    /// Takes the request, says nothing.
    NeverAnswers,
    /// A tool call whose JSON stops in the middle, and an orderly end that claims completeness.
    TruncatedToolJson,
    /// A JSON body in answer to a request for a stream.
    NotSse,
    /// Everything right, one byte a write.
    DripByte,
    /// Everything right, compressed although nobody asked for that.
    Gzip,
    /// A comment every 50 ms for this many times, then the answer.
    SlowStart(u32),
}

/// How providers say that a prompt does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowWords {
    /// `This model's maximum context length is ..`
    OpenAi,
    /// `Your request exceeded model token limit: ..`
    Moonshot,
    /// `prompt is too long: .. tokens > .. maximum`
    Anthropic,
    /// `exceed_context_size_error` with the numbers as fields.
    LlamaCpp,
}

impl Script for Misbehaviour {
    fn answer(&self, request: &Received) -> Answer {
        let wire = request.wire();
        let healthy = Reply::text("Hello from the upstream.");
        // On the Responses wire two frames more stand before the text.
        let head = if wire == Wire::Responses { 2 } else { 0 };
        let started = |frames: usize| {
            let frames = if frames > 1 { frames + head } else { frames };
            begun(healthy.answer(request), request.streams(), frames)
        };
        match *self {
            Misbehaviour::Healthy => healthy.answer(request),
            Misbehaviour::WrongKey => {
                error(wire, 401, "authentication_error", "Invalid Authentication")
            }
            Misbehaviour::Overloaded => {
                let status = if wire == Wire::Anthropic { 529 } else { 503 };
                error(
                    wire,
                    status,
                    "overloaded_error",
                    "The engine is currently overloaded, please try again later",
                )
            }
            Misbehaviour::RateLimited(seconds) => error(
                wire,
                429,
                "rate_limit_error",
                "Your account reached max RPM: 3, please try again later",
            )
            .header("retry-after", &seconds.to_string()),
            Misbehaviour::ContextOverflow(words) => words.answer(),
            Misbehaviour::ErrorInsideStream if request.streams() => {
                Answer::sse([error_frame(wire)])
            }
            Misbehaviour::ErrorInsideStream => error(wire, 200, "server_error", "The engine died"),
            Misbehaviour::ErrorAfterText if request.streams() => {
                started(4).write(error_frame(wire))
            }
            Misbehaviour::ErrorAfterText => error(wire, 500, "server_error", "The engine died"),
            Misbehaviour::HtmlPage200 => Answer::text(
                200,
                "text/html; charset=utf-8",
                "<!doctype html><title>Sign in</title><p>Welcome to the network.",
            ),
            Misbehaviour::EmptyStream => nothing(request.streams()),
            Misbehaviour::NoContent => Reply::default().answer(request),
            // The first frame of the Gemini wire holds content.
            Misbehaviour::CutBeforeContent => started(usize::from(wire != Wire::Gemini)).cut(),
            Misbehaviour::CutAfterText => started(4).cut(),
            Misbehaviour::ResetAfterText => started(4).pause(Duration::from_millis(50)).reset(),
            Misbehaviour::StallsAfterHeaders => match request.streams() {
                true => nothing(true).stall(),
                false => nothing(false).header("content-length", "400").stall(),
            },
            Misbehaviour::StallsAfterText => started(4).stall(),
            Misbehaviour::NeverAnswers => Answer::silence(),
            Misbehaviour::TruncatedToolJson => {
                let arguments = r#"{"command":"rm -rf /tmp"#.to_owned();
                let call = Part::Call {
                    id: "call_cut".to_owned(),
                    name: first_tool(request),
                    arguments,
                };
                Reply {
                    parts: vec![call],
                    ..Reply::default()
                }
                .answer(request)
            }
            Misbehaviour::NotSse => Answer::json(
                200,
                &match wire {
                    Wire::Chat => chat::completion("scripted", &healthy),
                    Wire::Anthropic => anthropic::message("scripted", &healthy),
                    Wire::Responses => responses::response("scripted", &healthy, &|_| false),
                    Wire::Gemini => gemini::response("scripted", &healthy),
                },
            ),
            Misbehaviour::DripByte => healthy.answer(request).split_every(1),
            Misbehaviour::Gzip => healthy.answer(request).gzip(),
            Misbehaviour::SlowStart(comments) if request.streams() => {
                let pause = Duration::from_millis(50);
                (0..comments)
                    .fold(Answer::sse([] as [&str; 0]), |answer, _| {
                        answer.write(": keep-alive\n\n").pause(pause)
                    })
                    .followed_by(healthy.answer(request))
            }
            Misbehaviour::SlowStart(comments) => healthy
                .answer(request)
                .paced(Duration::from_millis(50) * comments),
        }
    }
}

/// The first frames of a stream, or the first half of a body that claims its whole length.
fn begun(answer: Answer, streams: bool, frames: usize) -> Answer {
    let whole = answer.body().len();
    match streams {
        true => answer.take(frames),
        false => answer
            .split_at(&[whole / 2])
            .take(1)
            .header("content-length", &whole.to_string()),
    }
}

/// Success without a body.
fn nothing(streams: bool) -> Answer {
    match streams {
        true => Answer::sse([] as [&str; 0]),
        false => Answer::text(200, "application/json", ""),
    }
}

impl OverflowWords {
    fn answer(self) -> Answer {
        let error = match self {
            OverflowWords::OpenAi => json!({
                "message": "This model's maximum context length is 131072 tokens. However, your messages resulted in 250000 \
                            tokens. Please reduce the length of the messages.",
                "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
            }),
            OverflowWords::Moonshot => json!({
                "message": "Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)",
                "type": "invalid_request_error",
            }),
            OverflowWords::Anthropic => {
                let message = "prompt is too long: 250000 tokens > 200000 maximum";
                return Answer::json(400, &anthropic::error("invalid_request_error", message));
            }
            OverflowWords::LlamaCpp => json!({
                "code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192,
                "message": "the request exceeds the available context size, try increasing it",
            }),
        };
        Answer::json(400, &json!({ "error": error }))
    }
}

fn error(wire: Wire, status: u16, kind: &str, message: &str) -> Answer {
    Answer::json(
        status,
        &match wire {
            Wire::Chat => chat::error(kind, message),
            Wire::Anthropic => anthropic::error(kind, message),
            Wire::Responses => responses::error(kind, message),
            Wire::Gemini => gemini::error(status, "UNKNOWN", message),
        },
    )
}

fn error_frame(wire: Wire) -> String {
    match wire {
        Wire::Chat => format!(
            "data: {}\n\n",
            chat::error("server_error", "The engine died")
        ),
        Wire::Anthropic => anthropic::event(&anthropic::error("api_error", "The engine died")),
        Wire::Responses => responses::failed("The engine died"),
        Wire::Gemini => gemini::frame(&gemini::error(500, "INTERNAL", "The engine died")),
    }
}

fn first_tool(request: &Received) -> String {
    let body: Value = request.json();
    let tool = &body["tools"][0];
    let name = tool["function"]["name"]
        .as_str()
        .or_else(|| tool["name"].as_str())
        .or_else(|| tool["functionDeclarations"][0]["name"].as_str());
    name.unwrap_or("Bash").to_owned()
}
