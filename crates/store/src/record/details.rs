//! What is shown of one exchange and not in lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Stood;

/// The details of an exchange. Everything may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Details {
    /// Headers of the client's request, by the allow-list ([`crate::headers`]).
    pub client_request_headers: Vec<Header>,
    /// Headers of the answer to the client.
    pub client_response_headers: Vec<Header>,
    /// What was asked of upstreams, in order.
    pub attempts: Vec<Attempt>,
    /// What quirks changed.
    pub hits: Vec<Hit>,
    /// Cases that were noticed in the reply and left as they are.
    pub noticed: Vec<String>,
    /// What a translation could not carry, by its path in the document.
    pub losses: Vec<String>,
    /// When what happened.
    pub timings: Vec<Mark>,
    /// The provider's own account of tokens, as JSON text.
    pub usage_raw: Option<String>,
    /// What the cost was counted with.
    pub price: Option<Price>,
    /// What a replay has to know besides the bodies.
    #[serde(skip_serializing_if = "Stood::is_empty")]
    pub stood: Stood,
}

/// Details hold no more than this, in bytes of JSON; larger ones are not kept.
pub(crate) const MAX_DETAILS: usize = 16 << 20;

impl Details {
    /// About how much memory they take, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let some = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let headers = |headers: &[Header]| -> usize {
            let each = headers
                .iter()
                .map(|Header(name, value)| name.len() + value.len());
            each.sum::<usize>() + size_of_val(headers)
        };
        let attempts = self.attempts.iter().map(|attempt| {
            let texts = attempt.url.len() + some(&attempt.error);
            texts + headers(&attempt.request_headers) + headers(&attempt.response_headers)
        });
        let hits = self
            .hits
            .iter()
            .map(|hit| hit.quirk.len() + some(&hit.place) + some(&hit.before) + some(&hit.after));
        let texts = self.noticed.iter().chain(&self.losses);
        headers(&self.client_request_headers)
            + headers(&self.client_response_headers)
            + attempts.sum::<usize>()
            + hits.sum::<usize>()
            + texts.map(String::len).sum::<usize>()
            + (self.timings.iter().map(|mark| mark.what.len())).sum::<usize>()
            + some(&self.usage_raw)
            + size_of_val(&*self.attempts)
            + size_of_val(&*self.hits)
            + size_of_val(&*self.noticed)
            + size_of_val(&*self.losses)
            + size_of_val(&*self.timings)
            + size_of_val(&*self.stood.attempts)
            + size_of::<Self>()
    }
}

/// A header, name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header(pub SmolStr, pub SmolStr);

/// One request to one upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Attempt {
    /// From 1.
    pub number: u16,
    /// Whom.
    pub provider: SmolStr,
    /// The model as the provider knows it.
    pub model: SmolStr,
    /// The provider's wire.
    pub wire: SmolStr,
    /// `passthrough` or `translated`.
    pub lane: SmolStr,
    /// Which of the provider's keys, as `provider#index`.
    pub key: Option<String>,
    /// Method and address, without query.
    pub url: String,
    /// Headers that went out, by the allow-list.
    pub request_headers: Vec<Header>,
    /// What the provider answered.
    pub status: Option<u16>,
    /// Headers that came back, by the allow-list.
    pub response_headers: Vec<Header>,
    /// Why it was made: `first`, or what the one before lacked.
    pub reason: SmolStr,
    /// `served`, `failed`, `continued` or `aborted`.
    pub outcome: SmolStr,
    /// What was wrong with it.
    pub error: Option<String>,
    /// Microseconds from accept to its start.
    pub started_us: u64,
    /// Microseconds from accept to its end.
    pub ended_us: Option<u64>,
}

/// A quirk that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Hit {
    /// The quirk's name.
    pub quirk: String,
    /// The attempt.
    pub attempt: u16,
    /// Where in the body: a path in a request, a byte offset in a stream.
    pub place: Option<String>,
    /// How it read.
    pub before: Option<String>,
    /// How it reads now.
    pub after: Option<String>,
}

/// A moment of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// What happened: `body_read`, `sent`, `headers`, `first_byte`, `commit`, `last_byte`, ...
    pub what: SmolStr,
    /// Microseconds since the exchange was accepted.
    pub at_us: u64,
}

/// What a cost was counted with: micro-dollars for a million tokens each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Price {
    /// The table, by its date or address.
    pub table: String,
    /// The model's name in the table.
    pub model: String,
    /// Fresh input.
    pub input: Option<u64>,
    /// Input read from a cache.
    pub cache_read: Option<u64>,
    /// Input written to the five-minute cache.
    pub cache_write_5m: Option<u64>,
    /// Input written to the one-hour cache.
    pub cache_write_1h: Option<u64>,
    /// Output, reasoning included.
    pub output: Option<u64>,
}
