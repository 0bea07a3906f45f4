//! The row of an exchange.

use jiff::Timestamp;
use lingate_wire::Wire;
use lingate_wire::turn::Usage;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::shape;

/// No exchange has more tokens of a kind: an upstream that says so is wrong, and would spoil every sum it is part of.
pub(crate) const MOST_TOKENS: u64 = 1 << 40;

/// No exchange costs more, in millionths of a dollar.
pub(crate) const MOST_COST: i64 = 1 << 50;

/// An exchange as lists show it. Serialised it is a record of the command line's `--json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Exchange {
    /// UUIDv7: ids sort by time.
    #[schemars(with = "shape::Id")]
    pub id: Uuid,
    /// When the request was accepted; kept to the millisecond.
    #[serde(serialize_with = "time")]
    #[schemars(with = "shape::Time")]
    pub time: Timestamp,
    /// The wire the client spoke.
    #[serde(serialize_with = "wire")]
    #[schemars(with = "Option<shape::WireName>")]
    pub client_wire: Option<Wire>,
    /// The wire of the provider that served.
    #[serde(serialize_with = "wire")]
    #[schemars(with = "Option<shape::WireName>")]
    pub upstream_wire: Option<Wire>,
    /// `passthrough` or `translated`.
    pub lane: Option<String>,
    /// The path that was asked, without profile and query.
    pub path: String,
    /// The model, as asked.
    pub model: String,
    /// The model that served, as its provider knows it.
    pub upstream_model: Option<String>,
    /// The provider that served.
    pub provider: Option<String>,
    /// The status that was sent.
    pub status: Option<u16>,
    /// How it ended; `None` while it runs.
    pub end: Option<End>,
    /// How many upstream requests were made.
    pub attempts: u16,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Tokens of all attempts.
    #[serde(serialize_with = "usage")]
    #[schemars(with = "shape::Tokens")]
    pub usage: Usage,
    /// What they cost in millionths of a dollar; `None` is "unpriced", which is not nothing.
    pub cost_micro_usd: Option<i64>,
    /// How that is paid for; `None` where no upstream was asked, and in rows of earlier versions.
    pub billing: Option<Billing>,
    /// What of it is billed and counts against budgets, in millionths of a dollar: what is priced of the attempts that no
    /// subscription pays for. `None` in rows of earlier versions, where it is the cost.
    pub billed_micro_usd: Option<i64>,
    /// From accept to the last byte.
    pub duration_ms: Option<u64>,
    /// From accept to the first content.
    pub ttft_ms: Option<u64>,
    /// The gateway's own time before the upstream was called, in microseconds.
    pub overhead_us: Option<u64>,
    /// From accept to the moment from which the answer could not be taken back.
    pub commit_ms: Option<u64>,
    /// The conversation it belongs to.
    pub session: Option<String>,
    /// The agent within the conversation.
    pub agent: Option<String>,
    /// `main`, `subagent` or `auxiliary`.
    pub class: Option<String>,
    /// The profile it was asked under.
    pub profile: Option<String>,
    /// The name of the client's key.
    pub key: Option<String>,
    /// Why the model stopped, in the hub's words.
    pub stop: Option<String>,
    /// The class of what went wrong.
    pub error_kind: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of the answer's text; at most 200 characters.
    pub preview: Option<String>,
    /// Tools the answer calls, each once.
    pub tools: Vec<String>,
    /// Quirks that changed something, each once.
    pub quirks: Vec<String>,
    /// What somebody should look at, each once: `loop`, `budget`.
    pub warnings: Vec<String>,
    /// How many losses a translation had.
    pub losses: u32,
    /// What of it was kept.
    pub kept: Kept,
    /// When it ended.
    #[serde(skip)]
    pub ended: Option<Timestamp>,
    /// The place in the order of ending, from 1; set by the store, 0 while it runs.
    pub closed: i64,
    /// The row's number, set by the store.
    pub number: i64,
}

impl Exchange {
    /// Whether all went well: answered, with a status that is no error.
    #[must_use]
    pub fn went_well(&self) -> bool {
        self.end == Some(End::Answered)
            && self.status.is_some_and(|status| status < 400)
            && self.error_kind.is_none()
    }

    /// Forgets counts that no reply can have, and a cost that is made of them or is none itself.
    pub(crate) fn drop_implausible(&mut self) {
        let usage = &mut self.usage;
        let mut is_plausible = self.cost_micro_usd.is_none_or(|cost| cost <= MOST_COST);
        for count in [
            &mut usage.input,
            &mut usage.cache_read,
            &mut usage.cache_write_5m,
            &mut usage.cache_write_1h,
            &mut usage.output,
            &mut usage.reasoning,
        ] {
            is_plausible &= count.is_none_or(|count| count <= MOST_TOKENS);
            *count = count.filter(|count| *count <= MOST_TOKENS);
        }
        self.cost_micro_usd = self.cost_micro_usd.filter(|_| is_plausible);
        self.billed_micro_usd = self.billed_micro_usd.filter(|_| is_plausible);
    }

    /// Whether it cost what nobody knows. What is open, was refused, counted tokens or got no reply cost nothing.
    // Rows are asked the same by `super::unpriced`.
    #[must_use]
    pub fn is_unpriced(&self) -> bool {
        let path = self.path.to_ascii_lowercase();
        let is_count = path.ends_with("/count_tokens") || path.ends_with(":counttokens");
        let is_reply = self.tokens().is_some() || self.went_well();
        self.cost_micro_usd.is_none() && is_reply && self.end.is_some() && !is_count
    }

    /// Tokens in and out, as far as they were told.
    pub(crate) fn tokens(&self) -> Option<u64> {
        match (self.usage.total_input(), self.usage.output) {
            (Some(input), Some(output)) => Some(input.saturating_add(output)),
            (input, output) => input.or(output),
        }
    }

    /// What it weighs in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        let texts = [
            &self.lane,
            &self.upstream_model,
            &self.provider,
            &self.session,
            &self.agent,
            &self.error,
            &self.preview,
        ];
        let texts: usize = texts
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len))
            .sum();
        size_of::<Self>() + texts + self.model.len() + 64 * (self.tools.len() + self.quirks.len())
    }
}

/// How an exchange is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    /// By the token, at the list price.
    Metered,
    /// By a subscription: the list price is what it would have been.
    Subscription,
}

impl Billing {
    /// The name used in rows and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metered => "metered",
            Self::Subscription => "subscription",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Metered, Self::Subscription];
        all.into_iter().find(|billing| billing.name() == name)
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The client has its whole answer, be it an error.
    Answered,
    /// Broken off after content had been sent.
    Broken,
    /// The client left.
    ClientGone,
    /// The gateway was ended in order.
    Shutdown,
    /// A fault of the gateway.
    Panic,
    /// The gateway died; found at the next start.
    Killed,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Broken,
        Self::ClientGone,
        Self::Shutdown,
        Self::Panic,
        Self::Killed,
    ];

    /// The name used in rows, filters and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Broken => "broken",
            Self::ClientGone => "client_gone",
            Self::Shutdown => "shutdown",
            Self::Panic => "panic",
            Self::Killed => "killed",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// What of an exchange was kept, when not everything could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// All that was asked for.
    #[default]
    All,
    /// The row and its details; bodies had to go.
    Row,
    /// Times, status, tokens and cost.
    Numbers,
}

impl Kept {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Row => "row",
            Self::Numbers => "numbers",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        match name {
            "row" => Self::Row,
            "numbers" => Self::Numbers,
            _ => Self::All,
        }
    }
}

/// A time as `--json` shows it: RFC 3339, in UTC.
pub(crate) fn time<S: Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("{time:.3}"))
}

/// The same of a time that may be missing.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(crate) fn maybe_time<S: Serializer>(
    time: &Option<Timestamp>,
    out: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(known) => self::time(known, out),
        None => out.serialize_none(),
    }
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn wire<S: Serializer>(wire: &Option<Wire>, out: S) -> Result<S::Ok, S::Error> {
    wire.map(Wire::name).serialize(out)
}

/// Tokens as `--json` shows them.
pub(crate) fn usage<S: Serializer>(usage: &Usage, out: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap as _;
    let mut map = out.serialize_map(Some(6))?;
    map.serialize_entry("input", &usage.input)?;
    map.serialize_entry("cache_read", &usage.cache_read)?;
    map.serialize_entry("cache_write_5m", &usage.cache_write_5m)?;
    map.serialize_entry("cache_write_1h", &usage.cache_write_1h)?;
    map.serialize_entry("output", &usage.output)?;
    map.serialize_entry("reasoning", &usage.reasoning)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_that_were_told() {
        for (input, output, expected) in [
            (None, None, None),
            (Some(5), None, Some(5)),
            (None, Some(3), Some(3)),
            (Some(5), Some(3), Some(8)),
            (Some(u64::MAX), Some(1), Some(u64::MAX)),
        ] {
            let usage = Usage {
                input,
                output,
                ..Usage::default()
            };
            let exchange = Exchange {
                usage,
                ..Exchange::default()
            };
            assert_eq!(exchange.tokens(), expected);
        }
    }
}
