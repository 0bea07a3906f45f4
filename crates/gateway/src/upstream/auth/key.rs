//! How a key, or the token that stands for one, is shown to a provider.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use lingate_config::{Auth, KeyRef, Secret};
use lingate_wire::Wire;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const X_LINGATE_KEY: HeaderName = HeaderName::from_static("x-lingate-key");

/// Headers in which a client may show a credential.
pub(crate) const N_CREDENTIALS: usize = 4;
/// Every header in which a client may show a credential.
pub(crate) static CREDENTIALS: [HeaderName; N_CREDENTIALS] =
    [AUTHORIZATION, X_API_KEY, X_GOOG_API_KEY, X_LINGATE_KEY];

/// The key cannot be sent in a header.
#[derive(Debug, thiserror::Error)]
#[error("the key holds characters that a header cannot carry (a line break?)")]
pub(crate) struct UnfitKey;

/// What a provider is shown: `key`, or the caller's own credential with `auth = "client"`, without the word in front of it.
pub(crate) fn shown_credential<'a>(
    auth: Auth,
    key: Option<&'a KeyRef>,
    client: &'a HeaderMap,
) -> Option<&'a str> {
    if auth != Auth::Client {
        return key.map(|key| key.secret.expose());
    }
    let shown = |name: HeaderName| client.get(name)?.to_str().ok();
    let bearer = shown(AUTHORIZATION).and_then(|value| Some(value.split_once(' ')?.1.trim()));
    bearer.or_else(|| shown(X_API_KEY))
}

/// Sets the headers that show `key`, or the caller's own credential with `auth = "client"`.
pub(crate) fn apply(
    headers: &mut HeaderMap,
    auth: Auth,
    key: Option<&Secret>,
    client: &HeaderMap,
    wire: Wire,
) -> Result<(), UnfitKey> {
    let shows = |text: String| {
        let mut value = HeaderValue::try_from(text).map_err(|_| UnfitKey)?;
        value.set_sensitive(true);
        Ok(value)
    };
    // As long as it has to be: what has room to spare is held by one allocation more.
    let bearer = |token: &str| shows(["Bearer ", token].concat());
    match (auth, key) {
        (Auth::None, _) => {}
        (Auth::Client, _) => {
            for name in [AUTHORIZATION, X_API_KEY, X_GOOG_API_KEY] {
                if let Some(value) = client.get(&name) {
                    headers.insert(name, value.clone());
                }
            }
        }
        (_, None) => {}
        (Auth::Gcp, Some(key)) => {
            // A credential itself never leaves: before it was exchanged, as in an explanation, there is nothing to show.
            let token = Some(key.expose()).filter(|token| !token.starts_with('{'));
            let token = token.unwrap_or_default();
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        (Auth::Bearer, Some(key)) => {
            headers.insert(AUTHORIZATION, bearer(key.expose())?);
        }
        (Auth::XApiKey, Some(key)) => match wire {
            Wire::Anthropic => {
                headers.insert(X_API_KEY, shows(key.expose().to_owned())?);
            }
            Wire::Gemini => {
                headers.insert(X_GOOG_API_KEY, shows(key.expose().to_owned())?);
            }
            Wire::Chat | Wire::Responses => {
                headers.insert(AUTHORIZATION, bearer(key.expose())?);
            }
        },
        // Google's API takes a bearer for a login and refuses it, whatever else is shown.
        (Auth::Both, Some(key)) if wire == Wire::Gemini => {
            headers.insert(X_GOOG_API_KEY, shows(key.expose().to_owned())?);
        }
        (Auth::Both, Some(key)) => {
            headers.insert(AUTHORIZATION, bearer(key.expose())?);
            headers.insert(X_API_KEY, shows(key.expose().to_owned())?);
        }
    }
    Ok(())
}
