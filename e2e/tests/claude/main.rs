//! Claude Code, unmodified, on a provider of the Chat wire.

mod compaction;
mod count;
mod expect;
mod failures;
mod interactive;
mod leaks;
mod media;
mod session;
mod subagent;
mod tool_search;
