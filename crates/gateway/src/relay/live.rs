//! A reply that has begun to arrive.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use lingate_wire::bridge::{self, Lane};
use lingate_wire::sse::DEFAULT_MAX_EVENT;
use lingate_wire::stage::End;
use lingate_wire::turn::{Event, Failure, FailureKind};
use lingate_wire::{StreamEncoder, Wire};
use tokio::time::{Instant, Sleep, sleep_until};

use super::chain::{Chain, Tally, encode};
use super::echo::{Pieces, Verdict};
use super::message::Message;
use crate::clock;
use crate::upstream::blame::Blame;
use crate::upstream::body::{UpstreamBody, WHOLE_CAP};

/// Bytes taken of the upstream for one write towards the client; what is ready beyond that goes out with the next. Counts
/// into what a stream holds for a client that does not read (`front/limits.rs`).
const WRITE_TARGET: usize = 16 * 1024;
/// Room to write events in that a stream keeps: most are smaller.
const WRITTEN_ROOM: usize = 1024;

/// How long a host may take to end a stream whose reply is complete.
const GRACE: Duration = Duration::from_secs(3);

/// The same where the client has everything already, and only the connection to the host gains by it.
const LITTLE_GRACE: Duration = Duration::from_millis(100);

/// Limits on an upstream's silence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest time between two pieces of the body.
    pub idle: Option<Duration>,
    /// Longest time without anything but signs of life.
    pub progress: Option<Duration>,
}

/// A streamed reply: what has been read of it, and where the rest comes from.
pub(crate) struct Live {
    /// The upstream's headers as the client is to see them.
    pub headers: HeaderMap,
    lane: Lane,
    /// The upstream's.
    wire: Wire,
    body: UpstreamBody,
    chain: Box<Chain>,
    limits: Limits,
    blame: Blame,
    /// Translated: events not yet written. Passthrough: the observer's, thrown away.
    events: Vec<Event>,
    /// Translated: room in which events are written.
    written: Vec<u8>,
    /// Passthrough: whole events not yet written.
    raw: BytesMut,
    /// Passthrough, where an end of ours has to fit them: the first and the last event that were passed on.
    passed: [Option<Bytes>; 2],
    /// Passthrough, and where the wires are the same: the event that is still arriving.
    tail: BytesMut,
    /// How much of it has no end of an event.
    searched: usize,
    /// Translated, where the wires are the same: which bytes go out as they came.
    pieces: Option<Pieces>,
    /// Bytes read of the upstream for the next write.
    taken: usize,
    /// A piece of the body has come.
    has_begun: bool,
    last_byte: Instant,
    last_event: Instant,
    /// Goes off when one of the limits may be reached.
    alarm: Option<Pin<Box<Sleep>>>,
    /// The body has ended.
    is_ended: bool,
}

/// What a [`Live`] gives next.
pub(crate) enum Next {
    /// Bytes for the client.
    Bytes(Bytes),
    /// The reply is complete, with its last bytes.
    Done(Bytes),
    /// The reply broke off; the bytes before that still count.
    Broken(Bytes, Failure),
    /// Passthrough: the reply broke off, and the upstream's own words for it are among the bytes.
    Failed(Bytes, Failure),
}

impl Live {
    pub(crate) fn new(
        headers: HeaderMap,
        lane: Lane,
        wire: Wire,
        body: UpstreamBody,
        chain: Box<Chain>,
        limits: Limits,
        blame: Blame,
    ) -> Self {
        let now = clock::now();
        let mut chain = chain;
        let pieces = chain.echo().map(|_| Pieces::default());
        Self {
            headers,
            lane,
            wire,
            body,
            chain,
            limits,
            blame,
            events: Vec::new(),
            written: Vec::new(),
            raw: BytesMut::new(),
            passed: [None, None],
            tail: BytesMut::new(),
            searched: 0,
            pieces,
            taken: 0,
            has_begun: false,
            last_byte: now,
            last_event: now,
            alarm: None,
            is_ended: false,
        }
    }

    /// A reply that was read whole, as a stream.
    pub(crate) fn of_whole(
        headers: HeaderMap,
        wire: Wire,
        mut chain: Box<Chain>,
        reply: Vec<Event>,
        limits: Limits,
        blame: Blame,
    ) -> Self {
        let mut events = Vec::new();
        chain.whole(reply, &mut events);
        let mut live = Self::new(
            headers,
            Lane::Translate,
            wire,
            UpstreamBody::Empty,
            chain,
            limits,
            blame,
        );
        live.events = events;
        live.pieces = None;
        live
    }

    /// Takes a piece that was read to find out what the body is.
    pub(crate) fn begin(&mut self, chunk: Bytes) {
        self.take(chunk);
    }

    /// Reads until there is content, or the reply is over. Nothing has been shown to the client yet, so every failure up
    /// to here is a failed attempt.
    pub(crate) async fn until_content(&mut self) -> Result<(), Failure> {
        while !self.chain.has_content() && !self.chain.is_done() {
            if let Some(failure) = self.chain.fault() {
                return Err(failure.clone());
            }
            match self.body.chunk().await {
                Some(Ok(chunk)) => self.take(chunk),
                Some(Err(failure)) => self.finish(&End::Broken(failure)),
                None => self.finish(&End::Clean),
            }
        }
        Ok(())
    }

    /// Reads the rest, for a client that wants the reply whole.
    pub(crate) async fn read_to_end(&mut self) -> Result<(Vec<Event>, Tally), Failure> {
        let mut size = 0;
        while !self.is_over() {
            match self.read().await {
                Some(chunk) => {
                    size += chunk.len();
                    if size > WHOLE_CAP {
                        return Err(Failure::new(
                            FailureKind::Malformed,
                            format!(
                                "the upstream's reply is larger than {} MiB",
                                WHOLE_CAP >> 20
                            ),
                        ));
                    }
                    self.take(chunk);
                }
                None => break,
            }
        }
        match self.chain.fault() {
            Some(failure) => Err(failure.clone()),
            None => Ok((std::mem::take(&mut self.events), self.chain.tally().clone())),
        }
    }

    /// The next bytes for the client. Cancel safe: what was read stays.
    pub(crate) async fn next(
        &mut self,
        encoder: Option<&mut (dyn StreamEncoder + 'static)>,
        message: &mut Message,
    ) -> Next {
        while !self.has_output() && !self.is_over() {
            match self.read().await {
                Some(chunk) => self.take(chunk),
                None => break,
            }
        }
        self.take_what_is_ready();
        self.taken = 0;
        if message.is_held() {
            self.forget_origin();
        }
        message.pass(&mut self.events);
        let bytes = self.output(encoder);
        match self.chain.fault() {
            _ if !self.is_over() => Next::Bytes(bytes),
            Some(failure) if self.lane == Lane::Passthrough && is_said(failure) => {
                Next::Failed(bytes, self.blame.told(failure.clone()))
            }
            Some(failure) => Next::Broken(bytes, self.blame.told(failure.clone())),
            None => Next::Done(bytes),
        }
    }

    /// What the reply amounted to so far.
    pub(crate) fn tally(&self) -> &Tally {
        self.chain.tally()
    }

    /// What broke it, if anything did.
    pub(crate) fn fault(&self) -> Option<&Failure> {
        self.chain.fault()
    }

    /// Whether the client can be shown something of it.
    pub(crate) fn is_shown(&self) -> bool {
        self.chain.has_content() || !self.chain.is_done()
    }

    /// Changes the events that were read and not yet written.
    pub(crate) fn with_events(&mut self, change: impl FnOnce(&mut Vec<Event>)) {
        change(&mut self.events);
    }

    /// Everything is written anew from here on: the client has, or gets, something else than what came.
    pub(crate) fn forget_origin(&mut self) {
        if let Some(echo) = self.chain.echo() {
            echo.give_up();
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.give_up(self.events.len());
        }
    }

    /// Whether the reply was complete before its body ended.
    pub(crate) fn has_rest(&self) -> bool {
        !self.is_ended
    }

    /// The lane it is relayed in.
    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    /// One more piece, within the limits; `None` once the chain has been given its end.
    async fn read(&mut self) -> Option<Bytes> {
        let idle = self
            .limits
            .idle
            .map(|limit| (self.last_byte + limit, "idle", limit));
        let progress = self
            .limits
            .progress
            .map(|limit| (self.last_event + limit, "progress", limit));
        let nearest = idle.into_iter().chain(progress).min_by_key(|(at, ..)| *at);
        if self.chain.is_complete() || self.chain.is_done() {
            return self.last_words().await;
        }
        let chunk = match nearest {
            Some((at, name, limit)) => match self.chunk_by(at).await {
                Some(chunk) => chunk,
                None => Some(Err(timed_out(name, limit))),
            },
            None => self.body.chunk().await,
        };
        let end = match chunk {
            Some(Ok(chunk)) => return Some(chunk),
            Some(Err(failure)) => End::Broken(failure),
            None => End::Clean,
        };
        self.finish(&end);
        None
    }

    /// The next piece of the body, as the body gives it; `None` when it has not come by then. The alarm is not set anew for
    /// each piece, which would cost more than the piece: it goes off too early, and is set then.
    async fn chunk_by(&mut self, at: Instant) -> Option<Option<Result<Bytes, Failure>>> {
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if alarm.deadline() > at {
            alarm.as_mut().reset(at);
        }
        loop {
            tokio::select! {
                biased;
                chunk = self.body.chunk() => return Some(chunk),
                () = alarm.as_mut() => {
                    if alarm.deadline() >= at {
                        return None;
                    }
                    alarm.as_mut().reset(at);
                }
            }
        }
    }

    /// What may still come behind a complete reply: usage, the wire's last word. A host that keeps the connection open is
    /// not waited for.
    async fn last_words(&mut self) -> Option<Bytes> {
        let more = tokio::time::timeout_at(self.last_byte + GRACE, self.body.chunk()).await;
        if let Ok(Some(Ok(chunk))) = more {
            return Some(chunk);
        }
        self.finish(&End::Clean);
        None
    }

    /// Reads a body whose reply is complete to its end, which is near: a connection whose answer was not read out cannot be
    /// kept. A host that does not end its body is left.
    pub(crate) async fn read_out(mut self: Box<Self>) {
        let ends = async { while let Some(Ok(_)) = self.body.chunk().await {} };
        let _late = tokio::time::timeout_at(clock::now() + LITTLE_GRACE, ends).await;
    }

    /// Coalesces what the upstream has ready into one write; never waits for more.
    fn take_what_is_ready(&mut self) {
        use futures_util::FutureExt as _;
        while !self.is_over() && self.taken < WRITE_TARGET {
            match self.body.chunk().now_or_never() {
                Some(Some(Ok(chunk))) => self.take(chunk),
                Some(Some(Err(failure))) => self.finish(&End::Broken(failure)),
                Some(None) => self.finish(&End::Clean),
                None => return,
            }
        }
    }

    fn take(&mut self, chunk: Bytes) {
        let now = self.body.came_at();
        if self.has_begun {
            self.chain.waited(now - self.last_byte);
        }
        self.has_begun |= !chunk.is_empty();
        self.last_byte = now;
        self.taken += chunk.len();
        let before = self.events.len();
        match self.lane {
            Lane::Passthrough => self.pass(&chunk),
            Lane::Translate if self.pieces.is_some() => self.copy(&chunk),
            Lane::Translate => self.chain.push(chunk, &mut self.events),
        }
        if self
            .events
            .iter()
            .skip(before)
            .any(|event| !matches!(event, Event::Ping))
        {
            self.last_event = self.last_byte;
        }
        if self.lane == Lane::Passthrough {
            self.events.clear();
        }
    }

    /// Passes on whole events, each after the observer has read it: a stream that is cut inside one, or that would end a
    /// broken call normally, can then still be ended properly.
    fn pass(&mut self, chunk: &[u8]) {
        self.tail.extend_from_slice(chunk);
        while !self.is_withheld() {
            let Some(end) = self.next_event() else {
                break;
            };
            let before = self.raw.len();
            let event = self.tail.split_to(end).freeze();
            if !self.chain.is_done() {
                self.chain.push(event.clone(), &mut self.events);
            }
            if self.chain.is_in_doubt() {
                // No client could read it either.
                continue;
            }
            if self.chain.fault().is_some() {
                self.raw
                    .extend_from_slice(&self.blame.masked(event.clone()));
            } else {
                self.raw.extend_from_slice(&event);
            }
            if self.is_withheld() {
                self.raw.truncate(before);
            } else if self.wire == Wire::Responses {
                // Only events of this wire are numbered and name the reply that they are of.
                let [first, last] = &mut self.passed;
                first.get_or_insert_with(|| Bytes::copy_from_slice(&event));
                *last = Some(event);
            }
        }
    }

    /// Passthrough: tells an encoder that is to write the end what the client has seen.
    pub(crate) fn tell_passed(&self, encoder: &mut dyn StreamEncoder) {
        let passed = self.passed.iter().flatten();
        passed.for_each(|event| encoder.follows(event, true));
    }

    /// Where the first event ends, if it is there. One that outgrows all measure is not waited for: the chain refuses it.
    fn next_event(&mut self) -> Option<usize> {
        // An end may have begun in what was searched before.
        let from = std::mem::take(&mut self.searched).saturating_sub(2);
        let end = event_end(self.tail.get(from..).unwrap_or_default());
        if end.is_none() && self.tail.len() <= DEFAULT_MAX_EVENT + 1 {
            self.searched = self.tail.len();
            return None;
        }
        Some(end.map_or(self.tail.len(), |end| from + end))
    }

    /// Takes whole events one by one, so that each can go out as it came.
    fn copy(&mut self, chunk: &[u8]) {
        self.tail.extend_from_slice(chunk);
        while !self.is_over() {
            let Some(end) = self.next_event() else {
                break;
            };
            let event = self.tail.split_to(end).freeze();
            self.chain.push(event.clone(), &mut self.events);
            self.judge(event);
        }
    }

    /// Settles what becomes of bytes that went through the chain.
    fn judge(&mut self, raw: Bytes) {
        let has_fault = self.chain.fault().is_some();
        let is_behind = self.chain.is_behind();
        let (Some(echo), Some(pieces)) = (self.chain.echo(), &mut self.pieces) else {
            return;
        };
        match echo.named(raw) {
            Some(raw) => pieces.came(&raw),
            None => echo.give_up(),
        }
        let verdict = if has_fault {
            Verdict::Changed
        } else {
            echo.verdict(is_behind)
        };
        pieces.judged(verdict, self.events.len());
    }

    /// What is left when the upstream's stream is over, and the wire's last word if only that is missing.
    fn copy_end(&mut self, end: &End) {
        let rest = self.tail.split().freeze();
        self.chain.push(rest.clone(), &mut self.events);
        self.chain.flush(&mut self.events);
        let has_said_end = self.chain.is_done();
        self.chain.end(end, &mut self.events);
        let is_clean = *end == End::Clean && rest.is_empty();
        let mut rest = BytesMut::from(&rest[..]);
        if !has_said_end && self.chain.is_done() {
            rest.extend_from_slice(bridge::missing_last_word(self.wire, is_clean));
        }
        self.judge(rest.freeze());
    }

    /// The observer found a fault that the upstream does not know of: nothing of what comes now may reach the client.
    fn is_withheld(&self) -> bool {
        self.chain.fault().is_some_and(|failure| !is_said(failure))
    }

    fn finish(&mut self, end: &End) {
        self.is_ended = true;
        if self.lane == Lane::Translate && self.pieces.is_some() {
            return self.copy_end(end);
        }
        if self.lane == Lane::Translate {
            return self.chain.end(end, &mut self.events);
        }
        let rest = self.tail.split().freeze();
        self.chain.push(rest.clone(), &mut self.events);
        self.chain.flush(&mut self.events);
        let has_said_end = self.chain.is_done();
        self.chain.end(end, &mut self.events);
        self.events.clear();
        if has_said_end {
            // An upstream may leave out the last blank line.
            self.raw.extend_from_slice(&rest);
        } else if self.chain.is_done() {
            // Everything is there but the wire's last word.
            let is_clean = *end == End::Clean && rest.is_empty();
            self.raw
                .extend_from_slice(bridge::missing_last_word(self.wire, is_clean));
        }
    }

    fn has_output(&self) -> bool {
        match &self.pieces {
            Some(pieces) => !pieces.is_empty(),
            None => !self.raw.is_empty() || !self.events.is_empty(),
        }
    }

    /// A translated reply is over with its last event; one that passes through has bytes until its body ends.
    fn is_over(&self) -> bool {
        match self.lane {
            Lane::Translate => self.chain.is_done() || self.chain.fault().is_some(),
            Lane::Passthrough => self.is_ended || self.is_withheld(),
        }
    }

    fn output(&mut self, encoder: Option<&mut (dyn StreamEncoder + 'static)>) -> Bytes {
        match encoder {
            Some(encoder) if self.lane == Lane::Translate => {
                match &mut self.pieces {
                    Some(pieces) => pieces.write(&mut self.events, encoder, &mut self.written),
                    None => encode(&mut self.events, encoder, &mut self.written),
                }
                if self.written.len() > WRITE_TARGET {
                    return std::mem::take(&mut self.written).into();
                }
                // One allocation, of just what it takes: it may have to wait for its client.
                let out = Bytes::copy_from_slice(&self.written);
                self.written.clear();
                self.written.shrink_to(WRITTEN_ROOM);
                out
            }
            Some(_) | None => self.raw.split().freeze(),
        }
    }
}

/// Whether a failure of a stream was said by the upstream, in the stream; the others were found by us.
const fn is_said(failure: &Failure) -> bool {
    !matches!(
        failure.kind,
        FailureKind::BrokenToolCall
            | FailureKind::EmptyReply
            | FailureKind::Malformed
            | FailureKind::Truncated
            | FailureKind::Timeout
    )
}

/// Where the first event ends: behind its blank line.
fn event_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'\n', b'\r', bytes).find_map(|at| match bytes.get(at..)? {
        [b'\n', b'\n', ..] | [b'\r', b'\r', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn timed_out(limit: &str, after: Duration) -> Failure {
    Failure::new(
        FailureKind::Timeout,
        format!(
            "the upstream sent nothing for {} s (`timeouts.{limit}`)",
            after.as_secs()
        ),
    )
}
