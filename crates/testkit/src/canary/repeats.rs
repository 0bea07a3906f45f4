//! What the record leaves out of streams, put back in.
//!
//! In a frame of "LgF3" an event lacks what it has in common with the one before, so that a secret of which a part stood
//! there already is in no file. This is written anew from the format, which the store's `segment/frame.rs` and
//! `segment/content.rs` describe: a fault in the store's reader must not hide anything.

/// How the frame begins, how far before what is compressed in it, and where in its head the length of the content is.
const MAGIC: &[u8] = b"LgF3";
const HEAD: usize = 16;
const LENGTH: usize = 4;

/// The content of a frame whose compressed part begins at `at` and gave `left`. `None` if it is no such frame, or damaged.
pub(super) fn restored(file: &[u8], at: usize, left: &[u8]) -> Option<Vec<u8>> {
    let head = file.get(at.checked_sub(HEAD)?..at)?;
    let length = head.strip_prefix(MAGIC)?.first_chunk::<LENGTH>()?;
    with_repeats(left, u32::from_le_bytes(*length) as usize)
}

/// Own bytes; numbers that say after how many of them so many bytes follow that stood so far back; how long the numbers are.
fn with_repeats(left: &[u8], length: usize) -> Option<Vec<u8>> {
    let (left, n_numbers) = left.split_last_chunk()?;
    let n_own = left
        .len()
        .checked_sub(u32::from_le_bytes(*n_numbers) as usize)?;
    let (mut own, mut numbers) = left.split_at(n_own);
    let mut content = Vec::new();
    let mut repeated = 0;
    while !numbers.is_empty() {
        let first = number(&mut numbers)?;
        let (new, rest) = own.split_at_checked(first / 2)?;
        content.extend_from_slice(new);
        own = rest;
        // An odd one: the same as the last time.
        let back = if first % 2 == 1 {
            new.len() + repeated
        } else {
            let back = number(&mut numbers)?;
            repeated = number(&mut numbers)?;
            back
        };
        let from = content.len().checked_sub(back)?;
        if repeated > length.checked_sub(content.len())? {
            return None;
        }
        for at in from..from + repeated {
            content.push(*content.get(at)?);
        }
    }
    content.extend_from_slice(own);
    (content.len() == length).then_some(content)
}

/// Seven bits a byte, the lowest first; the last byte has its highest bit clear.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let end = 1 + bytes.iter().position(|byte| *byte < 0x80)?;
    let (number, rest) = bytes.split_at(end);
    *bytes = rest;
    let bits = |high: usize, byte: &u8| {
        let is_free = high >> (usize::BITS - 7) == 0;
        is_free.then_some(high << 7 | usize::from(byte & 0x7f))
    };
    number.iter().rev().try_fold(0, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_put_back_in() {
        let check = |own: &str, numbers: &[u8], expected: Option<&str>| {
            let length = expected.map_or(9, str::len);
            let n_numbers = (numbers.len() as u32).to_le_bytes();
            let left = [own.as_bytes(), numbers, &n_numbers].concat();
            let head = [b"LgF3", (length as u32).to_le_bytes().as_slice(), &[0; 8]].concat();
            let file = [b"before", head.as_slice(), b"packed"].concat();
            let content = restored(&file, 6 + HEAD, &left);
            assert_eq!(content.as_deref(), expected.map(str::as_bytes), "{own}");
            // Frames of another kind, and what is none.
            assert_eq!(restored(&file, 5 + HEAD, &left), None);
            assert_eq!(restored(&file, 3, &left), None);
            // Not as long as it says.
            let other = with_repeats(&left, length + 1);
            assert_eq!(other, None, "{own}");
        };
        check("all new", &[], Some("all new"));
        check("abc", &[4, 2, 3], Some("ababac"));
        check("abcd", &[4, 2, 2, 3, 3], Some("ababcabdab"));
        let long = "x".repeat(300);
        let both = [long.as_str(), long.as_str(), "!"].concat();
        check(
            &format!("{long}!"),
            &[0xd8, 4, 0xac, 2, 0xac, 2],
            Some(&both),
        );
        check("abc", &[4, 3, 3], None);
        check("abc", &[4, 0, 3], None);
        check("abc", &[8, 1, 3], None);
        check("abc", &[4, 2], None);
        check("abc", &[4, 2, 0x80], None);
        check("abc", &[4, 2, 90], None);
        check("abc", &[0xff; 20], None);
        assert_eq!(with_repeats(b"\x01\0\0\0", 0), None);
        assert_eq!(with_repeats(b"\0\0", 0), None);
    }
}
