//! A checksum for names and ids.

/// FNV-1a, folded to 32 bits. It only has to tell the names of one request apart, and to be the same for ever: it is part
/// of what prompt caches have seen.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
    u32::from_le_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn it_is_the_same_for_ever() {
        for (text, expected) in [("", 0x4fd0_bfc1), ("a", 0x2962_30c0), ("a.b", 0xe27b_cb35)] {
            assert_eq!(checksum(text.as_bytes()), expected, "{text}");
        }
    }
}
