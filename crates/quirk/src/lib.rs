//! Repairs of what models and hosts get wrong: one file per quirk, selected by data.
//!
//! A provider declares quirks and groups of quirks by name; [`select`] finds those that are meant for one upstream.
//! [`shape_prompt`] does to a request what the user wants done to every prompt. The [`Selection`] then changes it before
//! it is encoded ([`Selection::apply`]), the events of a reply ([`Selection::stages`]), says what one retry should do
//! differently ([`Selection::on_failure`]), and finds the reply that a failure holds ([`Selection::recovered`]).
//! Nothing here does IO, reads a clock or remembers anything between requests: the same history gives the same
//! bytes, which is what prompt caches live on.
//!
//! To add a quirk, write one file in `fix/` (something is repaired) or `spelling/` (a host words the Chat wire its own
//! way) and add it to `list.rs`.

mod changes;
mod checksum;
mod docs;
mod edit;
mod fix;
mod kimi;
mod list;
mod model;
mod prompt;
mod prompt_tools;
mod quirk;
mod select;
mod settings;
mod shape;
mod spelling;
mod state;
mod text;

pub use changes::{Change, MOST_SHOWN, excerpts};
pub use docs::markdown;
pub use list::{all, names};
pub use prompt::shape_prompt;
pub use quirk::{EventStage, Evidence, Quirk, Recover, Repair, Target};
pub use select::{Selection, select};
pub use settings::{
    CacheHints, Instruction, InstructionMode, MaxTokensField, ReasoningHistory, Settings,
    Temperature, Thinking,
};
pub use state::State;
