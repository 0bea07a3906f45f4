//! The conversation part of a request.

use bytestring::ByteString;

use super::block::{Block, Foreign, ToolInput, ToolUse};
use super::node::Node;
use super::shared::Shared;
use crate::Wire;
use crate::json::Text;

/// A request for a model's reply: everything but the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The wire it was received on.
    pub origin: Wire,
    /// The model's name as the client asked for it.
    pub model: Text,
    /// The leading system prompt, in order.
    pub system: Vec<Node<Block>>,
    /// The conversation, oldest first. System messages that stood inside it stay where they stood.
    pub messages: Vec<Node<Message>>,
    /// The tools the model may call, in order.
    pub tools: Shared<Vec<Node<Tool>>>,
    /// The body's own cache hint (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheHint>,
}

impl Turn {
    /// Makes ready what some wires' encoders write of every call: worth it for a history that is sent again.
    pub fn quote_inputs(&mut self) {
        for message in &mut self.messages {
            message.settle(|message| {
                for block in &mut message.blocks {
                    block.settle(|block| {
                        if let Block::ToolUse(ToolUse {
                            input: ToolInput::Json(raw),
                            ..
                        }) = block
                        {
                            raw.quote();
                        }
                    });
                }
            });
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The client's side; also carries tool results.
    User,
    /// The model.
    Assistant,
    /// Instructions that arrive in the middle of a conversation.
    System,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub blocks: Shared<Vec<Node<Block>>>,
    /// Members of the message that the hub has no place for, by name (Anthropic's per-message `output_config`).
    pub extra: Vec<(ByteString, ByteString)>,
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    /// A function the client runs.
    Function {
        /// Its name.
        name: Text,
        /// The namespace it is declared in (Responses): its name is unique only there.
        namespace: Option<Text>,
        /// What it does, for the model.
        description: Option<Text>,
        /// JSON Schema of its input, as received; `None` if the client gave none.
        input_schema: Option<ByteString>,
        /// Whether the provider must follow the schema to the letter.
        strict: Option<bool>,
        /// Known by name only until the model searches for it (Anthropic `defer_loading`).
        deferred: bool,
        /// A cache prefix ends behind it.
        cache: Option<CacheHint>,
        /// Members that the hub has no place for, by name.
        extra: Vec<(ByteString, ByteString)>,
    },
    /// A tool that takes free text instead of JSON (Responses `custom`), with its grammar as received.
    Freeform {
        /// Its name.
        name: Text,
        /// The namespace it is declared in (Responses).
        namespace: Option<Text>,
        /// What it does, for the model.
        description: Option<Text>,
        /// The grammar of its input, as received.
        format: Option<ByteString>,
    },
    /// A tool that the provider runs itself (web search, code execution), or a client tool known by its type only.
    Hosted {
        /// Its type as the wire names it, such as `web_search_20250305`.
        kind: Text,
        /// Its name, where it has one.
        name: Option<Text>,
        /// The declaration as received.
        declaration: Foreign,
    },
}

impl Tool {
    /// Its name, or for a nameless hosted tool its type.
    #[must_use]
    pub fn name(&self) -> &Text {
        match self {
            Self::Function { name, .. } | Self::Freeform { name, .. } => name,
            Self::Hosted { kind, name, .. } => name.as_ref().unwrap_or(kind),
        }
    }

    /// The namespace it is declared in.
    #[must_use]
    pub const fn namespace(&self) -> Option<&Text> {
        match self {
            Self::Function { namespace, .. } | Self::Freeform { namespace, .. } => {
                namespace.as_ref()
            }
            Self::Hosted { .. } => None,
        }
    }
}

/// The end of a prefix that the provider is asked to cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheHint {
    /// For the provider's default time, five minutes.
    Default,
    /// For an hour.
    OneHour,
}
