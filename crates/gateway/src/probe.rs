//! Asks providers how they are, for `lingate doctor`: over the same connections, with the same key and headers as a
//! request of a client's, one question at a time and nothing retried.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, DATE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use lingate_config::{Config, KeyRef, Provider};
use lingate_route::Candidate;
use lingate_wire::bridge::PathFacts;
use lingate_wire::turn::Failure;
use lingate_wire::{Wire, bridge};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::exchange::asked::Asked;
use crate::exchange::attempt::{self, Attempt};
use crate::exchange::policy::Plan;
use crate::exchange::upstream::Upstream;
use crate::record::Telling;
use crate::relay::live::{Limits, Live};
use crate::upstream::auth;
use crate::upstream::blame::Blame;
use crate::upstream::body::{UpstreamBody, chain_of};
use crate::upstream::client::{Clients, TlsError, Way};
use crate::upstream::decoding::Decoding;
use crate::upstream::headers::OWN_AGENT;
use crate::upstream::payload::Payload;
use crate::{clock, ids, lane};

/// Longest wait for a list of models.
const LIST_LIMIT: Duration = Duration::from_secs(15);
/// Longest wait for the first word of a reply.
const REPLY_LIMIT: Duration = Duration::from_secs(60);
/// Most bytes of an answer that are read: `OpenRouter` lists models in about a megabyte.
const CAP: usize = 8 * 1024 * 1024;
/// Required on the Anthropic wire.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Asks providers.
pub struct Prober {
    clients: Clients,
}

/// A provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Seconds that the provider's clock is ahead of ours; `None` if it does not tell its time.
    pub ahead: Option<i64>,
    /// It is a web page.
    pub is_page: bool,
    /// Models it lists; `None` if it lists none, or not all of them.
    pub models: Option<Vec<String>>,
    /// Its own words, if it answered with an error; no key that it was shown is in them.
    pub words: String,
}

/// Why a provider did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It has no address for this question.
    #[error("there is no address to ask")]
    NoAddress,
    /// The request cannot be made.
    #[error("{0}")]
    Request(String),
    /// Its name has no address.
    #[error("`{host}` has no address: {reason}")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// Its machine is there, and nothing listens.
    #[error("nothing listens at {0}")]
    Refused(String),
    /// There is no connection, or it breaks before an answer.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// Its certificate is not one to trust.
    #[error("its certificate is refused: {0}")]
    Untrusted(String),
    /// There is a connection, but no TLS on it.
    #[error("TLS fails: {0}")]
    Tls(String),
    /// It says nothing in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// Its answer breaks off or makes no sense.
    #[error("{0}")]
    Broken(String),
}

impl Prober {
    /// Sets up connections as the configuration says.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(config: &Config) -> Result<Self, TlsError> {
        Ok(Self {
            clients: Clients::of(config)?,
        })
    }

    /// Asks over these connections.
    pub(crate) const fn over(clients: Clients) -> Self {
        Self { clients }
    }

    /// Asks for the list of models, with the provider's first key. Costs nothing.
    ///
    /// # Errors
    /// If there is no answer; an error status is one.
    pub async fn models(&self, provider: &Provider) -> Result<ProbeAnswer, ProbeError> {
        let url = provider.models_url().ok_or(ProbeError::NoAddress)?;
        self.ask(provider, url, provider.keys.first()).await
    }

    /// Asks for a document with one of the provider's keys.
    pub(crate) async fn ask(
        &self,
        provider: &Provider,
        url: &Uri,
        key: Option<&KeyRef>,
    ) -> Result<ProbeAnswer, ProbeError> {
        let asked = async {
            let shown = self.clients.shown_key(provider, key).await;
            let shown = shown.map_err(|failure| ProbeError::Request(failure.message))?;
            let key = shown.as_ref().or(key);
            let request = list_request(provider, url, key)?;
            let response = self.send(provider, url, request).await?;
            let (head, body) = response.into_parts();
            let decoding = Decoding::of(&head.headers).map_err(broken)?;
            let mut body = UpstreamBody::http(body, decoding);
            let bytes = body.whole(CAP).await.map_err(broken)?;
            let status = head.status.as_u16();
            Ok(ProbeAnswer {
                status,
                ahead: ahead(&head.headers),
                is_page: is_page(&head.headers),
                models: listed(&bytes),
                words: words(
                    first_wire(provider),
                    status,
                    &bytes,
                    &Blame::new(provider, key, &HeaderMap::new()),
                ),
            })
        };
        timeout(LIST_LIMIT, asked)
            .await
            .unwrap_or(Err(ProbeError::Silent(LIST_LIMIT)))
    }

    /// Asks a candidate for a streamed reply of one token, and waits for its first content. Costs a few tokens.
    ///
    /// # Errors
    /// If there is no answer, or a stream without content; an error status is an answer.
    pub async fn reply(
        &self,
        config: &Config,
        candidate: &Candidate,
    ) -> Result<ProbeAnswer, ProbeError> {
        let refused = |failure: Failure| ProbeError::Request(failure.message);
        let asked = smallest(&candidate.model).map_err(refused)?;
        let upstream = Upstream::of(config, candidate, asked.wire).map_err(refused)?;
        let url = upstream.url.ok_or(ProbeError::NoAddress)?;
        let lane = upstream.lane(&asked);
        let id = ids::exchange().to_string();
        let attempt = Attempt {
            asked: &asked,
            upstream: &upstream,
            settings: &upstream.settings,
            plan: &Plan::default(),
            schemas: &Arc::default(),
            telling: Telling::Nothing,
        };
        let prepared = lane::prepare(lane, &attempt, &id).map_err(refused)?;
        let sent = async {
            let shown = self.clients.shown_key(upstream.provider, upstream.key);
            let shown = shown.await.map_err(refused)?;
            let own = shown.as_ref().map(|key| upstream.showing(key));
            let upstream = own.as_ref().unwrap_or(&upstream);
            let request =
                attempt::request(&asked, upstream, lane, url, prepared.body).map_err(refused)?;
            let response = self.send(upstream.provider, url, request).await?;
            let (head, body) = response.into_parts();
            let decoding = Decoding::of(&head.headers).map_err(broken)?;
            let mut body = UpstreamBody::http(body, decoding);
            let status = head.status.as_u16();
            let blame = Blame::new(upstream.provider, upstream.key, &asked.headers);
            let words = if head.status.is_success() {
                let limits = Limits {
                    idle: None,
                    progress: None,
                };
                let headers = HeaderMap::new();
                let wire = upstream.wire;
                let mut live = Live::new(headers, lane, wire, body, prepared.chain, limits, blame);
                live.until_content().await.map_err(broken)?;
                String::new()
            } else {
                let bytes = body.whole(CAP).await.map_err(broken)?;
                words(upstream.wire, status, &bytes, &blame)
            };
            Ok(ProbeAnswer {
                status,
                ahead: ahead(&head.headers),
                is_page: is_page(&head.headers),
                models: None,
                words,
            })
        };
        timeout(REPLY_LIMIT, sent)
            .await
            .unwrap_or(Err(ProbeError::Silent(REPLY_LIMIT)))
    }

    async fn send(
        &self,
        provider: &Provider,
        url: &Uri,
        request: Request<Payload>,
    ) -> Result<Response<Incoming>, ProbeError> {
        let client = self
            .clients
            .get(&Way::of(provider))
            .ok_or(ProbeError::NoAddress)?;
        match client.request(request).await {
            Ok(response) => Ok(response),
            Err(error) => Err(cause(url, &error).await),
        }
    }
}

/// Asks for a document with a key as it is shown.
fn list_request(
    provider: &Provider,
    url: &Uri,
    key: Option<&KeyRef>,
) -> Result<Request<Payload>, ProbeError> {
    let wire = first_wire(provider);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, OWN_AGENT);
    if wire == Wire::Anthropic {
        headers.insert("anthropic-version", ANTHROPIC_VERSION);
    }
    for (name, value) in &provider.headers {
        headers.insert(name, value.clone());
    }
    let secret = key.map(|key| &key.secret);
    auth::apply(&mut headers, provider.auth, secret, &HeaderMap::new(), wire).map_err(|error| {
        let origin = key.map_or("", |key| &key.origin);
        ProbeError::Request(format!("the key from {origin} cannot be used: {error}"))
    })?;
    let mut request = Request::new(Payload::default());
    *request.uri_mut() = url.clone();
    *request.headers_mut() = headers;
    Ok(request)
}

/// The wire whose base its list of models stands under.
fn first_wire(provider: &Provider) -> Wire {
    provider.speaks.first().copied().unwrap_or(Wire::Chat)
}

/// A client's request for as little as can be asked for. It is an Anthropic client's, so that hosts of the Chat wire get
/// their own spelling of the output limit.
fn smallest(model: &str) -> Result<Asked, Failure> {
    let body = json!({
        "model": model,
        "max_tokens": 1,
        "stream": true,
        "messages": [{ "role": "user", "content": "Hi" }],
    });
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("anthropic-version", ANTHROPIC_VERSION);
    headers.insert(USER_AGENT, OWN_AGENT);
    let (parts, ()) = request.into_parts();
    let doc = bridge::scan_request(Wire::Anthropic, &body.to_string().into())?;
    Asked::read(Wire::Anthropic, None, PathFacts::default(), parts, doc)
}

/// What an error answer says, in one line of bounded length and without a key.
fn words(wire: Wire, status: u16, body: &[u8], blame: &Blame) -> String {
    if (200..300).contains(&status) {
        return String::new();
    }
    // Before it is cut: half a key is one too.
    let message = blame.without_secrets(bridge::decode_error(wire, status, body).message);
    message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(300)
        .collect()
}

fn ahead(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()?;
    Some(date.as_second() - clock::wall().as_second())
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(b"text/html"))
}

/// `{"data": [{"id": ..}]}`, the one shape of all hosts; `has_more` marks a list of which this is a part.
fn listed(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if body.get("has_more").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let models = body.get("data")?.as_array()?.iter();
    let ids: Vec<String> = models
        .filter_map(|model| Some(model.get("id")?.as_str()?.to_owned()))
        .collect();
    (!ids.is_empty()).then_some(ids)
}

fn broken(failure: Failure) -> ProbeError {
    ProbeError::Broken(failure.message)
}

/// What an error of the connection comes from: names are looked up once more, because the error does not say whether
/// that was it.
async fn cause(url: &Uri, error: &(dyn Error + Send + Sync + 'static)) -> ProbeError {
    let words = chain_of(error);
    let untrusted = |cause: &(dyn Error + 'static)| {
        let cause = cause.downcast_ref::<rustls::Error>();
        matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
    };
    if any_cause(error, &untrusted) {
        return ProbeError::Untrusted(words);
    }
    if any_cause(error, &|cause| cause.is::<rustls::Error>()) {
        return ProbeError::Tls(words);
    }
    let refused = |cause: &(dyn Error + 'static)| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
    };
    if any_cause(error, &refused) {
        let authority = url.authority().map(ToString::to_string);
        return ProbeError::Refused(authority.unwrap_or_default());
    }
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::net::lookup_host((bare, url.port_u16().unwrap_or(443))).await {
        Err(reason) => ProbeError::Dns {
            host: host.to_owned(),
            reason: reason.to_string(),
        },
        Ok(_) => ProbeError::Connect(words),
    }
}

/// Whether an error or one of its causes is such a one. An `io::Error` keeps what it wraps apart from its source.
fn any_cause(
    error: &(dyn Error + 'static),
    is_such: &dyn Fn(&(dyn Error + 'static)) -> bool,
) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        if is_such(error) {
            return true;
        }
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if wrapped.is_some_and(|wrapped| any_cause(wrapped, is_such)) {
            return true;
        }
        current = error.source();
    }
    false
}
