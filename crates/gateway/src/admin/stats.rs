//! `GET /api/stats`: sums over exchanges, newest first for as long as the asker has patience.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use lingate_store::{GroupBy, Page, Stats};
use schemars::JsonSchema;
use serde::Serialize;

use super::document;
use super::logs::list::without_texts;
use super::parameters::{Asked, FROM, Kind, Parameter, SEARCH, TO};
use super::readers::Pace;
use super::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// By what sums are taken.
const BY: &[&str] = &[
    "model", "upstream", "provider", "session", "key", "class", "status", "end", "tool", "quirk",
    "hour", "day", "week", "month",
];

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "by",
        kind: Kind::Choice(BY),
        about: "What the groups are. An exchange counts for each tool it called and each quirk that changed it.",
    },
    Parameter {
        name: "q",
        kind: Kind::Filter,
        about: "Words that must all hold, such as `model:kimi since:7d`; no texts in bodies.",
    },
    SEARCH,
    FROM,
    TO,
    Parameter {
        name: "before",
        kind: Kind::Id,
        about: "Where to go on: `next` of the sums before, to which these may be added.",
    },
    Parameter {
        name: "limit",
        kind: Kind::Integer {
            least: 1,
            most: 1000,
            default: 100,
        },
        about: "How many groups; never more than 1000.",
    },
    Parameter {
        name: "utc_offset_s",
        kind: Kind::Integer {
            least: -86_400,
            most: 86_400,
            default: 0,
        },
        about: "Where hours, days, weeks and months begin: seconds to add to UTC.",
    },
    Parameter {
        name: "timeout_ms",
        kind: Kind::Integer {
            least: 10,
            most: 60_000,
            default: 5_000,
        },
        about: "How long sums are taken; what is left is behind `next`.",
    },
];

/// Sums.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatsDocument {
    /// What the groups are.
    pub by: &'static str,
    #[serde(flatten)]
    pub stats: Stats,
}

pub(crate) async fn answer(
    process: &Arc<Process>,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    let by = asked.choice("by");
    let group_by = group_by(by);
    let filter = without_texts(asked)?;
    let offset = asked.integer("utc_offset_s");
    let page = Page {
        before: asked.id("before"),
        limit: asked.size("limit"),
        skip: 0,
    };
    let budget = Duration::from_millis(asked.integer("timeout_ms").unsigned_abs());
    let stats = document::readers(process)?
        .ask(process, Pace::Sums(budget), move |reader, patience| {
            reader.stats_until(&filter, group_by, offset, page, &mut || {
                patience.is_over(budget)
            })
        })
        .await?;
    Ok(document::json(StatusCode::OK, &StatsDocument { by, stats }))
}

fn group_by(name: &str) -> GroupBy {
    match name {
        "upstream" => GroupBy::UpstreamModel,
        "provider" => GroupBy::Provider,
        "session" => GroupBy::Session,
        "key" => GroupBy::Key,
        "class" => GroupBy::Class,
        "status" => GroupBy::Status,
        "end" => GroupBy::End,
        "tool" => GroupBy::Tool,
        "quirk" => GroupBy::Quirk,
        "hour" => GroupBy::Hour,
        "day" => GroupBy::Day,
        "week" => GroupBy::Week,
        "month" => GroupBy::Month,
        _ => GroupBy::Model,
    }
}
