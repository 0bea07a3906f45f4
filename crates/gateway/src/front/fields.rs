//! Several fields of a head in one walk over it.
//!
//! Heads are short and most of them have none of the fields that are looked for, while each look-up by name hashes it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The first value of each of these fields.
pub(crate) fn first_of<'h, const N: usize>(
    headers: &'h HeaderMap,
    names: [&HeaderName; N],
) -> [Option<&'h HeaderValue>; N] {
    let mut found = [None; N];
    for (name, value) in headers {
        for (own, found) in names.iter().zip(&mut found) {
            if *own == name {
                found.get_or_insert(value);
            }
        }
    }
    found
}

/// The same, of what is text.
pub(crate) fn first_texts_of<'h, const N: usize>(
    headers: &'h HeaderMap,
    names: [&HeaderName; N],
) -> [Option<&'h str>; N] {
    first_of(headers, names).map(|value| value?.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, COOKIE};

    use super::*;

    #[test]
    fn the_first_value_of_each_is_found() {
        let own = HeaderName::from_static("x-own");
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (&own, "1"),
            (&ACCEPT, "a"),
            (&own, "2"),
            (&COOKIE, "\u{e9}"),
        ] {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let check = |names: [&HeaderName; 3], expected: [Option<&str>; 3]| {
            assert_eq!(first_texts_of(&headers, names), expected, "{names:?}");
            for (name, value) in names.into_iter().zip(first_of(&headers, names)) {
                assert_eq!(headers.get(name), value, "{name}");
            }
        };
        check([&own, &ACCEPT, &COOKIE], [Some("1"), Some("a"), None]);
        let absent = HeaderName::from_static("x-owned");
        check([&absent, &COOKIE, &own], [None, None, Some("1")]);
    }
}
