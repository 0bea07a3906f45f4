//! Numbers in as many bytes as they need: seven bits each, the lowest first, and whether more follow.

/// Appends a number.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, number: u64) {
    // Most take one byte.
    if number < 0x80 {
        out.push(number as u8);
    } else {
        put_long(out, number);
    }
}

fn put_long(out: &mut Vec<u8>, mut number: u64) {
    // And of the others, most two or three.
    let [first, second] = [number, number >> 7].map(|number| number as u8 | 0x80);
    if number < 0x4000 {
        out.extend_from_slice(&[first, second & 0x7f]);
    } else if number < 0x20_0000 {
        out.extend_from_slice(&[first, second, (number >> 14) as u8]);
    } else {
        while number >= 0x80 {
            out.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }
}

/// Takes the number that the bytes begin with; `None` if they begin with none.
pub(crate) fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A number on either side of zero as one that is small if it is near.
pub(crate) fn folded(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// The number that was [`folded`].
pub(crate) fn unfolded(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: u64, length: usize) {
        let mut bytes = Vec::new();
        put(&mut bytes, number);
        assert_eq!(bytes.len(), length, "{number}");
        for cut in 0..length {
            assert_eq!(take(&mut &bytes[..cut]), None, "{number} cut at {cut}");
        }
        bytes.push(7);
        let mut rest = bytes.as_slice();
        assert_eq!(take(&mut rest), Some(number));
        assert_eq!(rest, [7]);
    }

    #[test]
    fn numbers_come_back() {
        for bits in 0..64 {
            let least = 1_u64 << bits;
            check(least, bits / 7 + 1);
            check(least + (least - 1), bits / 7 + 1);
        }
        check(0, 1);
        assert_eq!(take(&mut [0xff; 11].as_slice()), None, "without an end");
    }

    #[test]
    fn what_is_near_zero_is_small() {
        for (number, expected) in [
            (0, 0),
            (-1, 1),
            (1, 2),
            (-2, 3),
            (i64::MAX, u64::MAX - 1),
            (i64::MIN, u64::MAX),
        ] {
            assert_eq!(folded(number), expected);
            assert_eq!(unfolded(expected), number);
        }
    }
}
