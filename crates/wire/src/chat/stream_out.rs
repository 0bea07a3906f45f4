//! Encodes a reply as a stream of chunks.
//!
//! Every chunk carries the same id. The role comes first, reasoning in `reasoning_content`, its seal in
//! `reasoning_details` so that a client that keeps those can hand it back. Calls are counted by themselves.

use super::finish::{self, Holds};
use super::{CallStyle, error, image, usage};
use crate::json::{Text, Value, Writer, scan_reply};
use crate::sse::{write_comment, write_data, write_json};
use crate::turn::{Delta, Event, Failure, Opening, Slot, Usage};
use crate::{ReplyContext, StreamEncoder};

/// The encoder of one stream.
#[derive(Debug)]
pub struct StreamOut {
    context: ReplyContext,
    /// The client asked for usage (`stream_options.include_usage`).
    sends_usage: bool,
    style: CallStyle,
    has_role: bool,
    /// The upstream's id of the reply and its time, where its own chunks went out before.
    follows: Option<(Text, u64)>,
    /// What the open block is; the sequencer leaves one open at a time.
    open: Option<(Slot, Kind)>,
    n_calls: u64,
    n_thoughts: u64,
    n_images: u64,
    has_refusal: bool,
    usage: Usage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Thinking,
    Call {
        is_freeform: bool,
    },
    /// The one call of a client that knows no `tool_calls`.
    Function,
    /// Nothing the Chat wire has a place for.
    Other,
}

impl StreamOut {
    /// An encoder for one exchange. `sends_usage`: the client asked for a usage chunk at the end. `style`: where it looks
    /// for calls.
    #[must_use]
    pub fn new(context: ReplyContext, sends_usage: bool, style: CallStyle) -> Self {
        Self {
            context,
            sends_usage,
            style,
            has_role: false,
            follows: None,
            open: None,
            n_calls: 0,
            n_thoughts: 0,
            n_images: 0,
            has_refusal: false,
            usage: Usage::default(),
        }
    }

    fn role(&mut self, out: &mut Vec<u8>) {
        if !self.has_role {
            self.has_role = true;
            self.delta(out, |w| {
                w.key("role").str("assistant").key("content").str("");
            });
        }
    }

    fn opened(&mut self, slot: Slot, block: &Opening, out: &mut Vec<u8>) {
        let kind = match block {
            Opening::Text => Kind::Text,
            Opening::Refusal => Kind::Refusal,
            Opening::Thinking => Kind::Thinking,
            Opening::ToolUse { is_freeform, .. } => match (self.style, self.n_calls) {
                (CallStyle::Tools, _) => Kind::Call {
                    is_freeform: *is_freeform,
                },
                (CallStyle::Function, 0) => Kind::Function,
                (CallStyle::Function, _) => Kind::Other,
            },
            Opening::RedactedThinking { .. } | Opening::Image(_) | Opening::Foreign(_) => {
                Kind::Other
            }
        };
        self.open = Some((slot, kind));
        self.has_refusal |= kind == Kind::Refusal;
        match block {
            Opening::ToolUse {
                id,
                name,
                is_freeform,
                ..
            } => {
                let index = self.n_calls;
                self.n_calls += 1;
                match kind {
                    Kind::Function => {
                        self.delta(out, |w| write_function(Some(name), &Text::default(), w));
                    }
                    Kind::Call { .. } => self.delta(out, |w| {
                        write_call(index, Some((id, name)), &Text::default(), *is_freeform, w)
                    }),
                    Kind::Text | Kind::Refusal | Kind::Thinking | Kind::Other => {}
                }
            }
            Opening::RedactedThinking { data } => {
                let index = self.n_thoughts;
                self.n_thoughts += 1;
                self.delta(out, |w| {
                    w.key(super::reasoning::DETAILS_MEMBER).begin_array();
                    write_detail(index, "reasoning.encrypted", "data", data, w);
                    w.end_array();
                });
            }
            Opening::Image(picture) => {
                let index = self.n_images;
                self.n_images += 1;
                self.delta(out, |w| image::write(index, &[picture], w));
            }
            Opening::Text | Opening::Refusal | Opening::Thinking | Opening::Foreign(_) => {}
        }
    }

    fn grown(&mut self, slot: Slot, delta: &Delta, out: &mut Vec<u8>) {
        let Some((_, kind)) = self.open.filter(|(open, _)| *open == slot) else {
            return;
        };
        match (kind, delta) {
            (Kind::Text, Delta::Text(text)) => self.delta(out, |w| {
                w.key("content").text(text);
            }),
            (Kind::Refusal, Delta::Text(text)) => self.delta(out, |w| {
                w.key("refusal").text(text);
            }),
            (Kind::Thinking, Delta::Thinking(text)) => self.delta(out, |w| {
                w.key("reasoning_content").text(text);
            }),
            (Kind::Thinking, Delta::Signature(seal)) => {
                let index = self.n_thoughts;
                self.n_thoughts += 1;
                self.delta(out, |w| {
                    w.key(super::reasoning::DETAILS_MEMBER).begin_array();
                    write_detail(index, "reasoning.text", "signature", seal, w);
                    w.end_array();
                });
            }
            (Kind::Call { is_freeform }, Delta::Input(piece)) if !piece.is_empty() => {
                let index = self.n_calls.saturating_sub(1);
                self.delta(out, |w| write_call(index, None, piece, is_freeform, w));
            }
            (Kind::Function, Delta::Input(piece)) if !piece.is_empty() => {
                self.delta(out, |w| write_function(None, piece, w));
            }
            // Citations, and deltas and blocks of other wires, have no place here.
            _ => {}
        }
    }

    /// Writes a chunk whose choice has `write` as the members of its delta.
    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        self.chunk(out, |w| {
            w.begin_object().key("index").u64(0);
            w.key("delta").begin_object();
            write(w);
            w.end_object();
            w.key("finish_reason")
                .null()
                .key("logprobs")
                .null()
                .end_object();
        });
    }

    /// Writes a chunk with one choice.
    fn chunk(&self, out: &mut Vec<u8>, choice: impl FnOnce(&mut Writer)) {
        write_json(out, None, |w| {
            self.head(w);
            w.key("choices").begin_array();
            choice(w);
            w.end_array();
            if self.sends_usage {
                w.key("usage").null();
            }
            w.end_object();
        });
    }

    fn head(&self, w: &mut Writer) {
        w.begin_object();
        let Some((id, created)) = &self.follows else {
            return write_head(&self.context, "chat.completion.chunk", w);
        };
        w.key("id").text(id);
        w.key("object").str("chat.completion.chunk");
        w.key("created").u64(*created);
        w.key("model").text(&self.context.model);
    }
}

/// Writes the members that every chunk and every reply begins with.
pub(super) fn write_head(context: &ReplyContext, object: &str, w: &mut Writer) {
    w.key("id").str(&format!("chatcmpl-{}", context.exchange));
    w.key("object").str(object);
    w.key("created").u64(context.created);
    w.key("model").text(&context.model);
}

/// Writes an item of `reasoning_details` that holds nothing but a seal.
pub(super) fn write_detail(
    index: u64,
    kind: &str,
    member: &'static str,
    seal: &Text,
    w: &mut Writer,
) {
    w.begin_object();
    w.key("type").str(kind);
    w.key(member).text(seal);
    w.key("index").u64(index);
    w.end_object();
}

/// Writes a `tool_calls` member with one piece of one call; `names` are its id and name, on the first piece.
fn write_call(
    index: u64,
    names: Option<(&Text, &Text)>,
    input: &Text,
    is_freeform: bool,
    w: &mut Writer,
) {
    let (kind, input_member) = if is_freeform {
        ("custom", "input")
    } else {
        ("function", "arguments")
    };
    w.key("tool_calls").begin_array().begin_object();
    w.key("index").u64(index);
    if let Some((id, _)) = names {
        w.key("id").text(id).key("type").str(kind);
    }
    w.key(kind).begin_object();
    if let Some((_, name)) = names {
        w.key("name").text(name);
    }
    w.key(input_member).text(input).end_object();
    w.end_object().end_array();
}

/// Writes a `function_call` member with one piece of the call; the name is on the first.
fn write_function(name: Option<&Text>, input: &Text, w: &mut Writer) {
    w.key("function_call").begin_object();
    if let Some(name) = name {
        w.key("name").text(name);
    }
    w.key("arguments").text(input).end_object();
}

impl StreamEncoder for StreamOut {
    /// The wire has nothing to say before the role, so that a comment opens the stream.
    fn open(&mut self, out: &mut Vec<u8>) {
        self.keep_alive(out);
    }

    fn keep_alive(&mut self, out: &mut Vec<u8>) {
        write_comment(out, "keep-alive");
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => {
                self.usage.update(&start.usage);
                self.role(out);
            }
            Event::Open { slot, block } => {
                self.role(out);
                self.opened(*slot, block, out);
            }
            Event::Delta { slot, delta } => self.grown(*slot, delta, out),
            Event::Close { .. } => self.open = None,
            Event::Usage(usage) => self.usage.update(usage),
            Event::Stop(stop) => {
                self.role(out);
                let holds = Holds {
                    refusal: self.has_refusal,
                    calls: self.n_calls > 0,
                };
                let word = self.style.finish(finish::encode(stop.reason, holds));
                self.chunk(out, |w| {
                    w.begin_object().key("index").u64(0);
                    w.key("delta").begin_object().end_object();
                    w.key("finish_reason")
                        .str(word)
                        .key("logprobs")
                        .null()
                        .end_object();
                });
            }
            Event::Done => {
                if self.sends_usage {
                    write_json(out, None, |w| {
                        self.head(w);
                        w.key("choices").begin_array().end_array();
                        w.key("usage");
                        usage::write(&self.usage, w);
                        w.end_object();
                    });
                }
                write_data(out, "[DONE]");
            }
            Event::Ping => self.keep_alive(out),
        }
    }

    fn follows(&mut self, event: &[u8], is_copied: bool) {
        if self.follows.is_some() {
            return;
        }
        let mut lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
        let data = lines.find_map(|line| line.strip_prefix(b"data:"));
        let text = data.and_then(|data| std::str::from_utf8(data).ok());
        let Some(doc) = text.and_then(|text| scan_reply(&text.trim().into(), &[]).ok()) else {
            return;
        };
        let id = doc.root().get("id").and_then(Value::text);
        let created = doc.root().get("created").and_then(Value::u64);
        self.follows = id.map(|id| (id, created.unwrap_or(self.context.created)));
        let mut choices = doc.root().get("choices").into_iter().flat_map(Value::items);
        let says_role = |choice: Value<'_>| {
            let delta = choice.get("delta");
            delta.is_some_and(|delta| delta.get("role").is_some())
        };
        self.has_role |= is_copied && choices.any(says_role);
    }

    /// An error chunk, and no `[DONE]`: SDKs raise on it, and nobody takes the reply for complete.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        write_json(out, None, |w| {
            w.begin_object();
            error::write_error(failure, w);
            w.end_object();
        });
    }
}
