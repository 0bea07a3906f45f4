//! Codex, Gemini CLI and opencode, and Claude Code over their wires: each edits a file over its own wire and over
//! foreign ones.

mod budget;
mod claude;
mod edits;
mod failover;
mod launched;
