//! One exchange with its details and bodies.

use std::borrow::Cow;

use rusqlite::OptionalExtension as _;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::Error;
use crate::differences::decode_arrivals;
use crate::parts::{Entry, Manifest, Span};
use crate::record::{Arrival, BodyKind, Details, Exchange, MAX_DETAILS};

use super::row::{self, COLUMNS, WIDTH};
use super::{Inner, Reader};

/// Everything about an exchange but its bodies.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// The row.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// What is behind it; empty while it runs.
    pub details: Details,
    /// Which bodies there are.
    pub bodies: Vec<BodyInfo>,
}

/// A body that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BodyInfo {
    /// Whose it is.
    pub kind: BodyKind,
    /// The attempt it belongs to; 0 for the client's.
    pub attempt: u16,
    /// Its length in bytes.
    pub bytes: u64,
    /// An entity tag, without quotes: bodies with the same one are equal.
    pub etag: String,
    /// Whether it is still there; what is too old is deleted.
    pub available: bool,
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// What is known of it.
    pub info: BodyInfo,
    /// The bytes, exactly as they were but for masked secrets.
    pub bytes: Vec<u8>,
    /// When the parts of a stream came.
    pub arrivals: Vec<Arrival>,
}

/// A body that is read part by part.
#[derive(Debug, Clone)]
pub struct BodyPlace {
    /// What is known of it.
    pub info: BodyInfo,
    segment: i64,
    spans: Vec<Span>,
}

/// A body and the segment that holds it.
pub(super) struct Stored {
    pub segment: i64,
    pub entry: Entry,
    available: bool,
}

impl Stored {
    fn info(&self) -> BodyInfo {
        BodyInfo {
            kind: self.entry.placed.kind,
            attempt: self.entry.placed.attempt,
            bytes: self.entry.placed.length(),
            etag: self
                .entry
                .digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            available: self.available,
        }
    }
}

impl Reader {
    /// One exchange with its details.
    ///
    /// # Errors
    /// The database cannot be read, or the row is damaged.
    pub fn get(&self, id: Uuid) -> Result<Option<Record>, Error> {
        let inner = self.inner();
        let sql = format!(
            "SELECT {COLUMNS}, coalesce(endings.detail, details.detail) FROM exchanges
             LEFT JOIN endings USING (closed) LEFT JOIN details USING (n) WHERE id = ?1"
        );
        let mut query = inner.connection.prepare_cached(&sql)?;
        let found = query
            .query_row([id], |row| {
                let exchange = row::exchange(row)?;
                let detail: Option<Vec<u8>> = row.get(WIDTH)?;
                Ok((exchange, detail))
            })
            .optional()?;
        let Some((exchange, detail)) = found else {
            return Ok(None);
        };
        let details = match detail {
            Some(packed) => unpack(&packed).map_err(|problem| Error::Row { id, problem })?,
            None => Details::default(),
        };
        let bodies = inner.stored(exchange.number, id)?;
        Ok(Some(Record {
            exchange,
            details,
            bodies: bodies.iter().map(Stored::info).collect(),
        }))
    }

    /// Where a body is: of this attempt, or else of the last one. `None` if it was not kept.
    ///
    /// # Errors
    /// The database cannot be read, or the row is damaged.
    pub fn body_place(
        &self,
        id: Uuid,
        kind: BodyKind,
        attempt: Option<u16>,
    ) -> Result<Option<BodyPlace>, Error> {
        let stored = self.inner().stored_body(id, kind, attempt)?;
        Ok(stored.map(|stored| BodyPlace {
            info: stored.info(),
            segment: stored.segment,
            spans: stored.entry.placed.spans,
        }))
    }

    /// At least one and about `most` bytes of a body, from a place on; none behind its end. `None` if it is no longer
    /// there.
    ///
    /// # Errors
    /// The files cannot be read, or are damaged.
    pub fn body_part(
        &self,
        body: &BodyPlace,
        from: u64,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        let mut skip = from;
        let mut inner = self.inner();
        for span in &body.spans {
            if skip >= u64::from(span.length) {
                skip -= u64::from(span.length);
                continue;
            }
            if bytes.len() >= most {
                break;
            }
            // A span is one frame's, which is small.
            let Some(piece) = inner.bytes(body.segment, std::slice::from_ref(span))? else {
                return Ok(None);
            };
            let skipped = usize::try_from(std::mem::take(&mut skip)).unwrap_or(usize::MAX);
            bytes.extend_from_slice(piece.get(skipped..).unwrap_or_default());
        }
        Ok(Some(bytes))
    }

    /// A body: of this attempt, or else of the last one. `None` if it was not kept or is no longer there.
    ///
    /// # Errors
    /// The files cannot be read, or are damaged.
    pub fn body(
        &self,
        id: Uuid,
        kind: BodyKind,
        attempt: Option<u16>,
    ) -> Result<Option<KeptBody>, Error> {
        let mut inner = self.inner();
        let Some(stored) = inner.stored_body(id, kind, attempt)? else {
            return Ok(None);
        };
        let entry = &stored.entry;
        let Some(bytes) = inner.bytes(stored.segment, &entry.placed.spans)? else {
            return Ok(None);
        };
        let arrivals = inner
            .bytes(stored.segment, &entry.placed.arrivals)?
            .unwrap_or_default();
        Ok(Some(KeptBody {
            info: stored.info(),
            bytes,
            arrivals: decode_arrivals(&arrivals),
        }))
    }
}

impl Inner {
    fn stored_body(
        &self,
        id: Uuid,
        kind: BodyKind,
        attempt: Option<u16>,
    ) -> Result<Option<Stored>, Error> {
        let number = self
            .connection
            .prepare_cached("SELECT n FROM exchanges WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let Some(number) = number else {
            return Ok(None);
        };
        let mut all = self.stored(number, id)?;
        all.retain(|stored| {
            stored.entry.placed.kind == kind
                && attempt.is_none_or(|attempt| stored.entry.placed.attempt == attempt)
        });
        Ok(all.pop())
    }

    /// The bodies of a row, ordered by kind and attempt.
    pub(super) fn stored(&self, number: i64, id: Uuid) -> Result<Vec<Stored>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT segment, manifest, EXISTS (SELECT 1 FROM segments WHERE segments.segment = kept.segment)
             FROM (
               SELECT part, segment, manifest FROM bodies WHERE n = ?1 UNION ALL
               SELECT 2, segment, manifest FROM details WHERE n = ?1 AND manifest IS NOT NULL UNION ALL
               SELECT 2, segment, manifest FROM endings
               WHERE closed = (SELECT closed FROM exchanges WHERE n = ?1) AND manifest IS NOT NULL
             ) AS kept ORDER BY part",
        )?;
        let rows = query.query_map([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut all = Vec::new();
        for row in rows {
            let (segment, manifest, available): (i64, Vec<u8>, bool) = row?;
            let manifest = Manifest::decode(&manifest).ok_or_else(|| Error::Row {
                id,
                problem: "its list of bodies is unreadable".to_owned(),
            })?;
            all.extend(manifest.entries.into_iter().map(|entry| Stored {
                segment,
                entry,
                available,
            }));
        }
        all.sort_by_key(|stored| (stored.entry.placed.kind, stored.entry.placed.attempt));
        Ok(all)
    }

    fn bytes(&mut self, segment: i64, spans: &[Span]) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        let is_there = self.frames.each(segment, spans, &mut |piece| {
            bytes.extend_from_slice(piece);
            true
        })?;
        Ok(is_there.then_some(bytes))
    }
}

/// Details as they are stored: JSON, or JSON that zstd made smaller.
fn unpack(stored: &[u8]) -> Result<Details, String> {
    let json = if stored.starts_with(b"{") {
        Cow::Borrowed(stored)
    } else {
        let json = zstd::bulk::decompress(stored, MAX_DETAILS);
        Cow::Owned(json.map_err(|error| error.to_string())?)
    };
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}
