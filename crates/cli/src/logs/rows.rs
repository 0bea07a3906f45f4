//! Exchanges as lines for people.

use std::fmt::Write as _;

use jiff::Timestamp;
use lingate_price::MicroUsd;
use lingate_store::{Billing, End, Exchange};

use super::grid::{Cell, Column};
use super::screen::{Screen, Tone};

/// The columns of lists.
pub(super) const HEAD: [Column; 9] = [
    Column::text("id"),
    Column::text("time"),
    Column::text("end"),
    Column::text("model").down_to(10).spare(2),
    Column::text("served by").down_to(12),
    Column::number("in"),
    Column::number("out"),
    Column::number("cost"),
    Column::number("ms").spare(1),
];

/// How much of an id is shown where room is scarce: its time to the millisecond and a little more.
const SHORT_ID: usize = 18;

/// One exchange as the cells of a row. Where the width is limited, ids and times are shortened.
pub(super) fn row(exchange: &Exchange, screen: Screen) -> [Cell; 9] {
    let usage = &exchange.usage;
    let duration = exchange.duration_ms;
    [
        Cell::new(Tone::Faint, id(exchange, screen)),
        Cell::plain(moment(exchange.time, screen)),
        Cell::new(tone(exchange), end(exchange)),
        Cell::plain(&exchange.model),
        Cell::plain(served_by(exchange)),
        Cell::plain(tokens(usage.total_input())),
        Cell::plain(tokens(usage.output)),
        Cell::new(cost_tone(exchange.cost_micro_usd), price(exchange, screen)),
        Cell::plain(duration.map_or_else(|| "-".to_owned(), |time| time.to_string())),
    ]
}

/// The same as one line, without colours and in full.
pub(super) fn line(exchange: &Exchange) -> String {
    shown_line(exchange, Screen::PLAIN)
}

/// The same as one line, for what is written as it comes.
pub(super) fn shown_line(exchange: &Exchange, screen: Screen) -> String {
    let usage = &exchange.usage;
    let asked = format!("{} -> {}", exchange.model, served_by(exchange));
    let counts = format!(
        "{} in, {} out,",
        tokens(usage.total_input()),
        tokens(usage.output)
    );
    let duration = exchange.duration_ms;
    let took = duration.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let mut line = format!(
        "{}  {}  {}  {}  {counts} {}, {took} ms",
        screen.paint(Tone::Plain, &moment(exchange.time, screen)),
        screen.paint(Tone::Faint, &id(exchange, screen)),
        screen.paint(tone(exchange), &format!("{:>4}", end(exchange))),
        screen.paint(Tone::Plain, &asked),
        screen.paint(cost_tone(exchange.cost_micro_usd), &paid(exchange)),
    );
    if !exchange.quirks.is_empty() {
        let quirks = format!("[{}]", exchange.quirks.join(" "));
        let _ = write!(line, "  {}", screen.paint(Tone::Warning, &quirks));
    }
    if let Some(error) = &exchange.error {
        let _ = write!(line, "  {}", screen.paint(Tone::Bad, error));
    }
    line
}

/// The id, or where room is scarce as much of it as tells it from others.
fn id(exchange: &Exchange, screen: Screen) -> String {
    let id = exchange.id.to_string();
    match screen.width() {
        None => id,
        Some(_) => id.chars().take(SHORT_ID).collect(),
    }
}

/// A time, without year and zone where room is scarce.
fn moment(time: Timestamp, screen: Screen) -> String {
    let whole = self::time(time);
    let short = whole.get(5..19).map(|short| short.replace('T', " "));
    short.filter(|_| screen.width().is_some()).unwrap_or(whole)
}

/// Provider and model that served.
pub(super) fn served_by(exchange: &Exchange) -> String {
    match (&exchange.provider, &exchange.upstream_model) {
        (Some(provider), Some(model)) => format!("{provider}/{model}"),
        (Some(provider), None) => provider.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// The status, or what kept the client from its answer.
pub(super) fn end(exchange: &Exchange) -> String {
    match (exchange.end, exchange.status) {
        (None, _) => "...".to_owned(),
        (Some(End::Answered), Some(status)) => status.to_string(),
        (Some(end), _) => end.name().to_owned(),
    }
}

/// How an exchange's end looks.
pub(super) fn tone(exchange: &Exchange) -> Tone {
    match (exchange.end, exchange.status) {
        (None, _) => Tone::Faint,
        _ if exchange.went_well() => Tone::Good,
        (Some(End::Answered), Some(400..=499)) | (Some(End::ClientGone | End::Shutdown), _) => {
            Tone::Warning
        }
        (Some(_), _) => Tone::Bad,
    }
}

/// An amount, or that nobody knows it.
pub(super) fn cost(micro_usd: Option<i64>) -> String {
    let amount = micro_usd.and_then(|micro| u64::try_from(micro).ok());
    amount.map_or_else(
        || "unpriced".to_owned(),
        |micro| format!("${}", MicroUsd(micro).decimal()),
    )
}

/// What an exchange cost, or that nobody knows it; `-` where there was nothing to pay for.
pub(super) fn cost_of(exchange: &Exchange) -> String {
    match exchange.cost_micro_usd {
        None if !exchange.is_unpriced() => "-".to_owned(),
        micro_usd => cost(micro_usd),
    }
}

/// A sum, or why there is none: nobody knows the prices, or nothing was used.
pub(super) fn sum(micro_usd: Option<i64>, unpriced: u64) -> String {
    match (micro_usd, unpriced) {
        (None, 0) => "-".to_owned(),
        (sum, _) => cost(sum),
    }
}

/// What an exchange cost, and that nobody is billed for it where a subscription pays.
pub(super) fn paid(exchange: &Exchange) -> String {
    let cost = cost_of(exchange);
    match exchange.billing {
        Some(Billing::Subscription) => format!("{cost} (subscription: not billed)"),
        Some(Billing::Metered) | None => cost,
    }
}

/// The same, in brackets where nobody is billed and room is scarce.
fn price(exchange: &Exchange, screen: Screen) -> String {
    match (exchange.billing, screen.width()) {
        (Some(Billing::Subscription), Some(_)) => format!("({})", cost_of(exchange)),
        (Some(Billing::Subscription | Billing::Metered) | None, _) => paid(exchange),
    }
}

/// How an amount looks.
pub(super) const fn cost_tone(micro_usd: Option<i64>) -> Tone {
    match micro_usd {
        None => Tone::Faint,
        Some(_) => Tone::Cost,
    }
}

/// A count, or that it was not told.
pub(super) fn tokens(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

/// To the second, UTC.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.0}")
}

#[cfg(test)]
mod tests {
    use lingate_wire::turn::Usage;

    use super::*;

    #[test]
    fn sums_that_nobody_knows_are_not_free() {
        for (micro_usd, unpriced, shown) in [
            (None, 2, "unpriced"),
            (None, 0, "-"),
            (Some(0), 0, "$0.00"),
            (Some(1_500_000), 3, "$1.50"),
        ] {
            assert_eq!(sum(micro_usd, unpriced), shown);
        }
    }

    fn exchange(end: Option<End>, status: Option<u16>) -> Exchange {
        Exchange {
            end,
            status,
            time: "2026-11-21T08:09:10.5Z".parse().unwrap(),
            ..Exchange::default()
        }
    }

    #[test]
    fn ends_have_tones() {
        for (end, status, expected) in [
            (None, None, Tone::Faint),
            (Some(End::Answered), Some(200), Tone::Good),
            (Some(End::Answered), Some(404), Tone::Warning),
            (Some(End::Answered), Some(529), Tone::Bad),
            (Some(End::ClientGone), Some(200), Tone::Warning),
            (Some(End::Broken), Some(200), Tone::Bad),
            (Some(End::Killed), None, Tone::Bad),
        ] {
            assert_eq!(tone(&exchange(end, status)), expected, "{end:?} {status:?}");
        }
        let failed = Exchange {
            error_kind: Some("overloaded".to_owned()),
            ..exchange(Some(End::Answered), Some(200))
        };
        assert_eq!(tone(&failed), Tone::Bad);
    }

    #[test]
    fn what_used_nothing_cost_nothing() {
        let told = Usage {
            output: Some(1),
            ..Usage::default()
        };
        let (count, none) = ("/v1/messages/count_tokens", Usage::default());
        let answered = Some(End::Answered);
        for (end, status, path, usage, micro_usd, expected) in [
            (answered, Some(404), "/v1/messages", none, None, "-"),
            (answered, Some(402), "/v1/messages", none, None, "-"),
            (answered, Some(200), count, told, None, "-"),
            (None, None, "/v1/messages", none, None, "-"),
            (Some(End::Killed), None, "/v1/messages", none, None, "-"),
            (answered, Some(200), "/v1/messages", none, None, "unpriced"),
            (answered, Some(529), "/v1/messages", told, None, "unpriced"),
            (answered, Some(200), "/v1/messages", told, Some(0), "$0.00"),
        ] {
            let exchange = Exchange {
                path: path.to_owned(),
                usage,
                cost_micro_usd: micro_usd,
                ..exchange(end, status)
            };
            let shown = paid(&exchange);
            assert_eq!(shown, expected, "{end:?} {status:?} {path} {usage:?}");
        }
    }

    #[test]
    fn narrow_screens_get_short_ids_and_times() {
        let exchange = exchange(None, None);
        let [id, time, ..] = row(&exchange, Screen::of(Some(80), false));
        assert_eq!(id.text, "00000000-0000-0000");
        assert_eq!(time.text, "11-21 08:09:10");
        let [id, time, ..] = row(&exchange, Screen::of(None, false));
        assert_eq!(id.text, exchange.id.to_string());
        assert_eq!(time.text, "2026-11-21T08:09:10Z");
    }
}
