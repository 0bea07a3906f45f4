//! What copies say, read and moved.

use crate::leb128;

/// What own bytes and copies stand for. `None` if they are no such, or not of this length.
pub(crate) fn decode(mut own: &[u8], mut copies: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(length);
    let mut copied = 0;
    while !copies.is_empty() {
        let mut number = || usize::try_from(leb128::take(&mut copies)?).ok();
        let n_own = number()?;
        let (first, rest) = own.split_at_checked(n_own / 2)?;
        own = rest;
        let distance = if n_own % 2 == 1 {
            first.len() + copied
        } else {
            let distance = number()?;
            copied = number()?;
            distance
        };
        let room = (length - out.len()).checked_sub(first.len())?;
        if copied > room {
            return None;
        }
        out.extend_from_slice(first);
        repeat(&mut out, distance, copied)?;
    }
    if out.len() + own.len() != length {
        return None;
    }
    out.extend_from_slice(own);
    Some(out)
}

/// Appends bytes that stand `distance` before them. `None` if none do.
fn repeat(out: &mut Vec<u8>, distance: usize, mut length: usize) -> Option<()> {
    let from = out.len().checked_sub(distance)?;
    while length > 0 {
        // As many as there are, which is more with each step.
        let end = out.len().min(from + length);
        if end == from {
            return None;
        }
        out.extend_from_within(from..end);
        length -= end - from;
    }
    Some(())
}

/// Appends copies, of which the first is an even one, to others with so many own bytes behind them.
pub(crate) fn moved(mut copies: &[u8], own: usize, to: &mut Vec<u8>) {
    if let Some(first) = leb128::take(&mut copies) {
        leb128::put(to, first + 2 * own as u64);
        to.extend_from_slice(copies);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn copies_of_what_is_not_there_are_refused() {
        let check = |own: &str, numbers: &[u64], length: usize, expected: Option<&str>| {
            let mut copies = Vec::new();
            numbers
                .iter()
                .for_each(|number| leb128::put(&mut copies, *number));
            let decoded = decode(own.as_bytes(), &copies, length);
            assert_eq!(
                decoded.as_deref(),
                expected.map(str::as_bytes),
                "{numbers:?}"
            );
        };
        check("ab", &[2, 1, 3], 5, Some("aaaab"));
        check("abc", &[4, 2, 5], 8, Some("abababac"));
        check("abc", &[4, 2, 2, 3], 7, Some("ababcab"));
        check("abc", &[2, 1, 1, 1, 3], 6, Some("aaabac"));
        check("abc", &[1, 4], 3, None);
        check("ab", &[4, 0, 1], 3, None);
        check("ab", &[4, 3, 1], 3, None);
        check("ab", &[0, 1, 1], 3, None);
        check("ab", &[6, 1, 1], 4, None);
        check("ab", &[4, 1, u64::MAX], 4, None);
        check("ab", &[u64::MAX, 1, 1], 4, None);
        check("ab", &[u64::MAX - 1, 1, 1], 4, None);
        check("ab", &[4, u64::MAX, 1], 4, None);
        check("ab", &[4, 1, 3], 4, None);
        check("ab", &[4, 1, 1, 1], 3, None);
        check("ab", &[4, 1], 2, None);
        check("abc", &[6, 1, 0], 2, None);
        check("ab", &[2, 1, 1], 2, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            own in prop::collection::vec(any::<u8>(), 0..200), copies in prop::collection::vec(any::<u8>(), 0..60),
            length in 0..5000_usize,
        ) {
            let decoded = decode(&own, &copies, length);
            prop_assert!(decoded.is_none_or(|bytes| bytes.len() == length && bytes.capacity() == length));
        }
    }
}
