//! Requests of late, as they were scanned and decoded: a session sends its history again with every request, so most of the
//! next one is known.
//!
//! Only what saves more than it costs is kept, in memory of its own, only so much and not for long ([`super::unused`]). What
//! one client's key sent is never compared with another's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lingate_store::Alike;
use lingate_wire::bridge;
use lingate_wire::json::{Doc, Resumed};
use lingate_wire::turn::Failure;
use lingate_wire::{Decoded, Known, Wire};
use tokio::time::Instant;

use crate::clock;
use crate::front::body::text;

/// How long a conversation may rest before it is scanned whole again, which is all that forgetting it costs.
const AGE: Duration = Duration::from_secs(60 * 60);
/// Bodies below this are scanned in a microsecond or two.
const LEAST_BYTES: usize = 8 << 10;
/// A body above this, with its index, is not kept.
const MOST_BYTES: usize = 3 << 20;
/// Of all that is kept.
const MOST_BYTES_KEPT: usize = 8 << 20;
/// What a request is decoded to is kept if it takes no more than so many times the document's memory.
const MOST_DECODED: usize = 2;
/// Conversations that are kept; more are more to look through.
const MOST_KEPT: usize = 32;
/// A body of which more than this part is new is decoded by itself.
const LEAST_ALIKE: usize = 2;
/// A body of which less than this part is new is as good as kept.
const NEW_PART: usize = 8;

/// The latest request of some conversations.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    /// The one that was used last is the last.
    kept: Mutex<Vec<History>>,
}

/// Of the next history that is kept.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A request's document, and what is known of it.
pub(crate) struct Scanned {
    pub doc: Doc,
    /// The request that it was scanned like.
    pub earlier: Option<Arc<Earlier>>,
}

impl From<Doc> for Scanned {
    fn from(doc: Doc) -> Self {
        Self { doc, earlier: None }
    }
}

/// A request that others go on from.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// No other of the process has it.
    number: u64,
    doc: Doc,
    /// What it was decoded to, if anybody asked; none if nothing of it could be taken over, or if it takes too much memory.
    decoded: OnceLock<Option<Decoded>>,
}

impl Earlier {
    /// What a request that was scanned like this one has in common with it.
    pub(crate) fn alike(&self, doc: &Doc) -> Option<Alike> {
        let own = self.doc.body();
        let place = |piece: &Bytes| {
            let at = piece.as_ptr().addr().checked_sub(own.as_ptr().addr())?;
            (at + piece.len() <= own.len()).then_some(at)
        };
        let length = doc.body().len();
        let mut alike = Alike {
            to: self.number,
            first: 0,
            last: 0,
            behind: length,
            until: 0,
        };
        let mut begin = 0;
        for piece in doc.pieces().filter(|piece| !piece.is_empty()) {
            if let Some(at) = place(piece) {
                if at == begin && begin == 0 {
                    alike.first = piece.len();
                } else {
                    alike.last = piece.len();
                    alike.behind = length - begin - piece.len();
                    alike.until = at + piece.len();
                }
            }
            begin += piece.len();
        }
        (alike.first + alike.last > 0).then_some(alike)
    }

    /// Decodes a request that was scanned like this one: the same as by itself, and what both have in common is shared.
    ///
    /// # Errors
    /// If it is not of the wire's shape.
    pub(crate) fn decode_like(&self, wire: Wire, doc: &Doc) -> Result<Decoded, Failure> {
        let decoded = self.decoded.get_or_init(|| {
            if !bridge::is_decoded_by_item(wire) {
                return None;
            }
            let mut decoded = bridge::decode_request(wire, &self.doc).ok()?;
            decoded.turn.quote_inputs();
            let most = MOST_DECODED * self.doc.size();
            (decoded.turn.size() + decoded.params.size() <= most).then_some(decoded)
        });
        let Some(decoded) = decoded else {
            return bridge::decode_request(wire, doc);
        };
        let known = Known {
            doc: &self.doc,
            decoded,
        };
        bridge::decode_request_like(wire, &known, doc)
    }
}

/// What is known of a conversation.
struct Latest {
    request: Arc<Earlier>,
    /// The same one, and not one that only begins alike.
    goes_on: bool,
}

#[derive(Debug)]
struct History {
    wire: Wire,
    /// Whose it is: a gateway key's name.
    caller: String,
    samples: Samples,
    request: Arc<Earlier>,
    used: Instant,
}

impl Histories {
    /// Scans a request's body.
    ///
    /// # Errors
    /// If it is no text or not JSON.
    pub(crate) fn scan(&self, wire: Wire, caller: &str, body: &Bytes) -> Result<Scanned, Failure> {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&body.len()) {
            return Ok(bridge::scan_request(wire, &text(body.clone())?)?.into());
        }
        let samples = Samples::of(body);
        let latest = self.like(wire, caller, &samples);
        let resumed = latest
            .as_ref()
            .and_then(|latest| bridge::scan_request_like(wire, &latest.request.doc, body));
        let (doc, scanned) = match resumed {
            Some(Resumed { doc, scanned }) => (doc, scanned),
            None => (
                bridge::scan_request(wire, &text(body.clone())?)?,
                body.len(),
            ),
        };
        if scanned > body.len() / NEW_PART {
            let replaced = latest.as_ref().filter(|latest| latest.goes_on);
            let replaced = replaced.map(|latest| &latest.request);
            self.keep((wire, caller, samples), &doc, replaced);
        }
        // Of one that only begins alike there is nothing to share.
        let is_alike = scanned <= body.len() / LEAST_ALIKE;
        let earlier = latest.filter(|_| is_alike).map(|latest| latest.request);
        Ok(Scanned { doc, earlier })
    }

    /// What begins most like it.
    fn like(&self, wire: Wire, caller: &str, samples: &Samples) -> Option<Latest> {
        let mut kept = self.kept();
        let likeness = |history: &History| {
            let is_near = history.wire == wire && history.caller == caller;
            if is_near {
                history.samples.in_common(samples)
            } else {
                0
            }
        };
        let likeness = kept.iter().map(likeness).enumerate();
        let (at, in_common) = likeness.max_by_key(|(_, in_common)| *in_common)?;
        if in_common == 0 {
            return None;
        }
        // Only the order of those behind it changes.
        kept.get_mut(at..)?.rotate_left(1);
        let history = kept.last_mut()?;
        history.used = clock::now();
        Some(Latest {
            request: Arc::clone(&history.request),
            goes_on: in_common + 1 >= history.samples.count(),
        })
    }

    fn keep(
        &self,
        (wire, caller, samples): (Wire, &str, Samples),
        doc: &Doc,
        replaced: Option<&Arc<Earlier>>,
    ) {
        if doc.size() > MOST_BYTES {
            return;
        }
        let history = History {
            wire,
            caller: caller.to_owned(),
            samples,
            request: Arc::new(Earlier {
                number: NEXT.fetch_add(1, Ordering::Relaxed),
                doc: doc.detached(),
                decoded: OnceLock::new(),
            }),
            used: clock::now(),
        };
        let mut kept = self.kept();
        if let Some(replaced) = replaced {
            kept.retain(|history| !Arc::ptr_eq(&history.request, replaced));
        }
        kept.push(history);
        let mut room = MOST_BYTES_KEPT;
        let fitting = kept.iter().rev().take(MOST_KEPT).take_while(|history| {
            let left = room.checked_sub(history.request.doc.size());
            room = left.unwrap_or_default();
            left.is_some()
        });
        let dropped = kept.len() - fitting.count();
        kept.drain(..dropped);
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept().len()
    }

    /// Forgets what no request went on with of late.
    pub(crate) fn forget_unused(&self, now: Instant) {
        let mut kept = self.kept();
        kept.retain(|history| now.saturating_duration_since(history.used) <= AGE);
        kept.shrink_to_fit();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<History>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Eight bytes each at 16, 32, 64 and so on: two bodies that have many of the first in common begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Samples([u64; Self::COUNT]);

impl Samples {
    /// Up to a place of a million.
    const COUNT: usize = 17;

    fn of(bytes: &[u8]) -> Self {
        Self(std::array::from_fn(|nth| {
            let begin = bytes.get(16 << nth..).unwrap_or_default();
            // Nothing that a body has: behind its end.
            begin.first_chunk().copied().map_or(0, u64::from_le_bytes)
        }))
    }

    fn count(&self) -> usize {
        self.0.iter().take_while(|sample| **sample != 0).count()
    }

    fn in_common(&self, other: &Self) -> usize {
        let both = self.0.iter().zip(&other.0);
        both.take_while(|(one, other)| one == other && **one != 0)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;
    use lingate_wire::turn::Message;

    use super::*;

    fn body(model: &str, turns: usize) -> ByteString {
        let turn = |n: usize| format!(r#"{{"role":"user","content":"{model} {n:0200}"}}"#);
        let turns: Vec<String> = (0..turns).map(turn).collect();
        let body = r#"{"model":"MODEL","max_tokens":9,"messages":[TURNS],"tools":[]}"#;
        body.replace("MODEL", model)
            .replace("TURNS", &turns.join(","))
            .into()
    }

    fn lengths(histories: &Histories) -> Vec<usize> {
        let kept = histories.kept();
        kept.iter()
            .map(|one| one.request.doc.body().len())
            .collect()
    }

    #[track_caller]
    fn scan(histories: &Histories, caller: &str, body: &ByteString) {
        let scanned = histories.scan(Wire::Anthropic, caller, body.as_bytes());
        let Scanned { doc, earlier } = scanned.unwrap();
        let plain = bridge::scan_request(Wire::Anthropic, body).unwrap();
        assert_eq!(format!("{doc:?}"), format!("{plain:?}"));
        let decoded = bridge::decode_request(Wire::Anthropic, &plain).unwrap();
        if let Some(earlier) = earlier {
            let shared = earlier.decode_like(Wire::Anthropic, &doc).unwrap();
            assert_eq!(shared, decoded);
            assert_eq!(format!("{shared:?}"), format!("{decoded:?}"));
        }
    }

    #[test]
    fn a_session_is_kept_once_and_grows() {
        let histories = Histories::default();
        for turns in 30..200 {
            scan(&histories, "", &body("model-of-the-main-agent", turns));
            scan(&histories, "", &body("model-of-the-other-agent", turns));
        }
        let kept = lengths(&histories);
        assert_eq!(kept.len(), 2, "{kept:?}");
        let last = body("model-of-the-main-agent", 199).len();
        assert!(kept.iter().all(|kept| *kept > last - last / 7), "{kept:?}");
    }

    /// Two turns are known to have in common what they have, but for what stands around it.
    #[test]
    fn what_is_alike_is_known() {
        let histories = Histories::default();
        let tools = format!(r#""tools":[{{"name":"{}"}}]"#, "t".repeat(3000));
        let body = |turns| body("m", turns).replace(r#""tools":[]"#, &tools);
        let [first, second, third] = [60, 61, 62].map(body);
        let scan = |body: &str| {
            let body = Bytes::copy_from_slice(body.as_bytes());
            histories.scan(Wire::Anthropic, "", &body).unwrap()
        };
        assert!(scan(&first).earlier.is_none());
        let alike = |body: &str| {
            let Scanned { doc, earlier } = scan(body);
            earlier.unwrap().alike(&doc).unwrap()
        };
        let [one, other] = [&second, &third].map(|body| alike(body));
        assert_eq!((one.to, one.until, one.behind), (other.to, other.until, 1));
        for (alike, body) in [(one, second), (other, third)] {
            assert_eq!(body[..alike.first], first[..alike.first]);
            assert!(alike.first > 60 * 200 && alike.last > 3000, "{alike:?}");
            let stretch = body.len() - alike.behind - alike.last..body.len() - alike.behind;
            assert_eq!(body[stretch], first[alike.until - alike.last..alike.until]);
        }
        // Of another conversation.
        let strange = body(80).replace("\"content\":\"m", "\"content\":\"x");
        let scanned = scan(&strange);
        let known = scanned.earlier.map(|earlier| earlier.alike(&scanned.doc));
        assert_ne!(known.flatten().map_or(0, |known| known.first), one.first);
    }

    #[test]
    fn what_was_decoded_is_shared_and_changed_alone() {
        let histories = Histories::default();
        let decoded = |turns| {
            let scanned = histories.scan(Wire::Anthropic, "", body("m", turns).as_bytes());
            let Scanned { doc, earlier } = scanned.unwrap();
            earlier.map(|earlier| earlier.decode_like(Wire::Anthropic, &doc).unwrap())
        };
        assert!(decoded(60).is_none());
        let (mut one, other) = (decoded(61).unwrap(), decoded(62).unwrap());
        let blocks = |decoded: &Decoded, nth: usize| {
            let message: &Message = &decoded.turn.messages[nth];
            message.blocks.as_ptr()
        };
        assert_eq!(blocks(&one, 59), blocks(&other, 59));
        assert_ne!(blocks(&one, 60), blocks(&other, 60));
        one.turn.messages[0].edit().blocks.clear();
        assert_eq!(other.turn.messages[0].blocks.len(), 1);
        assert_eq!(decoded(63).unwrap().turn.messages[0].blocks.len(), 1);
    }

    #[test]
    fn nobody_elses_is_looked_at() {
        let histories = Histories::default();
        for caller in ["", "one", "other", "one"] {
            scan(&histories, caller, &body("m", 60));
        }
        assert_eq!(lengths(&histories).len(), 3);
        let samples = Samples::of(body("m", 60).as_bytes());
        assert!(histories.like(Wire::Anthropic, "third", &samples).is_none());
        assert!(histories.like(Wire::Chat, "one", &samples).is_none());
        assert!(histories.like(Wire::Anthropic, "one", &samples).is_some());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes() {
        let histories = Histories::default();
        for n in 0..2 * MOST_KEPT {
            scan(&histories, "", &body(&format!("{n:08}-model"), 40));
        }
        assert_eq!(lengths(&histories).len(), MOST_KEPT);
        for n in 0..20 {
            scan(&histories, "", &body(&format!("{n:08}-large"), 6_000));
        }
        let kept = lengths(&histories);
        assert!(kept.iter().sum::<usize>() < MOST_BYTES_KEPT, "{kept:?}");
        assert!((3..8).contains(&kept.len()), "{kept:?}");
        // A document of a megabyte may have an index of many.
        let dense = ByteString::from(format!("{{\"a\":[{}1]}}", "1,".repeat(400_000)));
        for not_worth_it in [body("m", 1), body("m", 15_000), dense] {
            scan(&histories, "", &not_worth_it);
        }
        assert_eq!(lengths(&histories), kept);
    }

    #[test]
    fn a_body_that_is_no_json_is_not_kept() {
        let histories = Histories::default();
        let broken: ByteString = body("m", 60).replace("tools", "\u{1}").into();
        let plain = bridge::scan_request(Wire::Chat, &broken).unwrap_err();
        let no_text = body("m", 60).replace("tools", "\u{80}").into_bytes();
        let no_text: Bytes = no_text.into_iter().filter(|byte| *byte != 0xc2).collect();
        let failure = |histories: &Histories, body: &Bytes| {
            let scanned = histories.scan(Wire::Chat, "", body);
            scanned.map(|_| ()).unwrap_err().message
        };
        for is_known in [false, true] {
            assert_eq!(failure(&histories, broken.as_bytes()), plain.message);
            assert_eq!(failure(&histories, &no_text), "the body is not valid UTF-8");
            assert_eq!(lengths(&histories).len(), usize::from(is_known));
            histories
                .scan(Wire::Chat, "", body("m", 60).as_bytes())
                .unwrap();
        }
    }
}
