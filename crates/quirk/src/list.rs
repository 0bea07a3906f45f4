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
    &fix::tool_call_ids::TOOL_CALL_IDS,
    &fix::tool_schema::TOOL_SCHEMA,
    &fix::tool_schema::OUTPUT_SCHEMA,
    &fix::builtin_functions::BUILTIN_FUNCTIONS,
    &fix::tool_choice::MOONSHOT_TOOL_CHOICE,
    &fix::tool_choice::TOOL_CHOICE_AUTO_ONLY,
    &fix::kimi_always_thinks::KIMI_ALWAYS_THINKS,
    &fix::moonshot_effort::MOONSHOT_EFFORT,
    &fix::kimi_sampling::KIMI_SAMPLING,
    &fix::k2_temperature::K2_TEMPERATURE,
    &fix::kimi_output_limit::KIMI_OUTPUT_LIMIT,
    &fix::reasoning_history::REASONING_HISTORY,
    &fix::output_limit_retry::OUTPUT_LIMIT_RETRY,
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
