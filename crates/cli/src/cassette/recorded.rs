//! What stands in a cassette.

use lingate_store::Header;
use serde::{Deserialize, Serialize};

use super::Content;

/// The format that this build writes, and the newest that it reads.
pub(crate) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// The format's version; the member's name tells a cassette from other files.
    pub(crate) lingate_cassette: u32,
    /// Which lingate wrote it.
    #[serde(default)]
    pub(crate) version: String,
    /// When, RFC 3339.
    #[serde(default)]
    pub(crate) made: String,
    /// How many exchanges follow.
    #[serde(default)]
    pub(crate) exchanges: usize,
    /// Whether texts were replaced by filler.
    #[serde(default)]
    pub(crate) redacted_texts: bool,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Recorded {
    pub(crate) id: String,
    /// When it was accepted, RFC 3339.
    pub(crate) time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<String>,
    pub(crate) client: Client,
    /// What was asked of providers, in order.
    pub(crate) attempts: Vec<Sent>,
}

/// The client's side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Client {
    /// The wire's name.
    pub(crate) wire: String,
    pub(crate) path: String,
    /// The model as asked.
    pub(crate) model: String,
    pub(crate) request_headers: Vec<Header>,
    pub(crate) request: Option<Content>,
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: Vec<Header>,
    pub(crate) response: Option<Content>,
}

/// One request to one provider, and what it answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    pub(crate) provider: String,
    /// The model as the provider knows it.
    pub(crate) model: String,
    /// The wire's name.
    pub(crate) wire: String,
    /// Method and address, without query.
    pub(crate) url: String,
    pub(crate) request_headers: Vec<Header>,
    pub(crate) request: Option<Content>,
    /// `None` if no answer came.
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: Vec<Header>,
    pub(crate) response: Option<Content>,
    /// Microseconds from sending to the answer's head.
    pub(crate) head_us: u64,
    /// When its pieces came: where each ends in the body, and microseconds from sending.
    pub(crate) arrivals: Vec<(u64, u64)>,
    /// Whether the answer broke off, or nobody waited for its end.
    pub(crate) is_cut: bool,
}
