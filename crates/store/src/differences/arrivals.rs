//! When the pieces of a stream came, as bytes: each by its distance from the one before.
//!
//! Of a piece that number is told first which has in its lowest four bits by how much it is longer or shorter than the one
//! before, and above them the microseconds between the two. The lengths of events change by a few bytes, so that mostly that is
//! all. Where four bits do not hold the change, another number follows with what is left of it.

use crate::leb128::{folded, put, take, unfolded};
use crate::record::Arrival;

/// Most that are told apart. From there on the last one stands for all that follow.
const MOST: usize = 32 * 1024;

/// Bits of a number that tell of a length.
const LENGTH_BITS: u32 = 4;

/// A change of length that does not fit them.
const MORE: u64 = (1 << LENGTH_BITS) - 1;

/// What stored arrivals begin with. Those of earlier versions begin with the length of the first piece, which is not empty.
const STORED: u8 = 0;

/// The arrivals of a stream that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Arrivals {
    pub(super) bytes: Vec<u8>,
    count: usize,
    last: Piece,
    /// Where in the bytes the last one that is told apart begins, and the one before it.
    held: (usize, Piece),
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Piece {
    arrival: Arrival,
    /// In bytes.
    length: u64,
}

impl Arrivals {
    /// Most bytes that another one takes.
    pub(super) const ROOM: usize = 20;

    /// A piece ended there, not before the last, and came then.
    #[inline]
    pub(super) fn push(&mut self, end: u64, at_us: u64) {
        self.count += 1;
        if self.count >= MOST {
            self.hold();
        }
        let last = self.last.arrival;
        let length = end - last.end;
        let change = folded(length.wrapping_sub(self.last.length).cast_signed());
        let wait = at_us
            .saturating_sub(last.at_us)
            .min(u64::MAX >> LENGTH_BITS);
        put(&mut self.bytes, wait << LENGTH_BITS | change.min(MORE));
        if change >= MORE {
            put(&mut self.bytes, change - MORE);
        }
        let at_us = at_us.max(last.at_us);
        let arrival = Arrival { end, at_us };
        self.last = Piece { arrival, length };
    }

    /// What comes next stands for what came last, too, unless that is still to be told apart.
    #[cold]
    fn hold(&mut self) {
        if self.count == MOST {
            self.held = (self.bytes.len(), self.last);
        }
        let (begin, before) = self.held;
        self.bytes.truncate(begin);
        self.last = before;
    }
}

/// As many as the bytes hold.
pub(super) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Arrival> {
    let mut last = Piece::default();
    std::iter::from_fn(move || {
        let number = take(&mut bytes)?;
        let mut change = number & MORE;
        if change == MORE {
            change = change.saturating_add(take(&mut bytes)?);
        }
        last.length = last.length.wrapping_add_signed(unfolded(change));
        last.arrival = last.arrival.behind(last.length, number >> LENGTH_BITS);
        Some(last.arrival)
    })
}

/// As they are stored.
pub(super) fn stored(bytes: &[u8]) -> [&[u8]; 2] {
    let begin: &[u8] = if bytes.is_empty() { &[] } else { &[STORED] };
    [begin, bytes]
}

/// As many as stored bytes hold.
pub(crate) fn decode_stored(bytes: &[u8]) -> Vec<Arrival> {
    match bytes {
        [STORED, bytes @ ..] => decode(bytes).collect(),
        older => decode_older(older).collect(),
    }
}

/// Those of earlier versions: the length of each piece, and the microseconds since the one before.
fn decode_older(mut bytes: &[u8]) -> impl Iterator<Item = Arrival> {
    let mut last = Arrival::default();
    std::iter::from_fn(move || {
        last = last.behind(take(&mut bytes)?, take(&mut bytes)?);
        Some(last)
    })
}

impl Arrival {
    /// That of the next piece, of this length, so many microseconds later.
    fn behind(self, length: u64, wait_us: u64) -> Self {
        Self {
            end: self.end.saturating_add(length),
            at_us: self.at_us.saturating_add(wait_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(given: &[Arrival]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for arrival in given {
            arrivals.push(arrival.end, arrival.at_us);
        }
        arrivals
    }

    #[test]
    fn crumbs_are_not_told_apart_for_ever() {
        let arrival = |n: usize| Arrival {
            end: n as u64 + 1,
            at_us: 300 * n as u64,
        };
        let given: Vec<Arrival> = (0..MOST + 7).map(arrival).collect();
        let arrivals = encoded(&given);
        let mut expected = given[..MOST - 1].to_vec();
        expected.push(given[MOST + 6]);
        assert!(decode(&arrivals.bytes).eq(expected));
    }

    /// Events of a model that says a word or two at a time, by a network that waits.
    #[test]
    fn an_event_takes_three_bytes() {
        let arrival = |n: u64| Arrival {
            end: 160 * n + n % 7,
            at_us: 30_000 * n,
        };
        let given: Vec<Arrival> = (1..=1000).map(arrival).collect();
        let bytes = encoded(&given).bytes.len();
        assert!((3000..3010).contains(&bytes), "{bytes}");
    }

    #[test]
    fn those_of_earlier_versions_are_read() {
        let bytes = [160, 1, 200, 1, 3, 0];
        let ends = [(160, 200), (163, 200)];
        assert_eq!(
            decode_stored(&bytes),
            ends.map(|(end, at_us)| Arrival { end, at_us })
        );
        assert_eq!(decode_stored(&[]), []);
    }

    proptest! {
        #[test]
        fn arrivals_come_back(
            steps in prop::collection::vec((prop_oneof![1..1_u64 << 40, 150..180_u64], 0..1_u64 << 40), 0..50),
        ) {
            let (mut end, mut at_us) = (0, 0);
            let arrivals: Vec<Arrival> = steps.into_iter().map(|(length, wait)| {
                (end, at_us) = (end + length, at_us + wait);
                Arrival { end, at_us }
            }).collect();
            let bytes = encoded(&arrivals).bytes;
            prop_assert!(decode(&bytes).eq(arrivals.iter().copied()));
            prop_assert_eq!(decode_stored(&stored(&bytes).concat()), arrivals);
        }

        #[test]
        fn one_takes_no_more_than_is_said(end in any::<u64>(), at_us in any::<u64>()) {
            let arrivals = encoded(&[Arrival { end, at_us }]);
            prop_assert!(arrivals.bytes.len() <= Arrivals::ROOM);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes).count();
            let _ = decode_stored(&bytes);
        }
    }
}
