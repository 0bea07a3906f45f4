//! Repairs, one file per quirk or per pair of quirks that share their rules.

pub(crate) mod builtin_functions;
pub(crate) mod call_names;
pub(crate) mod claude_params;
pub(crate) mod deepseek_text;
pub(crate) mod empty_content;
pub(crate) mod failed_generation;
pub(crate) mod forced_call;
pub(crate) mod glm_text;
pub(crate) mod harmony_bare_headers;
pub(crate) mod harmony_call_names;
pub(crate) mod harmony_text;
pub(crate) mod hermes_text;
pub(crate) mod implicit_thinking;
pub(crate) mod k2_temperature;
pub(crate) mod kimi_always_thinks;
pub(crate) mod kimi_k2_text;
pub(crate) mod kimi_k3_text;
pub(crate) mod kimi_output_limit;
pub(crate) mod kimi_sampling;
pub(crate) mod llama_text;
pub(crate) mod mandatory_reasoning;
pub(crate) mod minimax_text;
pub(crate) mod moonshot_effort;
pub(crate) mod no_content_filler;
pub(crate) mod openai_params;
pub(crate) mod output_limit_retry;
pub(crate) mod qwen3_coder_text;
pub(crate) mod reasoning_history;
pub(crate) mod temperature_range;
pub(crate) mod tool_call_ids;
pub(crate) mod tool_choice;
pub(crate) mod tool_count;
pub(crate) mod tool_names;
pub(crate) mod tool_schema;

/// Groups of hosts that serve Kimi's models: Moonshot's own, and others with explicit or implicit think tags.
const KIMI_GROUPS: &[&str] = &["moonshot", "kimi-k2", "kimi-k2-implicit"];
