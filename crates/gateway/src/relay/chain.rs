//! One reply's way through the state machines: upstream bytes in, client bytes out, no IO, no clock.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use lingate_wire::StreamEncoder;
use lingate_wire::sse::{Frame, SseError, SseParser};
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{
    Delta, Event, Failure, FailureKind, Losses, Opening, Reply, StopReason, Usage, fold,
};

use super::echo::Echo;
use super::gaps::Gaps;
use super::message::Holding;
use super::policing::{Findings, PolicyStage};
use super::salvage::Salvage;
use super::witness::{Accounts, Changed, Witness};

/// Decodes frames of an upstream's stream.
pub(crate) type Decoder = Box<dyn Stage<In = Frame, Out = Event>>;
/// Changes a stream of events.
pub(crate) type EventStage = Box<dyn Stage<In = Event, Out = Event>>;

/// What a reply amounted to, for the log, the record and the metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Token counts as far as told.
    pub usage: Usage,
    /// Why it ended.
    pub stop: Option<StopReason>,
    /// The quirks that changed something, each once.
    pub hits: Vec<&'static str>,
    /// Oddities that were dealt with, by the names of their cases, each once.
    pub noticed: Vec<&'static str>,
    /// What could not be carried.
    pub losses: Losses,
    /// What policies want kept back of it.
    pub holding: Holding,
    /// What their stages noticed; known at its end.
    pub findings: Findings,
    /// What was said, in short; told to a record only.
    pub said: Said,
    /// How a stream came in.
    pub gaps: Gaps,
    /// What stages changed; told to a record only.
    pub changed: Vec<Changed>,
    /// What the provider said of tokens; told to a record only.
    pub accounts: Accounts,
}

impl Tally {
    /// Stages note the same as often as it happens, which may be with every event of a long stream.
    fn note(&mut self, note: Note) {
        let (known, name) = match note {
            Note::Hit(quirk) => (&mut self.hits, quirk),
            Note::Diag(case) => (&mut self.noticed, case),
            Note::Loss(loss) => return self.losses.add(loss.path),
        };
        if !known.contains(&name) {
            known.push(name);
        }
    }
}

/// A reply in short, for lists of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// The beginning of its text.
    pub preview: String,
    /// The tools it calls, each once.
    pub tools: Vec<String>,
}

impl Said {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Open {
                block: Opening::ToolUse { name, .. },
                ..
            } if self.tools.len() < MOST_TOOLS => {
                let name = name.decode();
                let name = name
                    .get(..name.floor_char_boundary(LONGEST_TOOL))
                    .unwrap_or(&name);
                if !self.tools.iter().any(|known| known == name) {
                    self.tools.push(name.to_owned());
                }
            }
            Event::Delta {
                delta: Delta::Text(text),
                ..
            } if self.preview.len() < PREVIEW => {
                let text = text.decode();
                let room = PREVIEW - self.preview.len();
                self.preview.reserve_exact(room);
                self.preview
                    .push_str(text.get(..text.floor_char_boundary(room)).unwrap_or(&text));
            }
            _ => {}
        }
    }
}

/// Events that stages may add to a whole reply before the list of them grows.
const WHOLE_ROOM: usize = 2;
/// Bytes of a reply's text that lists show.
const PREVIEW: usize = 200;
/// Bytes of a tool's name that are kept.
const LONGEST_TOOL: usize = 128;
/// Most tools of a reply that are named.
const MOST_TOOLS: usize = 32;

/// A stage, as the chain holds it.
enum Link {
    Plain(EventStage),
    /// One that has something to tell a policy.
    Policy(Box<dyn PolicyStage>),
}

impl Link {
    fn stage(&mut self) -> &mut dyn Stage<In = Event, Out = Event> {
        match self {
            Self::Plain(stage) => &mut **stage,
            Self::Policy(stage) => &mut **stage,
        }
    }
}

/// Parser, decoder and stages of one reply.
///
/// Behind the last stage events are sequenced: one block at a time, nothing behind the end. It is large, and goes through
/// many hands before the reply comes: it stays where it was made, on the heap. What few replies need is not in it, but
/// beside it: there is one of these an attempt.
pub(crate) struct Chain {
    parser: SseParser,
    frames: Vec<Frame>,
    decoder: Decoder,
    stages: Vec<Link>,
    /// What a stage takes and what it gives, swapped from one to the next; their buffers are used again for every frame.
    front: Sink<Event>,
    back: Sink<Event>,
    is_observer: bool,
    /// One wire on both sides: compares what was read with what comes out.
    echo: Option<Box<Echo>>,
    /// Follows what is read, where a failure may hold the rest of the reply.
    salvage: Option<Box<Salvage>>,
    /// Tells a record what is changed.
    witness: Option<Box<Witness>>,
    tally: Tally,
    has_content: bool,
    is_done: bool,
    fault: Option<Failure>,
}

impl Chain {
    /// A chain that decodes with `decoder` and ends in a sequencer as the last of `stages`.
    pub(crate) fn new(decoder: Decoder, stages: Vec<EventStage>) -> Box<Self> {
        Box::new(Self {
            parser: SseParser::default(),
            frames: Vec::new(),
            decoder,
            stages: stages.into_iter().map(Link::Plain).collect(),
            front: Sink::new(),
            back: Sink::new(),
            is_observer: false,
            echo: None,
            salvage: None,
            witness: None,
            tally: Tally::default(),
            has_content: false,
            is_done: false,
            fault: None,
        })
    }

    /// Has what the first `n_stages` stages change told, and the provider's account of tokens.
    pub(crate) fn witnessed(mut self: Box<Self>, n_stages: usize) -> Box<Self> {
        self.parser = self.parser.locating();
        self.witness = Some(Box::new(Witness::new(n_stages)));
        self
    }

    /// A whole reply is read from this text.
    pub(crate) fn reads_whole(&mut self, text: &ByteString, reply: &[Event]) {
        if self.witness.is_some() {
            self.tally.accounts.came(text, reply);
        }
    }

    /// A piece of the stream came so long after the one before.
    pub(crate) fn waited(&mut self, gap: Duration) {
        self.tally.gaps.note(gap);
    }

    /// Takes a piece of the upstream's stream; appends sequenced events to `out`.
    pub(crate) fn push(&mut self, chunk: Bytes, out: &mut Vec<Event>) {
        if self.is_over() {
            return;
        }
        let mut frames = std::mem::take(&mut self.frames);
        if let Err(error) = self.parser.push(chunk, &mut frames) {
            self.fault = Some(unreadable(error));
        }
        self.frames_in(&mut frames, out);
        self.frames = frames;
    }

    /// Reads an event whose last blank line never came.
    pub(crate) fn flush(&mut self, out: &mut Vec<Event>) {
        if self.is_over() {
            return;
        }
        let mut frames = std::mem::take(&mut self.frames);
        if let Err(error) = self.parser.finish(&mut frames) {
            self.fault = Some(unreadable(error));
        }
        self.frames_in(&mut frames, out);
    }

    /// Takes the end of the upstream's stream.
    pub(crate) fn end(&mut self, end: &End, out: &mut Vec<Event>) {
        self.flush(out);
        if !self.is_over() {
            self.decoder.end(end.clone(), &mut self.front);
            self.read(None);
            self.through_stages(0, out);
        }
        for at in 0..self.stages.len() {
            if self.is_over() {
                break;
            }
            if let Some(stage) = self.stages.get_mut(at) {
                stage.stage().end(end.clone(), &mut self.front);
            }
            self.through_stages(at + 1, out);
        }
        self.tell();
    }

    /// Takes a whole reply that was not streamed.
    pub(crate) fn whole(&mut self, events: Vec<Event>, out: &mut Vec<Event>) {
        self.back.items.reserve(events.len() + WHOLE_ROOM);
        self.front.items = events;
        self.read(None);
        self.through_stages(0, out);
        self.tell();
    }

    /// Makes the sequencer judge a reply as soon as its stop reason is known, before the wire's last word: a passthrough
    /// has to hold back the very event that would end a broken reply normally.
    pub(crate) fn observing(mut self: Box<Self>) -> Box<Self> {
        self.is_observer = true;
        self
    }

    /// Compares what is read with what comes out, for a client of the upstream's own wire.
    pub(crate) fn echoing(mut self: Box<Self>, echo: Echo) -> Box<Self> {
        self.echo = Some(Box::new(echo));
        self
    }

    /// Goes on with what is found in the failure of a stream.
    pub(crate) fn salvaging(mut self: Box<Self>, salvage: Option<Salvage>) -> Box<Self> {
        self.salvage = salvage.map(Box::new);
        self
    }

    /// Whether bytes were read that no event tells of yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_complete() || self.decoder.holding() || self.decoder.doubts()
    }

    /// Whether the last event could not be read, so that the reply breaks off at it.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.decoder.doubts()
    }

    /// What compares them.
    pub(crate) fn echo(&mut self) -> Option<&mut Echo> {
        self.echo.as_deref_mut()
    }

    /// Puts the stages of policies before the one at `place`.
    pub(crate) fn policed(
        mut self: Box<Self>,
        place: usize,
        stages: Vec<Box<dyn PolicyStage>>,
    ) -> Box<Self> {
        let holding = stages.iter().map(|stage| stage.keeps_back()).max();
        self.tally.holding = holding.unwrap_or_default();
        let place = place.min(self.stages.len());
        let links = stages.into_iter().map(Link::Policy);
        self.stages.splice(place..place, links);
        self
    }

    /// Whether all of the reply has been read, though the upstream has not closed it.
    pub(crate) fn is_complete(&self) -> bool {
        self.decoder.stopped().is_some()
    }

    /// Whether content has come out: from here the reply is committed.
    pub(crate) fn has_content(&self) -> bool {
        self.has_content
    }

    /// Whether the reply is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// What broke the reply, if anything did.
    pub(crate) fn fault(&self) -> Option<&Failure> {
        self.fault.as_ref()
    }

    /// What the reply amounted to so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What the reply amounted to, at its end.
    pub(crate) fn into_tally(self: Box<Self>) -> Tally {
        self.tally
    }

    /// Nothing that comes now counts.
    fn is_over(&self) -> bool {
        self.is_done || self.fault.is_some()
    }

    fn frames_in(&mut self, frames: &mut Vec<Frame>, out: &mut Vec<Event>) {
        for (nth, frame) in frames.drain(..).enumerate() {
            if self.is_over() {
                break;
            }
            let data = self.witness.as_mut().map(|witness| {
                witness.reads(self.parser.start(nth));
                frame.data.clone()
            });
            self.decoder.on(frame, &mut self.front);
            self.read(data.as_ref());
            if self.is_observer
                && let Some(stop) = self.decoder.stopped()
            {
                self.front.event(Event::Stop(stop.clone()));
            }
            self.through_stages(0, out);
        }
        self.tell();
    }

    /// Lets the witness tell what it saw, at its end all of it.
    fn tell(&mut self) {
        let is_over = self.is_over();
        if let Some(witness) = &mut self.witness {
            if is_over {
                witness.finish();
            }
            witness.tell(&mut self.tally.changed);
        }
    }

    /// Runs what `front` holds through the stages from the `first` on. What was put out before a fault still counts; nothing
    /// that comes behind it does.
    fn through_stages(&mut self, first: usize, out: &mut Vec<Event>) {
        let (front, back) = (&mut self.front, &mut self.back);
        // Most stages have nothing to say at the end of a reply.
        if front.items.is_empty() && front.notes.is_empty() && !front.has_fault() {
            return;
        }
        let is_hearing = (self.witness.as_ref()).is_some_and(|witness| witness.hears());
        for (place, link) in self.stages.iter_mut().enumerate().skip(first) {
            let stage = link.stage();
            // Nothing is moved for a stage that has nothing to do, which is what most have with most of a stream.
            let is_heard = is_hearing
                && (self.witness.as_ref()).is_some_and(|witness| witness.is_hearing(place));
            let n_passing = if is_heard {
                0
            } else {
                passing(stage, &front.items)
            };
            if n_passing == front.items.len() {
                continue;
            }
            let mut witness = self.witness.as_mut().filter(|it| it.looks_at(place));
            for (nth, event) in front.items.drain(..).enumerate() {
                if back.has_fault() {
                    break;
                }
                match &mut witness {
                    _ if nth < n_passing => back.event(event),
                    Some(witness) => witness.pass(place, stage, event, back),
                    None => stage.on(event, back),
                }
            }
            back.notes.append(&mut front.notes);
            if front.has_fault()
                && let Some(failure) = front.take_fault()
            {
                back.fault(failure);
            }
            std::mem::swap(front, back);
        }
        for note in front.notes.drain(..) {
            self.tally.note(note);
        }
        let fault = if front.has_fault() {
            front.take_fault()
        } else {
            None
        };
        let mut events = std::mem::take(&mut front.items);
        for event in &events {
            self.observe(event);
        }
        if out.is_empty() {
            // Buffers change hands: nothing is copied.
            std::mem::swap(out, &mut events);
        } else {
            out.append(&mut events);
        }
        self.front.items = events;
        if self.fault.is_none() && !self.is_done {
            self.fault = fault;
        }
    }

    /// What `front` holds is as the decoder read it, in this data if somebody wants to know.
    fn read(&mut self, data: Option<&ByteString>) {
        // Before the stages: what a reply that breaks has used is money all the same.
        let mut is_account = false;
        for event in &self.front.items {
            let usage = match event {
                Event::Start(start) => &start.usage,
                Event::Usage(usage) => usage,
                _ => continue,
            };
            self.tally.usage.update(usage);
            is_account = true;
        }
        if is_account && let Some(data) = data {
            self.tally.accounts.came(data, &self.front.items);
        }
        if let Some(echo) = &mut self.echo {
            self.front.items.iter().for_each(|event| echo.came(event));
        }
        if let Some(salvage) = &mut self.salvage {
            for event in &self.front.items {
                salvage.came(event);
            }
            if let Some(failure) = self.front.take_fault() {
                match salvage.rest(&failure) {
                    Some((rest, quirk)) => {
                        if let Some(witness) = &mut self.witness {
                            let generation = failure.generation.as_deref().unwrap_or_default();
                            witness.salvaged(quirk, generation, &rest);
                        }
                        self.front.items.extend(rest);
                        self.front.note(Note::Hit(quirk));
                        if let Some(echo) = &mut self.echo {
                            echo.give_up();
                        }
                    }
                    None => self.front.fault(failure),
                }
            }
        }
    }

    fn observe(&mut self, event: &Event) {
        if let Some(echo) = &mut self.echo {
            echo.went(event);
        }
        if self.witness.is_some() {
            self.tally.said.hear(event);
        }
        match event {
            Event::Open { .. } => self.has_content = true,
            Event::Stop(stop) => self.tally.stop = Some(stop.reason),
            Event::Done => {
                self.is_done = true;
                for link in &self.stages {
                    if let Link::Policy(stage) = link {
                        stage.report(&mut self.tally.findings);
                    }
                }
            }
            Event::Start(_)
            | Event::Usage(_)
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::Ping => {}
        }
    }
}

/// How many of the first events go past a stage.
fn passing(stage: &mut dyn Stage<In = Event, Out = Event>, events: &[Event]) -> usize {
    let first_taken = events.iter().position(|event| !stage.passes(event));
    first_taken.unwrap_or(events.len())
}

fn unreadable(error: SseError) -> Failure {
    Failure::new(
        FailureKind::Malformed,
        format!("the upstream's stream cannot be read: {error}"),
    )
}

/// Puts a whole reply together out of sequenced events.
pub(crate) fn folded(events: Vec<Event>) -> Reply {
    fold(events)
}

/// Writes events as a client's stream.
pub(crate) fn encode(events: &mut Vec<Event>, encoder: &mut dyn StreamEncoder, out: &mut Vec<u8>) {
    for event in events.drain(..) {
        encoder.event(&event, out);
    }
}

#[cfg(test)]
mod tests {
    use lingate_wire::turn::Loss;

    use super::*;

    #[test]
    fn what_every_event_of_a_long_stream_brings_is_told_once() {
        let mut tally = Tally::default();
        for n in 0..10_000 {
            tally.note(Note::Hit("quirk"));
            tally.note(Note::Diag("case"));
            let path = format!("events[{n}].type");
            tally.note(Note::Loss(Loss { path }));
        }
        assert_eq!((tally.hits, tally.noticed), (vec!["quirk"], vec!["case"]));
        assert_eq!(tally.losses.len(), 10_000);
        assert!(tally.losses.iter().count() <= 100);
    }
}
