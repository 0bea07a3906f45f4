//! What the API answers when it does not do what it was asked.

use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::front::respond::{self, Body};
use crate::ids;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    /// The class of it, as the Anthropic wire names them.
    pub kind: &'static str,
    /// What was wrong.
    pub message: String,
    /// What helps, where the message does not say.
    pub hint: Option<String>,
    /// Whole seconds until trying again can help.
    pub retry_after: Option<u16>,
}

/// An error as it is sent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorDocument<'a> {
    /// `error`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it is.
    pub error: Told<'a>,
    /// Names this answer.
    pub request_id: String,
}

/// What is said of an error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErrorBody")]
pub(crate) struct Told<'a> {
    /// The class of the error.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// What was wrong, and how to put it right.
    pub message: &'a str,
    /// Where to look further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'a str>,
}

impl Refusal {
    /// 400: the request cannot be meant.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// 404.
    pub(crate) fn missing(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let refusal = Self::new(StatusCode::NOT_FOUND, "not_found_error", message);
        Self {
            hint: Some(hint.into()),
            ..refusal
        }
    }

    /// 503: not now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded_error", message)
    }

    /// 500: our fault, or the disk's.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message)
    }

    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            hint: None,
            retry_after: None,
        }
    }

    /// As it is sent.
    pub(crate) fn into_response(self) -> Response<Body> {
        let document = ErrorDocument {
            kind: "error",
            error: Told {
                kind: self.kind,
                message: &self.message,
                hint: self.hint.as_deref(),
            },
            request_id: ids::exchange().to_string(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = respond::json(self.status, body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        respond::set(headers, respond::REQUEST_ID, &document.request_id);
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
