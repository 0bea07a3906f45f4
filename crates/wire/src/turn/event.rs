//! The steps in which a reply arrives.

use bytestring::ByteString;

use super::block::{Foreign, Image};
use super::stop::Stop;
use super::usage::Usage;
use crate::json::Text;

/// A step of a reply.
///
/// A stream decoder may have several blocks open at once (Chat interleaves parallel calls); the [`super::Sequencer`]
/// puts them one behind the other with slots 0, 1, 2, ..., which is what encoders rely on.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The reply begins. At most once, before everything else.
    Start(Start),
    /// A block begins.
    Open {
        /// The block.
        slot: Slot,
        /// What it is.
        block: Opening,
    },
    /// A block grows.
    Delta {
        /// The block.
        slot: Slot,
        /// By what.
        delta: Delta,
    },
    /// A block is complete.
    Close {
        /// The block.
        slot: Slot,
    },
    /// Token counts so far; later ones replace earlier ones member by member.
    Usage(Usage),
    /// Why the reply ends. Usage may still follow.
    Stop(Stop),
    /// The reply is complete: the upstream said so, or everything needed was there when it closed.
    Done,
    /// The upstream is alive.
    Ping,
}

impl Event {
    /// Whether a tool call begins.
    #[must_use]
    pub const fn opens_call(&self) -> bool {
        matches!(
            self,
            Self::Open {
                block: Opening::ToolUse { .. },
                ..
            }
        )
    }
}

/// Identifies a block within one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What is known when a reply begins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Start {
    /// The upstream's id of the reply.
    pub id: Option<Text>,
    /// The model as the upstream names it.
    pub model: Option<Text>,
    /// Token counts known at the start.
    pub usage: Usage,
}

/// How a block begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    /// Text.
    Text,
    /// Reasoning.
    Thinking,
    /// Reasoning that the provider hides; the token is all there is.
    RedactedThinking {
        /// The opaque token.
        data: Text,
    },
    /// A tool call.
    ToolUse {
        /// The upstream's id of the call; empty if it gave none.
        id: Text,
        /// The tool's name.
        name: Text,
        /// The namespace the tool belongs to (Responses).
        namespace: Option<Text>,
        /// Whether the input is free text rather than JSON.
        is_freeform: bool,
        /// Members that the hub has no place for, by name (Anthropic `caller`).
        extra: Vec<(ByteString, ByteString)>,
    },
    /// The model refuses, in its own words.
    Refusal,
    /// A picture, whole (Gemini `inlineData`, OpenRouter `images`, Responses `image_generation_call`).
    Image(Image),
    /// A block of a kind the hub has no place for, as its wire opens it.
    Foreign(Foreign),
}

/// How a block grows.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// More text, of a text or refusal block.
    Text(Text),
    /// More reasoning.
    Thinking(Text),
    /// More of a tool call's input.
    Input(Text),
    /// The opaque token of a thinking block, tool call or text, whole.
    Signature(Text),
    /// A citation, as its wire gives it.
    Citation(Foreign),
    /// A delta of a kind the hub has no place for.
    Foreign(Foreign),
}
