//! State machines of the stream chain.
//!
//! `bytes → SseParser → stream_in → Event → [quirk stages] → Sequencer → stream_out → bytes`. Every machine is pure:
//! one adapter outside this crate drives them and owns time, IO and cancellation.

use crate::turn::{Failure, Loss, Stop};

/// A pure stream transformer.
pub trait Stage: Send {
    /// What comes in.
    type In;
    /// What goes out.
    type Out;

    /// Takes one item.
    fn on(&mut self, item: Self::In, sink: &mut Sink<Self::Out>);

    /// Takes the end of the stream. Called once, last; not called after a fault.
    fn end(&mut self, end: End, sink: &mut Sink<Self::Out>);

    /// Whether an item goes on as it is: then this was all the stage wanted of it, and the driver passes it on. Otherwise it is
    /// for [`Stage::on`], to which a driver may give any item without asking. Most stages wait for items of a rare kind.
    fn passes(&mut self, _item: &Self::In) -> bool {
        false
    }

    /// Why the reply ends, once all that it needs has come and only the transport's end is missing.
    fn stopped(&self) -> Option<&Stop> {
        None
    }

    /// Whether the last item could not be read: what it said is lost, unless it was cut off with the stream. Either way no
    /// complete reply follows.
    fn doubts(&self) -> bool {
        false
    }

    /// Whether something is kept back that could still become output.
    fn holding(&self) -> bool {
        false
    }
}

/// How a stream ended, as the transport saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The body was complete.
    Clean,
    /// The body stopped before its framing said so.
    Truncated,
    /// Something failed under way.
    Broken(Failure),
}

/// Where a stage puts what it makes of its input.
#[derive(Debug)]
pub struct Sink<T> {
    /// Items for the next stage, in order.
    pub items: Vec<T>,
    /// Things worth recording.
    pub notes: Vec<Note>,
    /// On the heap: rare and large, where sinks change hands for every event.
    fault: Option<Box<Failure>>,
}

/// Something a stage noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A quirk changed something.
    Hit(&'static str),
    /// Something could not be carried.
    Loss(Loss),
    /// Something odd that was dealt with, by the name of the case.
    Diag(&'static str),
}

impl<T> Sink<T> {
    /// An empty sink.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            items: Vec::new(),
            notes: Vec::new(),
            fault: None,
        }
    }

    /// An empty sink with room for so many items.
    #[must_use]
    pub fn with_capacity(n_items: usize) -> Self {
        Self {
            items: Vec::with_capacity(n_items),
            ..Self::new()
        }
    }

    /// Puts out an item; nothing follows a fault.
    pub fn event(&mut self, item: T) {
        if self.fault.is_none() {
            self.items.push(item);
        }
    }

    /// Notes something.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Ends the stream with a failure. What was put out before still counts; the first fault wins.
    pub fn fault(&mut self, failure: Failure) {
        if self.fault.is_none() {
            self.fault = Some(Box::new(failure));
        }
    }

    /// Whether the stream has failed.
    #[must_use]
    pub const fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// Takes the fault out.
    pub fn take_fault(&mut self) -> Option<Failure> {
        self.fault.take().map(|failure| *failure)
    }
}

impl<T> Default for Sink<T> {
    fn default() -> Self {
        Self::new()
    }
}
