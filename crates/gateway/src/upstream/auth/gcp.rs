//! Access tokens of Google Cloud, kept until shortly before they end.
//!
//! A token is asked for when a request needs one. Requests that need the same one at the same time wait for one exchange,
//! and share its failure for a moment; a token that still holds is used on while it cannot be renewed, and its renewal is
//! waited for only briefly. Tokens and credentials are secrets: nothing here has `Debug`, and failures name where the
//! credential came from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lingate_config::{Auth, GcpCredential, KeyRef, Provider, Secret};
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::Instant;

use super::grant::{self, Granted};
use crate::clock;
use crate::upstream::pooled::HttpClient;

/// How long before its end a token is renewed; a short one at half its time.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a failed exchange answers for requests that waited for it.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);
/// The same while the old token still holds: nobody needs the new one yet.
const RENEWAL_HOLDS: Duration = Duration::from_secs(30);
/// Longest wait for an exchange while the old token still holds.
const RENEWAL_LIMIT: Duration = Duration::from_secs(2);
/// A token younger than this is not suspected when a provider refuses it.
const FRESH: Duration = Duration::from_secs(1);

/// The tokens of this process, by credential.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<u64, Arc<Slot>>>,
}

/// One credential's place; whoever holds its lock makes the exchange.
type Slot = tokio::sync::Mutex<State>;

#[derive(Default)]
struct State {
    token: Option<Token>,
    failed: Option<(Instant, Failure)>,
}

struct Token {
    secret: Secret,
    since: Instant,
    until: Instant,
}

impl Tokens {
    /// What is shown in place of the credential `key`; none where keys are shown as they are.
    ///
    /// # Errors
    /// If the exchange fails: the credential is refused, or cannot be exchanged now.
    pub(crate) async fn shown(
        &self,
        client: &HttpClient,
        provider: &Provider,
        key: Option<&KeyRef>,
    ) -> Result<Option<KeyRef>, Failure> {
        let (Auth::Gcp, Some(key)) = (provider.auth, key) else {
            return Ok(None);
        };
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        let now = clock::now();
        let shown = |token: &Token| KeyRef {
            secret: token.secret.clone(),
            ..key.clone()
        };
        if let Some(token) = state.token.as_ref().filter(|token| token.is_young(now)) {
            return Ok(Some(shown(token)));
        }
        let has_token = (state.token.as_ref()).is_some_and(|token| now < token.until);
        let holds = if has_token {
            RENEWAL_HOLDS
        } else {
            FAILURE_HOLDS
        };
        let still = (state.failed.as_ref()).filter(|(at, _)| now < *at + holds);
        let result = match still {
            Some((_, failure)) => Err(failure.clone()),
            None if has_token => renewed(client, provider, key).await,
            None => exchanged(client, provider, key).await,
        };
        match result {
            Ok(token) => {
                let shown = shown(&token);
                *state = State {
                    token: Some(token),
                    failed: None,
                };
                Ok(Some(shown))
            }
            Err(failure) => {
                if still.is_none() {
                    state.failed = Some((clock::now(), failure.clone()));
                }
                // One that holds for some minutes more is better than none.
                let token = state.token.as_ref().filter(|token| now < token.until);
                token.map(|token| Some(shown(token))).ok_or(failure)
            }
        }
    }

    /// A provider refused the token `shown`: whether another one is worth a try. It is, unless this one was made just now;
    /// who comes late finds the one that was made since, and leaves it alone.
    pub(crate) async fn refused(&self, key: &KeyRef, shown: &Secret) -> bool {
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        let is_shown = |token: &&Token| token.secret.expose() == shown.expose();
        let Some(token) = state.token.as_ref().filter(is_shown) else {
            return true;
        };
        if clock::now() < token.since + FRESH {
            return false;
        }
        state.token = None;
        true
    }

    fn slot(&self, key: &KeyRef) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key.id).or_default())
    }
}

impl Token {
    /// Whether it need not be renewed yet.
    fn is_young(&self, now: Instant) -> bool {
        let life = self.until.saturating_duration_since(self.since);
        now + MARGIN.min(life / 2) < self.until
    }
}

/// An exchange that nobody needs yet.
async fn renewed(client: &HttpClient, provider: &Provider, key: &KeyRef) -> Result<Token, Failure> {
    let renewing = exchanged(client, provider, key);
    let in_time = tokio::time::timeout(RENEWAL_LIMIT, renewing).await;
    in_time.unwrap_or_else(|_elapsed| {
        let message = format!(
            "the access token of provider `{}` is not renewed within {} s",
            provider.id,
            RENEWAL_LIMIT.as_secs()
        );
        Err(Failure::new(FailureKind::Timeout, message))
    })
}

async fn exchanged(
    client: &HttpClient,
    provider: &Provider,
    key: &KeyRef,
) -> Result<Token, Failure> {
    let credential = GcpCredential::parse(key.secret.expose()).map_err(|error| {
        Failure::new(
            FailureKind::UpstreamCredential,
            format!("the key from {} {error}", key.origin),
        )
    })?;
    let since = clock::now();
    let told = |failure: Failure| Failure {
        message: format!(
            "no access token for provider `{}` (key: {}): {}",
            provider.id, key.origin, failure.message
        ),
        ..failure
    };
    let Granted { token, lasts } = grant::ask(client, &credential).await.map_err(told)?;
    Ok(Token {
        secret: token,
        since,
        until: since + lasts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewed_five_minutes_early_or_at_half_time() {
        let start = clock::now();
        for (lasts, young, old) in [(3600, 3299, 3300), (300, 149, 150), (2, 0, 1)] {
            let seconds = |n| start + Duration::from_secs(n);
            let token = Token {
                secret: Secret::new(String::new()),
                since: start,
                until: seconds(lasts),
            };
            assert!(token.is_young(seconds(young)), "{lasts} {young}");
            assert!(!token.is_young(seconds(old)), "{lasts} {old}");
        }
    }
}
