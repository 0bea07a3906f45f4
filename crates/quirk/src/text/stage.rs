//! The stage that reads prose for markers, whatever the format: blocks that open and close, what passes untouched, and
//! the end. [`reading`] is what happens to text that does not pass.

mod reading;

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{Delta, Event, Failure, FailureKind, Opening, Slot, Stop, StopReason};
use memchr::memchr2;

use super::calls::Calls;
use super::calls::duplicates::Passing;
use super::channel::{Channel, is_space};
use super::format::{Format, Step};
use super::output::Kind;
use super::prose_marks::{Ends, ProseMarks};
use reading::Attempt;

/// Reads calls and thoughts out of text; see the module's text.
#[derive(Debug)]
pub(super) struct TextStage {
    format: Box<dyn Format>,
    calls: Calls,
    content: Channel,
    reasoning: Channel,
    marks: ProseMarks,
    /// The upstream's open block of prose.
    current: Option<(Slot, Kind)>,
    /// The same while it is one downstream too and nothing is kept back: what is clean passes as it is.
    idle: Option<(Slot, Kind)>,
    attempt: Option<Attempt>,
    /// What may be the beginning of a marker.
    held: String,
    /// A delta as JSON spells it, which is how most of them come: looked at without undoing escapes.
    spelled: Vec<u8>,
    may_call: bool,
}

impl TextStage {
    pub(super) fn new(format: Box<dyn Format>, calls: Calls, starts_as: Kind) -> Self {
        let may_call = calls.asked().may_call();
        Self {
            marks: ProseMarks::new(format.prose(), may_call),
            format,
            calls,
            content: Channel::new(Kind::Text, starts_as),
            reasoning: Channel::new(Kind::Thinking, Kind::Thinking),
            current: None,
            idle: None,
            attempt: None,
            held: String::new(),
            spelled: Vec::new(),
            may_call,
        }
    }

    fn channel(&mut self, kind: Kind) -> &mut Channel {
        match kind {
            Kind::Text => &mut self.content,
            Kind::Thinking => &mut self.reasoning,
        }
    }

    /// The upstream opens a block of prose.
    fn enter(&mut self, slot: Slot, kind: Kind) {
        if self.current.is_some() {
            self.leave();
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.is_close_due = false;
        }
        if kind == Kind::Thinking {
            self.content.follows_thoughts();
        }
        self.current = Some((slot, kind));
        self.calls.out.offer(slot);
    }

    /// The upstream closes its block of prose. What may still become a call goes on behind it.
    fn leave(&mut self) {
        let Some((_, kind)) = self.current.take() else {
            return;
        };
        match &mut self.attempt {
            Some(attempt) => attempt.is_close_due = true,
            None => self.close(kind),
        }
    }

    fn close(&mut self, kind: Kind) {
        let held = std::mem::take(&mut self.held);
        let (channel, out) = match kind {
            Kind::Text => (&mut self.content, &mut self.calls.out),
            Kind::Thinking => (&mut self.reasoning, &mut self.calls.out),
        };
        if !held.is_empty() {
            channel.text(&held, out);
        }
        channel.end(out);
        out.close_block();
    }

    /// Whether the open block is one downstream too, of the same kind, with nothing kept back.
    fn idle_block(&mut self) -> Option<(Slot, Kind)> {
        let (slot, kind) = self.current?;
        if self.attempt.is_some() || !self.held.is_empty() || !self.channel(kind).is_passing() {
            return None;
        }
        let downstream = self.calls.out.is_open(kind)?;
        (downstream == slot).then_some((slot, kind))
    }

    /// Hands prose on if no marker can be in it, though it may end in white space or hold escapes. `Err` gives it back.
    fn pass_clean(&mut self, text: Text, kind: Kind, sink: &mut Sink<Event>) -> Result<(), Text> {
        let channel = match kind {
            Kind::Text => &mut self.content,
            Kind::Thinking => &mut self.reasoning,
        };
        let is_between = self.attempt.is_none() && self.held.is_empty() && channel.is_flowing();
        let Some(slot) = self.calls.out.is_open(channel.now()).filter(|_| is_between) else {
            return Err(text);
        };
        self.spelled.clear();
        text.push_json(&mut self.spelled);
        let Some(ends) = self.marks.ends_of_clean(&self.spelled) else {
            return Err(text);
        };
        if ends == Ends::MaybeInSpace && !channel.has_room(self.spelled.len()) {
            return Err(text);
        }
        let now = channel.now();
        let text = match ends {
            Ends::InText(last) => channel.flow(text, last),
            Ends::MaybeInSpace => channel.flow_to_space(&text),
        };
        if let Some(text) = text {
            let delta = match now {
                Kind::Text => Delta::Text(text),
                Kind::Thinking => Delta::Thinking(text),
            };
            sink.event(Event::Delta { slot, delta });
        }
        Ok(())
    }

    /// The reply is over: what may still become something is told so.
    fn finish(&mut self, mut stop: Stop, sink: &mut Sink<Event>) {
        let mut kind = self.current.map_or(Kind::Text, |(_, kind)| kind);
        while let Some(attempt) = &self.attempt {
            kind = attempt.kind;
            // No marker will be completed any more.
            let held = std::mem::take(&mut self.held);
            let (rest, step) = if held.is_empty() {
                (String::new(), self.format.end(&mut self.calls))
            } else {
                let (n_taken, step) = self.feed(&held, kind);
                (held.get(n_taken..).unwrap_or_default().to_owned(), step)
            };
            let step = match step {
                Step::More if held.is_empty() => Step::Done,
                step => step,
            };
            let again = self.take_step(step, kind).unwrap_or_default() + &rest;
            self.read(&again, kind);
        }
        self.close(kind);
        self.current = None;
        for event in self.calls.duplicates.released() {
            self.calls.out.pass(event);
        }
        let is_cut = matches!(
            stop.reason,
            StopReason::MaxTokens | StopReason::ContextWindow
        );
        if self.calls.was_cut() && !is_cut {
            self.calls.out.drain(sink);
            return sink.fault(Failure::new(
                FailureKind::BrokenToolCall,
                "the upstream's reply ended inside a tool call (truncated_tool_call)",
            ));
        }
        if self.calls.n_accepted() > 0
            && matches!(stop.reason, StopReason::EndTurn | StopReason::StopSequence)
        {
            self.calls.diag("finish_stop_with_calls");
            stop = Stop::new(StopReason::ToolUse);
        }
        self.calls.out.pass(Event::Stop(stop));
    }

    /// A structured call begins; returns what to do with its opening.
    fn structured(&mut self, slot: Slot, block: Opening) -> Passing {
        if self.attempt.is_some() && self.format.is_noise() {
            self.calls.out.changed("stray_marker_dropped");
            let kind = self
                .attempt
                .as_ref()
                .map_or(Kind::Text, |attempt| attempt.kind);
            self.held.clear();
            self.channel(kind).removed();
            self.finish_attempt(kind);
        }
        let name = match &block {
            Opening::ToolUse { name, .. } if self.may_call => name.clone(),
            _ => return Passing::Pass(Event::Open { slot, block }),
        };
        let event = Event::Open { slot, block };
        self.calls.duplicates.opened(slot, &name, event)
    }

    fn pass(&mut self, passing: Passing) {
        match passing {
            Passing::Pass(event) => self.calls.out.pass(event),
            Passing::Keep => {}
            Passing::Release(events) => {
                for event in events {
                    self.calls.out.pass(event);
                }
            }
            Passing::Drop => self.calls.out.changed("duplicate_call_dropped"),
        }
    }

    fn prose(&mut self, text: Text, kind: Kind, sink: &mut Sink<Event>) {
        if let Err(text) = self.pass_clean(text, kind, sink) {
            self.read(&text.decode(), kind);
            self.calls.out.drain(sink);
        }
    }
}

impl Stage for TextStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        if self.passes(&event) {
            return sink.event(event);
        }
        self.take(event, sink);
        self.idle = self.idle_block();
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    /// Whether an event is one of prose in which nothing can be: nearly every one is, and must cost next to nothing.
    fn passes(&mut self, event: &Event) -> bool {
        let (slot, kind, text) = match event {
            Event::Delta {
                slot,
                delta: Delta::Text(text),
            } => (*slot, Kind::Text, text),
            Event::Delta {
                slot,
                delta: Delta::Thinking(text),
            } => (*slot, Kind::Thinking, text),
            _ => return false,
        };
        if self.idle != Some((slot, kind)) {
            return false;
        }
        let Some(last) = last_of_plain(text.as_kept().as_bytes()) else {
            return false;
        };
        self.channel(kind).passed(last);
        true
    }

    fn holding(&self) -> bool {
        !self.held.is_empty() || self.attempt.is_some()
    }
}

impl TextStage {
    /// Takes an event that does not simply pass.
    fn take(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Delta { slot, delta } => match (self.current, delta) {
                (Some((current, kind)), Delta::Text(text) | Delta::Thinking(text))
                    if current == slot =>
                {
                    return self.prose(text, kind, sink);
                }
                (Some((current, kind)), delta) if current == slot => {
                    self.calls.out.attach(kind, delta);
                }
                (_, delta) => {
                    let passing = self.calls.duplicates.grew(slot, delta);
                    self.pass(passing);
                }
            },
            Event::Open {
                slot,
                block: Opening::Text,
            } => self.enter(slot, Kind::Text),
            Event::Open {
                slot,
                block: Opening::Thinking,
            } => self.enter(slot, Kind::Thinking),
            Event::Open { slot, block } => {
                self.calls.out.seen(slot);
                let passing = self.structured(slot, block);
                self.pass(passing);
            }
            Event::Close { slot } => match self.current {
                Some((current, _)) if current == slot => self.leave(),
                _ => {
                    let passing = self.calls.duplicates.closed(slot);
                    self.pass(passing);
                }
            },
            Event::Stop(stop) => self.finish(stop, sink),
            Event::Start(_) | Event::Usage(_) | Event::Done | Event::Ping => {
                self.calls.out.pass(event);
            }
        }
        self.calls.out.drain(sink);
    }
}

/// Below this many bytes a search of several at once does not pay.
const FEW: usize = 16;

/// The last byte of a text in which nothing can begin and that does not end in white space. What may be an escape is not
/// looked at here.
fn last_of_plain(text: &[u8]) -> Option<u8> {
    let last = *text.last()?;
    let has_mark = if text.len() < FEW {
        text.iter().any(|byte| matches!(byte, b'<' | b'\\'))
    } else {
        memchr2(b'<', b'\\', text).is_some()
    };
    (!has_mark && !is_space(last)).then_some(last)
}
