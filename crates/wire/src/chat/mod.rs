//! OpenAI Chat Completions, as clients and hosts speak it.

mod dialect;

pub use dialect::{CacheSpelling, Dialect, MaxTokens, ReasoningField, ThinkingStyle};
