//! The quirks in the order in which they run, and their names.

use crate::fix;
use crate::quirk::Quirk;
use crate::spelling;

/// Spellings first, then repairs: those of the conversation before those of parameters.
pub(crate) const LIST: &[&Quirk] = &[
    &spelling::openai::OPENAI,
    &spelling::openrouter::OPENROUTER,
    &spelling::groq::GROQ,
    &spelling::deepseek::DEEPSEEK,
    &spelling::zai::ZAI,
    &spelling::minimax::MINIMAX,
    &spelling::vllm::VLLM,
    &spelling::llama_cpp::LLAMA_CPP,
    &spelling::ollama::OLLAMA,
    &spelling::together::TOGETHER,
    &spelling::fireworks::FIREWORKS,
    &spelling::moonshot::MOONSHOT,
    // Filler goes before empty content: what is left of a text may be nothing.
    &fix::no_content_filler::NO_CONTENT_FILLER,
    &fix::empty_content::EMPTY_CONTENT,
    // Names before ids, which are made of them.
    &fix::tool_names::KIMI_TOOL_NAMES,
    &fix::tool_names::TOOL_NAMES,
    &fix::tool_names::GEMINI_TOOL_NAMES,
    &fix::tool_names::ANTHROPIC_TOOL_NAMES,
    &fix::tool_call_ids::TOOL_CALL_IDS,
    &fix::tool_call_ids::SHORT_CALL_IDS,
    &fix::tool_call_ids::ANTHROPIC_CALL_IDS,
    &fix::tool_schema::TOOL_SCHEMA,
    &fix::tool_schema::OUTPUT_SCHEMA,
    &fix::tool_schema::OPENAI_SCHEMA,
    &fix::tool_schema::ANTHROPIC_SCHEMA,
    &fix::tool_schema::GROQ_SCHEMA,
    &fix::tool_schema::FIREWORKS_SCHEMA,
    &fix::tool_schema::CEREBRAS_SCHEMA,
    &fix::tool_schema::GEMINI_SCHEMA,
    &fix::tool_schema::GRAMMAR_SCHEMA,
    &fix::tool_schema::VLLM_SCHEMA,
    &fix::tool_count::TOOL_COUNT,
    &fix::builtin_functions::BUILTIN_FUNCTIONS,
    &fix::tool_choice::MOONSHOT_TOOL_CHOICE,
    &fix::tool_choice::TOOL_CHOICE_AUTO_ONLY,
    &fix::tool_choice::OLLAMA_TOOL_CHOICE,
    &fix::tool_choice::TOOL_CHOICE_WORDS_ONLY,
    &fix::tool_choice::ALLOWED_TOOLS,
    &fix::tool_choice::ANTHROPIC_ALLOWED_TOOLS,
    &fix::tool_choice::DEEPSEEK_FORCED_CALL,
    &fix::tool_choice::CLAUDE_FORCED_CALL,
    &fix::kimi_always_thinks::KIMI_ALWAYS_THINKS,
    &fix::moonshot_effort::MOONSHOT_EFFORT,
    &fix::kimi_sampling::KIMI_SAMPLING,
    &fix::k2_temperature::K2_TEMPERATURE,
    // Forced calls come before: they may turn thinking off, and what may be sent depends on thinking.
    &fix::openai_params::OPENAI_EFFORT,
    &fix::openai_params::OPENAI_SAMPLING,
    &fix::claude_params::CLAUDE_THINKING,
    &fix::claude_params::CLAUDE_SAMPLING,
    &fix::temperature_range::ZAI_TEMPERATURE,
    &fix::temperature_range::MINIMAX_TEMPERATURE,
    &fix::kimi_output_limit::KIMI_OUTPUT_LIMIT,
    &fix::reasoning_history::REASONING_HISTORY,
    // Replies. Names first: a call of the text may repeat a structured one. Where both readings of Kimi's text are declared,
    // the first leaves nothing to the second.
    &fix::call_names::KIMI_CALL_NAMES,
    &fix::harmony_call_names::HARMONY_CALL_NAMES,
    &fix::kimi_k2_text::KIMI_K2_IMPLICIT_TEXT,
    &fix::kimi_k2_text::KIMI_K2_TEXT,
    &fix::kimi_k3_text::KIMI_K3_IMPLICIT_TEXT,
    &fix::kimi_k3_text::KIMI_K3_TEXT,
    // Before the families: what they read are thoughts then.
    &fix::implicit_thinking::IMPLICIT_THINKING,
    &fix::hermes_text::HERMES_TEXT,
    &fix::qwen3_coder_text::QWEN3_CODER_TEXT,
    &fix::glm_text::GLM_TEXT,
    &fix::deepseek_text::DEEPSEEK_TEXT,
    &fix::minimax_text::MINIMAX_TEXT,
    &fix::harmony_bare_headers::HARMONY_BARE_HEADERS,
    &fix::harmony_text::HARMONY_TEXT,
    &fix::llama_text::LLAMA_TEXT,
    &fix::failed_generation::FAILED_GENERATION,
    &fix::output_limit_retry::OUTPUT_LIMIT_RETRY,
    &fix::mandatory_reasoning::MANDATORY_REASONING,
    &fix::forced_call::FORCED_CALL_RETRY,
];

/// Every quirk, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Quirk> {
    LIST.iter().copied()
}

/// Every name a provider may declare: quirks, then groups, each once.
pub fn names() -> impl Iterator<Item = &'static str> {
    let mut groups: Vec<&'static str> = Vec::new();
    for group in all().flat_map(|quirk| quirk.groups) {
        if !groups.contains(group) {
            groups.push(group);
        }
    }
    all().map(|quirk| quirk.name).chain(groups)
}
