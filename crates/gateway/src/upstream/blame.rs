//! An upstream's failure as the gateway tells it: whose credential was refused, and no key in any text.
//!
//! Some hosts repeat the credential they were shown in their error messages, so every text of theirs that goes to a log
//! or a client passes through here.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use lingate_config::{Auth, KeyRef, Provider};
use lingate_wire::turn::{Failure, FailureKind};
use memchr::memmem;

use super::auth::CREDENTIALS;

/// What stands in a text for a key.
const MASK: &str = "[key]";
/// Shorter values are no keys, and would match by chance.
const SHORTEST: usize = 8;

/// Judges the failures of one upstream. Holds secrets: has no `Debug`.
#[derive(Clone)]
pub(crate) struct Blame {
    provider: String,
    /// Where our key came from; `None` if the caller's own credential was sent.
    origin: Option<String>,
    secrets: Vec<String>,
}

impl Blame {
    /// For a request that showed `key`, or the caller's own credential.
    pub(crate) fn new(provider: &Provider, key: Option<&KeyRef>, client: &HeaderMap) -> Self {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let configured = provider
            .headers
            .values()
            .filter(|value| value.is_sensitive())
            .filter_map(text);
        let callers = CREDENTIALS
            .into_iter()
            .filter_map(|name| client.get(name))
            .filter_map(text);
        let mut secrets: Vec<String> = key
            .map(|key| key.secret.expose().to_owned())
            .into_iter()
            .chain(configured)
            .chain(callers.map(|value| bare(&value).to_owned()))
            .filter(|secret| secret.len() >= SHORTEST)
            .collect();
        // The longest first: one may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            provider: provider.id.clone(),
            origin: (provider.auth != Auth::Client).then(|| {
                key.map_or_else(|| "no key configured".to_owned(), |key| key.origin.clone())
            }),
            secrets,
        }
    }

    /// Knows no secret.
    #[cfg(test)]
    pub(crate) const fn of_nobody() -> Self {
        Self {
            provider: String::new(),
            origin: None,
            secrets: Vec::new(),
        }
    }

    /// The failure as it may be told. A refusal of our credential is nothing the client could log in to.
    pub(crate) fn told(&self, mut failure: Failure) -> Failure {
        if let Some(origin) = &self.origin
            && matches!(
                failure.kind,
                FailureKind::Authentication | FailureKind::Permission
            )
        {
            let status = failure
                .upstream_status
                .map_or_else(String::new, |status| format!("HTTP {status}: "));
            failure.kind = FailureKind::UpstreamCredential;
            failure.message = format!(
                "provider `{}` refuses the gateway's credential: {status}{} (key: {origin})",
                self.provider, failure.message
            );
        }
        for secret in &self.secrets {
            if failure.message.contains(secret.as_str()) {
                failure.message = failure.message.replace(secret.as_str(), MASK);
            }
        }
        failure
    }

    /// An upstream's headers without those that repeat a key of ours.
    pub(crate) fn cleared(&self, mut headers: HeaderMap) -> HeaderMap {
        let repeats = |value: &HeaderValue| {
            let found = |secret: &String| memmem::find(value.as_bytes(), secret.as_bytes());
            self.origin.is_some() && self.secrets.iter().any(|secret| found(secret).is_some())
        };
        if headers.values().any(repeats) {
            let kept = headers.iter().filter(|(_, value)| !repeats(value));
            headers = kept
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
        }
        headers
    }

    /// An upstream's own error text, otherwise as it is. The caller may see its own credential again.
    pub(crate) fn masked(&self, body: Bytes) -> Bytes {
        let Ok(text) = std::str::from_utf8(&body) else {
            return body;
        };
        if self.origin.is_none()
            || !self
                .secrets
                .iter()
                .any(|secret| text.contains(secret.as_str()))
        {
            return body;
        }
        let masked = self.secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), MASK)
        });
        masked.into()
    }
}

/// A credential without its scheme.
fn bare(value: &str) -> &str {
    value
        .split_once(' ')
        .map_or(value, |(_, token)| token.trim())
}
