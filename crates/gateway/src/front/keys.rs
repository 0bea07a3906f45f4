//! Client keys: who asks, and what they may ask for.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use lingate_config::{ClientKey, Config};
use lingate_wire::turn::{Failure, FailureKind};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

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
pub(crate) fn caller(config: &Config, headers: &HeaderMap) -> Result<Caller, Failure> {
    if config.keys.is_empty() {
        return Ok(Caller::Anybody);
    }
    let mut is_any_shown = false;
    for shown in shown(headers) {
        is_any_shown = true;
        let hash = Sha256::digest(shown.as_bytes());
        // Every key is compared, so that the time taken says nothing.
        let mut found = None;
        for key in &config.keys {
            if bool::from(key.hash.0.ct_eq(&hash)) {
                found = Some(key);
            }
        }
        if let Some(key) = found {
            return Ok(Caller::Key(Box::new(key.clone())));
        }
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

/// Whether a request shows any key.
pub(crate) fn is_any_shown(headers: &HeaderMap) -> bool {
    shown(headers).next().is_some()
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
