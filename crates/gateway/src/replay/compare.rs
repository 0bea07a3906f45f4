//! Where two bodies differ, masked secrets aside.

/// Fewer stars in a row are a text's own.
const LEAST_STARS: usize = 8;
/// What the gateway itself writes in place of a key.
const KEY: &[u8] = b"[key]";
/// Bytes that are shown before and behind a difference.
const AROUND: usize = 80;

/// The first place at which `now` is not what `recorded` was: offsets into both. What is masked in either may be anything of
/// the same length in the other, and masked runs of any length are alike. With `is_prefix`, more may follow in `now`.
pub(super) fn difference(recorded: &[u8], now: &[u8], is_prefix: bool) -> Option<(usize, usize)> {
    let (mut a, mut b) = (0, 0);
    loop {
        match (recorded.get(a), now.get(b)) {
            (None, None) => return None,
            (None, Some(_)) if is_prefix => return None,
            (Some(left), Some(right)) if left == right => (a, b) = (a + 1, b + 1),
            _ => match behind_stars(recorded, a, now, b) {
                Some(behind) => (a, b) = behind,
                None => return Some((a, b)),
            },
        }
    }
}

/// Both offsets behind what is masked there, if something is.
fn behind_stars(left: &[u8], a: usize, right: &[u8], b: usize) -> Option<(usize, usize)> {
    let (own, other) = (stars(left, a), stars(right, b));
    let is_key =
        |bytes: &[u8], at: usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(KEY));
    // Nothing but the gateway writes that, in place of a key that it showed then and may not know today.
    if is_key(left, a) && word(right, b) >= LEAST_STARS {
        return Some((a + KEY.len(), b + word(right, b)));
    }
    if is_key(right, b) && word(left, a) >= LEAST_STARS {
        return Some((a + word(left, a), b + KEY.len()));
    }
    let began = stars_before(left, a).min(stars_before(right, b));
    if began >= LEAST_STARS && own + other > 0 {
        return Some((a + own, b + other));
    }
    let fits = |bytes: &[u8], at: usize, length: usize| bytes.len() - at.min(bytes.len()) >= length;
    if own >= LEAST_STARS && other == 0 && fits(right, b, own) {
        return Some((a + own, b + own));
    }
    if other >= LEAST_STARS && own == 0 && fits(left, a, other) {
        return Some((a + other, b + other));
    }
    None
}

fn stars(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().take_while(|byte| **byte == b'*').count()
}

/// The length of what no blank and no bracket or quotation mark ends.
fn word(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;()[]{}<>\\".contains(byte);
    rest.iter().take_while(|byte| !is_end(byte)).count()
}

fn stars_before(bytes: &[u8], to: usize) -> usize {
    let head = bytes.get(..to).unwrap_or_default();
    head.iter().rev().take_while(|byte| **byte == b'*').count()
}

/// Whether something is masked in a text.
pub(super) fn is_masked(text: &str) -> bool {
    text.contains(&"*".repeat(LEAST_STARS))
}

/// What stands around a place.
#[expect(clippy::disallowed_methods, reason = "a glimpse, cut anyway")]
pub(super) fn around(bytes: &[u8], at: usize) -> String {
    let from = at.saturating_sub(AROUND);
    let to = (at + AROUND).min(bytes.len());
    String::from_utf8_lossy(bytes.get(from..to).unwrap_or_default()).into_owned()
}

/// Which event of a stream a place is in, from 1; none in a body that is no stream.
pub(super) fn event(bytes: &[u8], at: usize) -> Option<usize> {
    let is_stream = ["event:", "data:", ":"]
        .iter()
        .any(|field| bytes.starts_with(field.as_bytes()));
    is_stream.then(|| {
        let before = bytes.get(..at).unwrap_or_default();
        1 + memchr::memmem::find_iter(before, b"\n\n").count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(recorded: &str, now: &str, expected: Option<usize>) {
        let found = difference(recorded.as_bytes(), now.as_bytes(), false);
        assert_eq!(found.map(|(at, _)| at), expected, "{recorded} {now}");
    }

    #[test]
    fn the_first_byte_that_differs() {
        check("", "", None);
        check("same", "same", None);
        check("same", "sane", Some(2));
        check("same", "sam", Some(3));
        check("sam", "same", Some(3));
        check("", "x", Some(0));
    }

    #[test]
    fn masked_secrets_are_no_difference() {
        let (stars, secret) = ("*".repeat(20), "s".repeat(20));
        check(&format!("a {stars} b"), &format!("a {secret} b"), None);
        check(&format!("a {secret} b"), &format!("a {stars} b"), None);
        check(&format!("a {stars} b"), &format!("a {secret} c"), Some(23));
        check(&format!("a {stars}* b"), &format!("a {stars} b"), None);
        check(&format!("a {stars} b"), &format!("a {stars}*** b"), None);
        check(&format!("a {stars}"), &format!("a {secret}"), None);
        check(&format!("a {stars}"), "a short", Some(2));
        check("a ** b", "a xx b", Some(2));
        check("Bearer [key] ", &format!("Bearer {stars} "), None);
        check(&format!("Bearer {stars}, "), "Bearer [key], ", None);
        check("Bearer [key] is", "Bearer ya29.abcdef is", None);
        check("Bearer [key]", "Bearer ***", Some(7));
    }

    #[test]
    fn a_beginning_is_enough_where_the_client_left() {
        let prefix = |recorded: &str, now: &str| {
            difference(recorded.as_bytes(), now.as_bytes(), true).map(|(at, _)| at)
        };
        assert_eq!(prefix("", "all of it"), None);
        assert_eq!(prefix("all", "all of it"), None);
        assert_eq!(prefix("all of it", "all"), Some(3));
        assert_eq!(prefix("alt", "all of it"), Some(2));
    }

    #[test]
    fn events_are_counted() {
        let stream = b"event: a\ndata: 1\n\ndata: 2\n\n";
        assert_eq!(event(stream, 3), Some(1));
        assert_eq!(event(stream, 20), Some(2));
        assert_eq!(event(b"{\"a\":1}", 3), None);
        assert_eq!(around(b"abc", 1), "abc");
    }
}
