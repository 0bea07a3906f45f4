//! `count_tokens`: an estimate, and marked as one.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use lingate_wire::json::Writer;
use lingate_wire::turn::Failure;

use super::asked::Asked;
use super::run::Call;
use super::upstream::{Upstream, resolution};
use crate::front::body;
use crate::front::respond::{self, Body};
use crate::lane::estimate;
use crate::shared::Shared;

/// Set where the count is ours and not the provider's.
const ESTIMATE: HeaderName = HeaderName::from_static("x-lingate-estimate");

/// Counts a request's input tokens.
pub(crate) async fn run(shared: Arc<Shared>, call: Call) -> Response<Body> {
    let wire = call.wire;
    let id = crate::ids::exchange().to_string();
    let mut response = answer(&shared, call)
        .await
        .unwrap_or_else(|failure| respond::failure(&failure, wire, &id));
    respond::set(response.headers_mut(), respond::LINGATE_ID, &id);
    response
}

async fn answer(shared: &Shared, call: Call) -> Result<Response<Body>, Failure> {
    let body = body::read(call.body, shared.config.server.max_body, shared.limits.body_idle).await?;
    let asked = Asked::read(call.wire, call.profile, call.parts, &body)?;
    call.caller.may_ask(&asked.peek.model.decode())?;
    // A name that nothing serves is as wrong here as in a request for a reply.
    let candidates = resolution(&shared.routes.table(), &asked)?.candidates;
    let estimated = estimate::input_tokens(asked.decoded()?);
    let tokens = match candidates.first() {
        Some(candidate) => {
            Upstream::of(&shared.config, candidate, asked.wire)?;
            shared.calibration.applied(&candidate.provider, &candidate.model, estimated)
        }
        None => estimated,
    };
    let mut writer = Writer::default();
    writer
        .begin_object()
        .key("input_tokens")
        .u64(tokens)
        .end_object();
    let mut response = respond::json(StatusCode::OK, writer.into_bytes());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ESTIMATE, HeaderValue::from_static("true"));
    Ok(response)
}
