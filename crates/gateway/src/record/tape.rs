//! The bytes of a body as they pass, for the record.

use std::sync::atomic::{AtomicUsize, Ordering};
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
const STREAM_ROOM: usize = 32 * 1024;
/// Arrivals for which room is made then.
const STREAM_ARRIVALS: usize = 128;

/// Most bytes that all tapes of a process hold at a time. Behind it stands the record's queue, which has a limit of its
/// own.
static ROOM: Room = Room::new(256 * 1024 * 1024);

/// What is left for tapes.
struct Room(AtomicUsize);

impl Room {
    const fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Whether there is so much.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        let taken = (self.0).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok()
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Takes copies: what passes are slices of buffers many times as large, which a record that waits must not hold.
pub(crate) struct Tape {
    accepted: Instant,
    room: &'static Room,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    arrivals: Vec<Arrival>,
    missing: u64,
    is_shed: bool,
    end: Option<BodyEnd>,
    /// Room that was taken for it.
    taken: usize,
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
    /// All tapes together were.
    pub is_shed: bool,
    /// Told of bodies that come from elsewhere, where somebody read to the end.
    pub end: Option<BodyEnd>,
}

impl Tape {
    /// An empty one; arrivals are told since `accepted`.
    pub(crate) fn new(accepted: Instant) -> Self {
        Self::within(accepted, &ROOM)
    }

    fn within(accepted: Instant, room: &'static Room) -> Self {
        Self {
            accepted,
            room,
            kept: Mutex::default(),
        }
    }

    /// A piece passed then.
    pub(crate) fn note(&self, piece: &[u8], at: Instant) {
        if piece.is_empty() {
            return;
        }
        let at_us = self.since_us(at);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.has_room(piece.len()) && !kept.make_room(piece.len(), self.room) {
            kept.missing += piece.len() as u64;
            return;
        }
        kept.bytes.extend_from_slice(piece);
        let end = kept.bytes.len() as u64;
        kept.arrivals.push(Arrival { end, at_us });
    }

    /// The body is over; only the first end counts.
    pub(crate) fn ended(&self, failure: Option<&Failure>) {
        let at_us = self.since_us(clock::now());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.end.get_or_insert_with(|| BodyEnd {
            at_us,
            failure: failure.cloned(),
        });
    }

    /// Microseconds since accept.
    fn since_us(&self, at: Instant) -> u64 {
        let since = at - self.accepted;
        since.as_secs() * 1_000_000 + u64::from(since.subsec_micros())
    }

    /// What it holds; it is empty afterwards.
    pub(crate) fn take(&self) -> Taken {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut *kept);
        self.room.give(kept.taken);
        Taken {
            bytes: kept.bytes.into(),
            arrivals: kept.arrivals,
            missing: kept.missing,
            is_shed: kept.is_shed,
            end: kept.end,
        }
    }
}

impl Kept {
    /// Whether another piece can be taken as it comes.
    fn has_room(&self, more: usize) -> bool {
        self.missing == 0
            && self.bytes.len() + more <= self.bytes.capacity()
            && self.arrivals.len() < self.arrivals.capacity()
    }

    /// Makes room for a piece, if there is any.
    fn make_room(&mut self, more: usize, room: &Room) -> bool {
        let length = self.bytes.len() + more;
        if self.missing > 0 || length > MOST {
            return false;
        }
        let count = (self.arrivals.len() + 1).min(MOST_ARRIVALS);
        let (bytes, arrivals) = (self.bytes.capacity(), self.arrivals.capacity());
        let ample = [
            (2 * bytes).clamp(STREAM_ROOM, MOST),
            (2 * arrivals).clamp(STREAM_ARRIVALS, MOST_ARRIVALS),
        ];
        // What the piece takes, but so much that not every crumb moves all that is kept.
        let tight = [
            (bytes + bytes / 8).min(MOST),
            (arrivals + arrivals / 8).min(MOST_ARRIVALS),
        ];
        let is_stream = !self.arrivals.is_empty();
        let is_made = [is_stream.then_some(ample), Some(tight)]
            .into_iter()
            .flatten()
            .any(|[to_bytes, to_arrivals]| {
                let bytes = grown(bytes, length, to_bytes);
                self.grow(bytes, grown(arrivals, count, to_arrivals), room)
            });
        if !is_made {
            self.is_shed = true;
        } else if self.arrivals.len() >= MOST_ARRIVALS {
            // From there on the last one stands for all that follow.
            self.arrivals.pop();
        }
        is_made
    }

    /// Makes room for so many of each, if all tapes leave it.
    fn grow(&mut self, bytes: usize, arrivals: usize, room: &Room) -> bool {
        let held = bytes + arrivals * size_of::<Arrival>();
        if !room.take(held.saturating_sub(self.taken)) {
            return false;
        }
        self.taken = self.taken.max(held);
        self.bytes.reserve_exact(bytes - self.bytes.len());
        self.arrivals.reserve_exact(arrivals - self.arrivals.len());
        true
    }
}

/// How large a buffer of `size` is made that is to hold `least`: as it is if it can, else `to` or more.
fn grown(size: usize, least: usize, to: usize) -> usize {
    if least <= size { size } else { least.max(to) }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.room.give(kept.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_kept_with_its_times() {
        let tape = Tape::new(clock::now());
        for piece in ["one", "", "three"] {
            tape.note(piece.as_bytes(), clock::now());
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
            tape.note(b"x", clock::now());
        }
        let taken = tape.take();
        assert_eq!(taken.arrivals.len(), MOST_ARRIVALS);
        assert_eq!(
            taken.arrivals.last().map(|last| last.end),
            Some(taken.bytes.len() as u64)
        );
    }

    fn room(bytes: usize) -> &'static Room {
        Box::leak(Box::new(Room::new(bytes)))
    }

    /// What is kept ends where the last arrival does, wherever it was cut.
    #[test]
    fn where_room_ends_no_arrival_is_lost() {
        let least = MOST_ARRIVALS + MOST_ARRIVALS * size_of::<Arrival>();
        let tape = Tape::within(clock::now(), room(least));
        for _ in 0..MOST_ARRIVALS {
            tape.note(b"x", clock::now());
        }
        tape.note(b"more", clock::now());
        let taken = tape.take();
        let last = taken.arrivals.last().map(|last| last.end);
        assert_eq!(last, Some(taken.bytes.len() as u64));
        assert_eq!((taken.bytes.len(), taken.missing), (MOST_ARRIVALS, 4));
    }

    /// Where the room for a longer stream is not left, that for the piece may be.
    #[test]
    fn a_piece_that_fits_is_kept() {
        let length = STREAM_ROOM + 5000;
        let check = |bytes, expected| {
            let tape = Tape::within(clock::now(), room(bytes));
            tape.note(&[b'x'; STREAM_ROOM], clock::now());
            tape.note(&[b'x'; 5000], clock::now());
            let taken = tape.take();
            assert_eq!((taken.bytes.len(), taken.is_shed), expected, "{bytes}");
        };
        let exact = length + 2 * size_of::<Arrival>();
        check(exact, (length, false));
        check(exact - 1, (STREAM_ROOM, true));
    }

    /// The room is shared, and given back when a tape is taken or let go.
    #[test]
    fn all_tapes_have_one_room() {
        let bytes = STREAM_ROOM;
        let room = room(bytes);
        let tape = || Tape::within(clock::now(), room);
        let (first, second) = (tape(), tape());
        first.note(&[b'x'; STREAM_ROOM / 2], clock::now());
        second.note(b"ab", clock::now());
        second.note(&[b'x'; STREAM_ROOM / 2], clock::now());
        second.note(b"c", clock::now());
        let taken = second.take();
        assert_eq!(taken.bytes, "ab");
        assert_eq!(
            (taken.missing, taken.is_shed),
            (STREAM_ROOM as u64 / 2 + 1, true)
        );
        assert!(!first.take().is_shed);
        assert_eq!(room.0.load(Ordering::Relaxed), bytes);
        let third = tape();
        third.note(b"abc", clock::now());
        drop(third);
        assert_eq!(room.0.load(Ordering::Relaxed), bytes);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_leaves_no_gap() {
        let tape = Tape::new(clock::now());
        tape.note(&vec![b'x'; MOST - 1], clock::now());
        tape.note(b"ab", clock::now());
        tape.note(b"c", clock::now());
        let taken = tape.take();
        assert_eq!((taken.bytes.len(), taken.missing), (MOST - 1, 3));
    }
}
