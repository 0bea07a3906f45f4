//! Cutting a stream into the pieces in which a network may deliver it.

/// Pieces of one to eight bytes and now and then a long one, by a seed; together they are the whole.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed).wrapping_mul(0x9e37_79b9) | 1;
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let wanted = if state & 15 == 0 {
            256
        } else {
            1 + (state >> 8) as usize % 8
        };
        let (piece, behind) = rest.split_at(wanted.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
