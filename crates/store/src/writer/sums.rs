//! What a group adds to the sums of conversations, days and keys. It is gathered first, so that a sum is written once a
//! group, however many of its exchanges belong to it.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::record::Exchange;
use crate::{Error, Mask, query};

const DAY_MS: i64 = 24 * 3600 * 1000;

const SESSION: &str = "
INSERT INTO sessions (
  session, first_ms, last_ms, last_id, exchanges, errors, tokens, cost, unpriced, model, provider, billed)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (session) DO UPDATE SET
  first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),
  last_id = max(last_id, excluded.last_id), exchanges = exchanges + excluded.exchanges,
  errors = errors + excluded.errors, tokens = tokens + excluded.tokens, billed = billed + excluded.billed,
  unpriced = unpriced + excluded.unpriced,
  cost = CASE WHEN excluded.cost IS NULL THEN cost ELSE coalesce(cost, 0) + excluded.cost END,
  model = excluded.model, provider = coalesce(excluded.provider, provider)";

const SPENT: &str = "
INSERT INTO spent (day, key, billed) VALUES (?1, ?2, ?3)
ON CONFLICT (day, key) DO UPDATE SET billed = billed + excluded.billed";

const SPENT_BY: &str = "
INSERT INTO spent_by (session, key, billed) VALUES (?1, ?2, ?3)
ON CONFLICT (session, key) DO UPDATE SET billed = billed + excluded.billed";

/// Sums over exchanges that ended, in the order of ending.
#[derive(Default)]
pub(super) struct Sums {
    sessions: HashMap<String, Session>,
    /// What is billed, by the day (UTC, days since 1970) and key (empty for none).
    spent: HashMap<(i64, String), i64>,
    /// The same by conversation and key.
    spent_by: HashMap<(String, String), i64>,
}

/// Of one conversation.
#[derive(Default)]
struct Session {
    first_ms: i64,
    last_ms: i64,
    last_id: Uuid,
    exchanges: i64,
    errors: i64,
    tokens: i64,
    cost: Option<i64>,
    unpriced: i64,
    model: String,
    provider: Option<String>,
    billed: i64,
}

impl Sums {
    /// An exchange has ended; of its texts rows hold what the mask leaves.
    pub(super) fn add(&mut self, exchange: &Exchange, mask: &Mask) {
        let billed = exchange.billed_micro_usd.or(exchange.cost_micro_usd);
        let session = exchange.session.as_deref().map(|name| mask.text(name));
        if let Some(billed) = billed.filter(|billed| *billed > 0) {
            let key = || exchange.key.clone().unwrap_or_default();
            let day = exchange.time.as_millisecond() / DAY_MS;
            add(self.spent.entry((day, key())).or_default(), billed);
            if let Some(session) = session.as_deref().filter(|_| exchange.key.is_some()) {
                let sum = self.spent_by.entry((session.to_owned(), key()));
                add(sum.or_default(), billed);
            }
        }
        let Some(session) = session else {
            return;
        };
        match self.sessions.get_mut(session.as_ref()) {
            Some(sums) => sums.add(exchange, mask),
            None => {
                let mut sums = Session {
                    first_ms: i64::MAX,
                    last_ms: i64::MIN,
                    ..Session::default()
                };
                sums.add(exchange, mask);
                self.sessions.insert(session.into_owned(), sums);
            }
        }
    }

    /// The exchange of this row has ended. A damaged row adds nothing, and holds up nothing.
    pub(super) fn add_row(
        &mut self,
        connection: &Connection,
        n: i64,
        mask: &Mask,
    ) -> Result<(), Error> {
        if let Some(exchange) = query::row(connection, n)? {
            self.add(&exchange, mask);
        }
        Ok(())
    }

    /// Adds them to those that are there.
    pub(super) fn write(self, connection: &Connection) -> Result<(), Error> {
        for (name, sums) in self.sessions {
            connection.prepare_cached(SESSION)?.execute(params![
                name,
                sums.first_ms,
                sums.last_ms,
                sums.last_id,
                sums.exchanges,
                sums.errors,
                sums.tokens,
                sums.cost,
                sums.unpriced,
                sums.model,
                sums.provider,
                sums.billed,
            ])?;
        }
        for ((day, key), billed) in self.spent {
            let mut add = connection.prepare_cached(SPENT)?;
            add.execute(params![day, key, billed])?;
        }
        for ((session, key), billed) in self.spent_by {
            let mut add = connection.prepare_cached(SPENT_BY)?;
            add.execute(params![session, key, billed])?;
        }
        Ok(())
    }
}

impl Session {
    fn add(&mut self, exchange: &Exchange, mask: &Mask) {
        let time_ms = exchange.time.as_millisecond();
        self.first_ms = self.first_ms.min(time_ms);
        self.last_ms = self.last_ms.max(time_ms);
        self.last_id = self.last_id.max(exchange.id);
        self.exchanges += 1;
        self.errors += i64::from(!exchange.went_well());
        self.unpriced += i64::from(exchange.is_unpriced());
        let tokens = exchange.tokens().unwrap_or_default();
        add(&mut self.tokens, i64::try_from(tokens).unwrap_or(i64::MAX));
        if let Some(cost) = exchange.cost_micro_usd {
            add(self.cost.get_or_insert(0), cost);
        }
        let billed = exchange.billed_micro_usd.or(exchange.cost_micro_usd);
        add(&mut self.billed, billed.unwrap_or_default());
        mask.text(&exchange.model)
            .as_ref()
            .clone_into(&mut self.model);
        if exchange.provider.is_some() {
            self.provider.clone_from(&exchange.provider);
        }
    }
}

fn add(sum: &mut i64, more: i64) {
    *sum = sum.saturating_add(more);
}
