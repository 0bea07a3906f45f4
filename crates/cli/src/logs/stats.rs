//! `lingate logs stats`: sums over exchanges.

use lingate_config::Environment;
use lingate_store::{Group, GroupBy, Stats};

use super::grid::{Cell, Column, grid};
use super::list::nothing;
use super::screen::{Screen, Tone};
use super::{failed, open, rows, without_texts};
use crate::args::{LogsStats, StatsBy};
use crate::failure::Failure;
use crate::output;

/// What the columns behind the group are called.
const HEAD: [Column; 8] = [
    Column::number("exchanges"),
    Column::number("errors"),
    Column::number("in"),
    Column::number("cached").spare(2),
    Column::number("out"),
    Column::number("cost"),
    Column::number("unpriced").spare(3),
    Column::number("first content").spare(1),
];

pub(super) fn run(args: &LogsStats, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = without_texts(&args.filter, "logs stats")?;
    let reader = open(&args.file, environment)?;
    let stats = reader
        .stats(&filter, by(args.by), 0, args.limit)
        .map_err(|error| failed(&error))?;
    show(&stats, args.by.name(), args.format.json, environment)
}

/// Writes sums; `by` names the groups.
fn show(
    stats: &Stats,
    by: &'static str,
    is_json: bool,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    if is_json {
        return output::json_lines(&stats.groups);
    }
    if stats.total.exchanges == 0 {
        output::say(nothing(false));
        return Ok(());
    }
    let screen = Screen::stdout(environment);
    let [a, b, c, d, e, f, g, h] = HEAD;
    let by = Column::text(by).down_to(16);
    let mut rows: Vec<_> = stats
        .groups
        .iter()
        .map(|group| row(group.group.as_deref().unwrap_or("-"), Tone::Plain, group))
        .collect();
    rows.push(row("total", Tone::Head, &stats.total));
    output::write(&grid(screen, &[by, a, b, c, d, e, f, g, h], &rows))?;
    if stats.truncated {
        output::say("there are more: `--limit` shows them");
    }
    Ok(())
}

fn row(name: &str, tone: Tone, group: &Group) -> [Cell; 9] {
    let ttft = group.ttft.average_ms();
    let errors = match group.errors {
        0 => Tone::Plain,
        _ => Tone::Bad,
    };
    [
        Cell::new(tone, name),
        Cell::new(tone, group.exchanges.to_string()),
        Cell::new(errors, group.errors.to_string()),
        Cell::new(tone, rows::tokens(group.usage.total_input())),
        Cell::new(tone, rows::tokens(group.usage.cache_read)),
        Cell::new(tone, rows::tokens(group.usage.output)),
        Cell::new(
            rows::cost_tone(group.cost_micro_usd),
            rows::sum(group.cost_micro_usd, group.unpriced),
        ),
        Cell::new(tone, group.unpriced.to_string()),
        Cell::new(
            tone,
            ttft.map_or_else(|| "-".to_owned(), |time| format!("{time} ms")),
        ),
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
