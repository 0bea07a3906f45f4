//! Wrong keys, counted by address on every route that asks for one: who has shown too many is told to wait.
//!
//! Sixty may be wrong at once, then one in ten seconds. Right keys are never refused for the wrong ones of somebody at the
//! same address, so what keeps a key from being guessed is its length; this slows down what has the wrong one and asks
//! over and over, and says so.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong keys that an address may show at once.
const BURST: u32 = 60;
/// Each of these gives one back.
const REFILL: Duration = Duration::from_secs(10);
/// Addresses remembered.
const ADDRESSES: usize = 1024;

/// Wrong keys by address.
#[derive(Default)]
pub(crate) struct Guesses(Mutex<HashMap<IpAddr, Shown>>);

/// What an address has shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    wrong: u32,
    since: Instant,
}

impl Shown {
    /// How much of it still counts.
    fn at(self, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.since);
        let back = u32::try_from(passed.as_secs() / REFILL.as_secs()).unwrap_or(u32::MAX);
        if back >= self.wrong {
            return Self {
                wrong: 0,
                since: now,
            };
        }
        Self {
            wrong: self.wrong - back,
            since: self.since + REFILL * back,
        }
    }
}

impl Guesses {
    /// An address has shown so many wrong keys more: how long it has to wait, if there were too many before. While it has
    /// to wait nothing is counted.
    pub(crate) fn wrong(&self, address: IpAddr, count: u32, now: Instant) -> Option<Duration> {
        if count == 0 {
            return None;
        }
        let mut all = self.shown();
        let address = network(address);
        if all.len() >= ADDRESSES && !all.contains_key(&address) {
            all.retain(|_, shown| shown.at(now).wrong > 0);
        }
        if all.len() >= ADDRESSES && !all.contains_key(&address) {
            // Whoever has the least to lose.
            let least = all.iter().min_by_key(|(_, shown)| shown.at(now).wrong);
            if let Some(least) = least.map(|(address, _)| *address) {
                all.remove(&least);
            }
        }
        let new = Shown {
            wrong: 0,
            since: now,
        };
        let shown = all.entry(address).or_insert(new);
        *shown = shown.at(now);
        if shown.wrong >= BURST {
            let next = (shown.since + REFILL).saturating_duration_since(now);
            return Some(next.max(Duration::from_secs(1)));
        }
        shown.wrong = shown.wrong.saturating_add(count).min(BURST);
        None
    }

    fn shown(&self) -> MutexGuard<'_, HashMap<IpAddr, Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who has one address of IPv6 has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(own) => own.into(),
        IpAddr::V6(own) => Ipv6Addr::from_bits(own.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// Shows one wrong key.
    fn show(guesses: &Guesses, address: IpAddr, now: Instant) -> Option<Duration> {
        guesses.wrong(address, 1, now)
    }

    #[test]
    fn too_many_have_to_wait_and_others_do_not() {
        let (guesses, now) = (Guesses::default(), clock::now());
        for _ in 0..BURST {
            assert_eq!(show(&guesses, address(1), now), None);
        }
        assert_eq!(show(&guesses, address(1), now), Some(REFILL));
        assert_eq!(show(&guesses, address(2), now), None);
        let later = now + REFILL;
        assert_eq!(
            show(&guesses, address(1), later),
            None,
            "one is given back, and what is refused does not count"
        );
        assert!(show(&guesses, address(1), later).is_some());
        assert_eq!(show(&guesses, address(1), later + REFILL * BURST), None);
    }

    #[test]
    fn every_key_counts() {
        for (at_once, expected) in [(0, 1000), (1, 60), (4, 15), (u32::MAX, 1)] {
            let (guesses, now) = (Guesses::default(), clock::now());
            let asked = (0..1000).take_while(|_| guesses.wrong(address(1), at_once, now).is_none());
            assert_eq!(asked.count(), expected, "{at_once}");
        }
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let (guesses, now) = (Guesses::default(), clock::now());
        for host in 0..u64::from(BURST) {
            let address = format!("2001:db8::{host:x}");
            show(&guesses, address.parse().unwrap(), now);
        }
        for (address, has_to_wait) in [("2001:db8::ffff", true), ("2001:db8:0:1::1", false)] {
            let wait = show(&guesses, address.parse().unwrap(), now);
            assert_eq!(wait.is_some(), has_to_wait, "{address}");
        }
        for _ in 0..BURST {
            show(&guesses, "::ffff:192.0.2.9".parse().unwrap(), now);
        }
        assert!(
            show(&guesses, address(9), now).is_some(),
            "the same by its other name"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (guesses, now) = (Guesses::default(), clock::now());
        for _ in 0..BURST {
            show(&guesses, address(1), now);
        }
        for number in 0..10_000_u32 {
            show(&guesses, IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(guesses.shown().len(), ADDRESSES);
        assert!(
            show(&guesses, address(1), now).is_some(),
            "the worst is not forgotten"
        );
    }
}
