//! Repairs of what models and hosts get wrong: one file per quirk, selected by data.

mod settings;

pub use settings::{CacheHints, MaxTokensField, ReasoningHistory, Temperature, Thinking};
