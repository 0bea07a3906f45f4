//! Quirks between two wires: an Anthropic or Chat request in, what the upstream is sent out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed; the exemption in clippy.toml ends at functions marked `#[test]`"
)]

mod changes;
mod prompt_tools;
mod replay;
mod requests;
mod requests_choice;
mod requests_names;
mod requests_params;
mod requests_prompt;
mod selection;
mod stability;
mod text;
mod translate;
mod vectors;
