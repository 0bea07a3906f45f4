//! The bytes of a body as they pass, for the record.

use std::sync::{Mutex, PoisonError};

use lingate_store::{Arrival, Bytes};
use lingate_wire::turn::Failure;
use tokio::time::Instant;

use crate::clock;

/// Most bytes that are kept of one body; what follows is counted.
const MOST: usize = 32 * 1024 * 1024;
/// Most arrivals that are told apart.
const MOST_ARRIVALS: usize = 32 * 1024;
/// Room that is made with the second piece: a stream has more of them, and moving what is kept with every few costs more
/// than keeping it.
const STREAM_ROOM: usize = 16 * 1024;
/// Arrivals for which room is made then.
const STREAM_ARRIVALS: usize = 128;

/// Takes copies: what passes are slices of buffers many times as large, which a record that waits must not hold.
pub(crate) struct Tape {
    accepted: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    arrivals: Vec<Arrival>,
    missing: u64,
    end: Option<BodyEnd>,
}

/// How a body ended.
pub(crate) struct BodyEnd {
    /// Microseconds since accept.
    pub at_us: u64,
    /// What broke it off; none if it is whole.
    pub failure: Option<Failure>,
}

/// What a tape held.
pub(crate) struct Taken {
    pub bytes: Bytes,
    pub arrivals: Vec<Arrival>,
    /// Bytes that came after it was full.
    pub missing: u64,
    /// Told of bodies that come from elsewhere, where somebody read to the end.
    pub end: Option<BodyEnd>,
}

impl Tape {
    /// An empty one; arrivals are told since `accepted`.
    pub(crate) fn new(accepted: Instant) -> Self {
        Self {
            accepted,
            kept: Mutex::default(),
        }
    }

    /// A piece passed.
    pub(crate) fn note(&self, piece: &[u8]) {
        let at_us = self.since_us();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if piece.is_empty() {
            return;
        }
        let is_full = kept.arrivals.len() >= MOST_ARRIVALS;
        if kept.missing > 0 || kept.bytes.len() + piece.len() > MOST {
            kept.missing += piece.len() as u64;
            return;
        }
        if kept.arrivals.len() == 1 {
            kept.bytes.reserve(STREAM_ROOM);
            kept.arrivals.reserve(STREAM_ARRIVALS);
        }
        kept.bytes.extend_from_slice(piece);
        let end = kept.bytes.len() as u64;
        match kept.arrivals.last_mut() {
            // From there on the last one stands for all that follow.
            Some(last) if is_full => *last = Arrival { end, at_us },
            _ => kept.arrivals.push(Arrival { end, at_us }),
        }
    }

    /// The body is over; only the first end counts.
    pub(crate) fn ended(&self, failure: Option<&Failure>) {
        let at_us = self.since_us();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.end.get_or_insert_with(|| BodyEnd {
            at_us,
            failure: failure.cloned(),
        });
    }

    fn since_us(&self) -> u64 {
        u64::try_from((clock::now() - self.accepted).as_micros()).unwrap_or(u64::MAX)
    }

    /// What it holds; it is empty afterwards.
    pub(crate) fn take(&self) -> Taken {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut *kept);
        Taken {
            bytes: kept.bytes.into(),
            arrivals: kept.arrivals,
            missing: kept.missing,
            end: kept.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_kept_with_its_times() {
        let tape = Tape::new(clock::now());
        for piece in ["one", "", "three"] {
            tape.note(piece.as_bytes());
        }
        let taken = tape.take();
        assert_eq!(taken.bytes, "onethree");
        let ends: Vec<u64> = taken.arrivals.iter().map(|arrival| arrival.end).collect();
        assert_eq!(ends, [3, 8]);
        assert!(taken.arrivals.is_sorted_by_key(|arrival| arrival.at_us));
        assert_eq!(tape.take().bytes, "");
    }

    #[test]
    fn crumbs_are_not_told_apart_for_ever() {
        let tape = Tape::new(clock::now());
        for _ in 0..MOST_ARRIVALS + 7 {
            tape.note(b"x");
        }
        let taken = tape.take();
        assert_eq!(taken.arrivals.len(), MOST_ARRIVALS);
        assert_eq!(
            taken.arrivals.last().map(|last| last.end),
            Some(taken.bytes.len() as u64)
        );
    }

    #[test]
    fn what_does_not_fit_is_counted_and_leaves_no_gap() {
        let tape = Tape::new(clock::now());
        tape.note(&vec![b'x'; MOST - 1]);
        tape.note(b"ab");
        tape.note(b"c");
        let taken = tape.take();
        assert_eq!((taken.bytes.len(), taken.missing), (MOST - 1, 3));
    }
}
