//! Recorded exchanges, run again: what would the client get today?
//!
//! A replay is the exchange itself (`exchange::run`), not a second pipeline. It gets the recorded id, from which everything
//! that is minted derives, the recorded request, and in place of the network a [`Script`]: whom each attempt asked, what
//! came back, and when. Time is virtual, so that keep-alives, the early head of a slow stream and limits on silence come
//! out as they did, in no time. Nothing leaves the process: there are no connections ([`Clients::none`]).
//!
//! Bodies are compared byte for byte. Masked secrets, and the pace at which a client read, make no difference.
//!
//! [`Clients::none`]: crate::upstream::client::Clients

mod compare;
mod performed;
pub(crate) mod recorded;
mod script;

use std::fmt;
use std::io;
use std::sync::Arc;

use lingate_config::Config;
use lingate_store::{Header, Mask};

use performed::{Pace, Performed};
pub use recorded::Recorded;
pub(crate) use script::{Script, Step};

/// Runs recorded exchanges with one configuration.
pub struct Replay {
    config: Arc<Config>,
    mask: Mask,
}

/// What became of one exchange.
#[derive(Debug)]
pub struct Replayed {
    /// How it compares.
    pub outcome: Outcome,
    /// What the client would get today; empty where it cannot be told.
    pub answer: Answer,
}

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status; none if the client was gone before.
    pub status: Option<u16>,
    /// Headers by the record's allow-list.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a replay compares with the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The client would get the same.
    Same,
    /// The client would get something else.
    Changed(Change),
    /// It cannot be told.
    Cannot(Reason),
}

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is in.
    pub place: Place,
    /// What was there.
    pub recorded: String,
    /// What is there now.
    pub now: String,
}

/// What a difference is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The exchange goes another way: other attempts are made.
    Attempts,
    /// The status.
    Status,
    /// A header of the answer.
    Header(String),
    /// The body, at a byte offset of the recorded one, within an event of a stream (from 1).
    Body {
        /// The offset.
        offset: usize,
        /// The event.
        event: Option<usize>,
    },
}

/// Why an exchange cannot be run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It counted tokens, which depends on what was learnt until then.
    Count,
    /// It has not ended.
    Running,
    /// The gateway died under it.
    Killed,
    /// Its bodies were not kept, for want of room too, or are no longer there.
    NotKept,
    /// The end of a body was not kept: it was larger than what is kept of one, or there was no room for it.
    NotWhole,
    /// Its request never came in whole, or was not let in.
    NoRequest,
    /// The path leads nowhere today.
    Path(String),
    /// The provider is not configured, or is disabled, or has no key.
    Provider(String),
    /// The provider is asked on another wire.
    Wire {
        /// The provider.
        provider: String,
        /// The wire that was recorded.
        then: String,
        /// The wire of today.
        now: String,
    },
    /// The provider has fewer keys.
    Key(String),
    /// The client's key is not configured.
    ClientKey(String),
    /// It does not end, whatever the time.
    Endless,
    /// The machine has no room for it.
    Machine(String),
}

impl Replay {
    /// For exchanges as this configuration would serve them. `mask` hides what the record hides.
    #[must_use]
    pub const fn new(config: Arc<Config>, mask: Mask) -> Self {
        Self { config, mask }
    }

    /// Runs an exchange again. Blocks, on a runtime of its own: not for an async task's thread.
    #[must_use]
    pub fn replay(&self, recorded: &Recorded) -> Replayed {
        let eager = match self.perform(recorded, Pace::Eager) {
            Ok(performed) => performed,
            Err(reason) => {
                return Replayed {
                    outcome: Outcome::Cannot(reason),
                    answer: Answer::default(),
                };
            }
        };
        let Some(change) = self.change(recorded, &eager) else {
            return eager.into_replayed(Outcome::Same);
        };
        // A client that does not read gets fewer keep-alives.
        if let Ok(paced) = self.perform(recorded, Pace::Recorded)
            && self.change(recorded, &paced).is_none()
        {
            return paced.into_replayed(Outcome::Same);
        }
        eager.into_replayed(Outcome::Changed(change))
    }

    fn perform(&self, recorded: &Recorded, pace: Pace) -> Result<Performed, Reason> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error: io::Error| Reason::Machine(error.to_string()))?;
        runtime.block_on(performed::perform(&self.config, recorded, pace))
    }

    /// The first difference to what was recorded.
    fn change(&self, recorded: &Recorded, performed: &Performed) -> Option<Change> {
        if let Some(departure) = &performed.departure {
            return Some(Change {
                place: Place::Attempts,
                recorded: format!("{} attempts", recorded.exchange.attempts),
                now: departure.clone(),
            });
        }
        let answer = &performed.answer;
        let is_open_ended = recorded.is_open_ended();
        let told = |status: Option<u16>| status.map_or_else(String::new, |own| own.to_string());
        let (then, now) = (recorded.exchange.status, answer.status);
        if then != now && !(is_open_ended && (then.is_none() || now.is_none())) {
            return Some(Change {
                place: Place::Status,
                recorded: told(then),
                now: told(now),
            });
        }
        let body = self.mask.bytes(&answer.body);
        let is_prefix = is_open_ended;
        if let Some((at, at_now)) = compare::difference(&recorded.answer, &body, is_prefix) {
            return Some(Change {
                place: Place::Body {
                    offset: at,
                    event: compare::event(&recorded.answer, at),
                },
                recorded: compare::around(&recorded.answer, at),
                now: compare::around(&body, at_now),
            });
        }
        let is_headless = then.is_none() || now.is_none();
        (!is_headless)
            .then(|| self.header(recorded, answer))
            .flatten()
    }

    /// The first header that differs.
    fn header(&self, recorded: &Recorded, answer: &Answer) -> Option<Change> {
        let then = &recorded.details.client_response_headers;
        let value = |headers: &[Header], name: &str| {
            let mut own = headers.iter().filter(|own| own.0 == name);
            own.next().map(|own| own.1.clone())
        };
        let names = then.iter().chain(&answer.headers).map(|own| &own.0);
        let mut names = names.filter(|name| !is_of_the_moment(name));
        names.find_map(|name| {
            let then = value(then, name).unwrap_or_default();
            let now = value(&answer.headers, name).unwrap_or_default();
            let now = self.mask.text(&now).into_owned();
            compare::difference(then.as_bytes(), now.as_bytes(), false)?;
            // What is no text is not kept, and cannot be told from nothing.
            if then.is_empty() && name == "content-type" {
                return None;
            }
            // A header that held a key was not passed on, and its mask is no key.
            if compare::is_masked(&now) && !compare::is_masked(&then) {
                return None;
            }
            Some(Change {
                place: Place::Header(name.to_string()),
                recorded: then.to_string(),
                now,
            })
        })
    }
}

/// Headers that tell of the moment, and not of the exchange.
fn is_of_the_moment(name: &str) -> bool {
    matches!(name, "x-lingate-overhead-us" | "date") || name.starts_with("x-lingate-budget")
}

impl Reason {
    /// A word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Running => "running",
            Self::Killed => "killed",
            Self::NotKept => "not_kept",
            Self::NotWhole => "not_whole",
            Self::NoRequest => "no_request",
            Self::Path(_) => "path",
            Self::Provider(_) => "provider",
            Self::Wire { .. } => "wire",
            Self::Key(_) => "key",
            Self::ClientKey(_) => "client_key",
            Self::Endless => "endless",
            Self::Machine(_) => "machine",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => out.write_str("a count of tokens depends on what was learnt until then"),
            Self::Running => out.write_str("it has not ended"),
            Self::Killed => out.write_str("the gateway died under it"),
            Self::NotKept => {
                out.write_str("its bodies were not kept (`record.bodies`, `record.keep_days`, or there was no room)")
            }
            Self::NotWhole => out.write_str(
                "a body was not kept whole: it was larger than 32 MiB, or there was no room for it",
            ),
            Self::NoRequest => out.write_str("its request never came in whole, or was not let in"),
            Self::Path(path) => write!(out, "`{path}` leads nowhere"),
            Self::Provider(id) => write!(
                out,
                "provider `{id}` is not configured, or is disabled, or has no key"
            ),
            Self::Wire {
                provider,
                then,
                now,
            } => write!(
                out,
                "provider `{provider}` is asked on the wire `{now}`, and was on `{then}`"
            ),
            Self::Key(label) => write!(out, "key `{label}` is not configured"),
            Self::ClientKey(name) => write!(out, "client key `{name}` is not configured"),
            Self::Endless => out.write_str("it does not end"),
            Self::Machine(why) => write!(out, "there is no room for it: {why}"),
        }
    }
}
