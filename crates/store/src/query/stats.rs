//! Sums: what was asked, what it took, what it cost.

use lingate_wire::turn::Usage;
use rusqlite::Row;
use rusqlite::types::Value;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::Error;
use crate::filter::Filter;
use crate::record::unpriced;
use crate::shape;

use super::Reader;
use super::list::Page;

/// By what sums are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The hour, as `2026-11-21T14`.
    Hour,
    /// The day, as `2026-11-21`.
    Day,
    /// The week, by its Monday.
    Week,
    /// The month, as `2026-11`.
    Month,
    /// The model as asked.
    Model,
    /// The model that served.
    UpstreamModel,
    /// The provider that served.
    Provider,
    /// The conversation.
    Session,
    /// The client's key.
    Key,
    /// The request class.
    Class,
    /// The status.
    Status,
    /// How it ended.
    End,
    /// The tools called: an exchange counts for each.
    Tool,
    /// The quirks that changed something: an exchange counts for each.
    Quirk,
}

impl GroupBy {
    /// The expression whose values are the groups. Times are moved by the parameter first.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Hour => "strftime('%Y-%m-%dT%H', time_ms / 1000 + ?, 'unixepoch')",
            Self::Day => "strftime('%Y-%m-%d', time_ms / 1000 + ?, 'unixepoch')",
            Self::Week => {
                "strftime('%Y-%m-%d', time_ms / 1000 + ?, 'unixepoch', 'weekday 0', '-6 days')"
            }
            Self::Month => "strftime('%Y-%m', time_ms / 1000 + ?, 'unixepoch')",
            Self::Model => "model",
            Self::UpstreamModel => "upstream_model",
            Self::Provider => "provider",
            Self::Session => "session",
            Self::Key => "key",
            Self::Class => "class",
            Self::Status => "status",
            Self::End => "end",
            Self::Tool => "tag.value",
            Self::Quirk => "tag.value",
        }
    }

    pub(super) const fn is_time(self) -> bool {
        matches!(self, Self::Hour | Self::Day | Self::Week | Self::Month)
    }

    pub(super) const fn tag(self) -> Option<&'static str> {
        match self {
            Self::Tool => Some("tool"),
            Self::Quirk => Some("quirk"),
            Self::Hour
            | Self::Day
            | Self::Week
            | Self::Month
            | Self::Model
            | Self::UpstreamModel
            | Self::Provider
            | Self::Session
            | Self::Key
            | Self::Class
            | Self::Status
            | Self::End => None,
        }
    }
}

/// Sums over the exchanges of a group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Group {
    /// The group's value; `None` where the field is empty, and for the total.
    pub group: Option<String>,
    /// How many exchanges.
    pub exchanges: u64,
    /// How many of them did not go well.
    pub errors: u64,
    /// Tokens of all of them.
    #[serde(serialize_with = "crate::record::usage")]
    #[schemars(with = "shape::Tokens")]
    pub usage: Usage,
    /// What was priced, in millionths of a dollar; `None` if nothing was.
    pub cost_micro_usd: Option<i64>,
    /// What of that is billed: not by a subscription. `None` if nothing was priced.
    pub billed_micro_usd: Option<i64>,
    /// How many exchanges used tokens that nobody knows the price of.
    pub unpriced: u64,
    /// Times to the last byte.
    pub duration: Times,
    /// Times to the first content.
    pub ttft: Times,
}

/// Times of the exchanges that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Times {
    /// Their sum, in milliseconds.
    pub sum_ms: u64,
    /// How many.
    pub count: u64,
}

impl Times {
    /// The average, in milliseconds.
    #[must_use]
    pub fn average_ms(&self) -> Option<u64> {
        self.sum_ms.checked_div(self.count)
    }

    fn add(&mut self, more: Self) {
        self.sum_ms = self.sum_ms.saturating_add(more.sum_ms);
        self.count += more.count;
    }
}

impl Group {
    pub(super) fn add(&mut self, more: &Self) {
        self.exchanges += more.exchanges;
        self.errors += more.errors;
        self.usage.add(&more.usage);
        add_known(&mut self.cost_micro_usd, more.cost_micro_usd);
        add_known(&mut self.billed_micro_usd, more.billed_micro_usd);
        self.unpriced += more.unpriced;
        self.duration.add(more.duration);
        self.ttft.add(more.ttft);
    }
}

/// Adds what is known to what is.
fn add_known(sum: &mut Option<i64>, more: Option<i64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

/// Sums by group, and over everything.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stats {
    /// Over all that fits.
    pub total: Group,
    /// Times newest first; else what costs most first, then what is most.
    pub groups: Vec<Group>,
    /// Whether there are more groups than were asked for.
    pub truncated: bool,
    /// Where the sums ended for want of time: nothing older than that exchange is in them. `None` if all is.
    #[schemars(with = "Option<shape::Id>")]
    pub next: Option<Uuid>,
}

/// The sum of a column, without what is more than `$most`. As a fraction it cannot overflow, whatever the rows hold.
macro_rules! sum {
    ($column:literal, $most:literal) => {
        concat!(
            "CAST(sum(CASE WHEN ",
            $column,
            " <= ",
            $most,
            " THEN ",
            $column,
            " * 1.0 END) AS INTEGER)"
        )
    };
    (tokens $column:literal) => {
        sum!($column, "(1 << 40)")
    };
}

pub(super) const SUMS: &str = concat!(
    "count(*), sum(end IS NOT NULL AND NOT coalesce(end = 'answered' AND status < 400 AND error_kind IS NULL, 0)), ",
    sum!(tokens "input"),
    ", ",
    sum!(tokens "cache_read"),
    ", ",
    sum!(tokens "cache_write_5m"),
    ", ",
    sum!(tokens "cache_write_1h"),
    ", ",
    sum!(tokens "output"),
    ", ",
    sum!(tokens "reasoning"),
    ", ",
    sum!("cost", "(1 << 50)"),
    ", sum(",
    unpriced!(),
    "), ",
    sum!("duration_ms", "(1 << 50)"),
    ", count(duration_ms), ",
    sum!("ttft_ms", "(1 << 50)"),
    ", count(ttft_ms), ",
    sum!("coalesce(billed, cost)", "(1 << 50)")
);

impl Reader {
    /// Sums over the exchanges that fit, at most `limit` groups of them. `utc_offset_s` says where days begin: seconds to
    /// add to UTC. Texts of the filter are not looked at.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn stats(
        &self,
        filter: &Filter,
        by: GroupBy,
        utc_offset_s: i64,
        limit: usize,
    ) -> Result<Stats, Error> {
        let page = Page {
            limit,
            ..Page::default()
        };
        self.stats_until(filter, by, utc_offset_s, page, &mut || false)
    }
}

/// Reads sums that begin at column `first`; the group's value is before them.
pub(super) fn group(row: &Row<'_>, first: usize) -> rusqlite::Result<Group> {
    let count = |at: usize| {
        row.get::<_, Option<i64>>(first + at)
            .map(|sum| sum.map(|sum| sum as u64))
    };
    let times = |at: usize| -> rusqlite::Result<Times> {
        Ok(Times {
            sum_ms: count(at)?.unwrap_or(0),
            count: count(at + 1)?.unwrap_or(0),
        })
    };
    let value = match first {
        0 => Value::Null,
        _ => row.get(0)?,
    };
    Ok(Group {
        group: match value {
            Value::Text(text) => Some(text),
            Value::Integer(number) => Some(number.to_string()),
            Value::Null | Value::Real(_) | Value::Blob(_) => None,
        },
        exchanges: count(0)?.unwrap_or(0),
        errors: count(1)?.unwrap_or(0),
        usage: Usage {
            input: count(2)?,
            cache_read: count(3)?,
            cache_write_5m: count(4)?,
            cache_write_1h: count(5)?,
            output: count(6)?,
            reasoning: count(7)?,
        },
        cost_micro_usd: row.get(first + 8)?,
        unpriced: count(9)?.unwrap_or(0),
        duration: times(10)?,
        ttft: times(12)?,
        billed_micro_usd: row.get(first + 14)?,
    })
}
