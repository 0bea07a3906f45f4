//! Why a reply ends.

use bytestring::ByteString;

use crate::json::Text;

/// The end of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// The stop sequence that was met, where the provider says which.
    pub sequence: Option<Text>,
    /// What the wire says beyond that, as received (Anthropic `stop_details`).
    pub details: Option<ByteString>,
}

impl Stop {
    /// An end without further details.
    #[must_use]
    pub const fn new(reason: StopReason) -> Self {
        Self {
            reason,
            sequence: None,
            details: None,
        }
    }
}

/// Why a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The model was done.
    EndTurn,
    /// The output limit was reached.
    MaxTokens,
    /// A stop sequence was met.
    StopSequence,
    /// Tools are to be run.
    ToolUse,
    /// The provider pauses a long turn; sending the reply back continues it.
    PauseTurn,
    /// The model or a filter refused.
    Refusal,
    /// The context window was full.
    ContextWindow,
    /// The provider compacted the conversation (Anthropic beta).
    Compaction,
}

impl StopReason {
    /// The name used in records and filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::PauseTurn => "pause_turn",
            Self::Refusal => "refusal",
            Self::ContextWindow => "context_window",
            Self::Compaction => "compaction",
        }
    }
}
