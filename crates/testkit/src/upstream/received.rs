//! One request as a provider saw it, and how its answer ended.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tokio::sync::watch;

use crate::wire::Wire;

/// One recorded request.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its number among this upstream's requests, from 0.
    pub n: usize,
    /// Its number among the requests of its connection, from 0.
    pub on_connection: usize,
    /// When its last byte arrived.
    pub at: Instant,
    /// `POST`.
    pub method: String,
    /// The target as sent, query included.
    pub target: String,
    /// Names in lower case, order of equal names kept.
    pub headers: HeaderMap,
    /// The body, with chunked framing taken off.
    pub body: Bytes,
    pub(crate) ending: watch::Sender<Option<Ending>>,
}

/// How an answer ended, seen from the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every byte of the script was handed to the system.
    Sent,
    /// The script ended the connection itself (cut or reset).
    Broken,
    /// The client closed the connection before the script was through.
    HungUp {
        /// When that was noticed.
        at: Instant,
        /// Body bytes written until then.
        after_bytes: usize,
    },
}

impl Received {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The body as JSON, or null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The wire this request speaks, by its path.
    pub fn wire(&self) -> Wire {
        Wire::of_path(self.path())
    }

    /// Whether it asks for a stream.
    pub fn streams(&self) -> bool {
        match self.wire() {
            Wire::Gemini => self.path().ends_with(":streamGenerateContent"),
            Wire::Anthropic | Wire::Chat | Wire::Responses => self.json()["stream"] == true,
        }
    }

    /// The model that it names; "scripted" where it names none.
    pub fn model(&self) -> String {
        let named = match self.wire() {
            Wire::Gemini => {
                let path = self.path().rsplit('/').next();
                path.and_then(|last| last.split(':').next())
                    .map(str::to_owned)
            }
            Wire::Anthropic | Wire::Chat | Wire::Responses => {
                self.json()["model"].as_str().map(str::to_owned)
            }
        };
        named.unwrap_or_else(|| "scripted".to_owned())
    }

    /// Whether it offers a tool of this name that takes any text, which only the Responses wire has.
    pub fn offers_free_form(&self, name: &str) -> bool {
        let body = self.json();
        let mut tools = body["tools"].as_array().into_iter().flatten();
        self.wire() == Wire::Responses
            && tools.any(|tool| tool["type"] == "custom" && tool["name"] == name)
    }

    /// Waits for the end of the answer.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub async fn ending(&self, limit: Duration) -> Ending {
        let mut ending = self.ending.subscribe();
        let ended = tokio::time::timeout(limit, ending.wait_for(Option::is_some)).await;
        let ended =
            ended.unwrap_or_else(|_| panic!("answer {} had not ended after {limit:?}", self.n));
        ended
            .ok()
            .and_then(|ending| *ending)
            .expect("an ending is set once, by the connection")
    }
}
