//! `lingate cost`: what was spent, at list prices, and what of it is billed.

use lingate_config::Environment;
use lingate_store::{Group, Stats};

use super::grid::{Cell, Column, grid};
use super::list::nothing;
use super::screen::{Screen, Tone};
use super::{failed, open, rows, stats, without_texts};
use crate::args::Cost;
use crate::failure::Failure;
use crate::output;

/// Counting tokens costs nothing.
const NO_COUNTS: [&str; 2] = ["-path:*/count_tokens", "-path:*:countTokens"];

/// What the columns behind the group are called.
const HEAD: [Column; 7] = [
    Column::number("exchanges"),
    Column::number("in"),
    Column::number("cached").spare(2),
    Column::number("out"),
    Column::number("list price"),
    Column::number("billed"),
    Column::number("unpriced").spare(1),
];

/// Sums by day (UTC, as budgets have it), or by what was asked for.
pub(crate) fn run(args: &Cost, environment: &dyn Environment) -> Result<(), Failure> {
    let mut words = args.filter.clone();
    words.extend(args.since.iter().map(|since| format!("since:{since}")));
    words.extend(NO_COUNTS.map(str::to_owned));
    let filter = without_texts(&words, "cost")?;
    let reader = open(&args.file, environment)?;
    let by = args.by.by();
    let sums = reader
        .stats(&filter, stats::by(by), 0, args.limit)
        .map_err(|error| failed(&error))?;
    if args.format.json {
        return output::json_lines(&sums.groups);
    }
    show(&sums, by.name(), Screen::stdout(environment))
}

fn show(sums: &Stats, by: &'static str, screen: Screen) -> Result<(), Failure> {
    if sums.total.exchanges == 0 {
        output::say(nothing(false));
        return Ok(());
    }
    let [a, b, c, d, e, f, g] = HEAD;
    let by = Column::text(by).down_to(16);
    let mut rows: Vec<_> = (sums.groups.iter())
        .map(|group| row(group.group.as_deref().unwrap_or("-"), Tone::Plain, group))
        .collect();
    rows.push(row("total", Tone::Head, &sums.total));
    output::write(&grid(screen, &[by, a, b, c, d, e, f, g], &rows))?;
    if sums.total.billed_micro_usd < sums.total.cost_micro_usd {
        output::say("what is not billed went by a subscription");
    }
    if sums.truncated {
        output::say("there are more: `--limit` shows them");
    }
    Ok(())
}

fn row(name: &str, tone: Tone, group: &Group) -> [Cell; 8] {
    let count = |count: Option<u64>| Cell::new(tone, rows::tokens(count));
    let money = |sum: Option<i64>| Cell::new(rows::cost_tone(sum), rows::sum(sum, group.unpriced));
    [
        Cell::new(tone, name),
        count(Some(group.exchanges)),
        count(group.usage.total_input()),
        count(group.usage.cache_read),
        count(group.usage.output),
        money(group.cost_micro_usd),
        money(group.billed_micro_usd),
        count(Some(group.unpriced)),
    ]
}
