//! Chance and hashing, as pure functions: the same seed gives the same choices, so that a simulation can be replayed.

/// A source of chance that was seeded from outside (SplitMix64).
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// Every seed gives another sequence.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// At least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        unit_of(self.bits())
    }

    /// Below `n`; 0 if `n` is.
    pub fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        let drawn = u128::from(self.bits()) * u128::from(n);
        usize::try_from(drawn >> 64).unwrap_or(0)
    }
}

/// A hash of some texts that is the same in every process (FNV-1a, then mixed). Not for anything that must be secret.
#[must_use]
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // 0xff never occurs in UTF-8: it keeps "a", "bc" and "ab", "c" apart.
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    mixed(hash)
}

/// How much a session likes a target: rendezvous hashing. The more weight, the more sessions have it as their first.
pub(super) fn affinity(session: u64, target: u64, weight: f64) -> f64 {
    let drawn = unit_of(mixed(session ^ mixed(target)));
    // The smallest drawn value that is not zero keeps the logarithm finite.
    -weight.max(1e-9) / drawn.max(1e-18).ln()
}

const fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what a double holds"
)]
fn unit_of(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_repeatable() {
        let mut counts = [0_u32; 5];
        let mut draw = Draw::new(7);
        for _ in 0..10_000 {
            counts[draw.below(5)] += 1;
            assert!((0.0..1.0).contains(&draw.unit()));
        }
        assert!(
            counts.iter().all(|count| (1800..2200).contains(count)),
            "{counts:?}"
        );
        assert_eq!(Draw::new(7).bits(), Draw::new(7).bits());
        assert_eq!(Draw::new(7).below(0), 0);
        assert_ne!(fingerprint(["a", "bc"]), fingerprint(["ab", "c"]));
    }

    #[test]
    fn affinity_follows_the_weights_and_moves_few() {
        let favourite = |session: u64, targets: &[(u64, f64)]| {
            let like = |(id, weight): &&(u64, f64)| affinity(session, *id, *weight);
            let best = targets.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
            best.map_or(0, |(id, _)| *id)
        };
        let three = [(1, 1.0), (2, 1.0), (3, 2.0)];
        let mut counts = [0_u32; 4];
        for session in 0..8000 {
            let first = favourite(session, &three);
            counts[usize::try_from(first).unwrap()] += 1;
            let without = favourite(session, &three[..2]);
            assert!(
                first == 3 || first == without,
                "only the lost one's sessions move"
            );
        }
        assert!((3700..4300).contains(&counts[3]), "{counts:?}");
        assert!((1800..2200).contains(&counts[1]), "{counts:?}");
    }
}
