//! The hub: what the four wires mean, in one shape.
//!
//! A [`Turn`] is a request for a model's reply, an [`Event`] a step of the reply, a [`Reply`] the whole of it. The shape
//! follows Anthropic Messages, the strictest of the four grammars; `docs/adr/0002-hub-mapping.md` maps every wire
//! onto it. What no wire of ours knows travels as [`Foreign`]: copied on its own wire, a [`Loss`] on any other.

mod block;
mod carried;
mod data_uri;
mod event;
mod failure;
mod fit;
mod fold;
mod freeform;
mod ids;
mod loss;
mod namespace;
mod node;
mod params;
mod place;
mod request;
mod room;
mod seal;
mod sequence;
mod shared;
mod size;
mod stop;
mod unanswered;
mod usage;

pub use block::{
    Block, Document, Foreign, Image, Media, MediaKind, MediaSource, SearchResult, ServerToolUse,
    Thinking, ToolInput, ToolResult, ToolUse,
};
pub use carried::{CarryStage, carries_signatures, restore_signatures};
pub(crate) use data_uri::{data_uri, media_at};
pub use event::{Delta, Event, Opening, Slot, Start};
pub use failure::{Failure, FailureKind};
pub use fit::{EventStage, ToolSupport, fit_tools, fit_tools_to, only_foreign_tool};
pub use fold::{Reply, fold, replay};
pub use freeform::{Freeform, FreeformStage};
pub use ids::ToolIdStage;
pub use loss::{Loss, Losses};
pub use namespace::{NamespaceStage, Namespaces};
pub use node::Node;
pub use params::{Effort, OutputFormat, Params, ThinkingMode, ThoughtDisplay, ToolChoice};
pub(crate) use params::{like_a_path, told_name};
pub(crate) use place::Place;
pub use request::{CacheHint, Message, Role, Tool, Turn};
pub(crate) use room::room;
pub(crate) use seal::SEAL_MARKS;
pub use seal::{SEAL_PREFIX, Seal, SealKey, SealStage, opened};
pub use sequence::{EmptyReply, Sequencer};
pub use shared::Shared;
pub use stop::{Stop, StopReason};
pub(crate) use unanswered::Unanswered;
pub use usage::Usage;
