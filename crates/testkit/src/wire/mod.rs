//! What a provider says, written down once and rendered for the wire that asked.

pub mod anthropic;
pub mod chat;
pub mod gemini;
pub mod responses;

use serde_json::Value;

use crate::{Answer, Received};

/// The wires that scripted providers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Chat Completions; also the answer for paths of no wire.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Gemini `generateContent`.
    Gemini,
}

impl Wire {
    /// The wire of an endpoint's path.
    pub fn of_path(path: &str) -> Wire {
        if path.ends_with("/messages") || path.ends_with("/messages/count_tokens") {
            Wire::Anthropic
        } else if path.ends_with("/responses") {
            Wire::Responses
        } else if path.contains("enerateContent") {
            Wire::Gemini
        } else {
            Wire::Chat
        }
    }

    /// The name by which a configuration calls it.
    pub fn name(self) -> &'static str {
        match self {
            Wire::Anthropic => "anthropic",
            Wire::Chat => "chat",
            Wire::Responses => "responses",
            Wire::Gemini => "gemini",
        }
    }
}

/// One answer of a model.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// In order; an answer without parts is an empty one.
    pub parts: Vec<Part>,
    /// Whether the token limit ended it.
    pub cut_by_limit: bool,
    /// What it costs.
    pub usage: Usage,
    /// Its number, from which its id is made; [`Reply::answer`] takes the request's.
    pub n: usize,
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Part {
    /// What the model thinks.
    Reasoning(String),
    /// What it says.
    Text(String),
    /// What it asks the client to do; the arguments are JSON text and need not be complete.
    Call {
        /// Unique in the conversation.
        id: String,
        /// A tool's name as it was offered.
        name: String,
        /// JSON text.
        arguments: String,
    },
}

/// Token counts as a provider bills them.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub prompt: u64,
    /// The part of the prompt that came from a cache.
    pub cached: u64,
    /// Output tokens.
    pub output: u64,
}

impl Default for Usage {
    fn default() -> Usage {
        Usage {
            prompt: 120,
            cached: 80,
            output: 12,
        }
    }
}

impl Reply {
    /// An answer of one text.
    pub fn text(text: &str) -> Reply {
        Reply::default().say(text)
    }

    /// Then a text.
    pub fn say(self, text: &str) -> Reply {
        self.then(Part::Text(text.to_owned()))
    }

    /// Then a thought.
    pub fn think(self, text: &str) -> Reply {
        self.then(Part::Reasoning(text.to_owned()))
    }

    /// Then a tool call.
    pub fn call(self, id: &str, name: &str, arguments: &Value) -> Reply {
        self.then(Part::Call {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_string(),
        })
    }

    /// With the token limit as the reason of the end.
    pub fn cut_by_limit(mut self) -> Reply {
        self.cut_by_limit = true;
        self
    }

    /// The answer to a request: its wire, its model's name, streamed if it asked for that.
    pub fn answer(&self, request: &Received) -> Answer {
        let model = &request.model();
        let reply = &Reply {
            n: request.n,
            ..self.clone()
        };
        let custom = |name: &str| request.offers_free_form(name);
        match (request.wire(), request.streams()) {
            (Wire::Chat, true) => Answer::sse(chat::stream(model, reply)),
            (Wire::Chat, false) => Answer::json(200, &chat::completion(model, reply)),
            (Wire::Anthropic, true) => Answer::sse(anthropic::stream(model, reply)),
            (Wire::Anthropic, false) => Answer::json(200, &anthropic::message(model, reply)),
            (Wire::Responses, true) => Answer::sse(responses::stream(model, reply, &custom)),
            (Wire::Responses, false) => {
                Answer::json(200, &responses::response(model, reply, &custom))
            }
            (Wire::Gemini, true) if request.target.contains("alt=sse") => {
                Answer::sse(gemini::stream(model, reply))
            }
            (Wire::Gemini, true) => Answer::json(200, &gemini::chunks(model, reply).into()),
            (Wire::Gemini, false) => Answer::json(200, &gemini::response(model, reply)),
        }
    }

    /// Whether the client is asked to do something.
    pub fn calls(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Call { .. }))
    }

    fn then(mut self, part: Part) -> Reply {
        self.parts.push(part);
        self
    }
}

/// A text in the pieces a tokenizer would make of it: cut after spaces and within long words.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for word in text.split_inclusive(' ') {
        let mut rest = word;
        while let Some((at, _)) = rest.char_indices().nth(6) {
            let (head, tail) = rest.split_at(at);
            pieces.push(head);
            rest = tail;
        }
        pieces.push(rest);
    }
    pieces
}
