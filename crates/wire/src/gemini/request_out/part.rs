//! Parts, between deciding about a block and writing it.

use bytestring::ByteString;

use super::{Out, names};
use crate::Wire;
use crate::gemini::token;
use crate::json::{Kind, Text, Writer, scan_reply};
use crate::turn::{ToolInput, ToolUse};

/// The one member of a function's input that stands for a free-text tool's input.
pub(super) const FREEFORM_MEMBER: &str = "input";

/// A part that goes out.
pub(super) enum Part<'t> {
    /// As received.
    Raw {
        raw: &'t ByteString,
        /// The call in it, if it is one.
        call: Option<&'t ToolUse>,
        /// The id of the call it answers, if it is a result.
        answers: Option<&'t Text>,
    },
    /// Text in pieces.
    Text {
        pieces: Vec<Text>,
        signature: Option<Text>,
    },
    /// A thought of this upstream's.
    Thought { text: Text, signature: Option<Text> },
    /// A call.
    Call {
        call: &'t ToolUse,
        signature: Option<Text>,
    },
    /// A result: what it says, and media that stand in it.
    Response {
        id: &'t Text,
        name: Text,
        text: Vec<Text>,
        is_error: bool,
        media: Vec<Self>,
    },
    /// Media in the request itself.
    Inline {
        media_type: Text,
        data: Text,
        title: Option<Text>,
    },
    /// Media at an address.
    File {
        media_type: Option<Text>,
        address: Text,
    },
}

impl<'t> Part<'t> {
    /// Text without a signature.
    pub(super) const fn text(pieces: Vec<Text>) -> Self {
        Self::Text {
            pieces,
            signature: None,
        }
    }

    /// The call, if it is one.
    pub(super) const fn call(&self) -> Option<&'t ToolUse> {
        match self {
            Self::Raw { call, .. } => *call,
            Self::Call { call, .. } => Some(call),
            _ => None,
        }
    }

    /// The id of the call it answers, if it is a result.
    pub(super) const fn answers(&self) -> Option<&Text> {
        match self {
            Self::Raw { answers, .. } => *answers,
            Self::Response { id, .. } => Some(id),
            _ => None,
        }
    }
}

impl Out<'_> {
    /// Writes a part.
    pub(super) fn part(&mut self, part: &Part<'_>) {
        match part {
            Part::Raw { raw, .. } => {
                self.w.raw(raw);
            }
            Part::Text { pieces, signature } => {
                self.w.begin_object().key("text").text_parts(pieces);
                self.signed(signature.as_ref());
            }
            Part::Thought { text, signature } => {
                self.w
                    .begin_object()
                    .key("text")
                    .text(text)
                    .key("thought")
                    .bool(true);
                self.signed(signature.as_ref());
            }
            Part::Call { call, signature } => {
                self.w.begin_object().key("functionCall").begin_object();
                if !call.id.is_empty() {
                    self.w.key("id").text(&call.id);
                }
                self.w.key("name").str(&names::fit(&call.name.decode()));
                self.w.key("args");
                arguments(call, &mut self.w);
                if self.is_own() {
                    self.w.members(&call.extra);
                }
                self.w.end_object();
                self.signed(signature.as_ref());
            }
            Part::Response {
                id,
                name,
                text,
                is_error,
                media,
            } => {
                self.w.begin_object().key("functionResponse").begin_object();
                self.w
                    .key("id")
                    .text(id)
                    .key("name")
                    .str(&names::fit(&name.decode()));
                self.w
                    .key("response")
                    .begin_object()
                    .key(if *is_error { "error" } else { "output" })
                    .text_parts(text)
                    .end_object();
                if !media.is_empty() {
                    self.w.key("parts").begin_array();
                    media.iter().for_each(|part| self.part(part));
                    self.w.end_array();
                }
                self.w.end_object().end_object();
            }
            Part::Inline {
                media_type,
                data,
                title,
            } => {
                self.w.begin_object().key("inlineData").begin_object();
                self.w.key("mimeType").text(media_type);
                self.w.key("data").text(data);
                if let Some(title) = title {
                    self.w.key("displayName").text(title);
                }
                self.w.end_object().end_object();
            }
            Part::File {
                media_type,
                address,
            } => {
                self.w.begin_object().key("fileData").begin_object();
                if let Some(media_type) = media_type {
                    self.w.key("mimeType").text(media_type);
                }
                self.w.key("fileUri").text(address);
                self.w.end_object().end_object();
            }
        }
    }

    /// Ends a part with its signature.
    fn signed(&mut self, signature: Option<&Text>) {
        if let Some(signature) = signature {
            self.w.key("thoughtSignature").text(signature);
        }
        self.w.end_object();
    }
}

/// Whether a call's input can be written as it is: `args` is an object.
pub(super) fn has_object(call: &ToolUse) -> bool {
    match &call.input {
        ToolInput::Freeform(_) => true,
        ToolInput::Json(raw) => {
            raw.trim().is_empty()
                || scan_reply(raw, &[]).is_ok_and(|doc| doc.root().kind() == Kind::Object)
        }
    }
}

fn arguments(call: &ToolUse, w: &mut Writer) {
    match &call.input {
        ToolInput::Freeform(text) => {
            w.begin_object()
                .key(FREEFORM_MEMBER)
                .text(text)
                .end_object();
        }
        ToolInput::Json(raw) if !raw.trim().is_empty() && has_object(call) => {
            w.raw(raw);
        }
        ToolInput::Json(_) => {
            w.raw("{}");
        }
    }
}

/// Puts the placeholder on the first call of a step where it has no signature: the API refuses a step without.
pub(super) fn sign_first_call(parts: &mut [Part<'_>]) {
    let first = parts.iter_mut().find(|part| part.call().is_some());
    match first {
        Some(Part::Call {
            signature: signature @ None,
            ..
        }) => *signature = Some(Text::from_static(token::PLACEHOLDER)),
        Some(part @ Part::Raw { .. }) if !is_signed(part) => {
            if let Part::Raw {
                call: Some(call), ..
            } = part
            {
                *part = Part::Call {
                    call,
                    signature: Some(Text::from_static(token::PLACEHOLDER)),
                };
            }
        }
        _ => {}
    }
}

/// Whether a received part holds a signature of any kind, a placeholder included.
fn is_signed(part: &Part<'_>) -> bool {
    matches!(part, Part::Raw { raw, .. }
        if raw.contains("\"thoughtSignature\"") || raw.contains("\"thought_signature\""))
}

/// The bytes of a node of this wire.
pub(super) fn raw<T>(node: &crate::turn::Node<T>) -> Option<&ByteString> {
    node.raw(Wire::Gemini)
}
