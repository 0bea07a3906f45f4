//! `GET /api/logs`: pages of exchanges, newest first.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use lingate_store::filter::Condition;
use lingate_store::{Filter, Page};
use schemars::JsonSchema;
use serde::Serialize;

use super::item::Item;
use crate::admin::document;
use crate::admin::parameters::{Asked, FROM, Kind, Parameter, SEARCH, TO};
use crate::admin::readers::Pace;
use crate::admin::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// No page is longer.
const MOST_ITEMS: i64 = 200;
/// No page with a number begins further down: getting there costs a step for each row.
const DEEPEST: usize = 10_000;
/// More are not counted.
const MOST_COUNTED: u32 = 10_000;
/// Time for counting, where only looking at every row tells.
const COUNTING: Duration = Duration::from_millis(8);

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "page",
        kind: Kind::Integer {
            least: 1,
            most: 1_000_000,
            default: 1,
        },
        about: "The number of the page, from 1. Only the first 10,000 rows are reached like this; `before` has no end.",
    },
    Parameter {
        name: "page_size",
        kind: Kind::Integer {
            least: 1,
            most: MOST_ITEMS,
            default: 20,
        },
        about: "How many items; never more than 200.",
    },
    Parameter {
        name: "before",
        kind: Kind::Id,
        about: "Only what was accepted before this exchange: `next` of the page before.",
    },
    Parameter {
        name: "q",
        kind: Kind::Filter,
        about: "Words that must all hold, such as `status:5xx model:kimi since:2h`. Texts in bodies are for `/api/logs/search`.",
    },
    SEARCH,
    FROM,
    TO,
    Parameter {
        name: "timeout_ms",
        kind: Kind::Integer {
            least: 1,
            most: 10_000,
            default: 20,
        },
        about: "How long rows are looked at one by one, where a word has no index. A page that ends for it is `truncated`.",
    },
];

/// A page of exchanges.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LogPage {
    /// Newest first.
    pub items: Vec<Item>,
    /// How many fit in all, up to 10,000.
    pub total: u64,
    /// Whether there may be more than `total`.
    pub total_is_at_least: bool,
    /// The page's number.
    pub page: i64,
    /// How many items a page has.
    #[serde(rename = "pageSize")]
    pub page_size: i64,
    /// `before` of the next page; null if this is the last.
    pub next: Option<String>,
    /// Whether the page is short for want of time: it goes on at `next`.
    pub truncated: bool,
}

pub(crate) async fn answer(
    process: &Arc<Process>,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    let (number, size) = (asked.integer("page"), asked.integer("page_size"));
    let page = Page {
        before: asked.id("before"),
        limit: asked.size("page_size"),
        skip: (asked.size("page") - 1).saturating_mul(asked.size("page_size")),
    };
    if page.skip > DEEPEST {
        return Err(Refusal::invalid(format!(
            "page {number} begins behind row {DEEPEST}: go on with `before`, which `next` of each page says, or narrow the list with `to`"
        )));
    }
    let filter = without_texts(asked)?;
    let budget = Duration::from_millis(asked.integer("timeout_ms").unsigned_abs());
    let pace = match budget {
        short if short < Duration::from_secs(1) => Pace::Quick,
        long => Pace::Search(long),
    };
    let readers = document::readers(process)?;
    let (listing, counted) = readers
        .ask(process, pace, move |reader, patience| {
            let listing = reader.list_until(&filter, page, &mut || patience.is_over(budget))?;
            let all = budget + COUNTING;
            let counted =
                reader.count_until(&filter, MOST_COUNTED, &mut || patience.is_over(all))?;
            Ok((listing, counted))
        })
        .await?;
    let told = LogPage {
        items: listing.items.into_iter().map(Item::from).collect(),
        total: counted.count,
        total_is_at_least: !counted.is_all,
        page: number,
        page_size: size,
        next: listing.next.map(|id| id.to_string()),
        truncated: listing.truncated,
    };
    Ok(document::json(StatusCode::OK, &told))
}

/// The filter of a list: `q`, `search`, `from` and `to` together. Texts in bodies are none.
pub(crate) fn without_texts(asked: &Asked) -> Result<Filter, Refusal> {
    let mut filter = asked.filter("q");
    if let Some((text, _)) = filter.texts().next() {
        return Err(Refusal::invalid(format!(
            "`{text}` in `q` is a text in bodies, which `/api/logs/search` looks for; a word of a filter has a colon, such as `model:kimi`"
        )));
    }
    narrow(&mut filter, asked);
    if let Some(text) = asked.text("search") {
        filter.and(Condition::Any(text.to_owned()));
    }
    Ok(filter)
}

/// Adds `from` and `to`.
pub(crate) fn narrow(filter: &mut Filter, asked: &Asked) {
    if let Some(from) = asked.time("from") {
        filter.and(Condition::Since(from));
    }
    if let Some(to) = asked.time("to") {
        // Both ends are meant, and times are kept to the millisecond.
        let behind = to.checked_add(SignedDuration::from_millis(1));
        filter.and(Condition::Until(behind.unwrap_or(Timestamp::MAX)));
    }
}
