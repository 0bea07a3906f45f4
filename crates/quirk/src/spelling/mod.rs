//! How single hosts word the Chat wire. Nothing here is a repair: it only decides how a translation is written.

pub(crate) mod deepseek;
pub(crate) mod fireworks;
pub(crate) mod groq;
pub(crate) mod llama_cpp;
pub(crate) mod minimax;
pub(crate) mod moonshot;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod openrouter;
pub(crate) mod together;
pub(crate) mod vllm;
pub(crate) mod zai;

/// Stands in for missing reasoning. One blank: an empty string counts as missing on some hosts, and any word would be
/// read by the model as a thought of its own.
pub(crate) const BLANK_REASONING: &str = " ";
