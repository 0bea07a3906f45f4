//! The bytes of a body as they pass, for the record.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use lingate_store::{StreamCoder, Streamed};
use lingate_wire::turn::Failure;
use tokio::time::Instant;

use crate::clock;

/// Most bytes that are kept of one body; what follows is counted.
const MOST: usize = 32 * 1024 * 1024;

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

/// Takes what is new in each event. What passes are slices of buffers many times as large, which a record that waits must not
/// hold; and compared while it is at hand, most of it need not be kept at all.
pub(crate) struct Tape {
    accepted: Instant,
    room: &'static Room,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    stream: StreamCoder,
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
    pub body: Streamed,
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
        let is_over = kept.missing > 0 || kept.stream.len() + piece.len() > MOST;
        if !is_over && kept.stream.push_alike(piece, at_us) {
            return;
        }
        if !is_over && kept.has_room(piece, self.room) {
            kept.stream.push(piece, at_us);
        } else {
            kept.missing += piece.len() as u64;
        }
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
            body: kept.stream.finish(),
            missing: kept.missing,
            is_shed: kept.is_shed,
            end: kept.end,
        }
    }
}

impl Kept {
    /// Whether there is room for another piece; it is made if there is any.
    fn has_room(&mut self, piece: &[u8], room: &Room) -> bool {
        let taken = &mut self.taken;
        let has_room = self.stream.make_room(piece, |more| {
            let is_there = room.take(more);
            *taken += if is_there { more } else { 0 };
            is_there
        });
        self.is_shed |= !has_room;
        has_room
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.room.give(kept.taken);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_passed_is_kept_with_its_times() {
        let tape = Tape::new(clock::now());
        for piece in ["one", "", "three"] {
            tape.note(piece.as_bytes(), clock::now());
        }
        let taken = tape.take().body;
        assert_eq!(taken.bytes(), "onethree");
        let arrivals = taken.arrivals();
        let ends: Vec<u64> = arrivals.iter().map(|arrival| arrival.end).collect();
        assert_eq!(ends, [3, 8]);
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at_us));
        assert_eq!(taken.first(), arrivals.first().copied());
        assert!(tape.take().body.is_empty());
    }

    fn room(bytes: usize) -> &'static Room {
        Box::leak(Box::new(Room::new(bytes)))
    }

    /// What is kept ends where the last arrival does, wherever room ended, and nothing is held that was not taken from it.
    #[test]
    fn where_room_ends_no_arrival_is_lost() {
        let event =
            |n: usize| format!("data: {{\"text\":\"word {n} {}\"}}\n\n", "x".repeat(n % 50));
        let whole = (0..3000).map(event).collect::<String>();
        let mut shed = 0;
        for bytes in (0..200_000).step_by(997) {
            let room = room(bytes);
            let tape = Tape::within(clock::now(), room);
            for n in 0..3000 {
                tape.note(event(n).as_bytes(), clock::now());
                let kept = tape.kept.lock().unwrap();
                assert_eq!(kept.stream.held(), kept.taken);
                assert_eq!(kept.taken + room.0.load(Ordering::Relaxed), bytes);
            }
            let taken = tape.take();
            let length = taken.body.len();
            assert_eq!(taken.body.bytes(), &whole[..length]);
            let last = taken.body.arrivals().last().map_or(0, |last| last.end);
            assert_eq!(last, length as u64);
            assert_eq!(taken.missing, (whole.len() - length) as u64);
            assert_eq!(taken.is_shed, taken.missing > 0);
            assert_eq!(room.0.load(Ordering::Relaxed), bytes);
            shed += usize::from(taken.is_shed);
        }
        assert!((1..200).contains(&shed), "{shed}");
    }

    /// Where the room for a longer stream is not left, that for the piece may be.
    #[test]
    fn a_piece_that_fits_is_kept() {
        let pieces = [&[b'x'; 40_000][..], &[b'y'; 5000]];
        let check = |bytes, expected| {
            let accepted = clock::now();
            let tape = Tape::within(accepted, room(bytes));
            for piece in pieces {
                tape.note(piece, accepted + Duration::from_micros(1));
            }
            let taken = tape.take();
            assert_eq!((taken.body.len(), taken.is_shed), expected, "{bytes}");
        };
        let mut stream = StreamCoder::default();
        for piece in pieces {
            let mut asked = 0;
            stream.make_room(piece, |more| {
                asked = more;
                false
            });
            assert!(stream.make_room(piece, |more| more == asked));
            stream.push(piece, 1);
        }
        let least = stream.held();
        assert!(least < 46_000, "{least}");
        check(least, (45_000, false));
        check(least - 1, (40_000, true));
    }

    /// The room is shared, and given back when a tape is taken or let go.
    #[test]
    fn all_tapes_have_one_room() {
        let bytes = 32 << 10;
        let room = room(bytes);
        let tape = || Tape::within(clock::now(), room);
        let (first, second) = (tape(), tape());
        first.note(&vec![b'x'; bytes / 2], clock::now());
        second.note(b"ab", clock::now());
        second.note(&vec![b'x'; bytes / 2], clock::now());
        second.note(b"c", clock::now());
        let taken = second.take();
        assert_eq!(taken.body.bytes(), "ab");
        assert_eq!((taken.missing, taken.is_shed), (bytes as u64 / 2 + 1, true));
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
        assert_eq!((taken.body.len(), taken.missing), (MOST - 1, 3));
    }
}
