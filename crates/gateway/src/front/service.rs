//! One request, from its head to what answers it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, CONNECTION};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use lingate_wire::Wire;
use lingate_wire::bridge::PathFacts;
use lingate_wire::turn::{Failure, FailureKind};

use super::keys::{self, Caller};
use super::respond::{self, Body};
use super::route::{Access, Matched, Route, matched};
use super::{control, encoding, guard, models, switch};
use crate::admin;
use crate::exchange::run::{Call, RequestBody};
use crate::exchange::{count, run};
use crate::generations::Generations;
use crate::metrics::{self, CONTENT_TYPE, RouteLabels};
use crate::shared::Shared;
use crate::{clock, ids};

/// Answers one request; never fails. Where there `is_full` of connections, only the gateway's own state is told.
pub(crate) async fn serve(
    generations: Arc<Generations>,
    request: Request<Incoming>,
    peer: SocketAddr,
    is_full: bool,
) -> Result<Response<Body>, Infallible> {
    let shared = generations.current();
    let profiles = &shared.config.routes.profiles;
    let matched = matched(request.uri().path(), |name| profiles.contains_key(name))
        .asked_by(request.headers());
    let is_head = request.method() == Method::HEAD;
    let wire = matched.wire;
    let mut response = match dispatch(&generations, shared, request, matched, peer, is_full).await {
        Ok(response) => response,
        Err(Refused {
            failure,
            allow,
            accepts,
            is_last,
        }) => {
            let mut response = respond::failure(&failure, wire, &ids::exchange().to_string());
            if is_last {
                respond::set(response.headers_mut(), CONNECTION, "close");
            }
            if let Some(allow) = allow {
                respond::set_allow(&mut response, allow);
            }
            if let Some(accepts) = accepts {
                respond::set(response.headers_mut(), ACCEPT_ENCODING, accepts);
            }
            response
        }
    };
    if is_head {
        *response.body_mut() = respond::empty(StatusCode::OK).into_body();
    }
    Ok(response)
}

/// A request that is not served, and what would be.
struct Refused {
    failure: Failure,
    allow: Option<&'static [Method]>,
    /// The content codings that are read.
    accepts: Option<&'static str>,
    /// Whether the connection ends with it.
    is_last: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            allow: None,
            accepts: None,
            is_last: false,
        }
    }
}

impl Refused {
    /// The last answer of its connection.
    fn last(self) -> Self {
        Self {
            is_last: true,
            ..self
        }
    }
}

async fn dispatch(
    generations: &Arc<Generations>,
    shared: Arc<Shared>,
    request: Request<Incoming>,
    matched: Matched,
    peer: SocketAddr,
    is_full: bool,
) -> Result<Response<Body>, Refused> {
    let (parts, body) = request.into_parts();
    guard::check_protocol(&parts.method, &parts.uri, &parts.headers)
        .map_err(|failure| Refused::from(failure).last())?;
    guard::check_source(&parts.headers, &parts.uri, &shared.config.server.hosts).inspect_err(
        |failure| {
            shared.metrics.refused_sources.inc();
            tracing::warn!(path = parts.uri.path(), "refused: {}", failure.message);
        },
    )?;
    if parts.method == Method::OPTIONS {
        let mut response = respond::empty(StatusCode::NO_CONTENT);
        if let Some(route) = &matched.route {
            respond::set_allow(&mut response, route.methods());
        }
        return Ok(response);
    }
    let Some(route) = matched.route else {
        return Err(unknown(&shared, &parts.method, parts.uri.path()).into());
    };
    if !route.methods().contains(&parts.method) {
        return Err(wrong_method(&parts.method, &route));
    }
    if is_full
        && !matches!(
            route,
            Route::Health | Route::Ready | Route::Metrics | Route::Stop
        )
    {
        return Err(Refused::from(full()).last());
    }
    let caller = match route.access() {
        Access::Open => Caller::Anybody,
        Access::Client => keys::caller(&shared, &parts.headers, peer)?,
        Access::Owner => {
            shared.control.check_owner(&parts.headers)?;
            Caller::Anybody
        }
        Access::Admin => {
            admin::access::check(&shared, &parts.headers, peer)?;
            Caller::Anybody
        }
    };
    let mut codings = Vec::new();
    if matches!(route, Route::Reply(_) | Route::CountTokens(_)) {
        guard::check_content_type(&parts.method, &parts.headers)?;
        codings = encoding::codings(&parts.headers).map_err(|failure| Refused {
            accepts: Some(encoding::ACCEPTED),
            ..failure.into()
        })?;
    } else {
        shared
            .metrics
            .other_requests
            .get_or_create(&RouteLabels {
                route: route.name(),
            })
            .inc();
    }
    let (profile, facts) = (matched.profile, matched.facts);
    // What is not for a reply is on the heap: a future is as large as the largest that it awaits, and is moved whole.
    Ok(match route {
        Route::Reply(wire) => {
            let body = RequestBody::Arriving(body, codings);
            let call = called(wire, profile, facts, caller, parts, body);
            shared.control.exchange_began();
            run::run(shared, call).await
        }
        Route::CountTokens(wire) => {
            let body = RequestBody::Arriving(body, codings);
            let call = called(wire, profile, facts, caller, parts, body);
            Box::pin(count::run(shared, call)).await
        }
        Route::Models => {
            let list = models::Asked {
                wire: matched.wire,
                query: parts.uri.query().unwrap_or_default(),
                headers: &parts.headers,
            };
            models::list(&shared, profile.as_deref(), &caller, &list)
        }
        Route::Model(id) => {
            let request_id = ids::exchange().to_string();
            models::one(
                &shared,
                profile.as_deref(),
                &caller,
                &id,
                matched.wire,
                &request_id,
            )
        }
        Route::Probe => respond::empty(StatusCode::OK),
        Route::EventLogging => respond::json(StatusCode::OK, "{}"),
        Route::Health => control::health(generations),
        Route::Ready => control::ready(&shared.process),
        Route::Metrics => respond::whole(StatusCode::OK, CONTENT_TYPE, metrics::text(&shared)),
        Route::Stop => control::stop(&shared.process, parts.uri.query()),
        Route::Lease => control::lease(&shared.process)?,
        Route::Default if parts.method == Method::POST => {
            Box::pin(switch::set(generations, body)).await?
        }
        Route::Default => switch::get(&shared),
        Route::Reload if parts.method == Method::POST => {
            Box::pin(admin::reload::post(generations)).await
        }
        Route::Reload => admin::reload::get(generations),
        Route::Api(ask) => Box::pin(admin::answer(&shared.process, ask, &parts)).await,
        Route::Providers => admin::providers::list(&shared),
        Route::Provider(id, action) => {
            Box::pin(admin::providers::act(&shared, &id, action)).await?
        }
    })
}

/// A request for a model's work, accepted now.
fn called(
    wire: Wire,
    profile: Option<String>,
    facts: PathFacts,
    caller: Caller,
    parts: Parts,
    body: RequestBody,
) -> Call {
    Call {
        wire,
        profile,
        facts,
        accepted: clock::now(),
        caller,
        parts,
        body,
        id: ids::exchange(),
    }
}

/// There is no room for another connection.
fn full() -> Failure {
    let mut failure = Failure::new(
        FailureKind::Overloaded,
        "too many connections are open; close some, or raise the limit on open files (`ulimit -n`)",
    );
    failure.retry_after = Some(1);
    failure
}

fn unknown(shared: &Shared, method: &Method, path: &str) -> Failure {
    shared.metrics.unknown_endpoints.inc();
    tracing::warn!(%method, path, "unknown endpoint");
    Failure::new(
        FailureKind::UnknownPath,
        format!(
            "unknown request URL: {method} {path} is not served here; there are /v1/messages, /v1/messages/count_tokens, \
             /v1/chat/completions, /v1/responses, /v1beta/models/MODEL:generateContent, /v1/models, /health and /metrics"
        ),
    )
}

fn wrong_method(method: &Method, route: &Route) -> Refused {
    let names: Vec<&str> = route.methods().iter().map(Method::as_str).collect();
    Refused {
        failure: Failure::new(
            FailureKind::MethodNotAllowed,
            format!(
                "{method} is not served on this path; {} is",
                names.join(" or ")
            ),
        ),
        allow: Some(route.methods()),
        accepts: None,
        is_last: false,
    }
}
