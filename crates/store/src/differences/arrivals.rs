//! When the pieces of a stream came, as bytes: each by its distance from the one before.

use crate::leb128::{put, take};
use crate::record::Arrival;

/// Most that are told apart. From there on the last one stands for all that follow.
const MOST: usize = 32 * 1024;

/// The arrivals of a stream that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Arrivals {
    pub(super) bytes: Vec<u8>,
    count: usize,
    last: Arrival,
    /// Where in the bytes the last one that is told apart begins, and the one before it.
    held: (usize, Arrival),
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
        put(&mut self.bytes, end - self.last.end);
        put(&mut self.bytes, at_us.saturating_sub(self.last.at_us));
        self.last.end = end;
        self.last.at_us = self.last.at_us.max(at_us);
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
pub(crate) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Arrival> {
    let mut last = Arrival::default();
    std::iter::from_fn(move || {
        last.end = last.end.saturating_add(take(&mut bytes)?);
        last.at_us = last.at_us.saturating_add(take(&mut bytes)?);
        Some(last)
    })
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

    proptest! {
        #[test]
        fn arrivals_come_back(steps in prop::collection::vec((0..1_u64 << 40, 0..1_u64 << 40), 0..50)) {
            let (mut end, mut at_us) = (0, 0);
            let arrivals: Vec<Arrival> = steps.into_iter().map(|(length, wait)| {
                (end, at_us) = (end + length, at_us + wait);
                Arrival { end, at_us }
            }).collect();
            prop_assert!(decode(&encoded(&arrivals).bytes).eq(arrivals));
        }

        #[test]
        fn one_takes_no_more_than_is_said(end in any::<u64>(), at_us in any::<u64>()) {
            let arrivals = encoded(&[Arrival { end, at_us }]);
            prop_assert!(arrivals.bytes.len() <= Arrivals::ROOM);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes).count();
        }
    }
}
