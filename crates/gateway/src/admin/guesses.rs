//! Who guesses at keys is stopped: an address that has shown too many wrong ones is refused for a while, whatever it shows.
//!
//! Sixty may be wrong at once, then one in ten seconds: a person who mistypes never meets it, and a search through a
//! word list takes years. The instance id is no key, and passes always.

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
    /// How long an address has to wait, if it has to.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let shown = self.shown().get(&network(address))?.at(now);
        let next = (shown.since + REFILL).saturating_duration_since(now);
        (shown.wrong >= BURST).then_some(next.max(Duration::from_secs(1)))
    }

    /// It has shown a wrong key.
    pub(crate) fn was_wrong(&self, address: IpAddr, now: Instant) {
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
        shown.wrong = (shown.wrong + 1).min(BURST);
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

    #[test]
    fn too_many_have_to_wait_and_others_do_not() {
        let (guesses, now) = (Guesses::default(), clock::now());
        for _ in 0..BURST {
            assert_eq!(guesses.wait(address(1), now), None);
            guesses.was_wrong(address(1), now);
        }
        assert_eq!(guesses.wait(address(1), now), Some(REFILL));
        assert_eq!(guesses.wait(address(2), now), None);
        guesses.was_wrong(address(1), now);
        let later = now + REFILL;
        assert_eq!(guesses.wait(address(1), later), None, "one is given back");
        guesses.was_wrong(address(1), later);
        assert!(guesses.wait(address(1), later).is_some());
        assert_eq!(guesses.wait(address(1), later + REFILL * BURST), None);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let (guesses, now) = (Guesses::default(), clock::now());
        for host in 0..u64::from(BURST) {
            let address = format!("2001:db8::{host:x}");
            guesses.was_wrong(address.parse().unwrap(), now);
        }
        assert!(
            guesses
                .wait("2001:db8::ffff".parse().unwrap(), now)
                .is_some()
        );
        assert!(
            guesses
                .wait("2001:db8:0:1::1".parse().unwrap(), now)
                .is_none()
        );
        for _ in 0..BURST {
            guesses.was_wrong("::ffff:192.0.2.9".parse().unwrap(), now);
        }
        assert!(
            guesses.wait(address(9), now).is_some(),
            "the same by its other name"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (guesses, now) = (Guesses::default(), clock::now());
        for _ in 0..BURST {
            guesses.was_wrong(address(1), now);
        }
        for number in 0..10_000_u32 {
            guesses.was_wrong(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(guesses.shown().len(), ADDRESSES);
        assert!(
            guesses.wait(address(1), now).is_some(),
            "the worst is not forgotten"
        );
    }
}
