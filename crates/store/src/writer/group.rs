//! A group's rows: one transaction.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, TransactionBehavior, params};

use crate::recorder::{Batch, Message};
use crate::{Error, Mask};

use super::bodies::Segments;
use super::rows::Rows;
use super::run::Run;

/// Writes the rows of a group and what the database is to know of segments. All of it or nothing.
pub(crate) fn commit(
    connection: &mut Connection,
    batch: &Batch,
    segments: &mut Segments,
    run: &mut Run,
    mask: &Mask,
) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (packer, opened) = (&mut run.packer, &mut run.opened);
    let mut rows = Rows::new(&transaction, packer, opened, run.number, mask)?;
    let ending = ending(batch);
    let mut begun = HashMap::new();
    for message in &batch.messages {
        match message {
            // Its end is in the same group and says all of it, but for the bodies of its beginning.
            Message::Open(exchange, _, stored) if ending.contains(&exchange.id) => {
                begun.insert(exchange.id, stored.as_ref());
            }
            Message::Open(exchange, _, stored) => rows.open(exchange, stored.as_ref())?,
            Message::Close(closed, stored) => {
                let begun = begun.get(&closed.exchange.id).copied().flatten();
                let bodies = [begun, stored.as_ref()];
                rows.close(&closed.exchange, &closed.details, bodies)?;
            }
        }
    }
    for numbers in &batch.numbers {
        rows.numbers(numbers)?;
    }
    rows.finish()?;
    tell(&transaction, segments)?;
    transaction.commit()?;
    segments.was_told();
    Ok(())
}

/// How long segments are, and which are complete.
pub(crate) fn tell(connection: &Connection, segments: &Segments) -> Result<(), Error> {
    let mut update = connection.prepare_cached(
        "UPDATE segments SET last_ms = ?2, bytes = ?3, sealed = ?4 WHERE segment = ?1",
    )?;
    for told in segments.told() {
        update.execute(params![
            told.segment,
            told.last_ms,
            told.bytes as i64,
            told.is_sealed
        ])?;
    }
    Ok(())
}

fn ending(batch: &Batch) -> HashSet<uuid::Uuid> {
    let closed = |message: &Message| match message {
        Message::Close(closed, _) => Some(closed.exchange.id),
        Message::Open(..) => None,
    };
    batch.messages.iter().filter_map(closed).collect()
}
