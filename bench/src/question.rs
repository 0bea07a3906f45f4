//! A request's bytes. Each sending ends in a turn that was never sent before, so that nothing can be answered from memory.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::wire::Wire;

/// 300 bytes: one question.
pub(crate) const SMALL: &str = include_str!("../bodies/small.json");
/// 124 kB: a coding agent's request.
pub(crate) const LARGE: &str = include_str!("../bodies/large.json");

/// Bytes of the unique turn.
const UNIQUE: usize = 2048;

/// A whole HTTP/1.1 request whose last turn is rewritten for each sending.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    bytes: Vec<u8>,
    /// Where the unique text begins.
    unique: usize,
    random: u64,
}

impl Question {
    /// `body`, an Anthropic one, for `model`, with a turn more. On another wire its texts are asked and nothing else.
    pub(crate) fn new(
        body: &str,
        wire: Wire,
        model: &str,
        is_stream: bool,
    ) -> anyhow::Result<Self> {
        let mut body: Value = serde_json::from_str(body)?;
        let placeholder = "@".repeat(UNIQUE);
        let messages = body["messages"].as_array_mut();
        let messages = messages.context("the body has messages")?;
        messages.extend([
            json!({"role": "assistant", "content": "Go on."}),
            json!({"role": "user", "content": placeholder}),
        ]);
        let (path, body) = match wire {
            Wire::Anthropic => {
                body["model"] = json!(model);
                body["stream"] = json!(is_stream);
                ("/v1/messages".to_owned(), body)
            }
            Wire::Chat => {
                let body = json!({"model": model, "stream": is_stream, "messages": messages});
                ("/v1/chat/completions".to_owned(), body)
            }
            Wire::Responses => {
                let body = json!({"model": model, "stream": is_stream, "input": messages});
                ("/v1/responses".to_owned(), body)
            }
            Wire::Gemini => gemini(messages, model, is_stream),
        };
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             anthropic-version: 2023-06-01\r\nuser-agent: lingate-bench\r\naccept: application/json\r\n\
             x-api-key: bench\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let bytes = (head + &body).into_bytes();
        let unique = memchr::memmem::find(&bytes, placeholder.as_bytes());
        let unique = unique.context("the placeholder is in the body")?;
        ensure!(unique + UNIQUE < bytes.len());
        Ok(Self {
            bytes,
            unique,
            random: 0,
        })
    }

    /// The same request with texts of its own: `seed` tells the askers apart.
    pub(crate) fn seeded(&self, seed: u64) -> Self {
        let mut own = self.clone();
        own.random = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        own
    }

    /// The next sending.
    pub(crate) fn next(&mut self) -> &[u8] {
        for eight in self.bytes[self.unique..self.unique + UNIQUE].chunks_exact_mut(8) {
            // xorshift64: quick, and no text comes twice in a run.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            for (at, letter) in eight.iter_mut().enumerate() {
                *letter = b'a' + (self.random >> (at * 8)) as u8 % 26;
            }
        }
        &self.bytes
    }
}

fn gemini(messages: &[Value], model: &str, is_stream: bool) -> (String, Value) {
    let contents = messages.iter().map(|message| {
        let role = match message["role"].as_str() {
            Some("assistant") => "model",
            _ => "user",
        };
        json!({"role": role, "parts": [{"text": message["content"]}]})
    });
    let model = model.replace('/', "%2F");
    let method = if is_stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    let path = format!("/v1beta/models/{model}:{method}");
    (path, json!({"contents": contents.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sending_is_the_same_length_and_valid_json_and_new() {
        for body in [SMALL, LARGE] {
            let question = Question::new(body, Wire::Anthropic, "m", true).unwrap();
            let (mut one, mut two) = (question.seeded(0), question.seeded(1));
            let sendings = [
                one.next().to_vec(),
                one.next().to_vec(),
                two.next().to_vec(),
            ];
            for sending in &sendings {
                let text = std::str::from_utf8(sending).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(head.contains(&format!("content-length: {}", body.len())));
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!(
                    (&body["model"], &body["stream"]),
                    (&json!("m"), &json!(true))
                );
                let last = body["messages"].as_array().unwrap().last().unwrap();
                assert!(!last["content"].as_str().unwrap().contains('@'));
            }
            assert_ne!(sendings[0], sendings[1]);
            assert_ne!(sendings[0], sendings[2]);
        }
    }
}
