//! How one host spells what the Chat wire leaves open.

/// A host's spelling. The default suits most OpenAI-compatible hosts; quirks change single members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The member that carries the output limit.
    pub max_tokens: MaxTokens,
    /// Where reasoning of earlier turns goes.
    pub reasoning: ReasoningField,
    /// What stands in for the reasoning of a tool-calling turn that has none, unless the client wants no thinking.
    pub missing_reasoning: Option<&'static str>,
    /// How thinking and effort are asked for.
    pub thinking: ThinkingStyle,
    /// Whether the model thinks whatever it is told: then silence about thinking stays silence.
    pub always_thinks: bool,
    /// What becomes of cache hints.
    pub cache: CacheSpelling,
    /// What a tool result without content says; some hosts refuse an empty string.
    pub empty_tool_result: &'static str,
    /// Whether usage is asked for on streams (`stream_options.include_usage`).
    pub asks_usage: bool,
    /// Whether `response_format: json_schema` is understood; else the schema is put into the prompt.
    pub has_json_schema: bool,
    /// Whether `prompt_cache_key` is understood.
    pub has_cache_key: bool,
    /// Whether pictures may be given as public URLs.
    pub has_image_urls: bool,
    /// Whether `parallel_tool_calls` is understood.
    pub has_parallel_tool_calls: bool,
    /// Whether a function may be marked `strict`.
    pub has_strict: bool,
    /// Whether `file` content parts are understood; else a document that is not text becomes a marker.
    pub has_files: bool,
    /// Whether `top_k` is understood.
    pub has_top_k: bool,
    /// Most tools a request may declare; of more, the least useful are left out.
    pub max_tools: Option<usize>,
    /// The word that switches thinking on with [`ThinkingStyle::Type`].
    pub thinking_on: &'static str,
    /// A member beside `type` in the object that switches thinking on, as name and JSON.
    pub thinking_member: Option<(&'static str, &'static str)>,
    /// Members that every request carries, unless the client sends them itself.
    pub members: &'static [HostMember],
}

/// A member that only one host knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostMember {
    /// Its name.
    pub name: &'static str,
    /// Its value as JSON.
    pub raw: &'static str,
    /// Whether it belongs only to streamed requests that declare tools.
    pub for_streamed_tools: bool,
}

/// The member that carries the output limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// Both.
    Both,
}

/// Where the reasoning of an assistant message goes in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningField {
    /// `reasoning_content` (Moonshot, DeepSeek, GLM, llama.cpp, older vLLM)
    ReasoningContent,
    /// `reasoning` (newer vLLM, Groq, Together)
    Reasoning,
    /// `reasoning_details` with `reasoning.text` items (OpenRouter, MiniMax)
    ReasoningDetails,
    /// Left out: the host refuses unknown members (OpenAI).
    None,
}

/// How thinking and effort are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// Not at all.
    None,
    /// `reasoning_effort: "low" | "medium" | ...` as OpenAI spells it.
    Effort,
    /// `thinking: {"type": "enabled" | "disabled"}` (Moonshot K2.5 and later, GLM, DeepSeek)
    Type,
    /// `reasoning: {"effort": ...}` or `{"max_tokens": N}` or `{"enabled": false}` (OpenRouter)
    Reasoning,
    /// `chat_template_kwargs: {"thinking": bool, "enable_thinking": bool}` (vLLM, SGLang, llama.cpp)
    TemplateKwargs,
    /// `reasoning_effort` out of `low`, `high`, `max`, the nearest above taken (Kimi K3)
    EffortLowHighMax,
    /// Both [`Self::Type`] and, where an effort is asked for, [`Self::EffortLowHighMax`] (DeepSeek V4)
    TypeAndEffort,
}

/// What becomes of cache hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheSpelling {
    /// Left out: strict hosts answer 400 when one leaks.
    None,
    /// `prompt_cache_breakpoint` on content parts (OpenAI).
    Breakpoint,
    /// `cache_control` on content parts (OpenRouter, Alibaba).
    CacheControl,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            max_tokens: MaxTokens::MaxTokens,
            reasoning: ReasoningField::ReasoningContent,
            missing_reasoning: None,
            thinking: ThinkingStyle::None,
            always_thinks: false,
            cache: CacheSpelling::None,
            empty_tool_result: "(empty)",
            asks_usage: true,
            has_json_schema: true,
            has_cache_key: false,
            has_image_urls: true,
            has_parallel_tool_calls: true,
            has_strict: false,
            has_files: true,
            has_top_k: false,
            max_tools: None,
            thinking_on: "enabled",
            thinking_member: None,
            members: &[],
        }
    }
}
