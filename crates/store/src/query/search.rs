//! Texts in bodies: newest exchanges first, for as long as the caller has patience.

use aho_corasick::AhoCorasick;
use serde::Serialize;
use uuid::Uuid;

use crate::Error;
use crate::filter::Filter;
use crate::record::{BodyKind, Exchange};

use super::list::{Listing, Page};
use super::{Inner, Reader};

/// Rows looked at before the next ones are fetched.
const CHUNK: usize = 64;

/// No search finds more at a time.
pub const MAX_HITS: usize = 5000;

/// Characters shown on either side of what was found.
const AROUND: usize = 60;

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Which exchanges, and the texts: all of them must be in some body, and those with `-` in none.
    pub filter: Filter,
    /// In which bodies; in all if empty.
    pub kinds: Vec<BodyKind>,
    /// Where to begin, and after how many hits to stop.
    pub page: Page,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hits {
    /// Newest first.
    pub items: Vec<Found>,
    /// Whether the search ended for want of time.
    pub truncated: bool,
    /// Where to go on; `None` if everything was looked at.
    pub next: Option<Uuid>,
    /// How many exchanges were looked at.
    pub searched: u64,
}

/// An exchange in which all texts were found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The exchange.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// Where the first text was found; `None` if the search had only texts that must not occur.
    pub kind: Option<BodyKind>,
    /// What stands there.
    pub excerpt: String,
}

impl Reader {
    /// Searches bodies until enough is found, everything was looked at, or `expired` says that time is up.
    ///
    /// # Errors
    /// The record cannot be read. Bodies that are damaged or gone count as not matching.
    pub fn search(
        &self,
        search: &Search,
        expired: &mut dyn FnMut() -> bool,
    ) -> Result<Hits, Error> {
        let needles: Vec<Needle> = search
            .filter
            .texts()
            .filter_map(|(text, absent)| Needle::new(text, absent))
            .collect();
        let limit = search.page.limit.clamp(1, MAX_HITS);
        let mut hits = Hits {
            items: Vec::new(),
            truncated: false,
            next: search.page.before,
            searched: 0,
        };
        loop {
            let page = Page {
                before: hits.next,
                limit: CHUNK,
                skip: 0,
            };
            // The lock is taken anew for each chunk, so that others get their turn.
            let mut inner = self.inner();
            let Listing {
                items,
                next,
                truncated,
            } = inner.list(&search.filter, page, expired)?;
            for exchange in items {
                if hits.items.len() == limit || expired() {
                    hits.truncated = hits.items.len() < limit;
                    return Ok(hits);
                }
                hits.searched += 1;
                hits.next = Some(exchange.id);
                hits.items
                    .extend(inner.find(exchange, &needles, &search.kinds)?);
            }
            hits.next = next;
            hits.truncated = truncated;
            if next.is_none() || truncated {
                return Ok(hits);
            }
        }
    }
}

impl Inner {
    fn find(
        &mut self,
        exchange: Exchange,
        needles: &[Needle],
        kinds: &[BodyKind],
    ) -> Result<Option<Found>, Error> {
        let mut found: Vec<Option<(BodyKind, String)>> = vec![None; needles.len()];
        let mut seen = Vec::new();
        for stored in self.stored(exchange.number, exchange.id)? {
            let kind = stored.entry.placed.kind;
            // Bodies that passed through unchanged are the same twice.
            if !kinds.is_empty() && !kinds.contains(&kind) || seen.contains(&stored.entry.digest) {
                continue;
            }
            seen.push(stored.entry.digest);
            for (needle, place) in needles.iter().zip(&mut found) {
                if place.is_some() {
                    continue;
                }
                let mut sieve = Sieve::new(needle);
                let read =
                    self.frames
                        .each(stored.segment, &stored.entry.placed.spans, &mut |piece| {
                            sieve.on(piece)
                        });
                if let Err(error) = read {
                    tracing::debug!(exchange.id = %exchange.id, "a body is not searched: {error}");
                }
                *place = sieve.excerpt.map(|excerpt| (kind, excerpt));
            }
        }
        let fits = needles
            .iter()
            .zip(&found)
            .all(|(needle, place)| place.is_some() != needle.absent);
        if !fits {
            return Ok(None);
        }
        let (kind, excerpt) = found.into_iter().flatten().next().unzip();
        Ok(Some(Found {
            exchange,
            kind,
            excerpt: excerpt.unwrap_or_default(),
        }))
    }
}

/// A text, as it is and as JSON writes it.
struct Needle {
    automaton: AhoCorasick,
    longest: usize,
    absent: bool,
}

impl Needle {
    fn new(text: &str, absent: bool) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let json = serde_json::to_string(text).ok()?;
        let json = json.get(1..json.len() - 1)?;
        let longest = text.len().max(json.len());
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build([text, json])
            .ok()?;
        Some(Self {
            automaton,
            longest,
            absent,
        })
    }
}

/// Looks for a needle in pieces, also where one ends and the next begins.
struct Sieve<'a> {
    needle: &'a Needle,
    /// The end of what was seen.
    tail: Vec<u8>,
    excerpt: Option<String>,
}

impl<'a> Sieve<'a> {
    fn new(needle: &'a Needle) -> Self {
        Self {
            needle,
            tail: Vec::new(),
            excerpt: None,
        }
    }

    /// Whether more is wanted.
    fn on(&mut self, piece: &[u8]) -> bool {
        let overlap = self.needle.longest - 1;
        let begin = piece.get(..overlap.min(piece.len())).unwrap_or_default();
        let seam = self.tail.len();
        self.tail.extend_from_slice(begin);
        let tail = std::mem::take(&mut self.tail);
        let is_found = seam > 0 && self.look(&tail) || self.look(piece);
        if !is_found {
            let joined = if piece.len() > overlap { piece } else { &tail };
            let keep = joined.len().saturating_sub(overlap);
            self.tail = joined.get(keep..).unwrap_or_default().to_vec();
        }
        self.excerpt.is_none()
    }

    fn look(&mut self, bytes: &[u8]) -> bool {
        let Some(found) = self.needle.automaton.find(bytes) else {
            return false;
        };
        let from = found.start().saturating_sub(AROUND);
        let to = (found.end() + AROUND).min(bytes.len());
        let around = bytes.get(from..to).unwrap_or_default();
        // Characters cut at the edges are left out.
        let text: String = around.utf8_chunks().map(|chunk| chunk.valid()).collect();
        self.excerpt = Some(text);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], text: &str, expected: Option<&str>) {
        let needle = Needle::new(text, false).unwrap();
        let mut sieve = Sieve::new(&needle);
        for piece in pieces {
            if !sieve.on(piece.as_bytes()) {
                break;
            }
        }
        assert_eq!(sieve.excerpt.as_deref(), expected, "{text} in {pieces:?}");
    }

    #[test]
    fn texts_are_found_across_pieces() {
        check(&["an apple a day"], "Apple", Some("an apple a day"));
        check(
            &["an ap", "ple"],
            "apple",
            Some("an apple").map(|text| &text[1..]).or(None),
        );
        check(&["a", "p", "p", "l", "e"], "apple", Some("apple"));
        check(&["app", "ly"], "apple", None);
        check(
            &["{\"t\":\"a \\\"b\\\"\\nc\"}"],
            "\"b\"\nc",
            Some("{\"t\":\"a \\\"b\\\"\\nc\"}"),
        );
        check(&[""], "x", None);
        check(&["ü", "x"], "x", Some("x"));
        assert!(Needle::new("", false).is_none(), "everything holds it");
    }
}
