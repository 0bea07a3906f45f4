//! An answer as Chat Completions bytes, at the pace of a quick reader.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::script::Answer;
use super::tools::Call;

/// Before each word of text.
const WORD: Duration = Duration::from_millis(30);
/// Before each piece of a call's arguments.
const PIECE: Duration = Duration::from_millis(15);
/// Characters of arguments a piece.
const PIECE_CHARS: usize = 16;
/// Rough size of a token: usage is an estimate, there being nothing to count.
const BYTES_A_TOKEN: usize = 4;

/// Some bytes of a reply's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// How long to wait before them.
    pub(crate) pause: Duration,
    /// The bytes.
    pub(crate) bytes: Bytes,
}

/// Spells `answer` as `body` asks for it: streamed or whole, with usage or without, within its token limit.
pub(super) fn steps(body: &Value, request_len: usize, answer: Answer) -> Vec<Step> {
    let speech = Speech::new(body, request_len, answer);
    if body.get("stream") == Some(&json!(true)) {
        speech.streamed(body.pointer("/stream_options/include_usage") == Some(&json!(true)))
    } else {
        vec![Step {
            pause: Duration::ZERO,
            bytes: speech.whole().to_string().into(),
        }]
    }
}

/// An answer that fits the request's limit.
struct Speech {
    model: Value,
    text: String,
    call: Option<(String, Call)>,
    finish: &'static str,
    n_input: usize,
    n_output: usize,
}

impl Speech {
    fn new(body: &Value, request_len: usize, answer: Answer) -> Self {
        let Answer { text, call } = answer;
        let arguments_len = call
            .as_ref()
            .map_or(0, |(_, call)| call.arguments.to_string().len());
        let mut speech = Self {
            model: body.get("model").cloned().unwrap_or_else(|| json!("demo")),
            finish: if call.is_some() { "tool_calls" } else { "stop" },
            n_input: request_len.div_ceil(BYTES_A_TOKEN),
            n_output: (text.len() + arguments_len).div_ceil(BYTES_A_TOKEN),
            text,
            call,
        };
        let limit = ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|key| body.get(*key)?.as_u64());
        if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok())
            && speech.n_output > limit
        {
            speech.cut(limit);
        }
        speech
    }

    /// Keeps `limit` words and no call: half a call is of no use to anybody.
    fn cut(&mut self, limit: usize) {
        self.text = self.text.split_inclusive(' ').take(limit).collect();
        self.call = None;
        self.finish = "length";
        self.n_output = limit;
    }

    fn whole(&self) -> Value {
        let message = match &self.call {
            None => json!({"role": "assistant", "content": self.text}),
            Some((id, call)) => {
                let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
                let content = Some(&self.text).filter(|text| !text.is_empty());
                let calls = json!([{"id": id, "type": "function", "function": function}]);
                json!({"role": "assistant", "content": content, "tool_calls": calls})
            }
        };
        let choice = json!({"index": 0, "message": message, "finish_reason": self.finish});
        self.envelope("chat.completion", json!([choice]), true)
    }

    fn streamed(&self, has_usage: bool) -> Vec<Step> {
        let mut steps = vec![self.chunk(WORD, &json!({"role": "assistant", "content": ""}), None)];
        for word in self.text.split_inclusive(' ') {
            steps.push(self.chunk(WORD, &json!({"content": word}), None));
        }
        if let Some((id, call)) = &self.call {
            let head = json!({"index": 0, "id": id, "type": "function", "function": {"name": call.name, "arguments": ""}});
            steps.push(self.chunk(WORD, &json!({"tool_calls": [head]}), None));
            let arguments: Vec<char> = call.arguments.to_string().chars().collect();
            for piece in arguments.chunks(PIECE_CHARS) {
                let more = json!({"index": 0, "function": {"arguments": piece.iter().collect::<String>()}});
                steps.push(self.chunk(PIECE, &json!({"tool_calls": [more]}), None));
            }
        }
        steps.push(self.chunk(Duration::ZERO, &json!({}), Some(self.finish)));
        if has_usage {
            let last = self.envelope("chat.completion.chunk", json!([]), true);
            steps.push(event(Duration::ZERO, &last.to_string()));
        }
        steps.push(event(Duration::ZERO, "[DONE]"));
        steps
    }

    fn chunk(&self, pause: Duration, delta: &Value, finish: Option<&str>) -> Step {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = self.envelope("chat.completion.chunk", json!([choice]), false);
        event(pause, &chunk.to_string())
    }

    fn envelope(&self, object: &str, choices: Value, has_usage: bool) -> Value {
        let usage = json!({
            "prompt_tokens": self.n_input,
            "completion_tokens": self.n_output,
            "total_tokens": self.n_input + self.n_output,
        });
        json!({
            "id": "chatcmpl-demo",
            "object": object,
            "created": 0,
            "model": self.model,
            "choices": choices,
            "usage": has_usage.then_some(usage),
        })
    }
}

fn event(pause: Duration, data: &str) -> Step {
    Step {
        pause,
        bytes: format!("data: {data}\n\n").into(),
    }
}
