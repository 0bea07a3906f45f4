//! The statements that write rows.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use crate::query::LAST_CLOSED;
use crate::record::{Billing, Details, Exchange, Kept, MAX_DETAILS, unpriced};
use crate::recorder::{Numbers, Stored};
use crate::{Error, Mask};

/// Where the bodies of an exchange's start and end are kept.
const PART_OPEN: u8 = 0;
const PART_CLOSE: u8 = 1;

const OPEN: &str = "
INSERT INTO exchanges (n, id, run, time_ms, kept, client_wire, path, model, stream, session, agent, class, profile, key)
VALUES (:n, :id, :run, :time_ms, 'all', :client_wire, :path, :model, :stream, :session, :agent, :class, :profile, :key)
ON CONFLICT (id) DO NOTHING
RETURNING n";

const CLOSE: &str = "
INSERT INTO exchanges (
  n, id, run, closed, time_ms, ended_ms, end, kept, client_wire, upstream_wire, lane, path, model, upstream_model,
  provider, status, attempts, stream, session, agent, class, profile, key, input, cache_read, cache_write_5m,
  cache_write_1h, output, reasoning, tokens, cost, duration_ms, ttft_ms, overhead_us, commit_ms, stop, error_kind,
  error, preview, tools, quirks, losses, billing, billed, warnings)
VALUES (
  :n, :id, :run, :closed, :time_ms, :ended_ms, :end, :kept, :client_wire, :upstream_wire, :lane, :path, :model,
  :upstream_model, :provider, :status, :attempts, :stream, :session, :agent, :class, :profile, :key, :input,
  :cache_read, :cache_write_5m, :cache_write_1h, :output, :reasoning, :tokens, :cost, :duration_ms, :ttft_ms,
  :overhead_us, :commit_ms, :stop, :error_kind, :error, :preview, :tools, :quirks, :losses,
  :billing, :billed, :warnings)
ON CONFLICT (id) DO UPDATE SET
  closed = excluded.closed, ended_ms = excluded.ended_ms, end = excluded.end, kept = excluded.kept,
  client_wire = excluded.client_wire, upstream_wire = excluded.upstream_wire, lane = excluded.lane,
  path = excluded.path, model = excluded.model, upstream_model = excluded.upstream_model,
  provider = excluded.provider, status = excluded.status, attempts = excluded.attempts, stream = excluded.stream,
  session = excluded.session, agent = excluded.agent, class = excluded.class, profile = excluded.profile,
  key = excluded.key, input = excluded.input, cache_read = excluded.cache_read,
  cache_write_5m = excluded.cache_write_5m, cache_write_1h = excluded.cache_write_1h, output = excluded.output,
  reasoning = excluded.reasoning, tokens = excluded.tokens, cost = excluded.cost, duration_ms = excluded.duration_ms,
  ttft_ms = excluded.ttft_ms, overhead_us = excluded.overhead_us, commit_ms = excluded.commit_ms,
  stop = excluded.stop, error_kind = excluded.error_kind, error = excluded.error, preview = excluded.preview,
  tools = excluded.tools, quirks = excluded.quirks, losses = excluded.losses,
  billing = excluded.billing, billed = excluded.billed, warnings = excluded.warnings
RETURNING n";

const NUMBERS: &str = "
INSERT INTO exchanges (
  n, id, run, closed, time_ms, ended_ms, end, kept, status, attempts, input, cache_read, cache_write_5m, cache_write_1h,
  output, reasoning, tokens, cost, duration_ms, billing, billed)
VALUES (
  :n, :id, :run, :closed, :time_ms, :ended_ms, :end, :kept, :status, :attempts, :input, :cache_read, :cache_write_5m,
  :cache_write_1h, :output, :reasoning, :tokens, :cost, :duration_ms, :billing, :billed)
ON CONFLICT (id) DO UPDATE SET
  closed = excluded.closed, ended_ms = excluded.ended_ms, end = excluded.end, kept = excluded.kept,
  status = excluded.status, attempts = excluded.attempts, input = excluded.input, cache_read = excluded.cache_read,
  cache_write_5m = excluded.cache_write_5m, cache_write_1h = excluded.cache_write_1h, output = excluded.output,
  reasoning = excluded.reasoning, tokens = excluded.tokens, cost = excluded.cost, duration_ms = excluded.duration_ms,
  billing = excluded.billing, billed = excluded.billed
RETURNING n";

/// Adds an ended row to its conversation.
const SESSION: &str = concat!(
    "
INSERT INTO sessions (
  session, first_ms, last_ms, last_id, exchanges, errors, tokens, cost, unpriced, model, provider, billed)
SELECT
  session, time_ms, time_ms, id, 1, NOT coalesce(end = 'answered' AND status < 400 AND error_kind IS NULL, 0),
  coalesce(tokens, 0), cost, ",
    unpriced!(),
    ", model, provider, coalesce(billed, cost, 0)
FROM exchanges WHERE n = ?1 AND session IS NOT NULL
ON CONFLICT (session) DO UPDATE SET
  first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
  last_id = max(last_id, excluded.last_id), exchanges = exchanges + 1, errors = errors + excluded.errors,
  tokens = tokens + excluded.tokens, billed = billed + excluded.billed, unpriced = unpriced + excluded.unpriced,
  cost = CASE WHEN excluded.cost IS NULL THEN cost ELSE coalesce(cost, 0) + excluded.cost END,
  model = excluded.model, provider = coalesce(excluded.provider, provider)"
);

/// Adds what an ended row is billed to its day and key.
const SPENT: &str = "
INSERT INTO spent (day, key, billed)
SELECT time_ms / 86400000, coalesce(key, ''), coalesce(billed, cost)
FROM exchanges WHERE n = ?1 AND coalesce(billed, cost) > 0
ON CONFLICT (day, key) DO UPDATE SET billed = billed + excluded.billed";

/// Adds the same to its conversation and key.
const SPENT_BY: &str = "
INSERT INTO spent_by (session, key, billed)
SELECT session, key, coalesce(billed, cost)
FROM exchanges WHERE n = ?1 AND session IS NOT NULL AND key IS NOT NULL
ON CONFLICT (session, key) DO UPDATE SET billed = billed + excluded.billed";

/// Compresses details. Made once: its tables are larger than what it is given.
pub(crate) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub(crate) fn new() -> std::io::Result<Self> {
        zstd::bulk::Compressor::new(1).map(Self)
    }

    /// Only a lack of memory fails; then details are missing.
    fn pack(&mut self, json: &[u8]) -> Vec<u8> {
        self.0.compress(json).unwrap_or_default()
    }
}

/// Writes rows within one transaction.
pub(crate) struct Rows<'a> {
    connection: &'a Connection,
    packer: &'a mut Packer,
    run: i64,
    mask: &'a Mask,
    /// The place in the order of ending that was given last.
    closed: i64,
    /// The highest row number ever.
    n: i64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        packer: &'a mut Packer,
        run: i64,
        mask: &'a Mask,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection,
            packer,
            run,
            mask,
            closed: last_closed(connection)?,
            n: last_n(connection)?,
        })
    }

    /// An exchange was accepted.
    pub(crate) fn open(
        &mut self,
        exchange: &Exchange,
        stored: Option<&Stored>,
    ) -> Result<(), Error> {
        let n: Option<i64> = self
            .connection
            .prepare_cached(OPEN)?
            .query_row(
                named_params! {
                    ":n": self.n + 1,
                    ":id": exchange.id,
                    ":run": self.run,
                    ":time_ms": exchange.time.as_millisecond(),
                    ":client_wire": exchange.client_wire.map(lingate_wire::Wire::name),
                    ":path": self.mask.text(&exchange.path),
                    ":model": self.mask.text(&exchange.model),
                    ":stream": exchange.stream,
                    ":session": self.masked(&exchange.session),
                    ":agent": self.masked(&exchange.agent),
                    ":class": exchange.class,
                    ":profile": self.masked(&exchange.profile),
                    ":key": exchange.key,
                },
                |row| row.get(0),
            )
            .optional()?;
        self.n = self.n.max(n.unwrap_or_default());
        match (n, stored) {
            (Some(n), Some(stored)) => self.bodies(n, PART_OPEN, stored),
            _ => Ok(()),
        }
    }

    /// An exchange ended; the bodies of its beginning, if they are not with its row yet, and those of its end.
    pub(crate) fn close(
        &mut self,
        exchange: &Exchange,
        details: &Details,
        stored: [Option<&Stored>; 2],
    ) -> Result<(), Error> {
        self.closed += 1;
        let usage = &exchange.usage;
        let n: i64 = self.connection.prepare_cached(CLOSE)?.query_row(
            named_params! {
                ":n": self.n + 1,
                ":id": exchange.id,
                ":run": self.run,
                ":closed": self.closed,
                ":time_ms": exchange.time.as_millisecond(),
                ":ended_ms": exchange.ended.unwrap_or(exchange.time).as_millisecond(),
                ":end": exchange.end.map(crate::record::End::name),
                ":kept": exchange.kept.name(),
                ":client_wire": exchange.client_wire.map(lingate_wire::Wire::name),
                ":upstream_wire": exchange.upstream_wire.map(lingate_wire::Wire::name),
                ":lane": exchange.lane,
                ":path": self.mask.text(&exchange.path),
                ":model": self.mask.text(&exchange.model),
                ":upstream_model": self.masked(&exchange.upstream_model),
                ":provider": exchange.provider,
                ":status": exchange.status,
                ":attempts": exchange.attempts,
                ":stream": exchange.stream,
                ":session": self.masked(&exchange.session),
                ":agent": self.masked(&exchange.agent),
                ":class": exchange.class,
                ":profile": self.masked(&exchange.profile),
                ":key": exchange.key,
                ":input": number(usage.input),
                ":cache_read": number(usage.cache_read),
                ":cache_write_5m": number(usage.cache_write_5m),
                ":cache_write_1h": number(usage.cache_write_1h),
                ":output": number(usage.output),
                ":reasoning": number(usage.reasoning),
                ":tokens": number(exchange.tokens()),
                ":cost": exchange.cost_micro_usd,
                ":duration_ms": number(exchange.duration_ms),
                ":ttft_ms": number(exchange.ttft_ms),
                ":overhead_us": number(exchange.overhead_us),
                ":commit_ms": number(exchange.commit_ms),
                ":stop": self.masked(&exchange.stop),
                ":error_kind": self.masked(&exchange.error_kind),
                ":error": self.masked(&exchange.error),
                ":preview": self.masked(&exchange.preview),
                ":tools": self.mask.text(&exchange.tools.join(",")),
                ":quirks": exchange.quirks.join(","),
                ":losses": exchange.losses,
                ":warnings": exchange.warnings.join(","),
                ":billing": exchange.billing.map(Billing::name),
                ":billed": exchange.billed_micro_usd,
            },
            |row| row.get(0),
        )?;
        self.n = self.n.max(n);
        self.details(n, details)?;
        for (part, stored) in [PART_OPEN, PART_CLOSE].into_iter().zip(stored) {
            if let Some(stored) = stored {
                self.bodies(n, part, stored)?;
            }
        }
        self.tags("tool", &exchange.tools, exchange)?;
        self.tags("quirk", &exchange.quirks, exchange)?;
        self.tags("warning", &exchange.warnings, exchange)?;
        self.add_to_sums(n, exchange.billed_micro_usd.or(exchange.cost_micro_usd))
    }

    /// An exchange ended of which only the numbers are left.
    pub(crate) fn numbers(&mut self, numbers: &Numbers) -> Result<(), Error> {
        self.closed += 1;
        let usage = &numbers.usage;
        let n: i64 = self.connection.prepare_cached(NUMBERS)?.query_row(
            named_params! {
                ":n": self.n + 1,
                ":id": numbers.id,
                ":run": self.run,
                ":closed": self.closed,
                ":time_ms": numbers.time.as_millisecond(),
                ":ended_ms": numbers.ended.unwrap_or(numbers.time).as_millisecond(),
                ":end": numbers.end.map(crate::record::End::name),
                ":kept": Kept::Numbers.name(),
                ":status": numbers.status,
                ":attempts": numbers.attempts,
                ":input": number(usage.input),
                ":cache_read": number(usage.cache_read),
                ":cache_write_5m": number(usage.cache_write_5m),
                ":cache_write_1h": number(usage.cache_write_1h),
                ":output": number(usage.output),
                ":reasoning": number(usage.reasoning),
                ":tokens": number(numbers.tokens),
                ":cost": numbers.cost_micro_usd,
                ":duration_ms": number(numbers.duration_ms),
                ":billing": numbers.billing.map(Billing::name),
                ":billed": numbers.billed_micro_usd,
            },
            |row| row.get(0),
        )?;
        self.n = self.n.max(n);
        self.add_to_sums(n, numbers.billed_micro_usd.or(numbers.cost_micro_usd))
    }

    /// Adds an ended row to the sums it belongs to.
    fn add_to_sums(&self, n: i64, billed: Option<i64>) -> Result<(), Error> {
        if billed.is_some_and(|billed| billed > 0) {
            self.connection.prepare_cached(SPENT)?.execute([n])?;
            self.connection.prepare_cached(SPENT_BY)?.execute([n])?;
        }
        add_to_session(self.connection, n)
    }

    #[expect(clippy::ref_option, reason = "called with references to fields")]
    fn masked<'t>(&self, text: &'t Option<String>) -> Option<Cow<'t, str>> {
        text.as_deref().map(|text| self.mask.text(text))
    }

    fn details(&mut self, n: i64, details: &Details) -> Result<(), Error> {
        let json = |details: &Details| serde_json::to_vec(details).unwrap_or_default();
        let mut json = self.mask.bytes(&json(details)).into_owned();
        if json.len() > MAX_DETAILS {
            // Nobody could read it back.
            json = serde_json::to_vec(&Details::default()).unwrap_or_default();
        }
        let packed = self.packer.pack(&json);
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO details (n, detail) VALUES (?1, ?2)")?
            .execute(params![n, packed])?;
        Ok(())
    }

    fn bodies(&self, n: i64, part: u8, stored: &Stored) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO bodies (n, part, segment, manifest) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![n, part, stored.segment, stored.manifest.encode()])?;
        Ok(())
    }

    fn tags(&self, kind: &str, values: &[String], exchange: &Exchange) -> Result<(), Error> {
        let mut insert = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO tags (kind, value, id) VALUES (?1, ?2, ?3)")?;
        for value in values {
            insert.execute(params![kind, self.mask.text(value), exchange.id])?;
        }
        Ok(())
    }
}

/// Adds a row that has ended to the sums of its conversation, if it belongs to one.
pub(crate) fn add_to_session(connection: &Connection, n: i64) -> Result<(), Error> {
    connection.prepare_cached(SESSION)?.execute([n])?;
    Ok(())
}

/// The highest place in the order of ending, of rows that are gone too.
pub(crate) fn last_closed(connection: &Connection) -> Result<i64, Error> {
    Ok(connection
        .prepare_cached(LAST_CLOSED)?
        .query_row([], |row| row.get(0))?)
}

/// The highest row number, of rows that are gone too.
fn last_n(connection: &Connection) -> Result<i64, Error> {
    let sql = "SELECT max(n, (SELECT coalesce(max(n), 0) FROM exchanges)) FROM lasting";
    Ok(connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?)
}

/// SQLite's integers have a sign; no count is near the limit.
fn number(value: Option<u64>) -> Option<i64> {
    value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))
}
