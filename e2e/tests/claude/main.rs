//! Claude Code, unmodified, on a provider of the Chat wire.

mod budget;
mod cassette;
mod compaction;
mod count;
mod enforce;
mod expect;
mod failover;
mod failures;
mod formats;
mod interactive;
mod leaks;
mod media;
mod rules;
mod session;
mod statusline;
mod strict;
mod subagent;
mod tool_search;
