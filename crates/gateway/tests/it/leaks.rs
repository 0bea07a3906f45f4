//! Hosts that leave their model's markup in the text: scripted by what they write, read by a client of each wire.
//!
//! [`Host`] plays such a host in every way of writing a stream; [`ask`] is a client that gives back what a person would
//! see of the answer. The tests here are about what is told of it: header, log line, metrics; `k2_vectors` has the rest.

use std::collections::BTreeMap;

use lingate_testkit::client::Response;
use lingate_testkit::{Answer, Received, Script, Upstream};
use lingate_wire::{Wire, gemini, responses};
use serde_json::{Value, json};

use crate::harness::{self, Lingate};
use crate::k2_vectors;

/// How a host writes what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// As the vector gives it.
    Given,
    /// One character an event.
    Characters,
    /// As given, and seven bytes a write.
    SevenBytes,
    /// Not streamed.
    Whole,
}

impl How {
    pub(crate) const ALL: [Self; 4] =
        [Self::Given, Self::Characters, Self::SevenBytes, Self::Whole];
}

/// What a host says: pieces of content (`c`) and reasoning (`r`), and its finish reason.
#[derive(Debug, Clone)]
pub(crate) struct Says {
    pub deltas: Vec<(char, String)>,
    pub finish: String,
}

impl Says {
    /// Content in one piece.
    pub(crate) fn content(text: &str, finish: &str) -> Self {
        Self {
            deltas: vec![('c', text.to_owned())],
            finish: finish.to_owned(),
        }
    }

    fn answer(&self, how: How) -> Answer {
        if how == How::Whole {
            let all = |channel| -> String {
                let own = self.deltas.iter().filter(|(own, _)| *own == channel);
                own.map(|(_, text)| text.as_str()).collect()
            };
            let message =
                json!({"role": "assistant", "reasoning_content": all('r'), "content": all('c')});
            let choice = json!({"index": 0, "message": message, "finish_reason": self.finish});
            return Answer::json(200, &body("chat.completion", &choice));
        }
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            format!("data: {}\n\n", body("chat.completion.chunk", &choice))
        };
        let mut frames = vec![chunk(json!({"role": "assistant"}), Value::Null)];
        for (channel, text) in &self.deltas {
            let member = if *channel == 'c' {
                "content"
            } else {
                "reasoning_content"
            };
            let pieces = match how {
                How::Characters => text.chars().map(String::from).collect(),
                How::Given | How::SevenBytes | How::Whole => vec![text.clone()],
            };
            frames.extend(
                pieces
                    .into_iter()
                    .map(|piece| chunk(json!({member: piece}), Value::Null)),
            );
        }
        frames.push(chunk(json!({}), json!(self.finish)));
        frames.push("data: [DONE]\n\n".to_owned());
        let answer = Answer::sse(frames);
        if how == How::SevenBytes {
            answer.split_every(7)
        } else {
            answer
        }
    }
}

fn body(object: &str, choice: &Value) -> Value {
    json!({"id": "c", "object": object, "created": 1_790_000_000, "model": "m", "choices": [choice]})
}

/// A host that says what the last user message names: `SAY:NAME:HOW;`.
pub(crate) struct Host(pub BTreeMap<String, Says>);

impl Script for Host {
    fn answer(&self, request: &Received) -> Answer {
        let text = request.text();
        let order = text
            .split("SAY:")
            .last()
            .and_then(|rest| rest.split(';').next())
            .unwrap();
        let (name, how) = order.split_once(':').unwrap();
        let how = How::ALL
            .into_iter()
            .find(|known| format!("{known:?}") == how)
            .unwrap();
        assert_eq!(request.streams(), how != How::Whole, "{order}");
        self.0[name].answer(how)
    }
}

/// What a client asks with.
pub(crate) struct Ask<'a> {
    pub wire: Wire,
    pub model: &'a str,
    /// `{NAME: SCHEMA}`.
    pub tools: &'a Value,
    pub may_call: bool,
    pub name: &'a str,
    pub how: How,
}

/// What a client reads.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// `["text", t]`, `["thinking", t]` or `["tool", name, arguments]`, in the client's order.
    pub blocks: Vec<Vec<String>>,
    /// `end_turn`, `tool_use` or `max_tokens`, in the client's own words; none where the answer is an error.
    pub stop: Option<String>,
    /// What the error says.
    pub error: Option<String>,
    /// A status other than 200.
    pub status: u16,
}

/// Asks, and reads the answer as the client of this wire does; a stream also as its strict acceptor does.
pub(crate) async fn ask(lingate: &Lingate, ask: &Ask<'_>) -> Seen {
    let response = send(lingate, ask).await;
    let status = response.status;
    if status != 200 {
        let error = response.json().await;
        let message = error["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        return Seen {
            status,
            error: Some(message),
            ..Seen::default()
        };
    }
    let mut seen = if ask.how == How::Whole {
        whole(ask.wire, &response.json().await)
    } else {
        let text = response.text().await;
        accept(ask.wire, &text);
        streamed(ask.wire, &text)
    };
    seen.status = status;
    seen
}

/// Sends the request.
pub(crate) async fn send(lingate: &Lingate, ask: &Ask<'_>) -> Response {
    let says = format!("SAY:{}:{:?};", ask.name, ask.how);
    let is_stream = ask.how != How::Whole;
    let tools = |wrap: &dyn Fn(&str, Value) -> Value| -> Value {
        let declared = ask.tools.as_object().unwrap().iter();
        declared
            .map(|(name, schema)| {
                let mut schema = schema.clone();
                schema["type"] = json!("object");
                wrap(name, schema)
            })
            .collect()
    };
    let choice = |none: Value, auto: Value| if ask.may_call { auto } else { none };
    let (path, body) = match ask.wire {
        Wire::Anthropic => (
            "/v1/messages".to_owned(),
            json!({
                "model": ask.model, "max_tokens": 4096, "stream": is_stream, "thinking": {"type": "adaptive"},
                "messages": [{"role": "user", "content": says}],
                "tools": tools(&|name, schema| json!({"name": name, "input_schema": schema})),
                "tool_choice": choice(json!({"type": "none"}), json!({"type": "auto"})),
            }),
        ),
        Wire::Chat => (
            "/v1/chat/completions".to_owned(),
            json!({
                "model": ask.model, "stream": is_stream, "messages": [{"role": "user", "content": says}],
                "tools": tools(&|name, schema| json!({"type": "function", "function": {"name": name, "parameters": schema}})),
                "tool_choice": choice(json!("none"), json!("auto")),
            }),
        ),
        Wire::Responses => (
            "/v1/responses".to_owned(),
            json!({
                "model": ask.model, "stream": is_stream, "input": says, "reasoning": {"summary": "auto"},
                "tools": tools(&|name, schema| json!({"type": "function", "name": name, "parameters": schema, "strict": false})),
                "tool_choice": choice(json!("none"), json!("auto")),
            }),
        ),
        Wire::Gemini => {
            let method = if is_stream {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            let declared =
                tools(&|name, schema| json!({"name": name, "parametersJsonSchema": schema}));
            (
                format!("/v1beta/models/{}:{method}", ask.model),
                json!({
                    "contents": [{"role": "user", "parts": [{"text": says}]}],
                    "tools": [{"functionDeclarations": declared}],
                    "toolConfig": {"functionCallingConfig": {"mode": choice(json!("NONE"), json!("AUTO"))}},
                    "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
                }),
            )
        }
    };
    lingate.post(&path, &body).send().await
}

fn accept(wire: Wire, stream: &str) {
    let verdict = match wire {
        Wire::Anthropic | Wire::Chat => return harness::accept(wire, &without_comments(stream)),
        Wire::Responses => responses::grammar::check(stream.as_bytes()),
        Wire::Gemini => {
            let mut acceptor = gemini::grammar::Acceptor::new(gemini::Framing::Sse);
            acceptor
                .feed(stream.as_bytes())
                .and_then(|()| acceptor.finish())
                .map_err(|violation| violation.0)
        }
    };
    assert_eq!(verdict, Ok(()), "{stream}");
}

fn without_comments(stream: &str) -> String {
    stream
        .split_inclusive("\n\n")
        .filter(|event| !event.starts_with(':'))
        .collect()
}

/// The data of every event that is JSON.
fn data(stream: &str) -> impl Iterator<Item = Value> {
    stream
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
}

fn streamed(wire: Wire, stream: &str) -> Seen {
    let mut seen = Seen::default();
    for event in data(stream) {
        match wire {
            Wire::Anthropic => match event["type"].as_str().unwrap() {
                "content_block_start" => {
                    let block = &event["content_block"];
                    seen.blocks.push(match block["type"].as_str().unwrap() {
                        "tool_use" => vec!["tool".into(), string(&block["name"]), String::new()],
                        kind => vec![kind.into(), String::new()],
                    });
                }
                "content_block_delta" => {
                    let delta = &event["delta"];
                    let piece = ["text", "thinking", "partial_json"]
                        .iter()
                        .find_map(|key| delta[key].as_str());
                    seen.blocks
                        .last_mut()
                        .unwrap()
                        .last_mut()
                        .unwrap()
                        .push_str(piece.unwrap_or_default());
                }
                "message_delta" => {
                    seen.stop = event["delta"]["stop_reason"].as_str().map(str::to_owned)
                }
                "error" => seen.error = Some(string(&event["error"]["message"])),
                _ => {}
            },
            Wire::Chat => {
                if let Some(message) = event["error"]["message"].as_str() {
                    seen.error = Some(message.to_owned());
                }
                let choice = &event["choices"][0];
                seen.chat(&choice["delta"]);
                seen.chat_stop(&choice["finish_reason"]);
            }
            Wire::Responses => match event["type"].as_str().unwrap() {
                "response.completed" | "response.incomplete" => {
                    seen.stop = None;
                    let told = whole(wire, &event["response"]);
                    assert_eq!(
                        told.blocks, seen.blocks,
                        "the end repeats the items: {stream}"
                    );
                    seen.stop = told.stop;
                }
                "response.failed" => {
                    seen.error = Some(string(&event["response"]["error"]["message"]))
                }
                "response.output_item.done" => seen.item(&event["item"]),
                _ => {}
            },
            Wire::Gemini => seen.gemini(&event),
        }
    }
    if wire == Wire::Gemini && seen.error.is_some() {
        seen.stop = None;
    }
    seen
}

fn whole(wire: Wire, body: &Value) -> Seen {
    let mut seen = Seen::default();
    match wire {
        Wire::Anthropic => {
            for block in body["content"].as_array().unwrap() {
                seen.blocks.push(match block["type"].as_str().unwrap() {
                    "tool_use" => vec![
                        "tool".into(),
                        string(&block["name"]),
                        block["input"].to_string(),
                    ],
                    kind => vec![kind.into(), string(&block[kind])],
                });
            }
            seen.stop = body["stop_reason"].as_str().map(str::to_owned);
        }
        Wire::Chat => {
            let choice = &body["choices"][0];
            seen.chat(&choice["message"]);
            seen.chat_stop(&choice["finish_reason"]);
        }
        Wire::Responses => {
            body["output"]
                .as_array()
                .unwrap()
                .iter()
                .for_each(|item| seen.item(item));
            let has_call = seen.blocks.iter().any(|block| block[0] == "tool");
            seen.stop = match (body["status"].as_str().unwrap(), has_call) {
                ("completed", true) => Some("tool_use".into()),
                ("completed", false) => Some("end_turn".into()),
                ("incomplete", _) => Some("max_tokens".into()),
                other => panic!("{other:?}"),
            };
        }
        Wire::Gemini => seen.gemini(body),
    }
    seen
}

impl Seen {
    fn grow(&mut self, kind: &str, text: &str) {
        match self.blocks.last_mut() {
            _ if text.is_empty() => {}
            Some(block) if block[0] == kind => block[1].push_str(text),
            _ => self.blocks.push(vec![kind.to_owned(), text.to_owned()]),
        }
    }

    fn chat(&mut self, message: &Value) {
        self.grow(
            "thinking",
            message["reasoning_content"].as_str().unwrap_or_default(),
        );
        self.grow("text", message["content"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            if function["name"].is_string() {
                self.blocks.push(vec![
                    "tool".into(),
                    string(&function["name"]),
                    String::new(),
                ]);
            }
            self.blocks.last_mut().unwrap()[2]
                .push_str(function["arguments"].as_str().unwrap_or_default());
        }
    }

    fn chat_stop(&mut self, reason: &Value) {
        if let Some(reason) = reason.as_str() {
            self.stop = Some(match reason {
                "stop" => "end_turn".to_owned(),
                "tool_calls" => "tool_use".to_owned(),
                "length" => "max_tokens".to_owned(),
                other => panic!("{other}"),
            });
        }
    }

    fn item(&mut self, item: &Value) {
        let texts = |parts: &Value| {
            parts
                .as_array()
                .unwrap()
                .iter()
                .map(|part| string(&part["text"]))
                .collect()
        };
        self.blocks.push(match item["type"].as_str().unwrap() {
            "reasoning" => vec!["thinking".into(), texts(&item["summary"])],
            "message" => vec!["text".into(), texts(&item["content"])],
            "function_call" => vec![
                "tool".into(),
                string(&item["name"]),
                string(&item["arguments"]),
            ],
            other => panic!("{other}"),
        });
    }

    fn gemini(&mut self, chunk: &Value) {
        if let Some(message) = chunk["error"]["message"].as_str() {
            self.error = Some(message.to_owned());
        }
        let candidate = &chunk["candidates"][0];
        for part in candidate["content"]["parts"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if let Some(call) = part.get("functionCall") {
                let arguments = call
                    .get("args")
                    .map_or_else(|| "{}".to_owned(), Value::to_string);
                self.blocks
                    .push(vec!["tool".into(), string(&call["name"]), arguments]);
            } else {
                let kind = if part["thought"] == true {
                    "thinking"
                } else {
                    "text"
                };
                self.grow(kind, part["text"].as_str().unwrap_or_default());
            }
        }
        if let Some(reason) = candidate["finishReason"].as_str() {
            let has_call = self.blocks.iter().any(|block| block[0] == "tool");
            self.stop = Some(match (reason, has_call) {
                ("STOP", true) => "tool_use".to_owned(),
                ("STOP", false) => "end_turn".to_owned(),
                ("MAX_TOKENS", _) => "max_tokens".to_owned(),
                other => panic!("{other:?}"),
            });
        }
    }
}

fn string(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"))
        .to_owned()
}

const CALL: &str = "<|tool_calls_section_begin|><|tool_call_begin|>functions.lookup:0<|tool_call_argument_begin|>{\"term\":\"a\"}<|tool_call_end|><|tool_calls_section_end|>";

fn asking<'a>(tools: &'a Value, how: How) -> Ask<'a> {
    Ask {
        wire: Wire::Anthropic,
        model: "explicit-model",
        tools,
        may_call: true,
        name: "it",
        how,
    }
}

/// What is repaired behind the head cannot be in it any more: the metrics tell of it all the same, each thing once.
#[tokio::test]
async fn what_is_noticed_late_is_counted() {
    let says = Says {
        deltas: vec![
            ('c', "I look it up, and that takes a while. ".into()),
            ('c', CALL.into()),
            ('c', CALL.into()),
        ],
        finish: "stop".into(),
    };
    let upstream = Upstream::start(Host(BTreeMap::from([("it".to_owned(), says)]))).await;
    let lingate = Lingate::start(&k2_vectors::config(&upstream.url(), "")).await;
    let response = send(&lingate, &asking(&k2_vectors::TOOLS, How::Characters)).await;
    let told = response.header("x-lingate-quirks").to_owned();
    assert!(!told.contains("kimi-k2-text"), "{told}");
    drop(response.text().await);
    let metrics = metrics(&lingate, "lingate_quirk_hits_total{quirk=\"kimi-k2-text\"").await;
    for line in [
        "lingate_quirk_hits_total{quirk=\"kimi-k2-text\",provider=\"explicit\"} 1\n",
        "lingate_diagnostics_total{case=\"finish_stop_with_calls\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("invalid_json"), "{metrics}");
}

/// The metrics, once they tell of something: an exchange is closed a moment after its last byte.
async fn metrics(lingate: &Lingate, of: &str) -> String {
    for _ in 0..1000 {
        let metrics = lingate.get("/metrics").send().await.text().await;
        if metrics.contains(of) {
            return metrics;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the metrics never tell of {of}");
}

/// A call that is cut before anything was shown is tried again, and the client sees one good answer.
#[tokio::test]
async fn half_a_call_is_tried_again() {
    for (how, half) in [
        (
            How::Given,
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.lookup:0<|tool_call_argument_begin|> ",
        ),
        (
            How::Characters,
            "<|tool_call_begin|>functions.lookup:0<|tool_call_argument_begin|>",
        ),
        (
            How::Whole,
            "<|tool_call_begin|>functions.lookup:0<|tool_call_argument_begin|>{\"term\":",
        ),
    ] {
        let upstream = Upstream::start(move |request: &Received| {
            let text = if request.n == 0 { half } else { CALL };
            Says::content(text, "stop").answer(how)
        })
        .await;
        let lingate = Lingate::start(&k2_vectors::config(&upstream.url(), "")).await;
        let seen = ask(&lingate, &asking(&k2_vectors::TOOLS, how)).await;
        assert_eq!(
            seen.blocks,
            [["tool", "lookup", r#"{"term":"a"}"#]],
            "{how:?}: {seen:?}"
        );
        assert_eq!(
            (seen.stop.as_deref(), upstream.requests().len()),
            (Some("tool_use"), 2),
            "{how:?}"
        );
    }
}
