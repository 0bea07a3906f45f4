//! The parameters of a request: everything that is not conversation.

use std::borrow::Cow;

use bytestring::ByteString;

use crate::json::Text;

/// How the reply is to be made. Numbers stay in their received spelling.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    /// Most tokens the reply may have.
    pub max_tokens: Option<u64>,
    /// Whether the reply is streamed.
    pub stream: bool,
    /// Sampling temperature, as a JSON number.
    pub temperature: Option<ByteString>,
    /// Nucleus sampling, as a JSON number.
    pub top_p: Option<ByteString>,
    /// Top-k sampling, as a JSON number.
    pub top_k: Option<ByteString>,
    /// Makes sampling repeatable (Chat `seed`, Gemini `generationConfig.seed`), as a JSON number.
    pub seed: Option<ByteString>,
    /// Texts that end the reply.
    pub stop: Vec<Text>,
    /// Whether and how the model thinks first.
    pub thinking: Option<ThinkingMode>,
    /// Whether the client wants to read the thoughts; `None` if it leaves that to the provider.
    pub thoughts: Option<ThoughtDisplay>,
    /// How hard it tries.
    pub effort: Option<Effort>,
    /// The shape of the reply's text.
    pub format: Option<OutputFormat>,
    /// Whether and which tool must be called.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called in one reply.
    pub parallel_tool_calls: Option<bool>,
    /// The client's own id of its user; may hold personal data.
    pub user: Option<Text>,
    /// The key under which the provider keeps its prompt cache: stable over a session.
    pub cache_key: Option<Text>,
    /// The rest of the body by member name, as received: copied on its own wire, a loss on any other. What is left of an
    /// object that is read has its path, such as `thinking.display`.
    pub extra: Vec<(ByteString, ByteString)>,
}

/// Why a member of this name is refused, which could be taken for a path of [`Params::extra`]: no API has such members, and
/// written back it would be another.
pub(crate) fn like_a_path(name: &str) -> Option<String> {
    let is_path = name.bytes().any(|byte| matches!(byte, b'.' | b'['));
    is_path.then(|| {
        let name = told_name(name);
        format!("unknown name {name:?}: no member has a dot or a bracket in its name")
    })
}

/// A name that a peer gave, as an error tells it: it may have any length.
pub(crate) fn told_name(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 100;
    if name.len() <= LONGEST {
        return Cow::Borrowed(name);
    }
    let (begin, _) = name.split_at(name.floor_char_boundary(LONGEST));
    Cow::Owned(format!("{begin}..."))
}

/// Whether the model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingMode {
    /// It does, with at most this many tokens if the client says so.
    Enabled {
        /// Most tokens to think with.
        budget_tokens: Option<u64>,
    },
    /// It decides itself.
    Adaptive,
    /// It does not.
    Disabled,
}

impl ThinkingMode {
    /// Whether thoughts may come.
    #[must_use]
    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Disabled)
    }
}

/// What the client gets to read of the model's thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThoughtDisplay {
    /// Nothing (Anthropic `display: omitted`, Gemini `includeThoughts: false`).
    Omitted,
    /// The thoughts, or a summary of them (Anthropic `display: summarized`, Responses `reasoning.summary`).
    Shown,
}

/// How hard the model tries, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all (Chat `none`).
    None,
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    XHigh,
    /// `max`
    Max,
}

impl Effort {
    /// Every effort, from the least to the most.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// The word that Anthropic and OpenAI use for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }
}

/// The shape of the reply's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputFormat {
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema's name, where the wire has one.
        name: Option<Text>,
        /// The schema as received.
        schema: ByteString,
        /// Whether it must be followed to the letter.
        strict: Option<bool>,
    },
}

/// Whether and which tool must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// Some tool must be called (Anthropic `any`, OpenAI `required`).
    Required,
    /// No tool may be called.
    None,
    /// This tool must be called.
    Tool(Text),
    /// Only these tools may be called (OpenAI `allowed_tools`, Gemini `allowedFunctionNames`).
    Among {
        /// Their names.
        names: Vec<Text>,
        /// Whether one of them must be.
        is_required: bool,
    },
}
