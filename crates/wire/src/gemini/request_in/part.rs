//! One part as a block.

use super::calls::Calls;
use super::{media, result};
use crate::Wire;
use crate::gemini::member::{self, Extra};
use crate::gemini::token::{self, Carried, Kept};
use crate::json::{Kind, Text, Value};
use crate::turn::{Block, Foreign, ServerToolUse, Thinking, ToolInput, ToolResult, ToolUse};

/// Members of a part that say what it is.
const KINDS: &[&str] = &[
    "functionCall",
    "functionResponse",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "text",
];

/// What reading a part needs of its surroundings.
pub(super) struct Reader<'c> {
    pub(super) calls: &'c mut Calls,
    /// Where members go that blocks have no place for.
    pub(super) rest: &'c mut Extra,
    /// The part's path within its content.
    pub(super) path: String,
}

/// A part and what its token carried beside.
pub(super) struct Carrier {
    /// None where the part was there for its token only.
    pub(super) block: Option<Block>,
    pub(super) thoughts: Vec<Kept>,
    /// The token is of our making.
    pub(super) is_ours: bool,
}

impl Reader<'_> {
    /// Reads a part. A bare string counts as text.
    pub(super) fn part(&mut self, value: Value<'_>) -> Carrier {
        let Carried {
            own,
            thoughts,
            is_ours,
        } = member::text(value, "thoughtSignature")
            .map(|token| token::read(&token))
            .unwrap_or_default();
        if let Some(text) = value.text() {
            return Carrier {
                block: Some(Block::text(text)),
                thoughts,
                is_ours,
            };
        }
        let kind = KINDS
            .iter()
            .find_map(|kind| Some((*kind, member::get(value, kind)?)));
        let block = match kind {
            Some(("functionCall", call)) => self.call(call, own),
            Some(("functionResponse", response)) => Some(self.response(response)),
            Some(("inlineData", blob)) => media::inline(blob, value),
            Some(("fileData", file)) => media::file(file, value),
            Some(("text", text)) => text.text().map(|text| spoken(value, text, own)),
            Some((kind, inner)) => Some(Block::ServerTool(ServerToolUse {
                name: matches!(kind, "executableCode" | "toolCall").then(|| {
                    member::text(inner, "toolType").unwrap_or_else(|| "code_execution".into())
                }),
                block: foreign(value),
            })),
            None => None,
        };
        let is_token_only = is_ours
            && matches!(&block, Some(Block::Text { text, signature: None, .. }) if text.is_empty());
        if is_token_only {
            return Carrier {
                block: None,
                thoughts,
                is_ours,
            };
        }
        let block = block.unwrap_or_else(|| Block::Foreign(foreign(value)));
        self.rest_of(value, &block);
        Carrier {
            block: Some(block),
            thoughts,
            is_ours,
        }
    }

    fn call(&mut self, call: Value<'_>, signature: Option<Text>) -> Option<Block> {
        // What cannot be told apart here is carried as it stands, and so are arguments in pieces, which are for streams only.
        member::distinct(call, "").ok()?;
        let name = member::text(call, "name").filter(|name| !name.is_empty())?;
        let input = member::get(call, "args").map_or("{}".into(), Value::to_raw);
        Some(Block::ToolUse(ToolUse {
            id: self.calls.called(member::text(call, "id"), &name),
            name,
            namespace: None,
            input: ToolInput::Json(input.into()),
            signature,
            cache: None,
            extra: member::others(call, &["id", "name", "args"]),
        }))
    }

    fn response(&mut self, response: Value<'_>) -> Block {
        let name = member::text(response, "name").unwrap_or_default();
        let tool_use_id = self.calls.answered(member::text(response, "id"), &name);
        let (content, is_error) = result::read(response);
        for (key, raw) in member::others(response, &["id", "name", "response", "parts"]) {
            let path = format!("{}.functionResponse.{key}", self.path);
            self.rest.push((path.into(), raw));
        }
        let parts = member::get(response, "parts")
            .into_iter()
            .flat_map(Value::items);
        for (nth, part) in parts.enumerate() {
            let path = format!("{}.functionResponse.parts[{nth}]", self.path);
            for (key, raw) in member::others(part, KINDS) {
                self.rest.push((format!("{path}.{key}").into(), raw));
            }
            self.rest_of_media(part, &path);
        }
        Block::ToolResult(ToolResult {
            tool_use_id,
            content,
            is_error,
            cache: None,
        })
    }

    /// Notes what the medium in a part says beyond the hub.
    fn rest_of_media(&mut self, part: Value<'_>, path: &str) {
        const KNOWN: [&str; 4] = ["mimeType", "data", "fileUri", "displayName"];
        for kind in ["inlineData", "fileData"] {
            let inner = member::get(part, kind).into_iter();
            for (key, raw) in inner.flat_map(|inner| member::others(inner, &KNOWN)) {
                self.rest.push((format!("{path}.{kind}.{key}").into(), raw));
            }
        }
    }

    /// Notes what the block has no place for.
    fn rest_of(&mut self, value: Value<'_>, block: &Block) {
        let taken: &[&str] = match block {
            Block::Foreign(_) | Block::ServerTool(_) => return,
            Block::Media(_) => &["videoMetadata", "thought", "thoughtSignature"],
            _ => &["thought", "thoughtSignature"],
        };
        if matches!(
            block,
            Block::Media(_) | Block::Image(_) | Block::Document(_)
        ) {
            self.rest_of_media(value, &self.path.clone());
        }
        for (key, raw) in member::others(value, taken) {
            if !KINDS.contains(&&*key) {
                self.rest.push((format!("{}.{key}", self.path).into(), raw));
            }
        }
    }
}

fn spoken(part: Value<'_>, text: Text, signature: Option<Text>) -> Block {
    let is_thought = member::get(part, "thought").and_then(Value::bool) == Some(true);
    if is_thought {
        Block::Thinking(Thinking {
            text,
            signature,
            is_redacted: false,
        })
    } else {
        Block::Text {
            text,
            citations: None,
            signature,
            cache: None,
        }
    }
}

/// Something only this wire knows.
pub(super) fn foreign(value: Value<'_>) -> Foreign {
    debug_assert_ne!(value.kind(), Kind::Null);
    Foreign {
        wire: Wire::Gemini,
        raw: value.to_raw(),
    }
}
