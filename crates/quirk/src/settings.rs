//! Per-model settings of the configuration file that decide how a request is shaped.
//!
//! They live here, not in `config`, because the quirks read them and `quirk` does no IO; `config` parses
//! them with serde and hands them on.

use serde::Deserialize;

/// What becomes of an assistant turn whose reasoning is missing while thinking is on
/// (`reasoning_history`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReasoningHistory {
    /// The model's and host's dated default.
    #[default]
    Auto,
    /// The field is left out.
    Omit,
    /// A blank placeholder stands in for it.
    Placeholder,
    /// Left out at first; sent again with the placeholder when the host answers 400 for its lack.
    PlaceholderOn400,
}

/// Whether the model is asked to think (`thinking`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// As the client asks. An Anthropic client that says nothing asks for none, as on its own wire.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// What becomes of the client's `temperature` (`temperature`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Temperature {
    /// As the client asks, within what the model accepts.
    #[default]
    Client,
    /// Left out.
    Omit,
    /// This value, whatever the client asks.
    Fixed(f64),
}

/// The field that carries the output limit on the Chat wire (`max_tokens_field`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// The host's default: `max_tokens`, unless its preset or quirk says otherwise.
    #[default]
    Auto,
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
    /// Both, for hosts that ignore one of them.
    Both,
}

/// What becomes of `cache_control` on a foreign wire (`cache_hints`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CacheHints {
    /// Left out: strict hosts answer 400 when it leaks.
    #[default]
    None,
    /// `prompt_cache_breakpoint` on content parts (OpenAI).
    Openai,
    /// Kept as `cache_control` on content parts (OpenRouter, Alibaba).
    Anthropic,
}

/// Where an instruction goes (`instruction_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstructionMode {
    /// After the client's system prompt.
    #[default]
    Append,
    /// Before it.
    Prepend,
    /// In its place.
    Override,
}

/// A text of the user's own for the system prompt (`instruction`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// The same in every request, so that prompt caches hold.
    pub text: String,
    /// Where it goes.
    pub mode: InstructionMode,
}

/// The settings of one target, as the configuration resolved them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// `reasoning_history`
    pub reasoning_history: ReasoningHistory,
    /// `thinking`
    pub thinking: Thinking,
    /// `temperature`
    pub temperature: Temperature,
    /// `max_tokens_field`
    pub max_tokens_field: MaxTokensField,
    /// `cache_hints`; `None` leaves it to the host's spelling.
    pub cache_hints: Option<CacheHints>,
    /// Most tokens of a reply the model can make (`max_output`).
    pub max_output: Option<u64>,
    /// Pictures are replaced by a note, because the model reads none (`input`, `images = "omit"`).
    pub omits_images: bool,
    /// `instruction` and `instruction_mode`
    pub instruction: Option<Instruction>,
    /// Globs of the tools that are declared (`tools_allowed`); none allow all.
    pub tools_allowed: Vec<String>,
    /// Tools are described in the prompt, and calls read from the text (`tool_format = "xml"`).
    pub has_tools_in_prompt: bool,
    /// Most turns of the conversation that are sent, counted from the end (`max_turns`).
    pub max_turns: Option<u32>,
    /// Quirks that changed these settings after a refusal; they count as hits of every request made so.
    pub repaired_by: Vec<&'static str>,
}

impl Settings {
    /// Whether they can change a request that already speaks the upstream's wire. The output limit does not count: a
    /// host enforces its own.
    #[must_use]
    pub fn shape_requests(&self) -> bool {
        let shapeless = Self {
            max_output: self.max_output,
            ..Self::default()
        };
        *self != shapeless
    }
}
