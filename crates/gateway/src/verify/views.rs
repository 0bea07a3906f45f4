//! One reply, read by two chains from the same bytes: the wire's decoder alone, and all that a real attempt has.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use lingate_quirk::{State, Target, select};
use lingate_wire::stage::End;
use lingate_wire::turn::{Event, Failure, FailureKind};
use lingate_wire::{Wire, bridge};
use tokio::time::{Instant, timeout};

use super::Verified;
use super::seen::{Seer, Tools};
use crate::clock;
use crate::exchange::upstream::Upstream;
use crate::relay::chain::Chain;
use crate::upstream::body::{UpstreamBody, WHOLE_CAP};

/// How long a host may take to end a stream whose reply is complete.
const GRACE: Duration = Duration::from_secs(3);

/// One reply, read by two chains.
pub(super) struct Views {
    started: Instant,
    first_content: Option<Duration>,
    duration: Duration,
    raw: View,
    repaired: View,
}

struct View {
    chain: Box<Chain>,
    seer: Seer,
    events: Vec<Event>,
}

impl View {
    fn new(chain: Box<Chain>) -> Self {
        Self {
            chain,
            seer: Seer::default(),
            events: Vec::new(),
        }
    }

    fn push(&mut self, chunk: Bytes) {
        self.chain.push(chunk, &mut self.events);
        self.seer.take(&mut self.events);
    }

    fn whole(&mut self, reply: Vec<Event>) {
        self.chain.whole(reply, &mut self.events);
        self.end(&End::Clean);
    }

    fn end(&mut self, end: &End) {
        self.chain.end(end, &mut self.events);
        self.seer.take(&mut self.events);
    }

    fn is_over(&self) -> bool {
        self.chain.is_done() || self.chain.fault().is_some()
    }
}

impl Views {
    pub(super) fn new(raw: Box<Chain>, repaired: Box<Chain>) -> Self {
        Self {
            started: clock::now(),
            first_content: None,
            duration: Duration::ZERO,
            raw: View::new(raw),
            repaired: View::new(repaired),
        }
    }

    /// Reads the whole reply, streamed or not, whatever was asked for.
    pub(super) async fn read(
        &mut self,
        wire: Wire,
        mut body: UpstreamBody,
        idle: Option<Duration>,
    ) -> Result<(), Failure> {
        let first = body.chunk().await.transpose()?.unwrap_or_default();
        if first.trim_ascii_start().starts_with(b"{") {
            let bytes = body.whole_behind(first, WHOLE_CAP).await?;
            let text = ByteString::try_from(bytes).map_err(|_| {
                Failure::new(FailureKind::Malformed, "the reply is not valid UTF-8")
            })?;
            let reply = bridge::decode_response(wire, &text)?;
            self.raw.whole(reply.clone());
            self.repaired.whole(reply);
        } else {
            self.take(first);
            let end = loop {
                if self.raw.is_over() {
                    break End::Clean;
                }
                let is_complete = self.raw.chain.is_complete();
                let limit = if is_complete { Some(GRACE) } else { idle };
                let chunk = match limit {
                    Some(limit) => timeout(limit, body.chunk()).await.ok(),
                    None => Some(body.chunk().await),
                };
                match chunk {
                    Some(Some(Ok(chunk))) => self.take(chunk),
                    Some(None) => break End::Clean,
                    None if is_complete => break End::Clean,
                    Some(Some(Err(failure))) => break End::Broken(failure),
                    None => break End::Broken(silent("the stream fell silent".to_owned())),
                }
            };
            self.raw.end(&end);
            self.repaired.end(&end);
        }
        self.duration = self.started.elapsed();
        Ok(())
    }

    fn take(&mut self, chunk: Bytes) {
        self.raw.push(chunk.clone());
        self.repaired.push(chunk);
        if self.first_content.is_none() && self.raw.chain.has_content() {
            self.first_content = Some(self.started.elapsed());
        }
    }

    /// What was seen, if the provider's own reply came to its end.
    pub(super) fn verified(
        self,
        tools: &Tools,
        hits: &[&'static str],
    ) -> Result<Verified, Failure> {
        let Self { raw, repaired, .. } = self;
        if let Some(failure) = raw.chain.fault() {
            return Err(failure.clone());
        }
        let tally = repaired.chain.tally();
        let mut quirks = hits.to_vec();
        for quirk in &tally.hits {
            if !quirks.contains(quirk) {
                quirks.push(quirk);
            }
        }
        Ok(Verified {
            first_content: self.first_content,
            duration: self.duration,
            output_tokens: raw.chain.tally().usage.output,
            quirks,
            raw: raw.seer.seen(tools, None),
            repaired: repaired.seer.seen(tools, repaired.chain.fault()),
        })
    }
}

/// The wire's decoder and nothing behind it, but for the names of tools that the request had to change.
pub(super) fn raw_chain(upstream: &Upstream<'_>, state: Option<&State>) -> Box<Chain> {
    let target = Target {
        provider: &upstream.provider.id,
        host: &upstream.host,
        model: &upstream.model,
        wire: upstream.wire,
    };
    let no_quirks = select(&[], &target);
    let stages = state.map(|state| no_quirks.stages(state));
    Chain::new(
        bridge::stream_decoder(upstream.wire),
        stages.unwrap_or_default(),
    )
}

/// The provider said nothing for too long.
pub(super) fn silent(message: String) -> Failure {
    Failure::new(FailureKind::Timeout, message)
}
