//! What every wire's files have in common: the shapes that requests and replies are decoded into and encoded from.

use std::ops::Range;

use bytestring::ByteString;

use crate::json::{Doc, Text, Value};
use crate::turn::{Event, Failure, Losses, Params, SealKey, Turn};
use crate::{Wire, chat};

/// A decoded request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The conversation.
    pub turn: Turn,
    /// The parameters.
    pub params: Params,
}

impl Decoded {
    /// Whether a member that the hub keeps only to copy it on its own wire is wholly told by the parameters, too: then
    /// another wire loses nothing by it.
    pub(crate) fn tells(&self, key: &str, raw: &ByteString) -> bool {
        is_told(self.turn.origin, key, raw)
    }
}

/// The same for a member of this wire.
pub(crate) fn is_told(origin: Wire, key: &str, raw: &ByteString) -> bool {
    origin == Wire::Chat && chat::is_told(key, raw)
}

/// A request that another one may have been scanned like, and what it was decoded to.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// The document.
    pub doc: &'k Doc,
    /// What it was decoded to, with nothing changed.
    pub decoded: &'k Decoded,
}

impl<'k> Known<'k> {
    /// Whether this value is its member of that name.
    pub(crate) fn has(&self, name: &str, value: Value<'_>) -> bool {
        let own = self.doc.root().get(name);
        own.is_some_and(|own| own.is_same(value))
    }

    /// What the first items of its member of that name were `decoded` to, one to one, as far as an array begins with the
    /// same items.
    pub(crate) fn same_items<'a, T>(
        &self,
        name: &str,
        array: Value<'a>,
        decoded: &'a [T],
    ) -> impl Iterator<Item = &'a T>
    where
        'k: 'a,
    {
        let own = self.doc.root().get(name);
        let own = own.into_iter().flat_map(Value::items);
        let both = own.zip(array.items()).zip(decoded);
        both.take_while(|((own, other), _)| own.is_same(*other))
            .map(|(_, decoded)| decoded)
    }
}

/// An encoded request or reply, and what could not be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The JSON body.
    pub body: Vec<u8>,
    /// What was left out, by its path in the client's document.
    pub losses: Losses,
}

/// What a glance at a request tells, for every lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peek {
    /// The model asked for.
    pub model: Text,
    /// Byte range of the model's JSON string in the body, quotes included; `None` where the wire names the model elsewhere.
    pub model_span: Option<Range<usize>>,
    /// Whether the reply is to be streamed.
    pub stream: bool,
    /// The client's session, where the body tells it (`metadata.user_id`, `prompt_cache_key`).
    pub session: Option<Text>,
    /// Whether the body declares tools.
    pub has_tools: bool,
    /// Whether thinking is asked for.
    pub has_thinking: bool,
}

/// The upstream an encoder of requests writes for.
#[derive(Debug, Clone)]
pub struct UpstreamContext<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// Opens the seals that this upstream made.
    pub seal: &'a SealKey,
}

/// The exchange an encoder of replies writes for.
#[derive(Debug, Clone)]
pub struct ReplyContext {
    /// The exchange's id (UUID text); message ids derive from it.
    pub exchange: String,
    /// The model as the client asked for it.
    pub model: Text,
    /// When the exchange began, in seconds since 1970.
    pub created: u64,
    /// Input tokens, estimated before the upstream tells.
    pub input_estimate: u64,
}

/// Writes a reply as its wire's stream. Total: every sequenced event has an encoding, if only an empty one.
pub trait StreamEncoder: Send {
    /// Writes what may go out before the first content, once: the stream is open, the reply is still to come.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Writes something that keeps the connection alive and changes nothing.
    fn keep_alive(&mut self, out: &mut Vec<u8>);

    /// Writes something that changes nothing, but that the client's parser takes for an event of the reply where the
    /// grammar has such a thing: some clients' watchdogs do not count pings.
    fn nudge(&mut self, out: &mut Vec<u8>) {
        self.keep_alive(out);
    }

    /// Writes one event of a sequenced reply.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Events of the upstream's own stream go out as they came, some of them: what is written between and behind them must
    /// look like more of the same stream. `is_copied`: this one goes out.
    fn follows(&mut self, event: &[u8], is_copied: bool) {
        let _ = (event, is_copied);
    }

    /// Writes the wire's error event: the reply ends here and is not complete.
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>);
}
