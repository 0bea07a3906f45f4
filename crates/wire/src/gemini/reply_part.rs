//! A reply's events as the parts that a Gemini client reads.
//!
//! Calls go out whole, for `args` is an object. Gemini clients keep the signatures of calls and texts and not thoughts, so
//! the thoughts of a reply travel in the token of the first call behind them, or in that of an empty text at the end.

use bytestring::ByteString;

use super::token::{self, Kept};
use crate::Wire;
use crate::json::{Kind, Text, Writer, scan_reply};
use crate::turn::{Delta, Event, Image, MediaSource, Opening, Slot, Thinking};

/// A part of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReplyPart {
    /// Text, perhaps with a token.
    Text(Text, Option<Text>),
    /// A thought, where the client wants to read it.
    Thought(Text),
    /// A call: id, name, arguments, token.
    Call {
        id: Text,
        name: Text,
        args: String,
        token: Option<Text>,
    },
    /// A picture.
    Image(Image),
    /// A part of this wire, as received.
    Raw(ByteString),
    /// Members of the candidate that say where its text comes from, as an object.
    Sources(ByteString),
}

/// Turns events into parts.
#[derive(Debug, Default)]
pub(super) struct ReplyParts {
    /// The client wants to read thoughts.
    shows_thoughts: bool,
    open: Option<Open>,
    /// Thoughts that wait for a part to travel with.
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Open {
    slot: Slot,
    kind: OpenKind,
    text: String,
    signature: Option<Text>,
}

#[derive(Debug)]
enum OpenKind {
    Text,
    Thinking,
    Call {
        id: Text,
        name: Text,
        is_freeform: bool,
    },
    Other,
}

impl ReplyParts {
    pub(super) fn new(shows_thoughts: bool) -> Self {
        Self {
            shows_thoughts,
            ..Self::default()
        }
    }

    /// Takes an event and gives the part that it completes.
    pub(super) fn on(&mut self, event: &Event) -> Option<ReplyPart> {
        match event {
            Event::Open { slot, block } => self.opened(*slot, block),
            Event::Delta { slot, delta } => {
                let is_open = self.open.as_ref().is_some_and(|open| open.slot == *slot);
                is_open.then(|| self.grown(delta))?
            }
            Event::Close { slot } => {
                let open = self.open.take_if(|open| open.slot == *slot)?;
                self.closed(open)
            }
            Event::Start(_) | Event::Usage(_) | Event::Stop(_) | Event::Done | Event::Ping => None,
        }
    }

    /// The text that ends every reply: it carries what no part took.
    pub(super) fn last(&mut self) -> ReplyPart {
        let kept = std::mem::take(&mut self.kept);
        ReplyPart::Text(Text::default(), token::written(None, &kept))
    }

    fn opened(&mut self, slot: Slot, block: &Opening) -> Option<ReplyPart> {
        let mut part = None;
        let kind = match block {
            Opening::Text | Opening::Refusal => {
                self.kept.iter_mut().for_each(|kept| kept.leads = true);
                OpenKind::Text
            }
            Opening::Thinking => OpenKind::Thinking,
            Opening::RedactedThinking { data } => {
                self.keep(Thinking {
                    text: Text::default(),
                    signature: Some(data.clone()),
                    is_redacted: true,
                });
                OpenKind::Other
            }
            Opening::ToolUse {
                id,
                name,
                namespace,
                is_freeform,
                ..
            } => OpenKind::Call {
                id: id.clone(),
                name: match namespace {
                    Some(namespace) => format!("{namespace}__{name}").into(),
                    None => name.clone(),
                },
                is_freeform: *is_freeform,
            },
            Opening::Image(image) => {
                part = Some(ReplyPart::Image(image.clone()));
                OpenKind::Other
            }
            Opening::Foreign(foreign) => {
                part = (foreign.wire == Wire::Gemini).then(|| ReplyPart::Raw(foreign.raw.clone()));
                OpenKind::Other
            }
        };
        self.open = Some(Open {
            slot,
            kind,
            text: String::new(),
            signature: None,
        });
        part
    }

    fn grown(&mut self, delta: &Delta) -> Option<ReplyPart> {
        let open = self.open.as_mut()?;
        match (&open.kind, delta) {
            (OpenKind::Text, Delta::Text(text)) => Some(ReplyPart::Text(text.clone(), None)),
            (OpenKind::Text, Delta::Signature(signature)) => {
                let token = token::written(Some(signature), &[]);
                Some(ReplyPart::Text(Text::default(), token))
            }
            (OpenKind::Text, Delta::Citation(citation)) if citation.wire == Wire::Gemini => {
                Some(ReplyPart::Sources(citation.raw.clone()))
            }
            (OpenKind::Thinking, Delta::Thinking(text)) => {
                open.text.push_str(&text.decode());
                self.shows_thoughts
                    .then(|| ReplyPart::Thought(text.clone()))
            }
            (OpenKind::Thinking | OpenKind::Call { .. }, Delta::Signature(signature)) => {
                open.signature = Some(signature.clone());
                None
            }
            (OpenKind::Call { .. }, Delta::Input(text)) => {
                open.text.push_str(&text.decode());
                None
            }
            _ => None,
        }
    }

    fn closed(&mut self, open: Open) -> Option<ReplyPart> {
        match open.kind {
            OpenKind::Text | OpenKind::Other => None,
            OpenKind::Thinking => {
                self.keep(Thinking {
                    text: open.text.into(),
                    signature: open.signature,
                    is_redacted: false,
                });
                None
            }
            OpenKind::Call {
                id,
                name,
                is_freeform,
            } => {
                // What the token limit cut is no call that a client could run.
                let args = arguments(open.text, is_freeform)?;
                let kept = std::mem::take(&mut self.kept);
                Some(ReplyPart::Call {
                    id,
                    name,
                    args,
                    token: token::written(open.signature.as_ref(), &kept),
                })
            }
        }
    }

    /// Only thoughts with a seal are worth keeping: without one no upstream takes them back.
    fn keep(&mut self, thinking: Thinking) {
        if thinking.signature.is_some() {
            self.kept.push(Kept {
                thinking,
                leads: false,
            });
        }
    }
}

/// The arguments as an object.
fn arguments(text: String, is_freeform: bool) -> Option<String> {
    if is_freeform {
        let mut json = Writer::default();
        json.begin_object().key("input").str(&text).end_object();
        return String::from_utf8(json.into_bytes()).ok();
    }
    if text.trim().is_empty() {
        return Some("{}".to_owned());
    }
    let text = ByteString::from(text);
    let is_object = scan_reply(&text, &[]).is_ok_and(|doc| doc.root().kind() == Kind::Object);
    is_object.then(|| text.to_string())
}

impl ReplyPart {
    /// Writes the part. [`Self::Sources`] is none and writes nothing.
    pub(super) fn write(&self, json: &mut Writer) {
        match self {
            Self::Text(text, token) => {
                json.begin_object().key("text").text(text);
                if let Some(token) = token {
                    json.key("thoughtSignature").text(token);
                }
                json.end_object();
            }
            Self::Thought(text) => {
                json.begin_object().key("text").text(text);
                json.key("thought").bool(true).end_object();
            }
            Self::Call {
                id,
                name,
                args,
                token,
            } => {
                json.begin_object().key("functionCall").begin_object();
                json.key("id").text(id).key("name").text(name);
                json.key("args").raw(args).end_object();
                if let Some(token) = token {
                    json.key("thoughtSignature").text(token);
                }
                json.end_object();
            }
            Self::Image(image) => {
                json.begin_object();
                match &image.source {
                    MediaSource::Base64 { media_type, data } => {
                        json.key("inlineData").begin_object();
                        json.key("mimeType").text(media_type);
                        json.key("data").text(data).end_object();
                    }
                    MediaSource::Url(address) | MediaSource::File(address) => {
                        json.key("fileData").begin_object();
                        json.key("mimeType").str("image/png");
                        json.key("fileUri").text(address).end_object();
                    }
                    MediaSource::Text(_) | MediaSource::Blocks(_) => {
                        json.key("text").str("");
                    }
                }
                json.end_object();
            }
            Self::Raw(raw) => {
                json.raw(raw);
            }
            Self::Sources(_) => {}
        }
    }
}
