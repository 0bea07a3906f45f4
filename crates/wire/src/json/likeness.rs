//! How much two texts share at their beginning and at their end.

/// What is compared at once, wide first: the last of it is found byte by byte.
const STEPS: [usize; 2] = [4096, 64];

/// Bytes that are the same at both ends. Together they are at most as many as the shorter of both has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// At the beginning.
    pub prefix: usize,
    /// At the end.
    pub suffix: usize,
}

impl Likeness {
    /// Compares two texts.
    #[must_use]
    pub fn of(a: &[u8], b: &[u8]) -> Self {
        let prefix = common_prefix(a, b);
        let suffix = common_suffix(from(a, prefix), from(b, prefix));
        Self { prefix, suffix }
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    for step in STEPS {
        let steps = from(a, same).chunks(step).zip(from(b, same).chunks(step));
        let steps = steps.take_while(|(a, b)| a == b);
        same += steps.map(|(a, _)| a.len()).sum::<usize>();
    }
    let rest = from(a, same).iter().zip(from(b, same));
    same + rest.take_while(|(a, b)| a == b).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    for step in STEPS {
        let [a, b] = [a, b].map(|bytes| bytes.get(..bytes.len() - same).unwrap_or_default());
        let steps = a.rchunks(step).zip(b.rchunks(step));
        let steps = steps.take_while(|(a, b)| a == b);
        same += steps.map(|(a, _)| a.len()).sum::<usize>();
    }
    let rest = a.iter().rev().skip(same).zip(b.iter().rev().skip(same));
    same + rest.take_while(|(a, b)| a == b).count()
}

fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_compared_and_nothing_counts_twice() {
        let long = "0123456789abcdef".repeat(1_000);
        for (a, b, prefix, suffix) in [
            ("", "", 0, 0),
            ("", "a", 0, 0),
            ("abc", "abc", 3, 0),
            ("abc", "abd", 2, 0),
            ("abc", "xbc", 0, 2),
            ("aaa", "aaaa", 3, 0),
            ("abba", "aba", 2, 1),
            (
                &format!("{long}x{long}"),
                &format!("{long}yz{long}"),
                16_000,
                16_000,
            ),
            (
                &format!("{long}{long}"),
                &format!("{long}.{long}"),
                16_000,
                16_000,
            ),
        ] {
            for (a, b) in [(a, b), (b, a)] {
                let likeness = Likeness::of(a.as_bytes(), b.as_bytes());
                assert_eq!(likeness, Likeness { prefix, suffix }, "{:.20} {:.20}", a, b);
            }
        }
    }
}
