//! What a stream of this wire may look like, as strictly as the strictest client reads it.
//!
//! The oracle of tests, fuzzing and debug builds for everything that is emitted; never applied to what providers send.
//! Beyond the order of events it holds that indexes count up without gaps, a thinking block is signed, a call's input is
//! one JSON object unless the token limit cut it, and the stop reason says `tool_use` exactly if there are calls.

use bytes::Bytes;

use super::{opaque, stop};
use crate::json::{Doc, Kind, Value, scan_reply, scan_with_opaque};
use crate::sse::{Frame, SseParser};

/// The first thing that is wrong with a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Acceptor {
    parser: SseParser,
    place: Place,
    /// How many blocks have opened.
    blocks: u64,
    /// Ids of the tool calls so far.
    calls: Vec<String>,
    has_cut_call: bool,
    tail: Vec<u8>,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    BeforeStart,
    BetweenBlocks,
    InBlock(OpenBlock),
    BehindStop,
    Ended,
}

#[derive(Debug)]
struct OpenBlock {
    kind: String,
    is_signed: bool,
    input: String,
}

type Checked = Result<(), Violation>;

impl Acceptor {
    /// An acceptor of one stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// The first violation in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Checked {
        let mut frames = Vec::new();
        let parsed = self.parser.push(Bytes::copy_from_slice(bytes), &mut frames);
        parsed.map_err(|error| Violation(error.to_string()))?;
        for frame in &frames {
            self.frame(frame)?;
        }
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(2);
        self.tail.drain(..surplus);
        Ok(())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// It does not end in `message_stop` or `error`, or without a blank line.
    pub fn finish(&self) -> Checked {
        require(matches!(self.place, Place::Ended), || {
            format!("the stream ends {}", self.place.name())
        })?;
        require(self.tail == b"\n\n", || {
            "the stream ends without a blank line".to_owned()
        })
    }

    /// Takes one event.
    ///
    /// # Errors
    /// What is wrong with it here.
    pub fn frame(&mut self, frame: &Frame) -> Checked {
        let doc: Doc = scan_with_opaque(&frame.data, opaque::MEMBERS)
            .map_err(|error| Violation(format!("the data of an event is not JSON: {error}")))?;
        let event = doc.root();
        let name = frame.event.as_deref().unwrap_or_default();
        require(string(event, "type")? == name, || {
            format!("the event is named `{name}` but its type is another")
        })?;
        match (name, &mut self.place) {
            (_, Place::Ended) => Err(Violation(format!("`{name}` behind the end"))),
            ("ping", _) => Ok(()),
            ("error", _) => self.error(event),
            ("message_start", Place::BeforeStart) => self.message_start(event),
            ("content_block_start", Place::BetweenBlocks) => self.block_start(event),
            ("content_block_delta", Place::InBlock(block)) => {
                check_index(event, self.blocks.saturating_sub(1))?;
                block.delta(member(event, "delta")?)
            }
            ("content_block_stop", Place::InBlock(_)) => self.block_stop(event),
            ("message_delta", Place::BetweenBlocks) => self.message_delta(event),
            ("message_stop", Place::BehindStop) => {
                self.place = Place::Ended;
                Ok(())
            }
            (name, place) => Err(Violation(format!("`{name}` {}", place.name()))),
        }
    }

    fn message_start(&mut self, event: Value<'_>) -> Checked {
        let message = member(event, "message")?;
        for (key, expected) in [("type", "message"), ("role", "assistant")] {
            require(string(message, key)? == expected, || {
                format!("`message.{key}` is not \"{expected}\"")
            })?;
        }
        require(!string(message, "id")?.is_empty(), || {
            "`message.id` is empty".to_owned()
        })?;
        string(message, "model")?;
        require(member(message, "content")?.raw() == "[]", || {
            "`message.content` is not []".to_owned()
        })?;
        for key in ["stop_reason", "stop_sequence"] {
            require(member(message, key)?.is_null(), || {
                format!("`message.{key}` is not null")
            })?;
        }
        check_usage(message, &["input_tokens", "output_tokens"])?;
        self.place = Place::BetweenBlocks;
        Ok(())
    }

    fn block_start(&mut self, event: Value<'_>) -> Checked {
        check_index(event, self.blocks)?;
        let block = member(event, "content_block")?;
        let kind = string(block, "type")?;
        match kind.as_str() {
            "text" => drop(string(block, "text")?),
            "thinking" => drop(string(block, "thinking")?),
            "redacted_thinking" => drop(string(block, "data")?),
            "tool_use" => {
                let id = string(block, "id")?;
                let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
                require(!id.is_empty() && id.bytes().all(is_fit), || {
                    format!("`{id}` is not fit for a call's id")
                })?;
                require(!self.calls.contains(&id), || {
                    format!("two calls have the id `{id}`")
                })?;
                require(!string(block, "name")?.is_empty(), || {
                    "a call has no name".to_owned()
                })?;
                require(member(block, "input")?.kind() == Kind::Object, || {
                    "a call's input is no object".to_owned()
                })?;
                self.calls.push(id);
            }
            _ => {}
        }
        self.blocks += 1;
        self.place = Place::InBlock(OpenBlock {
            kind,
            is_signed: false,
            input: String::new(),
        });
        Ok(())
    }

    fn block_stop(&mut self, event: Value<'_>) -> Checked {
        check_index(event, self.blocks.saturating_sub(1))?;
        if let Place::InBlock(block) = std::mem::replace(&mut self.place, Place::BetweenBlocks) {
            require(block.kind != "thinking" || block.is_signed, || {
                "a thinking block stops without a signature".to_owned()
            })?;
            let is_whole = || {
                scan_reply(&block.input.as_str().into(), &[])
                    .is_ok_and(|doc| doc.root().kind() == Kind::Object)
            };
            self.has_cut_call |= !block.input.is_empty() && !is_whole();
        }
        Ok(())
    }

    fn message_delta(&mut self, event: Value<'_>) -> Checked {
        let delta = member(event, "delta")?;
        member(delta, "stop_sequence")?;
        let reason = string(delta, "stop_reason")?;
        require(
            stop::ALL
                .into_iter()
                .any(|known| stop::name(known) == reason),
            || format!("`{reason}` is no stop reason"),
        )?;
        let is_cut = matches!(
            reason.as_str(),
            "max_tokens" | "model_context_window_exceeded"
        );
        require(is_cut || !self.has_cut_call, || {
            format!("a call's input is not one JSON object although the reply ends with `{reason}`")
        })?;
        require((reason == "tool_use") <= !self.calls.is_empty(), || {
            "`tool_use` without a call".to_owned()
        })?;
        require(reason != "end_turn" || self.calls.is_empty(), || {
            "`end_turn` although there are calls".to_owned()
        })?;
        check_usage(event, &["output_tokens"])?;
        self.place = Place::BehindStop;
        Ok(())
    }

    fn error(&mut self, event: Value<'_>) -> Checked {
        let error = member(event, "error")?;
        require(!string(error, "type")?.is_empty(), || {
            "`error.type` is empty".to_owned()
        })?;
        string(error, "message")?;
        self.place = Place::Ended;
        Ok(())
    }
}

impl OpenBlock {
    fn delta(&mut self, delta: Value<'_>) -> Checked {
        let kind = string(delta, "type")?;
        require(!self.is_signed, || format!("`{kind}` behind the signature"))?;
        match (self.kind.as_str(), kind.as_str()) {
            ("text", "text_delta") => drop(string(delta, "text")?),
            ("text", "citations_delta") => drop(member(delta, "citation")?),
            ("thinking", "thinking_delta") => drop(string(delta, "thinking")?),
            ("thinking", "signature_delta") => {
                string(delta, "signature")?;
                self.is_signed = true;
            }
            ("tool_use" | "server_tool_use" | "mcp_tool_use", "input_json_delta") => {
                self.input.push_str(&string(delta, "partial_json")?);
            }
            ("text" | "thinking" | "redacted_thinking" | "tool_use", _) => {
                return Err(Violation(format!(
                    "`{kind}` in a block of type `{}`",
                    self.kind
                )));
            }
            // What a block of another kind may hold is for its own client to know.
            _ => {}
        }
        Ok(())
    }
}

impl Place {
    const fn name(&self) -> &'static str {
        match self {
            Self::BeforeStart => "before `message_start`",
            Self::BetweenBlocks => "while no block is open",
            Self::InBlock(_) => "inside a block",
            Self::BehindStop => "behind `message_delta`",
            Self::Ended => "behind the end",
        }
    }
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Violation(problem()))
    }
}

fn member<'d>(value: Value<'d>, key: &str) -> Result<Value<'d>, Violation> {
    value
        .get(key)
        .ok_or_else(|| Violation(format!("`{key}` is missing")))
}

fn string(value: Value<'_>, key: &str) -> Result<String, Violation> {
    let text = member(value, key)?.str();
    text.map(std::borrow::Cow::into_owned)
        .ok_or_else(|| Violation(format!("`{key}` is not a string")))
}

fn check_index(event: Value<'_>, expected: u64) -> Checked {
    let index = member(event, "index")?;
    require(index.u64() == Some(expected), || {
        format!("the index is {} where {expected} comes next", index.raw())
    })
}

fn check_usage(value: Value<'_>, counts: &[&str]) -> Checked {
    let usage = member(value, "usage")?;
    counts.iter().try_for_each(|count| {
        require(member(usage, count)?.u64().is_some(), || {
            format!("`usage.{count}` is not a count")
        })
    })
}
