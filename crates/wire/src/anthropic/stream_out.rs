//! A reply's steps as a stream of events.
//!
//! Grammar: `message_start`, then per block `content_block_start`, deltas and `content_block_stop`, then `message_delta` and
//! `message_stop`; `ping` anywhere; `error` instead of the end. The official SDKs throw a stream away that has no usage in its
//! first or second-last event, and Claude Code a thinking block without a signature.

use super::response_out::{IMAGE_NOTE, estimated_tokens, message_id};
use super::stream_in::is_server_call;
use super::{error, opaque, reply_block, stop, usage};
use crate::Wire;
use crate::codec::{ReplyContext, StreamEncoder};
use crate::json::{Text, Writer, scan_reply};
use crate::sse::write_json;
use crate::turn::{Delta, Event, Failure, Foreign, Opening, Slot, Stop, Usage};

/// Writes one reply.
#[derive(Debug)]
pub struct StreamOut {
    context: ReplyContext,
    has_started: bool,
    usage: Usage,
    /// Bytes of content written, for the estimate where the upstream never tells its output tokens.
    content_bytes: u64,
    current: Option<OpenBlock>,
    next_index: u64,
}

#[derive(Debug)]
struct OpenBlock {
    slot: Slot,
    index: u64,
    kind: OpenKind,
    is_text: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum OpenKind {
    Thinking {
        is_signed: bool,
    },
    /// Free text inside `{"input": ".."}`: this wire's tools take objects only.
    Freeform,
    Other,
}

impl StreamOut {
    /// A writer for one reply.
    #[must_use]
    pub fn new(context: ReplyContext) -> Self {
        Self {
            context,
            has_started: false,
            usage: Usage::default(),
            content_bytes: 0,
            current: None,
            next_index: 0,
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        write_event(out, "message_start", |json| {
            json.key("message").begin_object();
            json.key("id").str(&message_id(&self.context));
            json.key("type").str("message");
            json.key("role").str("assistant");
            json.key("model").text(&self.context.model);
            json.key("content").begin_array().end_array();
            stop::write(json, None);
            json.key("usage");
            usage::write(json, &self.usage, self.context.input_estimate, 0);
            json.end_object();
        });
    }

    fn open_block(&mut self, slot: Slot, opening: &Opening, out: &mut Vec<u8>) {
        self.start(out);
        let index = self.next_index;
        let kind = match opening {
            Opening::Foreign(foreign) if foreign.wire != Wire::Anthropic => return,
            Opening::Foreign(foreign) => {
                self.foreign_block(index, foreign, out);
                OpenKind::Other
            }
            Opening::Image(_) => {
                write_start(out, index, |json| {
                    json.key("type").str("text").key("text").str("");
                });
                let note = Text::from_static(IMAGE_NOTE);
                write_text(out, index, TEXT, &note);
                OpenKind::Other
            }
            Opening::Text | Opening::Refusal => {
                write_start(out, index, |json| {
                    json.key("type").str("text").key("text").str("");
                });
                OpenKind::Other
            }
            Opening::Thinking => {
                write_start(out, index, |json| {
                    json.key("type")
                        .str("thinking")
                        .key("thinking")
                        .str("")
                        .key("signature")
                        .str("");
                });
                OpenKind::Thinking { is_signed: false }
            }
            Opening::RedactedThinking { data } => {
                write_start(out, index, |json| {
                    json.key("type")
                        .str("redacted_thinking")
                        .key("data")
                        .text(data);
                });
                OpenKind::Other
            }
            Opening::ToolUse {
                id,
                name,
                is_freeform,
                extra,
                ..
            } => {
                write_start(out, index, |json| {
                    json.key("type")
                        .str("tool_use")
                        .key("id")
                        .text(id)
                        .key("name")
                        .text(name);
                    json.key("input").begin_object().end_object();
                    json.members(extra);
                });
                if *is_freeform {
                    write_input(out, index, &Text::from_static("{\"input\":\""));
                    OpenKind::Freeform
                } else {
                    OpenKind::Other
                }
            }
        };
        self.next_index += 1;
        let is_text = matches!(
            opening,
            Opening::Text | Opening::Refusal | Opening::Image(_)
        );
        self.current = Some(OpenBlock {
            slot,
            index,
            kind,
            is_text,
        });
    }

    /// A block as it was received; a server tool's input goes as a delta, which is where clients look for it.
    fn foreign_block(&mut self, index: u64, foreign: &Foreign, out: &mut Vec<u8>) {
        let doc = scan_reply(&foreign.raw, opaque::MEMBERS).ok();
        let input = doc
            .as_ref()
            .map(crate::json::Doc::root)
            .filter(|block| is_server_call(*block))
            .and_then(|block| {
                let input = block
                    .get("input")
                    .filter(|input| !reply_block::is_empty_object(*input))?;
                Some((block, input))
            });
        self.content_bytes += foreign.raw.len() as u64;
        let Some((block, input)) = input else {
            write_event(out, "content_block_start", |json| {
                json.key("index")
                    .u64(index)
                    .key("content_block")
                    .raw(&foreign.raw);
            });
            return;
        };
        write_start(out, index, |json| {
            for (key, value) in block.members() {
                let raw = if key == "input" { "{}" } else { value.raw() };
                json.member(&key).raw(raw);
            }
        });
        write_input(out, index, &Text::plain(input.to_raw()));
    }

    fn delta(&mut self, slot: Slot, delta: &Delta, out: &mut Vec<u8>) {
        let Some(open) = self.current.as_mut().filter(|open| open.slot == slot) else {
            return;
        };
        let index = open.index;
        match delta {
            Delta::Text(text) => write_text(out, index, TEXT, text),
            Delta::Thinking(text) => write_text(out, index, THINKING, text),
            Delta::Input(text) if open.kind == OpenKind::Freeform => {
                let mut escaped = Vec::with_capacity(text.wire_len());
                text.push_json(&mut escaped);
                // Escaped text is text again.
                let escaped = String::from_utf8(escaped).unwrap_or_default();
                write_input(out, index, &escaped.into());
            }
            Delta::Input(text) => write_input(out, index, text),
            Delta::Signature(signature) => {
                if let OpenKind::Thinking { is_signed } = &mut open.kind {
                    *is_signed = true;
                    write_text(out, index, SIGNATURE, signature);
                }
            }
            Delta::Citation(citation) if citation.wire == Wire::Anthropic => {
                write_delta(out, index, |json| {
                    json.begin_object().key("type").str("citations_delta");
                    json.key("citation").raw(&citation.raw).end_object();
                })
            }
            Delta::Foreign(foreign) if foreign.wire == Wire::Anthropic => {
                write_delta(out, index, |json| {
                    json.raw(&foreign.raw);
                })
            }
            Delta::Citation(_) | Delta::Foreign(_) => {}
        }
        if let Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text) = delta {
            self.content_bytes += text.wire_len() as u64;
        }
    }

    fn close(&mut self, slot: Slot, out: &mut Vec<u8>) {
        let Some(open) = self.current.take_if(|open| open.slot == slot) else {
            return;
        };
        match open.kind {
            OpenKind::Thinking { is_signed: false } => {
                write_text(out, open.index, SIGNATURE, &Text::default());
            }
            OpenKind::Freeform => write_input(out, open.index, &Text::from_static("\"}")),
            OpenKind::Thinking { is_signed: true } | OpenKind::Other => {}
        }
        write_event(out, "content_block_stop", |json| {
            json.key("index").u64(open.index);
        });
    }

    fn stop(&mut self, stop: &Stop, out: &mut Vec<u8>) {
        self.start(out);
        write_event(out, "message_delta", |json| {
            json.key("delta").begin_object();
            stop::write(json, Some(stop));
            json.end_object();
            json.key("usage");
            let output = estimated_tokens(self.content_bytes);
            usage::write(json, &self.usage, self.context.input_estimate, output);
        });
    }
}

impl StreamEncoder for StreamOut {
    fn open(&mut self, out: &mut Vec<u8>) {
        self.start(out);
    }

    fn keep_alive(&mut self, out: &mut Vec<u8>) {
        write_event(out, "ping", |_| {});
    }

    /// An empty delta of the open block. Claude Code's event watchdog counts pings for five minutes only.
    fn nudge(&mut self, out: &mut Vec<u8>) {
        match &self.current {
            Some(open) if matches!(open.kind, OpenKind::Thinking { is_signed: false }) => {
                write_text(out, open.index, THINKING, &Text::default());
            }
            Some(open) if open.is_text => write_text(out, open.index, TEXT, &Text::default()),
            Some(_) | None => self.keep_alive(out),
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => {
                self.usage.update(&start.usage);
                self.start(out);
            }
            Event::Open { slot, block } => self.open_block(*slot, block, out),
            Event::Delta { slot, delta } => self.delta(*slot, delta, out),
            Event::Close { slot } => self.close(*slot, out),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Stop(stop) => self.stop(stop, out),
            Event::Done => write_event(out, "message_stop", |_| {}),
            Event::Ping => self.keep_alive(out),
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        write_event(out, "error", |json| {
            json.key("error");
            error::write_error(json, failure);
        });
    }
}

/// Every event carries its name twice: as SSE and as `type`. `build` adds the other members.
fn write_event(out: &mut Vec<u8>, name: &str, build: impl FnOnce(&mut Writer)) {
    write_json(out, Some(name), |json| {
        json.begin_object().key("type").str(name);
        build(json);
        json.end_object();
    });
}

fn write_start(out: &mut Vec<u8>, index: u64, build: impl FnOnce(&mut Writer)) {
    write_event(out, "content_block_start", |json| {
        json.key("index")
            .u64(index)
            .key("content_block")
            .begin_object();
        build(json);
        json.end_object();
    });
}

fn write_delta(out: &mut Vec<u8>, index: u64, build: impl FnOnce(&mut Writer)) {
    write_json(out, Some("content_block_delta"), |json| {
        json.frame(r#"{"type":"content_block_delta","index":"#)
            .u64(index)
            .key("delta");
        build(json);
        json.end_object();
    });
}

/// What stands between the index and the text of a delta, by the delta's kind.
const TEXT: &str = r#","delta":{"type":"text_delta","text":""#;
const THINKING: &str = r#","delta":{"type":"thinking_delta","thinking":""#;
const INPUT: &str = r#","delta":{"type":"input_json_delta","partial_json":""#;
const SIGNATURE: &str = r#","delta":{"type":"signature_delta","signature":""#;

/// Nearly every event of a stream: written as it stands, because nothing in it can hold the end of a line.
fn write_text(out: &mut Vec<u8>, index: u64, kind: &'static str, text: &Text) {
    const HEAD: &str =
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
    const ROOM: usize = 192;
    out.reserve(ROOM + text.wire_len());
    out.extend_from_slice(HEAD.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
    out.extend_from_slice(kind.as_bytes());
    text.push_json(out);
    out.extend_from_slice(b"\"}}\n\n");
}

fn write_input(out: &mut Vec<u8>, index: u64, piece: &Text) {
    write_text(out, index, INPUT, piece);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic::grammar::Acceptor;
    use crate::turn::StopReason;

    #[test]
    fn a_nudge_is_an_event_of_the_open_block_and_changes_nothing() {
        let mut encoder = StreamOut::new(ReplyContext {
            exchange: "0193a1b2-c3d4-7abc-8def-0123456789ab".to_owned(),
            model: "m".into(),
            created: 0,
            input_estimate: 1,
        });
        let mut out = Vec::new();
        let slots = [(Slot(0), Opening::Thinking), (Slot(1), Opening::Text)];
        encoder.open(&mut out);
        encoder.nudge(&mut out);
        for (slot, block) in slots {
            encoder.event(&Event::Open { slot, block }, &mut out);
            let before = out.len();
            encoder.nudge(&mut out);
            let nudge = std::str::from_utf8(&out[before..]).unwrap().to_owned();
            assert!(nudge.starts_with("event: content_block_delta\n"), "{nudge}");
            assert!(nudge.contains(":\"\"}"), "empty: {nudge}");
            encoder.event(&Event::Close { slot }, &mut out);
        }
        encoder.event(&Event::Stop(Stop::new(StopReason::EndTurn)), &mut out);
        encoder.event(&Event::Done, &mut out);
        let mut acceptor = Acceptor::new();
        acceptor
            .feed(&out)
            .and_then(|()| acceptor.finish())
            .unwrap();
    }
}
