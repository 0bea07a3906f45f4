//! `count_tokens`: from a provider of the same wire that counts itself, else an estimate, and marked as one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;
use lingate_wire::json::{Value, Writer, scan};
use lingate_wire::turn::Failure;

use super::asked::Asked;
use super::attempt;
use super::run::Call;
use super::upstream::{Upstream, resolution};
use crate::front::body;
use crate::front::respond::{self, Body};
use crate::lane::{estimate, passthrough};
use crate::shared::Shared;
use crate::upstream::body::UpstreamBody;
use crate::upstream::client::Way;
use crate::upstream::decoding::Decoding;

/// Clients ask for many counts at once and wait for them.
const COUNT_LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of a provider's answer.
const ANSWER_CAP: usize = 64 * 1024;
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
    let body = body::read(
        call.body,
        shared.config.server.max_body,
        shared.limits.body_idle,
    )
    .await?;
    let asked = Asked::read(call.wire, call.profile, call.parts, &body)?;
    call.caller.may_ask(&asked.peek.model.decode())?;
    // A name that nothing serves is as wrong here as in a request for a reply.
    let candidates = resolution(&shared.routes.table(), &asked)?.candidates;
    let mut tokens = estimate::input_tokens(asked.decoded()?);
    if let Some(candidate) = candidates.first() {
        let upstream = Upstream::of(&shared.config, candidate, asked.wire)?;
        if let Some(counted) = counted_by_provider(shared, &asked, &upstream).await {
            return Ok(respond::json(StatusCode::OK, counted));
        }
        tokens = shared
            .calibration
            .applied(&candidate.provider, &candidate.model, tokens);
    }
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

/// The count of a provider of the same wire, which may know of none; then ours serves.
async fn counted_by_provider(
    shared: &Shared,
    asked: &Asked,
    upstream: &Upstream<'_>,
) -> Option<Bytes> {
    if asked.wire != Wire::Anthropic || upstream.lane(asked) != Lane::Passthrough {
        return None;
    }
    let url: Uri = format!("{}/count_tokens", upstream.url?).parse().ok()?;
    let body = passthrough::spliced(asked, &upstream.model);
    let request = attempt::request(asked, upstream, Lane::Passthrough, &url, body).ok()?;
    let client = shared.clients.get(&Way::of(upstream.provider))?;
    let counted = async {
        let response = client.request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let decoding = Decoding::of(&head.headers).ok()?;
        let body = UpstreamBody::Http(body, Box::new(decoding))
            .whole(ANSWER_CAP)
            .await
            .ok()?;
        let text = ByteString::try_from(body.clone()).ok()?;
        let is_count = scan(&text)
            .ok()?
            .root()
            .get("input_tokens")
            .and_then(Value::u64)
            .is_some();
        (head.status.is_success() && is_count).then_some(body)
    };
    tokio::time::timeout(COUNT_LIMIT, counted)
        .await
        .ok()
        .flatten()
}
