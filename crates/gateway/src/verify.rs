//! Asks a provider what a client would ask, for `lingate verify`, and shows each reply twice: as the provider sent it, and
//! as the gateway makes it.
//!
//! Both come from the same bytes. The request is made by the functions of a real attempt, so a host's spelling, its
//! headers and what its quirks do to requests are part of both; the stages that read the reply are part of the second
//! only. One request is one reply: nothing is asked again but after a refusal that a quirk knows how to answer.

mod marks;
mod seen;
mod views;

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use lingate_config::{Auth, Config, Kind, Preset, preset};
use lingate_quirk::Repair;
use lingate_route::Candidate;
use lingate_wire::Wire;
use lingate_wire::bridge::{self, PathFacts};
use lingate_wire::turn::{Failure, FailureKind};

use self::seen::Tools;
use self::views::{Views, raw_chain, silent};
use crate::exchange::asked::Asked;
use crate::exchange::attempt::{self, Attempt};
use crate::exchange::learnt::Learnt;
use crate::exchange::policy::{Plan, Schemas};
use crate::exchange::upstream::{Upstream, resolution};
use crate::record::Telling;
use crate::upstream::agent;
use crate::upstream::blame::Blame;
use crate::upstream::body::{UpstreamBody, WHOLE_CAP, chain_of};
use crate::upstream::client::{Clients, TlsError, Way};
use crate::upstream::decoding::Decoding;
use crate::upstream::headers::{OWN_AGENT, retry_after};
use crate::upstream::payload::Payload;
use crate::{clock, ids, lane};

pub use self::seen::{Seen, SeenCall};

/// Longest time for one reply.
const REPLY_LIMIT: Duration = Duration::from_secs(600);
/// Most refusals of one request that are answered.
const MOST_REPAIRS: usize = 3;

/// Asks one model.
pub struct Verifier<'c> {
    config: &'c Config,
    candidate: Candidate,
    clients: Clients,
    learnt: Learnt,
    schemas: Arc<Schemas>,
}

/// A provider's reply.
#[derive(Debug, Clone)]
pub struct Verified {
    /// As the provider sent it.
    pub raw: Seen,
    /// As a client of the gateway gets it.
    pub repaired: Seen,
    /// Quirks that had something to do, on the request or the reply.
    pub quirks: Vec<&'static str>,
    /// From the request to the first content of a stream.
    pub first_content: Option<Duration>,
    /// From the request to the end of the reply.
    pub duration: Duration,
    /// Output tokens, if the provider counted them.
    pub output_tokens: Option<u64>,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The HTTP status, if there was an answer that is no reply.
    pub status: Option<u16>,
    /// What went wrong, in a word: `rate_limit`, `timeout`, ...
    pub kind: &'static str,
    /// For people.
    pub message: String,
    /// From the request to the failure.
    pub duration: Duration,
}

/// Why a model cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nothing serves it.
    #[error("{0}")]
    Unserved(String),
    /// Its provider has no key.
    #[error(
        "there is no key for provider `{provider}`; set {variables} in the environment or `api_key` in [providers.{provider}]"
    )]
    NoKey {
        /// The provider.
        provider: String,
        /// Where a key is looked for.
        variables: String,
    },
    /// Its provider is shown the caller's own login, and there is no caller.
    #[error(
        "provider `{0}` takes the client's own login (`auth = \"client\"`); configure one with a key to verify it"
    )]
    ClientLogin(String),
    /// It is the demo.
    #[error("`{0}` is the built-in demo, which is no model to verify")]
    Demo(String),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl<'c> Verifier<'c> {
    /// Finds out who serves `model`: `provider/model`, or any name of the configuration, whose first target is meant.
    ///
    /// # Errors
    /// If nothing does, or its provider cannot be asked.
    pub fn new(config: &'c Config, model: &str) -> Result<Self, VerifyError> {
        let unserved = |failure| unserved(config, model, failure);
        let body = serde_json::json!({ "model": model, "messages": [] });
        let asked = asked(&body.to_string().into()).map_err(unserved)?;
        let found = resolution(&config.routes, &asked).map_err(unserved)?;
        let candidate = found.candidates.into_iter().next();
        let candidate =
            candidate.ok_or_else(|| VerifyError::Unserved(format!("nothing serves `{model}`")))?;
        let upstream = Upstream::of(config, &candidate, Wire::Chat).map_err(unserved)?;
        let provider = upstream.provider;
        let id = || provider.id.clone();
        match provider.auth {
            _ if provider.kind == Kind::Demo => return Err(VerifyError::Demo(id())),
            Auth::Client => return Err(VerifyError::ClientLogin(id())),
            Auth::Bearer | Auth::XApiKey | Auth::Both | Auth::Gcp if provider.keys.is_empty() => {
                return Err(no_key(&provider.id, provider.preset));
            }
            Auth::Bearer | Auth::XApiKey | Auth::Both | Auth::Gcp | Auth::None => {}
        }
        Ok(Self {
            config,
            candidate,
            clients: Clients::of(config)?,
            learnt: Learnt::default(),
            schemas: Arc::default(),
        })
    }

    /// Who is asked, as `provider/model`.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}/{}", self.candidate.provider, self.candidate.model)
    }

    /// Wall-clock time, for records: RFC 3339.
    #[must_use]
    pub fn now(&self) -> String {
        clock::wall().to_string()
    }

    /// Asks, with a request body of the Chat wire, and reads the whole reply.
    ///
    /// # Errors
    /// If there is no reply: the request makes no sense, the provider refuses it or cannot be reached, or its answer
    /// breaks off before anything can be said of it.
    pub async fn ask(&self, body: &ByteString) -> Result<Verified, Unanswered> {
        let started = clock::now();
        let asking = Box::pin(self.asking(body));
        let answered = tokio::time::timeout(REPLY_LIMIT, asking).await;
        let answered = answered.unwrap_or_else(|_elapsed| {
            Err(silent(format!("no end within {} s", REPLY_LIMIT.as_secs())))
        });
        let duration = started.elapsed();
        answered.map_err(|failure| Unanswered {
            status: failure.upstream_status,
            kind: word(failure.kind),
            message: failure.message,
            duration,
        })
    }

    async fn asking(&self, body: &ByteString) -> Result<Verified, Failure> {
        let asked = asked(body)?;
        let mut upstream = Upstream::of(self.config, &self.candidate, asked.wire)?;
        // Whether the model calls by itself is the question; insisting would also add a tool of ours.
        upstream.demands.ensure_tool_call = None;
        let tools = Tools::of(&asked.decoded()?.turn, &self.schemas);
        let mut plan = Plan::default();
        loop {
            match self.attempt(&asked, &upstream, &plan, &tools).await {
                Ok(verified) => {
                    self.learnt.keep(&asked, &upstream, &plan.repairs);
                    return Ok(verified);
                }
                Err((_, Some(repair)))
                    if plan.repairs.len() < MOST_REPAIRS && !plan.repairs.contains(&repair) =>
                {
                    plan.repairs.push(repair);
                }
                Err((failure, _)) => return Err(failure),
            }
        }
    }

    async fn attempt(
        &self,
        asked: &Asked,
        upstream: &Upstream<'_>,
        plan: &Plan,
        tools: &Tools,
    ) -> Result<Verified, (Failure, Option<Repair>)> {
        let settings = plan.settings(self.learnt.settings(upstream));
        let lane = upstream.lane(asked);
        let attempt = Attempt {
            asked,
            upstream,
            settings: &settings,
            plan,
            schemas: &self.schemas,
            telling: Telling::Nothing,
        };
        let id = ids::exchange().to_string();
        let prepared = lane::prepare(lane, &attempt, &id).map_err(final_failure)?;
        let url = upstream.url.ok_or_else(|| {
            final_failure(Failure::new(FailureKind::Server, "there is no address"))
        })?;
        let shown = self.clients.shown_key(upstream.provider, upstream.key);
        let shown = shown.await.map_err(final_failure)?;
        let own = shown.as_ref().map(|key| upstream.showing(key));
        let upstream = own.as_ref().unwrap_or(upstream);
        let request =
            attempt::request(asked, upstream, lane, url, prepared.body).map_err(final_failure)?;
        let raw = raw_chain(upstream, prepared.repair.as_ref().map(|(_, state)| state));
        let views = Views::new(raw, prepared.chain);
        let answered = self.answered(asked, upstream, request, views).await;
        let views = answered.map_err(|failure| {
            let repair = prepared.repair.as_ref();
            let repair = repair.and_then(|(quirks, state)| quirks.on_failure(&failure, state));
            (failure, repair)
        })?;
        views.verified(tools, &prepared.hits).map_err(final_failure)
    }

    /// Sends the request and reads the reply in both ways.
    async fn answered(
        &self,
        asked: &Asked,
        upstream: &Upstream<'_>,
        request: Request<Payload>,
        mut views: Views,
    ) -> Result<Views, Failure> {
        let provider = upstream.provider;
        let blame = Blame::new(provider, upstream.key, &asked.headers);
        let client = self.clients.get(&Way::of(provider)).ok_or_else(|| {
            Failure::new(FailureKind::Server, "no connection pool for this provider")
        })?;
        let sent = async {
            client.request(request).await.map_err(|error| {
                let message = format!("cannot be reached: {}", chain_of(&error));
                Failure::new(FailureKind::Server, message)
            })
        };
        // A whole reply gives no sign of life before its end.
        let limit = provider.timeouts.headers.filter(|_| asked.peek.stream);
        let response = match limit {
            None => sent.await?,
            Some(limit) => tokio::time::timeout(limit, sent)
                .await
                .unwrap_or_else(|_elapsed| {
                    Err(silent(format!(
                        "no answer within {} s",
                        limit.as_secs_f64()
                    )))
                })?,
        };
        let (head, body) = response.into_parts();
        let mut body = UpstreamBody::http(body, Decoding::of(&head.headers)?);
        if !head.status.is_success() {
            let bytes = body.whole(WHOLE_CAP).await.unwrap_or_default();
            let status = head.status.as_u16();
            let mut failure = bridge::decode_error(upstream.wire, status, &bytes);
            failure.upstream_status = Some(status);
            failure.retry_after = retry_after(&head.headers, clock::wall());
            let refusal = agent::refusal(provider, &asked.headers, &failure);
            return Err(refusal.unwrap_or_else(|| blame.told(failure)));
        }
        let told = |failure| blame.told(failure);
        let idle = provider.timeouts.idle;
        views.read(upstream.wire, body, idle).await.map_err(told)?;
        Ok(views)
    }
}

/// Why nothing serves a name: most often its provider waits for a key.
fn unserved(config: &Config, model: &str, failure: Failure) -> VerifyError {
    let Some((provider, _)) = model.split_once('/') else {
        return VerifyError::Unserved(failure.message);
    };
    match config.provider(provider) {
        Some(_) => VerifyError::Unserved(failure.message),
        None if preset(provider).is_some() => no_key(provider, preset(provider)),
        None => {
            let known = config.providers.iter().map(|provider| provider.id.as_str());
            let known = known.collect::<Vec<_>>().join(", ");
            let message = failure.message;
            VerifyError::Unserved(format!("{message}; the configured providers are {known}"))
        }
    }
}

fn no_key(provider: &str, preset: Option<&Preset>) -> VerifyError {
    let variables = preset.map(|preset| preset.env.join(" or "));
    let variables = variables.filter(|names| !names.is_empty());
    VerifyError::NoKey {
        provider: provider.to_owned(),
        variables: variables.unwrap_or_else(|| "a variable".to_owned()),
    }
}

fn asked(body: &ByteString) -> Result<Asked, Failure> {
    let mut request = Request::new(());
    let json = HeaderValue::from_static("application/json");
    *request.headers_mut() = HeaderMap::from_iter([(CONTENT_TYPE, json), (USER_AGENT, OWN_AGENT)]);
    let (parts, ()) = request.into_parts();
    let doc = bridge::scan_request(Wire::Chat, body)?;
    Asked::read(Wire::Chat, None, PathFacts::default(), parts, doc)
}

fn final_failure(failure: Failure) -> (Failure, Option<Repair>) {
    (failure, None)
}

/// A failure's kind, as results name it.
const fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidRequest
        | FailureKind::UnknownPath
        | FailureKind::MethodNotAllowed
        | FailureKind::UnsupportedMediaType
        | FailureKind::MisdirectedRequest
        | FailureKind::Conflict
        | FailureKind::TooLarge
        | FailureKind::HeadTooLarge => "invalid_request",
        FailureKind::Authentication | FailureKind::UpstreamCredential => "authentication",
        FailureKind::Permission => "permission",
        FailureKind::Billing | FailureKind::Budget | FailureKind::Loop => "billing",
        FailureKind::NotFound => "not_found",
        FailureKind::ContextOverflow { .. } => "context_overflow",
        FailureKind::RateLimit => "rate_limit",
        FailureKind::Overloaded => "overloaded",
        FailureKind::Timeout | FailureKind::RequestTimeout => "timeout",
        FailureKind::Server => "server",
        FailureKind::Truncated => "truncated",
        FailureKind::Malformed => "malformed",
        FailureKind::EmptyReply => "empty_reply",
        FailureKind::BrokenToolCall => "broken_tool_call",
    }
}
