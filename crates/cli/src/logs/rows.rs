//! Exchanges as lines for people.

use jiff::Timestamp;
use lingate_price::MicroUsd;
use lingate_store::{End, Exchange};

use crate::output;

/// What the columns are called.
pub(super) const HEAD: [&str; 9] = [
    "id",
    "time",
    "end",
    "model",
    "served by",
    "in",
    "out",
    "cost",
    "ms",
];

/// One exchange as the cells of a row.
pub(super) fn row(exchange: &Exchange) -> [String; 9] {
    let usage = &exchange.usage;
    [
        exchange.id.to_string(),
        time(exchange.time),
        end(exchange),
        exchange.model.clone(),
        served_by(exchange),
        tokens(usage.total_input()),
        tokens(usage.output),
        cost(exchange.cost_micro_usd),
        exchange
            .duration_ms
            .map_or_else(|| "-".to_owned(), |time| time.to_string()),
    ]
}

/// The same as one line, for what is written as it comes.
pub(super) fn line(exchange: &Exchange) -> String {
    let [id, time, end, model, served, input, output, cost, ms] = row(exchange);
    let mut line = format!(
        "{time}  {id}  {end:>4}  {model} -> {served}  {input} in, {output} out, {cost}, {ms} ms"
    );
    if !exchange.quirks.is_empty() {
        line.push_str(&format!("  [{}]", exchange.quirks.join(" ")));
    }
    if let Some(error) = &exchange.error {
        line.push_str(&format!("  {error}"));
    }
    output::plain(&line).into_owned()
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

/// An amount, or that nobody knows it.
pub(super) fn cost(micro_usd: Option<i64>) -> String {
    let amount = micro_usd.and_then(|micro| u64::try_from(micro).ok());
    amount.map_or_else(
        || "unpriced".to_owned(),
        |micro| format!("${}", MicroUsd(micro).decimal()),
    )
}

/// A count, or that it was not told.
pub(super) fn tokens(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

/// To the second, UTC.
pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.0}")
}
