//! Providers named by when they close a connection on a client that has sent a request over it. Everything else of theirs is
//! well.

use std::time::Duration;

use crate::{Answer, Misbehaviour, Received, Script};

/// When a provider closes a connection. Those that close a kept one answer the first request of each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// A kept connection, at the head of another request.
    KeptAtHead,
    /// A kept connection, when it has read another request.
    KeptAtRequest,
    /// The same, with a TCP reset.
    KeptReset,
    /// A kept connection, behind one byte of an answer.
    KeptAfterByte,
    /// A kept connection, so long after another request.
    KeptAfter(Duration),
    /// Every connection, when it has read a request.
    New,
}

impl Script for Hangup {
    fn answer(&self, request: &Received) -> Answer {
        let closed = Answer::raw("");
        match *self {
            Hangup::New => closed,
            _ if request.on_connection == 0 => Misbehaviour::Healthy.answer(request),
            Hangup::KeptAtHead | Hangup::KeptAtRequest => closed,
            Hangup::KeptReset => Answer::silence().take(0).reset(),
            Hangup::KeptAfterByte => Answer::raw("H"),
            Hangup::KeptAfter(pause) => Answer::silence().take(0).pause(pause).cut(),
        }
    }

    fn answer_to_head(&self, on_connection: usize) -> Option<Answer> {
        (*self == Hangup::KeptAtHead && on_connection > 0).then(|| Answer::raw(""))
    }
}
