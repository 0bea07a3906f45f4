//! What a model's way of writing calls has to say about itself.

use std::fmt::Debug;

use super::calls::Calls;
use super::mark::Mark;
use super::output::Kind;

/// One way of writing calls, and headers of channels, into text: a state machine over text and markers.
///
/// It sleeps until a marker of [`Role::Call`](super::mark::Role::Call) or [`Role::Header`](super::mark::Role::Header)
/// wakes it with [`begin`](Self::begin), and is fed until it answers that it is done. Meanwhile what it reads is recorded,
/// until a call is open, so that it can say at any time that it was prose after all.
pub(crate) trait Format: Debug + Send {
    /// The markers in prose and what they mean there.
    fn prose(&self) -> &'static [Mark];

    /// Whether text behind a call is dropped: models that are to stop there write noise if they do not (R6).
    fn drops_text_behind_calls(&self) -> bool {
        true
    }

    /// One of its markers was met in prose.
    fn begin(&mut self, mark: &'static str, calls: &mut Calls) -> Step;

    /// The markers it wants to be told about in its present state. None may be the beginning of another.
    fn marks(&self) -> &'static [&'static str];

    /// Takes text, not empty, in which no marker begins: how many bytes of it were taken, and what follows. Taking less than
    /// all and answering [`Step::More`] means that the markers have changed.
    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step);

    /// Takes a marker.
    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step;

    /// Takes the end of the reply. [`Step::More`] is the same as [`Step::Done`].
    fn end(&mut self, calls: &mut Calls) -> Step;

    /// Whether it has read nothing that a structured call, which begins now, does not make meaningless.
    fn is_noise(&self) -> bool {
        false
    }
}

/// What follows a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It goes on.
    More,
    /// This is to be read again, then it goes on.
    Reread(String),
    /// It is over; what follows is prose.
    Done,
    /// It was a header; what follows is prose of this kind.
    Prose(Kind),
    /// It was no call: what was recorded is prose as it stands (R14).
    Restore,
}
