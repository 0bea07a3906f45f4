//! How much two texts share at their beginning.

/// What is compared at once, wide first: the last of it is found word by word.
const STEPS: [usize; 3] = [4096, 512, 64];

/// Bytes that are the same at the beginning of both.
#[must_use]
pub fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let shortest = a.len().min(b.len());
    let mut same = 0;
    for step in STEPS.into_iter().filter(|step| *step <= shortest) {
        let steps = from(a, same).chunks(step).zip(from(b, same).chunks(step));
        let steps = steps.take_while(|(a, b)| a == b);
        same += steps.map(|(a, _)| a.len()).sum::<usize>();
    }
    let [words, others] = [a, b].map(|bytes| from(bytes, same).as_chunks::<8>().0);
    for (a, b) in words.iter().zip(others) {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return same + difference.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    let rest = from(a, same).iter().zip(from(b, same));
    same + rest.take_while(|(a, b)| a == b).count()
}

fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_at_every_place() {
        let text = "0123456789abcdef".repeat(600);
        for length in [
            0, 1, 7, 8, 9, 63, 64, 65, 76, 4095, 4096, 4097, 4160, 8192, 9600,
        ] {
            let (a, _) = text.split_at(length);
            for b in [
                a.to_owned(),
                format!("{a}."),
                format!("{a}.{text}"),
                text.clone(),
            ] {
                assert_eq!(common_prefix(a.as_bytes(), b.as_bytes()), length);
                assert_eq!(common_prefix(b.as_bytes(), a.as_bytes()), length);
            }
            let changed = [a, ".", &text].concat();
            assert_eq!(common_prefix(changed.as_bytes(), text.as_bytes()), length);
        }
    }
}
