//! A reply that has begun to arrive.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use lingate_wire::StreamEncoder;
use lingate_wire::bridge::Lane;
use lingate_wire::stage::End;
use lingate_wire::turn::{Event, Failure, FailureKind};
use tokio::time::Instant;

use super::chain::{Chain, Tally, encode};
use crate::clock;
use crate::upstream::body::UpstreamBody;

/// Most bytes of one write towards the client; what is ready beyond that goes out with the next.
const WRITE_TARGET: usize = 64 * 1024;

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
    body: UpstreamBody,
    chain: Chain,
    limits: Limits,
    /// Translated: events not yet written. Passthrough: the observer's, thrown away.
    events: Vec<Event>,
    /// Passthrough: bytes not yet written.
    raw: BytesMut,
    last_byte: Instant,
    last_event: Instant,
    /// The body has ended.
    is_ended: bool,
    /// The upstream itself said that the reply failed, inside the stream.
    has_said_failure: bool,
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
        body: UpstreamBody,
        chain: Chain,
        limits: Limits,
    ) -> Self {
        let now = clock::now();
        Self {
            headers,
            lane,
            body,
            chain,
            limits,
            events: Vec::new(),
            raw: BytesMut::new(),
            last_byte: now,
            last_event: now,
            is_ended: false,
            has_said_failure: false,
        }
    }

    /// A reply that was read whole, as a stream.
    pub(crate) fn of_whole(
        headers: HeaderMap,
        mut chain: Chain,
        reply: Vec<Event>,
        limits: Limits,
    ) -> Self {
        let mut events = Vec::new();
        chain.whole(reply, &mut events);
        let mut live = Self::new(headers, Lane::Translate, UpstreamBody::Empty, chain, limits);
        live.events = events;
        live
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
    pub(crate) async fn read_to_end(mut self) -> Result<(Vec<Event>, Tally), Failure> {
        while !self.chain.is_done() {
            if let Some(failure) = self.chain.fault() {
                return Err(failure.clone());
            }
            match self.body.chunk().await {
                Some(Ok(chunk)) => self.take(chunk),
                Some(Err(failure)) => self.finish(&End::Broken(failure)),
                None => self.finish(&End::Clean),
            }
        }
        Ok((std::mem::take(&mut self.events), self.chain.tally().clone()))
    }

    /// The next bytes for the client. Cancel safe: what was read stays.
    pub(crate) async fn next(
        &mut self,
        encoder: Option<&mut (dyn StreamEncoder + 'static)>,
    ) -> Next {
        while !self.has_output() && !self.is_over() {
            match self.read().await {
                Some(chunk) => self.take(chunk),
                None => break,
            }
        }
        self.take_what_is_ready();
        let bytes = self.output(encoder);
        match self.chain.fault() {
            _ if !self.is_over() => Next::Bytes(bytes),
            Some(failure) if self.has_said_failure && self.lane == Lane::Passthrough => {
                Next::Failed(bytes, failure.clone())
            }
            Some(failure) => Next::Broken(bytes, failure.clone()),
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
        let chunk = match nearest {
            Some((at, name, limit)) => tokio::time::timeout_at(at, self.body.chunk())
                .await
                .unwrap_or_else(|_elapsed| Some(Err(timed_out(name, limit)))),
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

    /// Coalesces what the upstream has ready into one write; never waits for more.
    fn take_what_is_ready(&mut self) {
        use futures_util::FutureExt as _;
        while !self.is_over() && self.raw.len() + self.events.len() * 64 < WRITE_TARGET {
            match self.body.chunk().now_or_never() {
                Some(Some(Ok(chunk))) => self.take(chunk),
                Some(Some(Err(failure))) => self.finish(&End::Broken(failure)),
                Some(None) => self.finish(&End::Clean),
                None => return,
            }
        }
    }

    fn take(&mut self, chunk: Bytes) {
        self.last_byte = clock::now();
        let before = self.events.len();
        match self.lane {
            Lane::Passthrough => {
                self.raw.extend_from_slice(&chunk);
                self.chain.push(chunk, &mut self.events);
            }
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
        self.has_said_failure = self.chain.fault().is_some();
        if self.lane == Lane::Passthrough {
            self.events.clear();
        }
    }

    fn finish(&mut self, end: &End) {
        self.is_ended = true;
        self.chain.end(end, &mut self.events);
        if self.lane == Lane::Passthrough {
            self.events.clear();
        }
    }

    fn has_output(&self) -> bool {
        !self.raw.is_empty() || !self.events.is_empty()
    }

    /// A translated reply is over with its last event; one that passes through has bytes until its body ends.
    fn is_over(&self) -> bool {
        match self.lane {
            Lane::Translate => self.chain.is_done() || self.chain.fault().is_some(),
            Lane::Passthrough => self.is_ended,
        }
    }

    fn output(&mut self, encoder: Option<&mut (dyn StreamEncoder + 'static)>) -> Bytes {
        match encoder {
            Some(encoder) if self.lane == Lane::Translate => {
                let mut out = Vec::with_capacity(self.events.len() * 160);
                encode(&mut self.events, encoder, &mut out);
                out.into()
            }
            Some(_) | None => self.raw.split().freeze(),
        }
    }
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
