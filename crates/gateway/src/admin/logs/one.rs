//! `GET /api/logs/{id}` and its summary.

use std::sync::Arc;

use http::{Response, StatusCode};
use lingate_store::{BodyInfo, Details, Error, Reader};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::item::{self, Item};
use crate::admin::document;
use crate::admin::readers::Pace;
use crate::admin::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// Less of an id says too little.
const FEWEST_DIGITS: usize = 8;

/// An exchange with everything but its bodies.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Log {
    #[serde(flatten)]
    pub item: Item,
    /// What lists do not show; empty while it runs.
    pub details: Details,
    /// Which bodies there are.
    pub bodies: Vec<BodyInfo>,
}

/// What became of an exchange.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogSummary {
    /// The id.
    pub id: String,
    /// The row's number.
    pub numeric_id: i64,
    /// The id.
    pub request_id: String,
    /// The status that was sent.
    pub status_code: Option<u16>,
    /// The model as asked.
    pub model: String,
    /// The provider that served.
    pub provider: Option<String>,
    /// JSON in a text, as in lists.
    pub summary: Option<String>,
    /// When the request was accepted.
    pub timestamp: String,
}

pub(crate) async fn answer(process: &Arc<Process>, id: String) -> Result<Response<Body>, Refusal> {
    let work = move |reader: &Reader, _: &_| match find(reader, &id)? {
        Some(id) => reader.get(id),
        None => Ok(None),
    };
    let found = document::readers(process)?
        .ask(process, Pace::Quick, work)
        .await?;
    let record = found.ok_or_else(missing)?;
    let told = Log {
        item: Item::from(record.exchange),
        details: record.details,
        bodies: record.bodies,
    };
    Ok(document::json(StatusCode::OK, &told))
}

pub(crate) async fn summary(process: &Arc<Process>, id: String) -> Result<Response<Body>, Refusal> {
    let work = move |reader: &Reader, _: &_| match find(reader, &id)? {
        Some(id) => reader.exchange(id),
        None => Ok(None),
    };
    let found = document::readers(process)?
        .ask(process, Pace::Quick, work)
        .await?;
    let exchange = found.ok_or_else(missing)?;
    let told = LogSummary {
        id: exchange.id.to_string(),
        numeric_id: exchange.number,
        request_id: exchange.id.to_string(),
        status_code: exchange.status,
        summary: item::summary(&exchange),
        timestamp: item::timestamp(&exchange),
        model: exchange.model,
        provider: exchange.provider,
    };
    Ok(document::json(StatusCode::OK, &told))
}

/// The exchange of an id, of the beginning of one (eight digits or more, if no other begins like this), or of a row's
/// number. Ids begin with a nought for another century, numbers never do.
pub(crate) fn find(reader: &Reader, given: &str) -> Result<Option<Uuid>, Error> {
    if let Ok(id) = Uuid::parse_str(given) {
        return Ok(Some(id));
    }
    if let Ok(number) = given.parse::<i64>()
        && number > 0
        && !given.starts_with(['0', '+'])
    {
        return reader.numbered(number);
    }
    let is_beginning = given
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && given.len() >= FEWEST_DIGITS;
    if is_beginning {
        reader.named(given)
    } else {
        Ok(None)
    }
}

/// The words that an older proxy's dashboard knows.
pub(crate) fn missing() -> Refusal {
    Refusal::missing(
        "Log not found",
        "no exchange of the record has this id, the beginning of it, or this number; /api/logs lists them",
    )
}
