//! `GET /api/record`: how the record is doing, and how large it is.

use std::sync::Arc;

use http::{Response, StatusCode};
use lingate_store::{Bodies, Extent, Reader, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::document;
use super::readers::Pace;
use super::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// The record.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RecordDocument {
    /// Whether anything is recorded. If not, there is nothing else.
    pub recording: bool,
    /// Which bodies are kept: `full`, `errors` or `metadata`.
    pub bodies: Option<&'static str>,
    /// What waits and what was dropped since the start of the process.
    pub queue: Option<State>,
    /// How much there is. Null if it cannot be read.
    pub extent: Option<Extent>,
}

pub(crate) async fn answer(process: &Arc<Process>) -> Result<Response<Body>, Refusal> {
    let Some(recorder) = &process.books.recorder else {
        let told = RecordDocument {
            recording: false,
            bodies: None,
            queue: None,
            extent: None,
        };
        return Ok(document::json(StatusCode::OK, &told));
    };
    let work = |reader: &Reader, _: &_| reader.extent();
    let extent = document::readers(process)?
        .ask(process, Pace::Quick, work)
        .await;
    let mut state = recorder.state();
    // It names files; the log has it.
    let why = "it cannot be written; the log says why";
    state.degraded = state.degraded.map(|_| why.to_owned());
    let told = RecordDocument {
        recording: true,
        bodies: Some(match recorder.bodies() {
            Bodies::Full => "full",
            Bodies::Errors => "errors",
            Bodies::Metadata => "metadata",
        }),
        queue: Some(state),
        extent: extent.ok(),
    };
    Ok(document::json(StatusCode::OK, &told))
}
