//! Reading text: prose goes to its channel up to a marker, and from there on to the format until that is done.

use std::borrow::Cow;

use super::super::format::Step;
use super::super::mark::{Next, Role, next};
use super::super::output::Kind;
use super::TextStage;

/// Most bytes recorded of what may be a call; more is prose.
const MOST_RECORDED: usize = 64 * 1024;

/// How often a format may change its state without taking anything.
const MOST_IDLE: u32 = 8;

/// The format is reading.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The channel it was fed last.
    pub(super) kind: Kind,
    n_opened: u32,
    n_accepted: u32,
    /// What has been read since the last call, by channel: it may still be prose.
    record: Vec<(Kind, String)>,
    n_recorded: usize,
    /// The channels that it read in.
    touched: Vec<Kind>,
    n_idle: u32,
    /// A call came out of it, and text behind calls is dropped.
    is_behind_call: bool,
    /// The upstream closed the block meanwhile.
    pub(super) is_close_due: bool,
}

impl TextStage {
    /// Reads prose of one channel.
    pub(super) fn read(&mut self, text: &str, kind: Kind) {
        let mut input = Cow::Borrowed(text);
        if !self.held.is_empty() {
            let mut whole = std::mem::take(&mut self.held);
            whole.push_str(text);
            input = Cow::Owned(whole);
        }
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            let step = if self.attempt.is_some() {
                match next(rest, self.format.marks()) {
                    Next::Partial => {
                        self.held = rest.to_owned();
                        break;
                    }
                    Next::Text(length) => {
                        let piece = rest.get(..length).unwrap_or_default();
                        let (n_taken, step) = self.feed(piece, kind);
                        at += n_taken;
                        step
                    }
                    Next::Mark(index) => {
                        let mark = self.format.marks().get(index).copied().unwrap_or_default();
                        at += mark.len();
                        self.record(mark, kind);
                        self.format.mark(mark, &mut self.calls)
                    }
                }
            } else {
                let (channel, out) = match kind {
                    Kind::Text => (&mut self.content, &mut self.calls.out),
                    Kind::Thinking => (&mut self.reasoning, &mut self.calls.out),
                };
                match next(rest, self.marks.of(channel.is_at_head())) {
                    Next::Partial => {
                        self.held = rest.to_owned();
                        break;
                    }
                    Next::Text(length) => {
                        channel.text(rest.get(..length).unwrap_or_default(), out);
                        at += length;
                        continue;
                    }
                    Next::Mark(index) => {
                        let Some(mark) = self.marks.mark(index) else {
                            break;
                        };
                        at += mark.text.len();
                        if !matches!(mark.role, Role::Call | Role::Header) {
                            channel.mark(mark.text, mark.role, out);
                            continue;
                        }
                        self.attempt = Some(Attempt {
                            kind,
                            n_opened: self.calls.n_opened(),
                            n_accepted: self.calls.n_accepted(),
                            record: Vec::new(),
                            n_recorded: 0,
                            touched: Vec::new(),
                            n_idle: 0,
                            is_behind_call: false,
                            is_close_due: false,
                        });
                        self.record(mark.text, kind);
                        self.format.begin(mark.text, &mut self.calls)
                    }
                }
            };
            if let Some(again) = self.take_step(step, kind) {
                input = Cow::Owned(again + input.get(at..).unwrap_or_default());
                at = 0;
            }
        }
        self.calls.flush();
    }

    /// Does what the format answered; returns what is to be read again.
    pub(super) fn take_step(&mut self, step: Step, kind: Kind) -> Option<String> {
        self.note_calls(kind);
        match step {
            Step::More => {
                let is_too_much = |attempt: &Attempt| attempt.n_recorded > MOST_RECORDED;
                if self.attempt.as_ref().is_some_and(is_too_much) {
                    self.restore(kind);
                }
            }
            Step::Reread(again) => return Some(again),
            Step::Done => {
                self.channel(kind).removed();
                self.calls.out.hit();
                self.finish_attempt(kind);
            }
            Step::Prose(as_what) => {
                // Every header begins a message of its own.
                self.calls.out.close_block();
                self.channel(kind).becomes(as_what);
                self.calls.out.hit();
                self.finish_attempt(kind);
            }
            Step::Restore => self.restore(kind),
        }
        None
    }

    /// Gives text to the format: how much it took, and what follows.
    pub(super) fn feed(&mut self, text: &str, kind: Kind) -> (usize, Step) {
        let was_open = self.calls.is_open();
        let (n_taken, step) = self.format.text(text, &mut self.calls);
        let taken = text.get(..n_taken).unwrap_or(text);
        if !was_open {
            self.record(taken, kind);
        }
        let Some(attempt) = &mut self.attempt else {
            return (taken.len(), step);
        };
        // A format that takes nothing again and again would never end.
        attempt.n_idle = if taken.is_empty() {
            attempt.n_idle + 1
        } else {
            0
        };
        if step == Step::More && attempt.n_idle > MOST_IDLE {
            return (taken.len(), Step::Restore);
        }
        (taken.len(), step)
    }

    /// A call has come out of what is being read: there is nothing to restore any more, and what follows is noise.
    fn note_calls(&mut self, kind: Kind) {
        let (n_opened, n_accepted) = (self.calls.n_opened(), self.calls.n_accepted());
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if !attempt.touched.contains(&kind) {
            attempt.touched.push(kind);
        }
        attempt.kind = kind;
        if n_opened != attempt.n_opened {
            attempt.n_opened = n_opened;
            attempt.record.clear();
            attempt.n_recorded = 0;
        }
        if n_accepted != attempt.n_accepted && self.format.drops_text_behind_calls() {
            attempt.n_accepted = n_accepted;
            attempt.is_behind_call = true;
            for kind in attempt.touched.clone() {
                self.channel(kind).called();
            }
        }
    }

    pub(super) fn record(&mut self, text: &str, kind: Kind) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        if attempt.is_behind_call || self.calls.is_open() {
            return;
        }
        attempt.n_recorded += text.len();
        match attempt.record.last_mut() {
            Some((last, record)) if *last == kind => record.push_str(text),
            _ => attempt.record.push((kind, text.to_owned())),
        }
    }

    fn restore(&mut self, kind: Kind) {
        let record = match &mut self.attempt {
            Some(attempt) => std::mem::take(&mut attempt.record),
            None => return,
        };
        for (kind, text) in record {
            let (channel, out) = match kind {
                Kind::Text => (&mut self.content, &mut self.calls.out),
                Kind::Thinking => (&mut self.reasoning, &mut self.calls.out),
            };
            channel.restore(&text, out);
        }
        self.finish_attempt(kind);
    }

    pub(super) fn finish_attempt(&mut self, kind: Kind) {
        if let Some(attempt) = self.attempt.take()
            && attempt.is_close_due
        {
            self.close(kind);
        }
    }
}
