//! Codex, Gemini CLI and opencode: each edits a file over its own wire and over foreign ones.

mod edits;
mod launched;
