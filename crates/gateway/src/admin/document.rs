//! What the API's answers have in common.

use std::sync::Arc;

use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::readers::Readers;
use super::refusal::Refusal;
use crate::front::respond::{self, Body};
use crate::shared::Process;

/// A document.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    let Ok(body) = serde_json::to_vec(document) else {
        return Refusal::internal("the answer cannot be written as JSON").into_response();
    };
    let mut response = respond::json(status, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// The record's readers, if there is a record.
pub(crate) fn readers(process: &Process) -> Result<&Arc<Readers>, Refusal> {
    process.admin.readers.as_ref().ok_or_else(|| {
        let refusal = Refusal::unavailable("nothing is recorded here");
        Refusal {
            hint: Some(
                "`record.bodies` says what is kept; turning the record on needs a restart"
                    .to_owned(),
            ),
            ..refusal
        }
    })
}
