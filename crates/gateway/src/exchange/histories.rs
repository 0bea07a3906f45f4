//! Requests of late, as they were scanned: a session sends its history again with every request, so most of the next one
//! is known.
//!
//! Only what saves more than it costs is kept, in memory of its own, and only so much. What one client's key sent is never
//! compared with another's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use lingate_wire::Wire;
use lingate_wire::bridge;
use lingate_wire::json::{Doc, Resumed};
use lingate_wire::turn::Failure;

/// Bodies below this are scanned in a microsecond or two.
const LEAST_BYTES: usize = 8 << 10;
/// A body above this, with its index, is not kept.
const MOST_BYTES: usize = 3 << 20;
/// Of all that is kept.
const MOST_BYTES_KEPT: usize = 8 << 20;
/// Conversations that are kept; more are more to look through.
const MOST_KEPT: usize = 32;
/// A body of which less than this part is new is as good as kept.
const NEW_PART: usize = 8;

/// The latest request of some conversations.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    /// The one that was used last is the last.
    kept: Mutex<Vec<History>>,
}

/// What is known of a conversation.
struct Latest {
    doc: Arc<Doc>,
    /// The same one, and not one that only begins alike.
    goes_on: bool,
}

#[derive(Debug)]
struct History {
    wire: Wire,
    /// Whose it is: a gateway key's name.
    caller: String,
    samples: Samples,
    doc: Arc<Doc>,
}

impl Histories {
    /// Scans a request's body.
    ///
    /// # Errors
    /// If it is not JSON.
    pub(crate) fn scan(&self, wire: Wire, caller: &str, body: &ByteString) -> Result<Doc, Failure> {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&body.len()) {
            return bridge::scan_request(wire, body);
        }
        let samples = Samples::of(body.as_bytes());
        let Some(latest) = self.like(wire, caller, &samples) else {
            let doc = bridge::scan_request(wire, body)?;
            self.keep((wire, caller, samples), &doc, None);
            return Ok(doc);
        };
        let Resumed { doc, scanned } = bridge::scan_request_like(wire, &latest.doc, body)?;
        if scanned > body.len() / NEW_PART {
            let replaced = latest.goes_on.then_some(&latest.doc);
            self.keep((wire, caller, samples), &doc, replaced);
        }
        Ok(doc)
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
        let history = kept.last()?;
        Some(Latest {
            doc: Arc::clone(&history.doc),
            goes_on: in_common + 1 >= history.samples.count(),
        })
    }

    fn keep(
        &self,
        (wire, caller, samples): (Wire, &str, Samples),
        doc: &Doc,
        replaced: Option<&Arc<Doc>>,
    ) {
        if doc.size() > MOST_BYTES {
            return;
        }
        let history = History {
            wire,
            caller: caller.to_owned(),
            samples,
            doc: Arc::new(doc.detached()),
        };
        let mut kept = self.kept();
        if let Some(replaced) = replaced {
            kept.retain(|history| !Arc::ptr_eq(&history.doc, replaced));
        }
        kept.push(history);
        let mut room = MOST_BYTES_KEPT;
        let fitting = kept.iter().rev().take(MOST_KEPT).take_while(|history| {
            let left = room.checked_sub(history.doc.size());
            room = left.unwrap_or_default();
            left.is_some()
        });
        let dropped = kept.len() - fitting.count();
        kept.drain(..dropped);
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
        kept.iter().map(|one| one.doc.body().len()).collect()
    }

    #[track_caller]
    fn scan(histories: &Histories, caller: &str, body: &ByteString) {
        let doc = histories.scan(Wire::Anthropic, caller, body).unwrap();
        let plain = bridge::scan_request(Wire::Anthropic, body).unwrap();
        assert_eq!(format!("{doc:?}"), format!("{plain:?}"));
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
        let broken = body("m", 60).replace("tools", "\u{1}").into();
        for _ in 0..2 {
            let failure = histories.scan(Wire::Chat, "", &broken).unwrap_err();
            let plain = bridge::scan_request(Wire::Chat, &broken).unwrap_err();
            assert_eq!(failure.message, plain.message);
        }
        assert!(lengths(&histories).is_empty());
    }
}
