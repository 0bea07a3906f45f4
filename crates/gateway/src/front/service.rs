//! One request, from its head to what answers it.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use lingate_wire::turn::{Failure, FailureKind};

use super::keys::{self, Caller};
use super::respond::{self, Body};
use super::route::{Access, Matched, Route, matched};
use super::{control, guard, models, switch};
use crate::exchange::run::Call;
use crate::exchange::{count, run};
use crate::metrics::{CONTENT_TYPE, RouteLabels};
use crate::shared::Shared;
use crate::{clock, ids};

/// Answers one request; never fails.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let profiles = &shared.config.routes.profiles;
    let matched = matched(request.uri().path(), |name| profiles.contains_key(name));
    let is_head = request.method() == Method::HEAD;
    let wire = matched.wire;
    let mut response = match dispatch(shared, request, matched).await {
        Ok(response) => response,
        Err(Refused {
            failure,
            allow,
            is_last,
        }) => {
            let mut response = respond::failure(&failure, wire, &ids::exchange().to_string());
            if is_last {
                respond::set(response.headers_mut(), CONNECTION, "close");
            }
            if let Some(allow) = allow {
                respond::set_allow(&mut response, allow);
            }
            response
        }
    };
    if is_head {
        *response.body_mut() = respond::empty(StatusCode::OK).into_body();
    }
    Ok(response)
}

/// A request that is not served, and the methods that would be.
struct Refused {
    failure: Failure,
    allow: Option<&'static [Method]>,
    /// Whether the connection ends with it.
    is_last: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            allow: None,
            is_last: false,
        }
    }
}

async fn dispatch(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    matched: Matched,
) -> Result<Response<Body>, Refused> {
    let (parts, body) = request.into_parts();
    guard::check_protocol(&parts.method, &parts.headers).map_err(|failure| Refused {
        failure,
        allow: None,
        is_last: true,
    })?;
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
    let caller = match route.access() {
        Access::Open => Caller::Anybody,
        Access::Client => keys::caller(&shared.config, &parts.headers)?,
        Access::Owner => {
            shared.control.check_owner(&parts.headers)?;
            Caller::Anybody
        }
    };
    if matches!(route, Route::Reply(_) | Route::CountTokens(_)) {
        guard::check_content_type(&parts.method, &parts.headers)?;
    } else {
        shared
            .metrics
            .other_requests
            .get_or_create(&RouteLabels {
                route: route.name(),
            })
            .inc();
    }
    let accepted = clock::now();
    let profile = matched.profile;
    Ok(match route {
        Route::Reply(wire) => {
            shared.control.exchange_began();
            let call = Call {
                wire,
                profile,
                accepted,
                caller,
                parts,
                body,
            };
            run::run(shared, call).await
        }
        Route::CountTokens(wire) => {
            let call = Call {
                wire,
                profile,
                accepted,
                caller,
                parts,
                body,
            };
            count::run(shared, call).await
        }
        Route::Models => models::list(&shared, profile.as_deref(), &caller),
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
        Route::Health => control::health(&shared),
        Route::Metrics => respond::whole(StatusCode::OK, CONTENT_TYPE, shared.metrics.text()),
        Route::Stop => control::stop(&shared, parts.uri.query()),
        Route::Lease => control::lease(&shared)?,
        Route::Default if parts.method == Method::POST => switch::set(&shared, body).await?,
        Route::Default => switch::get(&shared),
    })
}

fn unknown(shared: &Shared, method: &Method, path: &str) -> Failure {
    shared.metrics.unknown_endpoints.inc();
    tracing::warn!(%method, path, "unknown endpoint");
    Failure::new(
        FailureKind::UnknownPath,
        format!(
            "unknown request URL: {method} {path} is not served here; there are /v1/messages, /v1/messages/count_tokens, \
             /v1/chat/completions, /v1/models, /health and /metrics"
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
        is_last: false,
    }
}
