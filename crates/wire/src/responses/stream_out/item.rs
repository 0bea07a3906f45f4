//! The items of a reply under construction, and how each is written.

use bytestring::ByteString;

use crate::json::{Kind as JsonKind, Text, Writer, scan_reply};
use crate::turn::{Delta, Image, MediaSource, Opening};

/// An item that grows.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) index: u64,
    pub(super) kind: Kind,
    /// The text, refusal or summary so far, as the contents of a JSON string.
    pub(super) json: Vec<u8>,
    /// The same as a whole JSON string, once nothing is added any more: it is written four times.
    literal: String,
    /// What a call is given so far.
    pub(super) input: String,
    /// The seal of reasoning.
    pub(super) seal: Option<Text>,
    /// Annotations of a text, as received.
    pub(super) annotations: Vec<ByteString>,
}

/// What an item is.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Refusal,
    Reasoning,
    Call {
        id: Text,
        name: Text,
        namespace: Option<Text>,
        is_freeform: bool,
    },
    Image(Image),
    /// An item of this wire that the provider made.
    Received(ByteString),
}

/// How far an item has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Item {
    /// The item that a block becomes; `None` if it has no place on this wire.
    pub(super) fn of(opening: &Opening, seed: &str, index: u64) -> Option<Self> {
        let mut seal = None;
        let (prefix, kind) = match opening {
            Opening::Text => ("msg", Kind::Text),
            Opening::Refusal => ("msg", Kind::Refusal),
            Opening::Thinking => ("rs", Kind::Reasoning),
            Opening::RedactedThinking { data } => {
                seal = Some(data.clone());
                ("rs", Kind::Reasoning)
            }
            Opening::ToolUse {
                id,
                name,
                namespace,
                is_freeform,
                extra: _,
            } => {
                let kind = Kind::Call {
                    id: id.clone(),
                    name: name.clone(),
                    namespace: namespace.clone(),
                    is_freeform: *is_freeform,
                };
                (if *is_freeform { "ctc" } else { "fc" }, kind)
            }
            Opening::Image(image) => ("ig", Kind::Image(image.clone())),
            Opening::Foreign(foreign) if foreign.wire == crate::Wire::Responses => {
                ("item", Kind::Received(foreign.raw.clone()))
            }
            Opening::Foreign(_) => return None,
        };
        Some(Self {
            id: format!("{prefix}_{seed}{index:02}"),
            index,
            kind,
            json: Vec::new(),
            literal: String::new(),
            input: String::new(),
            seal,
            annotations: Vec::new(),
        })
    }

    /// Takes what a delta brings; tells whether a text, a call or a summary grew.
    pub(super) fn grow(&mut self, delta: &Delta) -> bool {
        match (&self.kind, delta) {
            (Kind::Text | Kind::Refusal, Delta::Text(text))
            | (Kind::Reasoning, Delta::Thinking(text)) => {
                text.push_json(&mut self.json);
                true
            }
            (Kind::Call { is_freeform, .. }, Delta::Input(piece)) => {
                let is_first = self.input.is_empty();
                self.input.push_str(&piece.decode());
                // No arguments at all are told at the end only.
                let is_nothing = is_first && !is_freeform && self.input == "{}";
                !piece.is_empty() && !is_nothing
            }
            (Kind::Reasoning, Delta::Signature(seal)) => {
                self.seal = Some(seal.clone());
                false
            }
            (Kind::Text, Delta::Citation(citation)) if citation.wire == crate::Wire::Responses => {
                self.annotations.push(citation.raw.clone());
                false
            }
            _ => false,
        }
    }

    /// Nothing is added any more.
    pub(super) fn finish(&mut self) {
        let mut literal = Vec::with_capacity(self.json.len() + 2);
        literal.push(b'"');
        literal.extend_from_slice(&self.json);
        literal.push(b'"');
        self.literal = String::from_utf8(literal).unwrap_or_default();
    }

    /// Whether a call's JSON is whole: half of it is all there is where a limit cut it.
    pub(super) fn is_whole(&self) -> bool {
        match self.kind {
            Kind::Call {
                is_freeform: false, ..
            } => {
                self.input.is_empty()
                    || scan_reply(&self.input.as_str().into(), &[])
                        .is_ok_and(|doc| doc.root().kind() == JsonKind::Object)
            }
            _ => true,
        }
    }

    /// The arguments of a call, which is never given nothing.
    pub(super) fn arguments(&self) -> &str {
        if self.input.is_empty() {
            "{}"
        } else {
            &self.input
        }
    }

    /// Writes the item. While it is in progress it is written empty.
    pub(super) fn write(&self, status: Status, w: &mut Writer) {
        let is_done = status != Status::InProgress;
        if let Kind::Received(raw) = &self.kind {
            w.raw(raw);
            return;
        }
        w.begin_object().key("id").str(&self.id);
        match &self.kind {
            Kind::Text | Kind::Refusal => {
                w.key("type").str("message");
                w.key("role").str("assistant");
                w.key("status").str(status.name());
                w.key("content").begin_array();
                if is_done {
                    self.write_part(true, w);
                }
                w.end_array();
            }
            Kind::Reasoning => {
                w.key("type").str("reasoning");
                w.key("summary").begin_array();
                if is_done && !self.json.is_empty() {
                    self.write_part(true, w);
                }
                w.end_array();
                if let Some(seal) = self.seal.as_ref().filter(|_| is_done) {
                    w.key("encrypted_content").text(seal);
                }
            }
            Kind::Call {
                id,
                name,
                namespace,
                is_freeform,
            } => {
                let (kind, member) = if *is_freeform {
                    ("custom_tool_call", "input")
                } else {
                    ("function_call", "arguments")
                };
                w.key("type").str(kind);
                w.key("status").str(status.name());
                w.key("call_id").text(id);
                if let Some(namespace) = namespace {
                    w.key("namespace").text(namespace);
                }
                w.key("name").text(name);
                w.key(member).str(match (is_done, is_freeform) {
                    (false, _) => "",
                    (true, true) => &self.input,
                    (true, false) => self.arguments(),
                });
            }
            Kind::Image(image) => {
                w.key("type").str("image_generation_call");
                w.key("status").str(status.name());
                w.key("result");
                match &image.source {
                    MediaSource::Base64 { data, .. } if is_done => w.text(data),
                    MediaSource::Base64 { .. }
                    | MediaSource::Url(_)
                    | MediaSource::File(_)
                    | MediaSource::Text(_)
                    | MediaSource::Blocks(_) => w.null(),
                };
            }
            Kind::Received(_) => {}
        }
        w.end_object();
    }

    /// Writes the one part that a message or a summary has here; empty while it grows.
    pub(super) fn write_part(&self, is_done: bool, w: &mut Writer) {
        let (kind, member) = match self.kind {
            Kind::Refusal => ("refusal", "refusal"),
            Kind::Reasoning => ("summary_text", "text"),
            Kind::Text | Kind::Call { .. } | Kind::Image(_) | Kind::Received(_) => {
                ("output_text", "text")
            }
        };
        w.begin_object().key("type").str(kind);
        w.key(member);
        if is_done {
            self.write_text(w);
        } else {
            w.str("");
        }
        if matches!(self.kind, Kind::Text) {
            w.key("annotations").begin_array();
            for annotation in self.annotations.iter().filter(|_| is_done) {
                w.raw(annotation);
            }
            w.end_array();
            w.key("logprobs").begin_array().end_array();
        }
        w.end_object();
    }

    /// Writes the whole text as a string.
    pub(super) fn write_text(&self, w: &mut Writer) {
        w.raw(&self.literal);
    }
}
