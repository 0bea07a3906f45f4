//! A row of the database as an exchange.

use jiff::Timestamp;
use lingate_wire::turn::Usage;
use rusqlite::{Connection, Row};

use crate::Error;
use crate::record::{Billing, End, Exchange, Kept};

/// The columns that [`exchange`] reads, in its order.
pub(super) const COLUMNS: &str = "
  n, id, coalesce(closed, 0), time_ms, ended_ms, end, kept, client_wire, upstream_wire, lane, path, model,
  upstream_model, provider, status, attempts, stream, session, agent, class, profile, key, input, cache_read,
  cache_write_5m, cache_write_1h, output, reasoning, cost, duration_ms, ttft_ms, overhead_us, commit_ms, stop,
  error_kind, error, preview, tools, quirks, losses, billing, billed, warnings";

/// How many columns those are.
pub(super) const WIDTH: usize = 43;

/// The row of this number; none, which is said, if it is damaged: then a column holds what it cannot.
pub(crate) fn row(connection: &Connection, n: i64) -> Result<Option<Exchange>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM exchanges WHERE n = ?1");
    let mut query = connection.prepare_cached(&sql)?;
    let read = query.query_row([n], |row| Ok(exchange(row)))?;
    Ok(read
        .inspect_err(|error| tracing::warn!("row {n} of the record is damaged: {error}"))
        .ok())
}

/// Reads a row.
pub(super) fn exchange(row: &Row<'_>) -> rusqlite::Result<Exchange> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let count = |at: usize| {
        row.get::<_, Option<i64>>(at)
            .map(|number| number.map(|number| number as u64))
    };
    let wire = |at: usize| text(at).map(|name| name.and_then(|name| name.parse().ok()));
    let list = |at: usize| -> rusqlite::Result<Vec<String>> {
        let joined: String = row.get(at)?;
        Ok(joined
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect())
    };
    Ok(Exchange {
        number: row.get(0)?,
        id: row.get(1)?,
        closed: row.get(2)?,
        time: time(row.get(3)?),
        ended: row.get::<_, Option<i64>>(4)?.map(time),
        end: text(5)?.as_deref().and_then(End::named),
        kept: Kept::named(&row.get::<_, String>(6)?),
        client_wire: wire(7)?,
        upstream_wire: wire(8)?,
        lane: text(9)?,
        path: row.get(10)?,
        model: row.get(11)?,
        upstream_model: text(12)?,
        provider: text(13)?,
        status: row.get(14)?,
        attempts: row.get(15)?,
        stream: row.get(16)?,
        session: text(17)?,
        agent: text(18)?,
        class: text(19)?,
        profile: text(20)?,
        key: text(21)?,
        usage: Usage {
            input: count(22)?,
            cache_read: count(23)?,
            cache_write_5m: count(24)?,
            cache_write_1h: count(25)?,
            output: count(26)?,
            reasoning: count(27)?,
        },
        cost_micro_usd: row.get(28)?,
        duration_ms: count(29)?,
        ttft_ms: count(30)?,
        overhead_us: count(31)?,
        commit_ms: count(32)?,
        stop: text(33)?,
        error_kind: text(34)?,
        error: text(35)?,
        preview: text(36)?,
        tools: list(37)?,
        quirks: list(38)?,
        losses: row.get(39)?,
        billing: text(40)?.as_deref().and_then(Billing::named),
        billed_micro_usd: row.get(41)?,
        warnings: list(42)?,
    })
}

/// A time as it is stored.
pub(super) fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
