//! The statements that write rows.

use std::borrow::Cow;

use rusqlite::{CachedStatement, Connection, params};

use crate::parts::Manifest;
use crate::query::LAST_CLOSED;
use crate::record::{Billing, Details, Exchange, Kept};
use crate::recorder::{Numbers, Stored};
use crate::{Error, Mask};

use super::opened::{Ending, Opened};
use super::packer::Packer;
use super::sums::Sums;

/// Bodies of an exchange's start, in a table with those of its end in records of earlier versions.
const PART_OPEN: u8 = 0;

const OPEN: &str = "
INSERT INTO exchanges (n, id, run, time_ms, kept, client_wire, path, model, stream, session, agent, class, profile, key)
VALUES (?1, ?2, ?3, ?4, 'all', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (id) DO NOTHING";

const ENDING: &str =
    "INSERT OR REPLACE INTO endings (closed, detail, segment, manifest) VALUES (?1, ?2, ?3, ?4)";

const BODIES: &str =
    "INSERT OR REPLACE INTO bodies (n, part, segment, manifest) VALUES (?1, ?2, ?3, ?4)";

const TAG: &str = "INSERT OR IGNORE INTO tags (kind, value, id) VALUES (?1, ?2, ?3)";

/// Writes the row of an exchange that ended, and gives its number. Of a row that was opened, what stands under `once` stays
/// as it is: writing an indexed value again costs as much as another one. Each column stands beside its value.
macro_rules! end_row {
    ($rows:expr, $statements:ident, $id:expr, once { $($once:ident: $first:expr,)* }
     kept: $kept:expr, anew { $($anew:ident: $value:expr,)* }) => {{
        const SQL: Ending = Ending {
            insert: concat!(
                "INSERT INTO exchanges (n, id" $(, ", ", stringify!($once))*, ", kept" $(, ", ", stringify!($anew))*,
                ") VALUES (:n, :id" $(, ", :", stringify!($once))*, ", :kept" $(, ", :", stringify!($anew))*,
                ") ON CONFLICT (id) DO NOTHING",
            ),
            update: concat!(
                "UPDATE exchanges SET kept = :kept" $(, ", ", stringify!($anew), " = :", stringify!($anew))*,
                " WHERE n = :n AND id = :id",
            ),
        };
        let (id, n) = ($id, $rows.n + 1);
        let statements = &mut $rows.statements.$statements;
        $rows.opened.end(
            $rows.connection, statements, &SQL, (n, id), &[$(&$first),*], &[&$kept, $(&$value),*])
    }};
}

/// Writes rows within one transaction.
pub(crate) struct Rows<'a> {
    connection: &'a Connection,
    packer: &'a mut Packer,
    opened: &'a mut Opened,
    run: i64,
    mask: &'a Mask,
    /// The place in the order of ending that was given last.
    closed: i64,
    /// The highest row number ever.
    n: i64,
    sums: Sums,
    statements: Statements<'a>,
}

/// What most groups run for each row, prepared by the first that needs it.
#[derive(Default)]
struct Statements<'a> {
    open: Option<CachedStatement<'a>>,
    /// Inserts and updates.
    close: [Option<CachedStatement<'a>>; 2],
    /// The same of numbers.
    numbers: [Option<CachedStatement<'a>>; 2],
    ending: Option<CachedStatement<'a>>,
    bodies: Option<CachedStatement<'a>>,
    tag: Option<CachedStatement<'a>>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        packer: &'a mut Packer,
        opened: &'a mut Opened,
        run: i64,
        mask: &'a Mask,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection,
            packer,
            opened,
            run,
            mask,
            closed: last_closed(connection)?,
            n: last_n(connection)?,
            sums: Sums::default(),
            statements: Statements::default(),
        })
    }

    /// An exchange was accepted.
    pub(crate) fn open(
        &mut self,
        exchange: &Exchange,
        stored: Option<&Stored>,
    ) -> Result<(), Error> {
        let values = params![
            self.n + 1,
            exchange.id,
            self.run,
            exchange.time.as_millisecond(),
            exchange.client_wire.map(lingate_wire::Wire::name),
            self.mask.text(&exchange.path),
            self.mask.text(&exchange.model),
            exchange.stream,
            masked(self.mask, &exchange.session),
            masked(self.mask, &exchange.agent),
            exchange.class,
            masked(self.mask, &exchange.profile),
            exchange.key,
        ];
        if held(&mut self.statements.open, self.connection, OPEN)?.execute(values)? == 0 {
            return Ok(());
        }
        self.n += 1;
        self.opened.add(exchange.id, self.n);
        stored.map_or(Ok(()), |stored| self.begin_bodies(self.n, stored))
    }

    /// An exchange ended; the bodies of its beginning, if they are not with its row yet, and those of its end.
    pub(crate) fn close(
        &mut self,
        exchange: &Exchange,
        details: &Details,
        stored: [Option<&Stored>; 2],
    ) -> Result<(), Error> {
        self.closed += 1;
        let (usage, mask) = (&exchange.usage, self.mask);
        let n = end_row! {
            self, close, exchange.id,
            once {
                run: self.run,
                time_ms: exchange.time.as_millisecond(),
                client_wire: exchange.client_wire.map(lingate_wire::Wire::name),
                path: mask.text(&exchange.path),
                model: mask.text(&exchange.model),
                stream: exchange.stream,
                session: masked(mask, &exchange.session),
                agent: masked(mask, &exchange.agent),
                class: exchange.class,
                profile: masked(mask, &exchange.profile),
                key: exchange.key,
            }
            kept: exchange.kept.name(),
            anew {
                closed: self.closed,
                ended_ms: exchange.ended.unwrap_or(exchange.time).as_millisecond(),
                end: exchange.end.map(crate::record::End::name),
                upstream_wire: exchange.upstream_wire.map(lingate_wire::Wire::name),
                lane: exchange.lane,
                upstream_model: masked(mask, &exchange.upstream_model),
                provider: exchange.provider,
                status: exchange.status,
                attempts: exchange.attempts,
                input: number(usage.input),
                cache_read: number(usage.cache_read),
                cache_write_5m: number(usage.cache_write_5m),
                cache_write_1h: number(usage.cache_write_1h),
                output: number(usage.output),
                reasoning: number(usage.reasoning),
                tokens: number(exchange.tokens()),
                cost: exchange.cost_micro_usd,
                duration_ms: number(exchange.duration_ms),
                ttft_ms: number(exchange.ttft_ms),
                overhead_us: number(exchange.overhead_us),
                commit_ms: number(exchange.commit_ms),
                stop: masked(mask, &exchange.stop),
                error_kind: masked(mask, &exchange.error_kind),
                error: masked(mask, &exchange.error),
                preview: masked(mask, &exchange.preview),
                tools: mask.text(&exchange.tools.join(",")),
                quirks: exchange.quirks.join(","),
                losses: exchange.losses,
                warnings: exchange.warnings.join(","),
                billing: exchange.billing.map(Billing::name),
                billed: exchange.billed_micro_usd,
            }
        }?;
        self.n = self.n.max(n);
        self.ending(n, details, stored)?;
        self.tags("tool", &exchange.tools, exchange)?;
        self.tags("quirk", &exchange.quirks, exchange)?;
        self.tags("warning", &exchange.warnings, exchange)?;
        self.sums.add(exchange, self.mask);
        Ok(())
    }

    /// An exchange ended of which only the numbers are left.
    pub(crate) fn numbers(&mut self, numbers: &Numbers) -> Result<(), Error> {
        self.closed += 1;
        let usage = &numbers.usage;
        let n = end_row! {
            self, numbers, numbers.id,
            once {
                run: self.run,
                time_ms: numbers.time.as_millisecond(),
            }
            kept: Kept::Numbers.name(),
            anew {
                closed: self.closed,
                ended_ms: numbers.ended.unwrap_or(numbers.time).as_millisecond(),
                end: numbers.end.map(crate::record::End::name),
                status: numbers.status,
                attempts: numbers.attempts,
                input: number(usage.input),
                cache_read: number(usage.cache_read),
                cache_write_5m: number(usage.cache_write_5m),
                cache_write_1h: number(usage.cache_write_1h),
                output: number(usage.output),
                reasoning: number(usage.reasoning),
                tokens: number(numbers.tokens),
                cost: numbers.cost_micro_usd,
                duration_ms: number(numbers.duration_ms),
                billing: numbers.billing.map(Billing::name),
                billed: numbers.billed_micro_usd,
            }
        }?;
        self.n = self.n.max(n);
        // What else is known of it was said when it was accepted.
        self.sums.add_row(self.connection, n, self.mask)
    }

    /// All are written: what they add to sums is.
    pub(crate) fn finish(self) -> Result<(), Error> {
        self.sums.write(self.connection)
    }

    /// Details of the exchange that ended last, and where the bodies are that are told of with them: those of the end, and
    /// those of the beginning if they are in the same segment.
    fn ending(
        &mut self,
        n: i64,
        details: &Details,
        stored: [Option<&Stored>; 2],
    ) -> Result<(), Error> {
        let mut joined = None;
        if let [Some(begun), Some(ended)] = stored
            && begun.segment == ended.segment
        {
            joined = Manifest::join(&begun.manifest, &ended.manifest);
        }
        let [begun, ended] = stored;
        if let (Some(begun), None) = (begun, &joined) {
            self.begin_bodies(n, begun)?;
        }
        let packed = self.packer.pack(details, self.mask);
        let values = params![
            self.closed,
            packed,
            ended.map(|ended| ended.segment),
            joined.as_ref().or(ended.map(|ended| &ended.manifest)),
        ];
        held(&mut self.statements.ending, self.connection, ENDING)?.execute(values)?;
        Ok(())
    }

    fn begin_bodies(&mut self, n: i64, stored: &Stored) -> Result<(), Error> {
        let values = params![n, PART_OPEN, stored.segment, stored.manifest];
        held(&mut self.statements.bodies, self.connection, BODIES)?.execute(values)?;
        Ok(())
    }

    fn tags(&mut self, kind: &str, values: &[String], exchange: &Exchange) -> Result<(), Error> {
        for value in values {
            let value = self.mask.text(value);
            held(&mut self.statements.tag, self.connection, TAG)?.execute(params![
                kind,
                value,
                exchange.id
            ])?;
        }
        Ok(())
    }
}

/// A statement that is held ready from its first use on: looking one up by its text takes longer than binding its values.
pub(super) fn held<'s, 'a>(
    statement: &'s mut Option<CachedStatement<'a>>,
    connection: &'a Connection,
    sql: &str,
) -> Result<&'s mut CachedStatement<'a>, Error> {
    Ok(match statement {
        Some(held) => held,
        none => none.insert(connection.prepare_cached(sql)?),
    })
}

#[expect(clippy::ref_option, reason = "called with references to fields")]
fn masked<'t>(mask: &Mask, text: &'t Option<String>) -> Option<Cow<'t, str>> {
    text.as_deref().map(|text| mask.text(text))
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
