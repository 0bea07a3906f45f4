//! `lingate logs stats`: sums over exchanges.

use lingate_config::Environment;
use lingate_store::{Group, GroupBy, Stats};

use super::{failed, open, rows, without_texts};
use crate::args::{LogsStats, StatsBy};
use crate::failure::Failure;
use crate::output;

/// What the columns behind the group are called.
const HEAD: [&str; 8] = [
    "exchanges",
    "errors",
    "in",
    "cached",
    "out",
    "cost",
    "unpriced",
    "first content",
];

pub(super) fn run(args: &LogsStats, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = without_texts(&args.filter, "logs stats")?;
    let reader = open(&args.file, environment)?;
    let stats = reader
        .stats(&filter, by(args.by), 0, args.limit)
        .map_err(|error| failed(&error))?;
    show(&stats, args.by.name(), args.format.json)
}

/// Writes sums; `by` names the groups.
pub(super) fn show(stats: &Stats, by: &str, is_json: bool) -> Result<(), Failure> {
    if is_json {
        return output::json_lines(&stats.groups);
    }
    let [a, b, c, d, e, f, g, h] = HEAD;
    let mut rows: Vec<_> = stats
        .groups
        .iter()
        .map(|group| row(group.group.as_deref().unwrap_or("-"), group))
        .collect();
    rows.push(row("total", &stats.total));
    output::table([by, a, b, c, d, e, f, g, h], &rows)?;
    if stats.truncated {
        output::say("there are more: `--limit` shows them");
    }
    Ok(())
}

fn row(name: &str, group: &Group) -> [String; 9] {
    let ttft = group.ttft.average_ms();
    [
        name.to_owned(),
        group.exchanges.to_string(),
        group.errors.to_string(),
        rows::tokens(group.usage.total_input()),
        rows::tokens(group.usage.cache_read),
        rows::tokens(group.usage.output),
        rows::cost(Some(group.cost_micro_usd)),
        group.unpriced.to_string(),
        ttft.map_or_else(|| "-".to_owned(), |time| format!("{time} ms")),
    ]
}

pub(super) const fn by(by: StatsBy) -> GroupBy {
    match by {
        StatsBy::Hour => GroupBy::Hour,
        StatsBy::Day => GroupBy::Day,
        StatsBy::Week => GroupBy::Week,
        StatsBy::Month => GroupBy::Month,
        StatsBy::Model => GroupBy::Model,
        StatsBy::Provider => GroupBy::Provider,
        StatsBy::Session => GroupBy::Session,
        StatsBy::Key => GroupBy::Key,
        StatsBy::Class => GroupBy::Class,
        StatsBy::Status => GroupBy::Status,
        StatsBy::Tool => GroupBy::Tool,
        StatsBy::Quirk => GroupBy::Quirk,
    }
}
