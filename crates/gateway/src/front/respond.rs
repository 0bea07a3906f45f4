//! Responses of our own, and the body type that all responses share.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Either, Full};
use lingate_wire::turn::{Failure, FailureKind};
use lingate_wire::{Wire, bridge};

/// A response's body. It cannot fail: what breaks under way ends in the wire's own error event.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>;

/// The record's id.
pub(crate) const LINGATE_ID: HeaderName = HeaderName::from_static("x-lingate-id");
/// The upstream's id of the request, else ours.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Whether the client should try again by itself.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Room for the headers of most answers, what describes them and framing included: a map that grows is filled anew.
const USUAL_HEADERS: usize = 12;

/// A whole response.
pub(crate) fn whole(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(USUAL_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    whole(status, "application/json", body)
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}

/// A failure in the wire's own shape.
pub(crate) fn failure(failure: &Failure, wire: Wire, request_id: &str) -> Response<Body> {
    let (status, body) = bridge::encode_error(wire, failure, request_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, body);
    let headers = response.headers_mut();
    set(headers, REQUEST_ID, request_id);
    if let Some(seconds) = failure.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(should_retry) = failure.should_retry.or_else(|| should_retry(failure.kind)) {
        set(
            headers,
            SHOULD_RETRY,
            if should_retry { "true" } else { "false" },
        );
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The `Allow` header of a 405.
pub(crate) fn set_allow(response: &mut Response<Body>, methods: &[http::Method]) {
    let names: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
    set(response.headers_mut(), ALLOW, &names.join(", "));
}

/// Sets a header to a value of ours; one that does not fit a header is left out.
pub(crate) fn set(headers: &mut http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Sets a header to a number. What the library makes of one it holds by two allocations.
pub(crate) fn set_number(headers: &mut http::HeaderMap, name: HeaderName, value: u64) {
    set(headers, name, itoa::Buffer::new().format(value));
}

/// Everything that trying again cannot help says so; the rest is left to the status.
const fn should_retry(kind: FailureKind) -> Option<bool> {
    match kind {
        FailureKind::InvalidRequest
        | FailureKind::Authentication
        | FailureKind::Permission
        | FailureKind::Billing
        | FailureKind::Budget
        | FailureKind::Loop
        | FailureKind::NotFound
        | FailureKind::UnknownPath
        | FailureKind::MethodNotAllowed
        | FailureKind::UnsupportedMediaType
        | FailureKind::MisdirectedRequest
        | FailureKind::TooLarge
        | FailureKind::HeadTooLarge
        | FailureKind::ContextOverflow { .. }
        | FailureKind::UpstreamCredential => Some(false),
        FailureKind::Conflict
        | FailureKind::RateLimit
        | FailureKind::Overloaded
        | FailureKind::RequestTimeout
        | FailureKind::Timeout
        | FailureKind::Server
        | FailureKind::Truncated
        | FailureKind::Malformed
        | FailureKind::EmptyReply
        | FailureKind::BrokenToolCall => None,
    }
}
