//! `GET /api/livestore/pull`: pages of ended exchanges in the protocol of an older proxy's dashboard.
//!
//! Newest first by `timestamp` and `numeric_id`. Without a cursor it begins at the head; with one, behind it. `next` is the
//! cursor of the last item, or the one that was given where there is no item.

use std::sync::Arc;

use http::{Response, StatusCode};
use lingate_store::{Exchange, Reader};
use schemars::JsonSchema;
use serde::Serialize;

use super::document;
use super::logs::item;
use super::parameters::{Asked, Kind, Parameter};
use super::readers::Pace;
use super::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "timestamp",
        kind: Kind::Time,
        about: "`next.timestamp` of the page before.",
    },
    Parameter {
        name: "id",
        kind: Kind::Number,
        about: "`next.id` of the page before; means nothing without `timestamp`.",
    },
    Parameter {
        name: "limit",
        kind: Kind::Integer {
            least: 1,
            most: 500,
            default: 50,
        },
        about: "How many items; never more than 500.",
    },
];

/// A page.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pulled {
    /// Newest first.
    pub items: Vec<PulledItem>,
    /// Where the next page begins.
    pub next: Cursor,
}

/// An exchange of a page.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PulledItem {
    /// The id.
    pub id: String,
    /// The row's number.
    pub numeric_id: i64,
    /// The id.
    pub request_id: String,
    /// When the request was accepted: RFC 3339, UTC, to the millisecond.
    pub timestamp: String,
    /// The method of the request.
    pub method: &'static str,
    /// The path.
    pub url: String,
    /// The status that was sent; 0 if the process died before.
    pub status_code: u16,
    /// The model as asked.
    pub model: Option<String>,
    /// The provider that served.
    pub provider: Option<String>,
    /// The profile it was asked under.
    pub profile: Option<String>,
    /// JSON in a text, as in `/api/logs`.
    pub summary: Option<String>,
}

/// A place in the list. Empty if there was nothing to tell one from.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Cursor {
    /// The time of the item before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Its row's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
}

impl From<Exchange> for PulledItem {
    fn from(exchange: Exchange) -> Self {
        Self {
            id: exchange.id.to_string(),
            numeric_id: exchange.number,
            request_id: exchange.id.to_string(),
            timestamp: item::timestamp(&exchange),
            method: "POST",
            status_code: exchange.status.unwrap_or(0),
            summary: item::summary(&exchange),
            url: exchange.path,
            model: Some(exchange.model).filter(|model| !model.is_empty()),
            provider: exchange.provider,
            profile: exchange.profile,
        }
    }
}

pub(crate) async fn answer(
    process: &Arc<Process>,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    let limit = asked.size("limit");
    let (time, id) = (asked.time("timestamp"), asked.number("id"));
    let before = time.map(|time| (time.as_millisecond(), id.unwrap_or(0)));
    let work = move |reader: &Reader, _: &_| reader.pull(before, limit);
    let found = document::readers(process)?
        .ask(process, Pace::Quick, work)
        .await?;
    let items: Vec<PulledItem> = found.into_iter().map(PulledItem::from).collect();
    let next = match items.last() {
        Some(last) => Cursor {
            timestamp: Some(last.timestamp.clone()),
            id: Some(last.numeric_id),
        },
        None => Cursor {
            timestamp: time.map(|time| format!("{time:.3}")),
            id,
        },
    };
    Ok(document::json(StatusCode::OK, &Pulled { items, next }))
}
