//! Client keys: who asks, and what they may ask for.

use std::net::SocketAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use lingate_config::ClientKey;
use lingate_wire::turn::{Failure, FailureKind};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock;
use crate::shared::Shared;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// No keys are configured.
    Anybody,
    /// The holder of this key.
    Key(Box<ClientKey>),
}

impl Caller {
    /// The key's name; empty where none is asked for.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Anybody => "",
            Self::Key(key) => &key.name,
        }
    }

    /// Refuses models the key is not good for.
    pub(crate) fn may_ask(&self, model: &str) -> Result<(), Failure> {
        match self {
            Self::Key(key) if !key.allows(model) => Err(Failure::new(
                FailureKind::Permission,
                format!(
                    "key `{}` may not ask for model `{model}` (`keys.{}.models`)",
                    key.name, key.name
                ),
            )),
            Self::Anybody | Self::Key(_) => Ok(()),
        }
    }
}

/// Finds the key that a request shows, in any of the headers that clients use.
///
/// A right key passes whatever was shown before it. Where too many wrong ones came from an address, more of them are
/// refused as too many.
pub(crate) fn caller(
    shared: &Shared,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Caller, Failure> {
    let config = &shared.config;
    if config.keys.is_empty() {
        return Ok(Caller::Anybody);
    }
    if let Some(key) = shown(headers).find_map(|shown| holder(&config.keys, shown)) {
        return Ok(Caller::Key(Box::new(key.clone())));
    }
    let n_wrong = shown(headers).count();
    let is_any_shown = n_wrong > 0;
    let n_wrong = u32::try_from(n_wrong).unwrap_or(u32::MAX);
    let wait = shared.admin.guesses.wrong(peer.ip(), n_wrong, clock::now());
    if let Some(wait) = wait {
        return Err(Failure {
            retry_after: Some(wait.as_secs().max(1)),
            ..Failure::new(
                FailureKind::RateLimit,
                "too many wrong keys came from this address; wait, and show the right one",
            )
        });
    }
    let what = if is_any_shown {
        "this key is not known here"
    } else {
        "no key was shown"
    };
    Err(Failure::new(
        FailureKind::Authentication,
        format!(
            "{what}; send a gateway key as `x-lingate-key`, `x-api-key`, `x-goog-api-key` or `Authorization: Bearer`"
        ),
    ))
}

/// Whose key it is. Every key is compared, so that the time taken says nothing.
fn holder<'a>(keys: &'a [ClientKey], shown: &str) -> Option<&'a ClientKey> {
    let hash = Sha256::digest(shown.as_bytes());
    let mut found = None;
    for key in keys {
        if bool::from(key.hash.0.ct_eq(&hash)) {
            found = Some(key);
        }
    }
    found
}

fn shown(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let plain = ["x-lingate-key", "x-api-key", "x-goog-api-key"];
    let plain = plain
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok());
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    plain.chain(bearer)
}
