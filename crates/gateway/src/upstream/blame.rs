//! An upstream's failure as the gateway tells it: whose credential was refused, and no key in any text.
//!
//! Some hosts repeat the credential they were shown in their error messages, so every text of theirs that goes to a log
//! or a client passes through here.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use lingate_config::{Auth, KeyRef, Provider};
use lingate_wire::turn::{Failure, FailureKind};
use memchr::memmem;

use super::auth::{CREDENTIALS, N_CREDENTIALS};
use crate::front::fields::first_of;

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

/// What an upstream was shown.
struct Known {
    ours: Arc<Ours>,
    /// The caller's credentials. They are spelled when something is to be told: most requests do not fail.
    callers: [Option<HeaderValue>; N_CREDENTIALS],
}

/// An upstream, and what it is shown of ours: the same for every request with one key. Holds secrets: has no `Debug`.
pub(crate) struct Ours {
    provider: String,
    /// Where our key came from; `None` if the caller's own credential is sent.
    origin: Option<String>,
    /// In every spelling, the longest first.
    secrets: Vec<String>,
}

impl Ours {
    /// Of requests that show `key`.
    pub(crate) fn of(provider: &Provider, key: Option<&KeyRef>) -> Self {
        let configured = provider
            .headers
            .values()
            .filter(|value| value.is_sensitive())
            .filter_map(|value| value.to_str().ok());
        let secrets = key
            .map(|key| key.secret.expose())
            .into_iter()
            .chain(configured)
            .chain(provider.address_secrets());
        Self {
            provider: provider.id.clone(),
            origin: (provider.auth != Auth::Client).then(|| {
                key.map_or_else(|| "no key configured".to_owned(), |key| key.origin.clone())
            }),
            secrets: spelled(secrets).into_iter().map(Cow::into_owned).collect(),
        }
    }
}

impl Blame {
    /// For a request that showed `key`, or the caller's own credential.
    pub(crate) fn new(provider: &Provider, key: Option<&KeyRef>, client: &HeaderMap) -> Self {
        Self::of(Arc::new(Ours::of(provider, key)), client)
    }

    /// For a request that showed this, or the caller's own credential.
    pub(crate) fn of(ours: Arc<Ours>, client: &HeaderMap) -> Self {
        Self(Arc::new(Known {
            ours,
            callers: first_of(client, CREDENTIALS.each_ref()).map(Option::<&HeaderValue>::cloned),
        }))
    }

    /// Knows no secret.
    #[cfg(test)]
    pub(crate) fn of_nobody() -> Self {
        let ours = Ours {
            provider: String::new(),
            origin: None,
            secrets: Vec::new(),
        };
        Self::of(Arc::new(ours), &HeaderMap::new())
    }

    /// Everything that no text may repeat, the longest first.
    fn secrets(&self) -> Vec<Cow<'_, str>> {
        let callers = self.0.callers.iter().flatten();
        let callers = callers.filter_map(|value| value.to_str().ok());
        let ours = self
            .0
            .ours
            .secrets
            .iter()
            .map(|own| Cow::from(own.as_str()));
        let mut secrets = spelled(callers.map(bare));
        secrets.extend(ours);
        sort(&mut secrets);
        secrets
    }

    /// The failure as it may be told. A refusal of our credential is nothing the client could log in to.
    pub(crate) fn told(&self, mut failure: Failure) -> Failure {
        if let Some(origin) = &self.0.ours.origin
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
                self.0.ours.provider, failure.message
            );
        }
        failure.message = self.without_secrets(failure.message);
        failure
    }

    /// An upstream's words as they may be told.
    pub(crate) fn without_secrets(&self, mut words: String) -> String {
        let secrets = self.secrets();
        for secret in &secrets {
            if words.contains(&**secret) {
                words = words.replace(&**secret, MASK);
            }
        }
        if words.contains(REDACTIONS) {
            words = without_remains(&secrets, &words);
        }
        words
    }

    /// An upstream's headers without those that repeat a key of ours.
    pub(crate) fn cleared(&self, mut headers: HeaderMap) -> HeaderMap {
        if self.0.ours.origin.is_none() || headers.is_empty() {
            return headers;
        }
        let secrets = self.secrets();
        let repeats = |value: &HeaderValue| {
            let found = |secret: &str| memmem::find(value.as_bytes(), secret.as_bytes());
            secrets.iter().any(|secret| found(secret).is_some())
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
        if self.0.ours.origin.is_none() {
            return body;
        }
        let secrets = self.secrets();
        if !secrets.iter().any(|secret| text.contains(&**secret)) {
            return body;
        }
        let masked = secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(&**secret, MASK)
        });
        masked.into()
    }
}

/// Hosts that redact a key themselves leave its ends: a word that begins like a key of ours and has something cut out of
/// its middle goes as a whole.
fn without_remains(secrets: &[Cow<'_, str>], text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || "\"'`,;()[]{}<>".contains(c);
    let is_remains = |word: &str| {
        let begins = |secret: &Cow<'_, str>| {
            let head: String = secret.chars().take(REMAINS).collect();
            word.starts_with(&head)
        };
        word.contains(REDACTIONS) && secrets.iter().any(begins)
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

/// Secrets in every spelling, the longest first. What is too short is none.
fn spelled<'a>(secrets: impl Iterator<Item = &'a str>) -> Vec<Cow<'a, str>> {
    let secrets = secrets.filter(|secret| secret.len() >= SHORTEST);
    let mut spelled: Vec<Cow<'a, str>> = secrets
        .flat_map(|secret| std::iter::once(secret.into()).chain(spellings(secret).map(Cow::from)))
        .collect();
    sort(&mut spelled);
    spelled
}

/// The longest first: one may be part of another. Each once.
fn sort(secrets: &mut Vec<Cow<'_, str>>) {
    secrets.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    secrets.dedup();
}

/// A credential without its scheme.
fn bare(value: &str) -> &str {
    value
        .split_once(' ')
        .map_or(value, |(_, token)| token.trim())
}

/// A secret as it stands in a URL, and in JSON whose writer escapes slashes, where that is not as it is. Most keys have
/// neither.
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
        let ours = Ours {
            provider: "up".into(),
            origin: Some("UP_KEY".into()),
            secrets: vec!["sk-SECRET-END12345".into()],
        };
        let blame = Blame::of(Arc::new(ours), &HeaderMap::new());
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
    fn a_callers_credential_is_no_less_a_secret() {
        let ours = Ours {
            provider: "up".into(),
            origin: Some("UP_KEY".into()),
            secrets: vec!["sk-SECRET".into()],
        };
        let client = HeaderMap::from_iter([
            (
                CREDENTIALS[0].clone(),
                HeaderValue::from_static("Bearer own/SECRET"),
            ),
            (
                CREDENTIALS[1].clone(),
                HeaderValue::from_static("sk-SECRET-OF-MINE"),
            ),
            (CREDENTIALS[2].clone(), HeaderValue::from_static("short")),
        ]);
        let blame = Blame::of(Arc::new(ours), &client);
        let said = "own/SECRET own%2FSECRET own\\/SECRET sk-SECRET-OF-MINE sk-SECRET short";
        let expected = "[key] [key] [key] [key] [key] short";
        assert_eq!(blame.without_secrets(said.to_owned()), expected);
        assert_eq!(blame.masked(said.into()), expected);
        let names = ["x-one", "x-two"].map(http::HeaderName::from_static);
        let values = ["no key", "has own/SECRET in it"].map(HeaderValue::from_static);
        let kept = blame.cleared(names.into_iter().zip(values).collect());
        assert_eq!(kept.len(), 1, "{kept:?}");
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
