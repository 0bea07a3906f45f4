//! What would become of a request, with nothing sent: [`explain`] for one body, [`lane_of`] for any.
//!
//! Everything here is asked of the functions that serve real requests, so that an explanation cannot say one thing and
//! the gateway do another. No network, no clock; keys are read, because a key that a header cannot carry is a finding,
//! but never shown.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderValue, Request};
use lingate_config::Config;
use lingate_route::{Candidate, Class, Fitting, LeftOut, Step};
use lingate_wire::Wire;
use lingate_wire::bridge::{self, Lane, PathFacts};
use lingate_wire::turn::{Failure, FailureKind};

use crate::exchange::asked::Asked;
use crate::exchange::attempt::{self, Attempt};
use crate::exchange::destination::destination;
use crate::exchange::policy;
use crate::exchange::upstream::Upstream;
use crate::lane::calibration::Factors;
use crate::record::Telling;
use crate::upstream::auth::CREDENTIALS;
use crate::{ids, lane};

/// What would become of one request.
#[derive(Debug)]
pub struct Explanation {
    /// The model's name as asked.
    pub model: String,
    /// Whether the answer would be streamed.
    pub stream: bool,
    /// What the client says the request is for.
    pub class: Class,
    /// How the name leads to the candidates; the first step is the reason.
    pub steps: Vec<Step>,
    /// In order of preference; never empty.
    pub candidates: Vec<Explained>,
    /// Those who cannot take the request, and why.
    pub left_out: Vec<LeftOut>,
}

/// What would become of the request at one candidate.
#[derive(Debug)]
pub struct Explained {
    /// Who would be asked.
    pub candidate: Candidate,
    /// The request that would go there, or why none would.
    pub outgoing: Result<Outgoing, Failure>,
    /// How many requests its provider is sent at a time (`concurrency`).
    pub concurrency: Option<u32>,
    /// The context that the request has to fit, in tokens, as far as it is known.
    pub context: Option<u64>,
    /// Who gets the request if it does not (`overflow`).
    pub overflow: Option<String>,
}

/// A request that would be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// Wire, lane and address.
    pub plan: Plan,
    /// The quirks that change this very request.
    pub hits: Vec<&'static str>,
    /// Paths of what the upstream's wire cannot carry.
    pub losses: Vec<String>,
    /// Name and value of each header; `None` where the value may be a credential.
    pub headers: Vec<(String, Option<String>)>,
    /// The body, as it would be sent.
    pub body: Bytes,
}

/// The way of a client's requests to a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The wire spoken there.
    pub wire: Wire,
    /// Whether requests pass byte for byte.
    pub lane: Lane,
    /// Why they do not; empty if they do.
    pub reasons: Vec<Reason>,
    /// Where requests go; `None` for the built-in demo.
    pub url: Option<String>,
    /// The quirks that apply to the candidate, in the order in which they run.
    pub quirks: Vec<&'static str>,
}

/// Why a request is translated although it could, or could not, pass byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The upstream speaks another wire than the client.
    OtherWire,
    /// The history holds reasoning that the gateway sealed, which no provider may see.
    Seal,
    /// A quirk changes requests or replies.
    Repairs,
    /// Settings of the model or the provider shape requests.
    ModelSettings,
    /// The provider's `body` is merged in, or its model left out.
    ProviderBody,
    /// The target's `body` is merged in.
    TargetBody,
    /// A tool call is insisted on (`ensure_tool_call`).
    EnsureToolCall,
    /// Tool calls are held against the tools' schemas (`validate_tool_calls`).
    ValidateToolCalls,
}

/// Says what would become of a request of `wire`, whose `headers` count for routing and forwarding. The built-in demo
/// takes part like any provider.
///
/// # Errors
/// If the request would be refused before any provider is asked: no JSON, no model, or one that nothing serves.
pub fn explain(
    config: &Config,
    wire: Wire,
    body: &ByteString,
    profile: Option<&str>,
    headers: HeaderMap,
) -> Result<Explanation, Failure> {
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let (parts, ()) = request.into_parts();
    let asked = Asked::read(
        wire,
        profile.map(str::to_owned),
        PathFacts::default(),
        parts,
        bridge::scan_request(wire, body)?,
    )?;
    let fitting = destination(config, &config.routes, &Factors::default(), &asked)?;
    let Fitting {
        resolution,
        left_out,
    } = fitting;
    let explained = |candidate: Candidate| Explained {
        outgoing: outgoing(config, &asked, &candidate),
        concurrency: config
            .provider(&candidate.provider)
            .and_then(|provider| provider.concurrency),
        context: config.routes.context(&candidate),
        overflow: config
            .model_settings(&candidate)
            .and_then(|own| own.overflow.clone()),
        candidate,
    };
    Ok(Explanation {
        model: asked.peek.model.decode().into_owned(),
        stream: asked.peek.stream,
        class: asked.class(),
        steps: resolution.steps,
        candidates: resolution.candidates.into_iter().map(explained).collect(),
        left_out,
    })
}

/// The way of any request with tools of a client's wire to a candidate, unless the request itself brings a reason of its own.
///
/// # Errors
/// If the candidate cannot serve that client.
pub fn lane_of(config: &Config, candidate: &Candidate, client: Wire) -> Result<Plan, Failure> {
    let upstream = Upstream::of(config, candidate, client)?;
    Ok(plan(&upstream, client, false, true))
}

fn outgoing(config: &Config, asked: &Asked, candidate: &Candidate) -> Result<Outgoing, Failure> {
    let upstream = Upstream::of(config, candidate, asked.wire)?;
    let mut plan = plan(&upstream, asked.wire, asked.has_seal, asked.peek.has_tools);
    if asked.is_thread() && plan.lane == Lane::Translate {
        return Err(Failure::new(
            FailureKind::InvalidRequest,
            "the request continues a thread that its provider keeps; the client is told to send all of it",
        ));
    }
    let exchange = ids::exchange().to_string();
    let attempt = Attempt {
        asked,
        upstream: &upstream,
        settings: &upstream.settings,
        plan: &policy::Plan::default(),
        schemas: &Arc::default(),
        telling: Telling::Nothing,
    };
    let prepared = lane::prepare(plan.lane, &attempt, &exchange)?;
    let mut headers = Vec::new();
    if let Some(url) = upstream.url {
        let request = attempt::request(asked, &upstream, plan.lane, url, prepared.body.clone())?;
        plan.url = Some(upstream.provider.shown(request.uri()));
        headers = shown(request.headers());
    }
    Ok(Outgoing {
        plan,
        hits: prepared.hits,
        losses: prepared.losses.told(usize::MAX),
        headers,
        body: prepared.body.whole(),
    })
}

fn plan(upstream: &Upstream<'_>, client: Wire, has_seal: bool, has_tools: bool) -> Plan {
    Plan {
        wire: upstream.wire,
        lane: upstream.lane_for(client, has_seal, has_tools),
        reasons: upstream.reasons(client, has_seal, has_tools).collect(),
        url: upstream.url.map(|url| upstream.provider.shown(url)),
        quirks: upstream
            .selection
            .quirks()
            .map(|quirk| quirk.name)
            .collect(),
    }
}

fn shown(headers: &HeaderMap) -> Vec<(String, Option<String>)> {
    let value = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let shown = headers.iter().map(|(name, sent)| {
        let is_secret = sent.is_sensitive() || CREDENTIALS.contains(name);
        let text = if is_secret { None } else { value(sent) };
        (name.to_string(), text)
    });
    shown.collect()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherWire => "the provider speaks another wire",
            Self::Seal => "the history holds sealed reasoning",
            Self::Repairs => "quirks change requests or replies",
            Self::ModelSettings => "settings of the model or provider shape requests",
            Self::ProviderBody => "the provider's `body` is merged in",
            Self::TargetBody => "the target's `body` is merged in",
            Self::EnsureToolCall => "a tool call is insisted on (`ensure_tool_call`)",
            Self::ValidateToolCalls => "tool calls are validated (`validate_tool_calls`)",
        })
    }
}
