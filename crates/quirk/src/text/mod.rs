//! Calls and thoughts that a model writes into its text: found while the text streams, handed on as what they are.
//!
//! A host that parses its models' markup answers with structured calls and with reasoning in a channel of its own. Many
//! do not, or not always. [`stage`] makes a stage that sits between the wire's decoder and the sequencer and reads the
//! deltas of text and thinking blocks; everything else passes, but for structured calls that repeat one of the text.
//!
//! ```text
//! Event ─ TextStage ─┬─ no '<', no white space at the end: the same event          (nearly always)
//!                    ├─ Channel: prose up to a marker; tags, filler, white space   (R0 R6 R8 R9)
//!                    └─ Format: what stands behind a marker ─ Calls ─ Output ─ events
//! ```
//!
//! **To add a family**, write one file: a struct that implements [`Format`] and one constant of [`mark::Mark`]s.
//!
//! * `prose()` lists the markers that count outside calls: where a call may begin (`Role::Call`), strays, think tags.
//!   Text is held back only while it could still become one of them; they begin with `<`.
//! * From `begin()` on the format is fed text and, of the markers in `marks()`, those that its present place asks for. A
//!   marker arrives whole, wherever the stream was cut; text never holds the beginning of one. `text()` may take less than
//!   it is given when it changes place: the rest comes again, read for the new markers.
//! * As soon as the name is known: `calls.open(Name::Known(..))`, then `calls.write(..)` with JSON as it comes, then
//!   `calls.close()`. [`arguments::JsonArguments`] does this for arguments that are JSON (see `kimi_k2`),
//!   [`parameters::Parameters`] for values that are typed by the tool's schema (see `qwen3_coder`, or `invoke` for tags with
//!   attributes). `Name::BySchema` leaves it to the arguments which tool is meant; [`names::resolve`] reads Kimi's ids,
//!   [`names::spoken`] names that stand alone.
//! * `Step::Restore` says that it was prose after all: what was read since `begin()` is text, verbatim. It is possible
//!   until a call is open. Bound what may come before that, by letters and not by pieces. `Step::Done` ends it well.
//!   `Step::Prose` makes what follows thoughts or text, for formats whose channels are markup themselves.
//! * `end()` is the end of the reply: `calls.cut()` for a call that is not complete. With the stop reason `length` it stays
//!   as it is, otherwise the reply fails (R4) and may be tried again.
//!
//! Then a quirk in `fix/` with `stage: Some(|state| text::stage(NAME, Box::new(MyFormat::default()), Starts::InText,
//! state))`, a line in `list.rs`, and its vectors in `tests/it/text/`, where every text is cut at every position.
//!
//! The rules R0 to R16 that comments name are: white space (R0), where calls begin and end (R1, R2, R4, R7), names (R3),
//! empty arguments (R5), text behind calls (R6), think tags (R8), filler (R9), how much is held back (R10), calls that come
//! twice (R11), the stop reason (R12), safe repairs of JSON (R13), prose restored (R14), no tools, no calls (R15).

mod arguments;
mod asked;
pub(crate) mod bare_headers;
mod calls;
mod channel;
pub(crate) mod deepseek;
mod format;
pub(crate) mod glm;
pub(crate) mod harmony;
pub(crate) mod hermes;
mod invoke;
mod json;
pub(crate) mod kimi_k2;
pub(crate) mod kimi_k3;
pub(crate) mod llama;
mod mark;
pub(crate) mod minimax;
pub(crate) mod names;
mod output;
mod parameters;
mod prose_marks;
pub(crate) mod qwen3_coder;
mod stage;
mod tag;
pub(crate) mod think_tags;

use std::sync::Arc;

pub(crate) use asked::Asked;

use calls::Calls;
use format::Format;
use output::Kind;

use crate::quirk::EventStage;
use crate::state::State;

/// What content is when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starts {
    /// Text; thoughts begin with a tag.
    InText,
    /// Thoughts: the tag that opens them was the end of the prompt. Text all the same if the host was told not to think.
    InThoughts,
}

/// A stage for one reply that reads `format` out of text; `quirk` is the name that its changes are counted under.
pub(crate) fn stage(
    quirk: &'static str,
    format: Box<dyn Format>,
    starts: Starts,
    state: &State,
) -> EventStage {
    let starts_as = match starts {
        Starts::InThoughts if !state.asked.is_thinking_off() => Kind::Thinking,
        Starts::InThoughts | Starts::InText => Kind::Text,
    };
    let calls = Calls::new(quirk, Arc::clone(&state.asked));
    Box::new(stage::TextStage::new(format, calls, starts_as))
}
