//! An upstream's failure as the gateway tells it: whose credential was refused, and no key in any text.
//!
//! Some hosts repeat the credential they were shown in their error messages, so every text of theirs that goes to a log
//! or a client passes through here.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use lingate_config::{Auth, KeyRef, Provider};
use lingate_wire::turn::{Failure, FailureKind};
use memchr::memmem;

use super::auth::CREDENTIALS;

/// What stands in a text for a key.
const MASK: &str = "[key]";
/// What hosts put in the place of a key's middle.
const REDACTIONS: [char; 3] = ['*', '…', '•'];
/// How many characters of a key's beginning tell that a word stands for it.
const REMAINS: usize = 3;
/// Shorter values are no keys, and would match by chance.
const SHORTEST: usize = 8;

/// Judges the failures of one upstream. Holds secrets: has no `Debug`.
#[derive(Clone)]
pub(crate) struct Blame(Arc<Known>);

/// What is known of the upstream and of what it was shown.
struct Known {
    provider: String,
    /// Where our key came from; `None` if the caller's own credential was sent.
    origin: Option<String>,
    secrets: Vec<String>,
}

impl Blame {
    /// For a request that showed `key`, or the caller's own credential.
    pub(crate) fn new(provider: &Provider, key: Option<&KeyRef>, client: &HeaderMap) -> Self {
        let configured = provider
            .headers
            .values()
            .filter(|value| value.is_sensitive())
            .filter_map(|value| value.to_str().ok());
        let callers = CREDENTIALS
            .into_iter()
            .filter_map(|name| client.get(name)?.to_str().ok());
        let mut secrets: Vec<String> = key
            .map(|key| key.secret.expose())
            .into_iter()
            .chain(configured)
            .chain(provider.address_secrets())
            .chain(callers.map(bare))
            .filter(|secret| secret.len() >= SHORTEST)
            .map(str::to_owned)
            .collect();
        let spelled: Vec<String> = secrets.iter().flat_map(|own| spellings(own)).collect();
        secrets.extend(spelled);
        secrets.dedup();
        // The longest first: one may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(Arc::new(Known {
            provider: provider.id.clone(),
            origin: (provider.auth != Auth::Client).then(|| {
                key.map_or_else(|| "no key configured".to_owned(), |key| key.origin.clone())
            }),
            secrets,
        }))
    }

    /// Knows no secret.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        Self(Arc::new(Known {
            provider: String::new(),
            origin: None,
            secrets: Vec::new(),
        }))
    }

    /// The failure as it may be told. A refusal of our credential is nothing the client could log in to.
    pub(crate) fn told(&self, mut failure: Failure) -> Failure {
        if let Some(origin) = &self.0.origin
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
                self.0.provider, failure.message
            );
        }
        failure.message = self.without_secrets(failure.message);
        failure
    }

    /// An upstream's words as they may be told.
    pub(crate) fn without_secrets(&self, mut words: String) -> String {
        for secret in &self.0.secrets {
            if words.contains(secret.as_str()) {
                words = words.replace(secret.as_str(), MASK);
            }
        }
        if words.contains(REDACTIONS) {
            words = self.without_remains(&words);
        }
        words
    }

    /// Hosts that redact a key themselves leave its ends: a word that begins like a key of ours and has something cut out of
    /// its middle goes as a whole.
    fn without_remains(&self, text: &str) -> String {
        let is_end = |c: char| c.is_whitespace() || "\"'`,;()[]{}<>".contains(c);
        let is_remains = |word: &str| {
            let begins = |secret: &String| {
                let head: String = secret.chars().take(REMAINS).collect();
                word.starts_with(&head)
            };
            word.contains(REDACTIONS) && self.0.secrets.iter().any(begins)
        };
        let pieces = text.split_inclusive(is_end).map(|piece| {
            let word = piece.trim_end_matches(is_end);
            let behind = piece.get(word.len()..).unwrap_or_default();
            let sentence = word.trim_end_matches(['.', ':']);
            if is_remains(sentence) {
                format!(
                    "{MASK}{}{behind}",
                    word.get(sentence.len()..).unwrap_or_default()
                )
            } else {
                piece.to_owned()
            }
        });
        pieces.collect()
    }

    /// An upstream's headers without those that repeat a key of ours.
    pub(crate) fn cleared(&self, mut headers: HeaderMap) -> HeaderMap {
        let repeats = |value: &HeaderValue| {
            let found = |secret: &String| memmem::find(value.as_bytes(), secret.as_bytes());
            self.0.origin.is_some() && self.0.secrets.iter().any(|secret| found(secret).is_some())
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
        if self.0.origin.is_none()
            || !self
                .0
                .secrets
                .iter()
                .any(|secret| text.contains(secret.as_str()))
        {
            return body;
        }
        let masked = self.0.secrets.iter().fold(text.to_owned(), |text, secret| {
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

/// A secret as it stands in a URL, and in JSON whose writer escapes slashes, where that is not as it is. Most keys have
/// neither, and every exchange asks.
fn spellings(secret: &str) -> impl Iterator<Item = String> {
    let in_url = (!secret.bytes().all(is_unreserved)).then(|| percent_encoded(secret));
    let in_json = secret.contains('/').then(|| secret.replace('/', "\\/"));
    in_url.into_iter().chain(in_json)
}

fn percent_encoded(secret: &str) -> String {
    let encoded = secret.bytes().map(|byte| {
        if is_unreserved(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect()
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_left_of_a_key_goes_too() {
        let blame = Blame(Arc::new(Known {
            provider: "up".into(),
            origin: Some("UP_KEY".into()),
            secrets: vec!["sk-SECRET-END12345".into()],
        }));
        let told = |text: &str| blame.told(Failure::new(FailureKind::Server, text)).message;
        for (said, expected) in [
            ("bad key sk-SECRET-END12345!", "bad key [key]!"),
            (
                "Incorrect API key provided: sk-SE****2345. You can find your key at x.",
                "Incorrect API key provided: [key]. You can find your key at x.",
            ),
            ("key \"sk-…345\" is wrong", "key \"[key]\" is wrong"),
            ("**bold** words and a * b", "**bold** words and a * b"),
            ("sk- is how keys begin", "sk- is how keys begin"),
        ] {
            assert_eq!(told(said), expected);
        }
    }

    #[test]
    fn keys_are_known_in_every_spelling() {
        for (secret, others) in [
            ("sk-plain_1.~", &[][..]),
            ("a+b", &["a%2Bb"]),
            ("a/b+c=-_.~", &["a%2Fb%2Bc%3D-_.~", "a\\/b+c=-_.~"]),
        ] {
            let spelled: Vec<String> = spellings(secret).collect();
            assert_eq!(spelled, others, "{secret}");
        }
    }
}
