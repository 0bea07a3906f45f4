//! Secrets that are planted, and must be found nowhere again.
//!
//! A test plants what its gateway must never tell: the keys in a configuration, what a client shows in its headers.
//! From then on everything this crate hands over is searched for them: answers that [`crate::client`] reads, however they
//! are cut, and what a [`crate::Process`] writes. Folders are searched by the harness whose folders they are, with
//! [`found_below`], which looks into databases and compressed bodies by itself: a fault in the reader of the record must
//! not hide what is on disk.
//!
//! What is planted holds for the whole process, because logs and threads know nothing of tests.

mod folder;
mod repeats;
mod settings;

use std::fmt;
use std::sync::{Mutex, PoisonError};

pub use folder::found_below;
pub use settings::{plant_settings, plant_variable};

/// A provider's key in the most common shape.
pub const PROVIDER_KEY: &str = "sk-canary-provider-7d1f09b35a2c4e68";

/// A provider's key that looks like nothing, so that only who knows it can hide it.
pub const PLAIN_KEY: &str = "corp-canary/provider=7d1f09b3";

/// A key that a client shows.
pub const CLIENT_KEY: &str = "sk-ant-api03-canary-client-5be20c9417";

/// A token that a token endpoint gives.
pub const OAUTH_TOKEN: &str = "ya29.canary-token-83f6a1d20b7c954e";

/// A key as it stands in queries.
pub const QUERY_KEY: &str = "AIzaCanaryQuery2f8c61d07ab394e5102c";

/// Shorter values are found in ordinary text.
const LEAST: usize = 9;

/// Bytes shown on either side of what was found.
const AROUND: usize = 60;

static PLANTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A secret where it must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// A file, a column, an answer.
    pub place: String,
    /// What was found.
    pub secret: String,
    /// The text around it.
    pub around: String,
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Find {
            place,
            secret,
            around,
        } = self;
        write!(f, "{place} holds {secret:?}: {around:?}")
    }
}

/// Plants a secret. One that is too short to be told from text is left alone.
pub fn plant(secret: &str) {
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= LEAST && !planted.iter().any(|known| known == secret) {
        planted.push(secret.to_owned());
    }
}

/// Plants every key of this module.
pub fn plant_all() {
    for key in [PROVIDER_KEY, PLAIN_KEY, CLIENT_KEY, OAUTH_TOKEN, QUERY_KEY] {
        plant(key);
    }
}

/// This one may be seen from here on: a provider told it to the client on purpose.
pub fn lift(secret: &str) {
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    planted.retain(|known| known != secret);
}

/// What is planted now.
pub fn planted() -> Vec<String> {
    let planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    planted.clone()
}

/// Every secret in these bytes, once.
pub fn found_in(place: &str, bytes: &[u8]) -> Vec<Find> {
    let secrets = planted().into_iter();
    let found = secrets.filter_map(|secret| {
        let at = memchr::memmem::find(bytes, secret.as_bytes())?;
        let end = (at + secret.len() + AROUND).min(bytes.len());
        let around = bytes.get(at.saturating_sub(AROUND)..end);
        Some(Find {
            place: place.to_owned(),
            secret,
            around: String::from_utf8_lossy(around.unwrap_or_default()).into_owned(),
        })
    });
    found.collect()
}

/// Fails the test if anything was found, unless it is failing already.
///
/// # Panics
/// With every place.
pub fn none(found: &[Find]) {
    if !found.is_empty() && !std::thread::panicking() {
        let lines: Vec<String> = found.iter().map(Find::to_string).collect();
        panic!("a secret is where it must not be:\n{}", lines.join("\n"));
    }
}

/// Searches bytes that arrive in pieces.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The end of what came before, where a secret may have begun.
    tail: Vec<u8>,
}

impl Search {
    /// What is found up to the end of this piece.
    pub(crate) fn feed(&mut self, place: &str, piece: &[u8]) -> Vec<Find> {
        let longest = planted().iter().map(String::len).max().unwrap_or(0);
        if longest == 0 {
            return Vec::new();
        }
        self.tail.extend_from_slice(piece);
        let found = found_in(place, &self.tail);
        let old = self.tail.len().saturating_sub(longest - 1);
        self.tail.drain(..old);
        found
    }
}
