//! `GET /api/logs/search`: texts in bodies, newest exchanges first, for as long as the asker has patience.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use lingate_store::filter::Condition;
use lingate_store::{BodyKind, MAX_HITS, Page, Search};
use schemars::JsonSchema;
use serde::Serialize;

use super::item::Item;
use super::list;
use crate::admin::document;
use crate::admin::parameters::{Asked, FROM, Kind, Parameter, TO};
use crate::admin::readers::Pace;
use crate::admin::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// Bodies that may be looked in, by the names of paths.
const KINDS: &[&str] = &[
    "request",
    "response",
    "provider-request",
    "provider-response",
];

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "q",
        kind: Kind::Filter,
        about: "A filter with the texts that bodies must contain: `status:5xx \"panic at\"`. Texts are looked for in any case.",
    },
    Parameter {
        name: "search",
        kind: Kind::Text,
        about: "One text as it stands, blanks and colons included.",
    },
    Parameter {
        name: "kinds",
        kind: Kind::Choices(KINDS),
        about: "In which bodies, with commas between; in all if left out.",
    },
    Parameter {
        name: "limit",
        kind: Kind::Integer {
            least: 1,
            most: MAX_HITS as i64,
            default: 200,
        },
        about: "After how many hits to stop; never more than 5000.",
    },
    Parameter {
        name: "timeout_ms",
        kind: Kind::Integer {
            least: 250,
            most: 120_000,
            default: 10_000,
        },
        about: "After how long to stop.",
    },
    Parameter {
        name: "before",
        kind: Kind::Id,
        about: "Where to go on: `cursor` of the search before.",
    },
    FROM,
    TO,
    Parameter {
        name: "items",
        kind: Kind::Flag,
        about: "Whether the exchanges are told, too, each with what was found.",
    },
];

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct SearchResult {
    /// Row numbers, newest first.
    pub ids: Vec<i64>,
    /// Ids, in the same order.
    pub request_ids: Vec<String>,
    /// Whether there may be more: it goes on at `cursor`.
    pub truncated: bool,
    /// `before` of the search that goes on; null if everything was looked at.
    pub cursor: Option<String>,
    /// How many exchanges were looked at.
    pub searched: u64,
    /// What looked.
    pub engine: &'static str,
    /// With `items=true`: the exchanges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Hit>>,
}

/// An exchange in which the texts were found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hit {
    #[serde(flatten)]
    pub item: Item,
    /// The body in which the first text was found; null if there was none to be found.
    pub kind: Option<BodyKind>,
    /// What stands around it.
    pub excerpt: String,
}

pub(crate) async fn answer(
    process: &Arc<Process>,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    let wants_items = asked.flag("items");
    let mut told = SearchResult {
        engine: "lingate",
        items: wants_items.then(Vec::new),
        ..SearchResult::default()
    };
    let readers = document::readers(process)?;
    let mut filter = asked.filter("q");
    if let Some(text) = asked
        .text("search")
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        filter.and(Condition::Text(text.to_owned()));
    }
    if filter.terms.is_empty() {
        return Ok(document::json(StatusCode::OK, &told));
    }
    list::narrow(&mut filter, asked);
    let kinds = asked.choices("kinds").iter();
    let search = Search {
        filter,
        kinds: kinds.filter_map(|name| BodyKind::named(name)).collect(),
        page: Page {
            before: asked.id("before"),
            limit: asked.size("limit"),
            skip: 0,
        },
    };
    let budget = Duration::from_millis(asked.integer("timeout_ms").unsigned_abs());
    let hits = readers
        .ask(process, Pace::Search(budget), move |reader, patience| {
            reader.search(&search, &mut || patience.is_over(budget))
        })
        .await?;
    told.truncated = hits.next.is_some();
    told.cursor = hits.next.map(|id| id.to_string());
    told.searched = hits.searched;
    for found in hits.items {
        told.ids.push(found.exchange.number);
        told.request_ids.push(found.exchange.id.to_string());
        if let Some(items) = &mut told.items {
            items.push(Hit {
                item: Item::from(found.exchange),
                kind: found.kind,
                excerpt: found.excerpt,
            });
        }
    }
    Ok(document::json(StatusCode::OK, &told))
}
