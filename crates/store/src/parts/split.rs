//! Where a body is cut.
//!
//! JSON is cut around the objects in its arrays (messages, blocks, tools) and around long strings, because a turn adds
//! objects and moves small members between them, but leaves texts alone. The cuts depend on what is near them, never on
//! how much stands before. It is no parser: anything is cut somehow, and the parts make up the whole.

use std::ops::Range;

use memchr::memchr_iter;

use crate::mask::is_key_byte;

/// No part is longer.
pub(crate) const MAX_PART: usize = 128 << 10;

/// Strings from this length on are parts of their own, quotes included.
const LONG_STRING: usize = 256;

/// How deep arrays are looked into. Blocks of messages are objects at depth four.
const MAX_DEPTH: usize = 8;

/// The parts of a body, in order and without gaps.
pub(crate) fn split(body: &[u8]) -> Vec<Range<usize>> {
    let mut cuts = Cuts {
        body,
        from: 0,
        parts: Vec::new(),
    };
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        cut_json(&mut cuts);
    }
    cuts.at(body.len());
    cuts.parts
}

struct Cuts<'a> {
    body: &'a [u8],
    from: usize,
    parts: Vec<Range<usize>>,
}

impl Cuts<'_> {
    /// Ends the part at hand, in several pieces if it is too long.
    fn at(&mut self, end: usize) {
        while end - self.from > MAX_PART {
            let limit = self.from + MAX_PART;
            let cut = self.between_words(limit);
            self.parts.push(self.from..cut);
            self.from = cut;
        }
        if end > self.from {
            self.parts.push(self.from..end);
            self.from = end;
        }
    }

    /// The last place before `limit` that splits no key, so that masking sees each key whole.
    fn between_words(&self, limit: usize) -> usize {
        let near = limit.saturating_sub(1024);
        let window = self.body.get(near..limit).unwrap_or_default();
        window
            .iter()
            .rposition(|byte| !is_key_byte(*byte))
            .map_or(limit, |at| near + at + 1)
    }
}

fn cut_json(cuts: &mut Cuts<'_>) {
    let body = cuts.body;
    // Whether each open container is an array; deeper ones are only counted.
    let mut arrays = [false; MAX_DEPTH];
    let mut depth = 0;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => {
                let end = string_end(body, at);
                if end - at >= LONG_STRING {
                    cuts.at(at);
                    cuts.at(end);
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                let in_array = is_array(&arrays, depth);
                if byte == b'{' && in_array && body.get(at.wrapping_sub(1)) != Some(&b',') {
                    cuts.at(at);
                }
                if let Some(slot) = arrays.get_mut(depth) {
                    *slot = byte == b'[';
                }
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if byte == b'}' && is_array(&arrays, depth) {
                    cuts.at(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether the innermost of `depth` open containers is an array that is looked into.
fn is_array(arrays: &[bool; MAX_DEPTH], depth: usize) -> bool {
    depth
        .checked_sub(1)
        .and_then(|innermost| arrays.get(innermost))
        .is_some_and(|array| *array)
}

/// Behind the closing quote of the string that opens at `open`.
fn string_end(body: &[u8], open: usize) -> usize {
    let inside = body.get(open + 1..).unwrap_or_default();
    for quote in memchr_iter(b'"', inside) {
        let before = inside.get(..quote).unwrap_or_default();
        let escapes = before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        if escapes % 2 == 0 {
            return open + 1 + quote + 1;
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(body: &str, expected: &[&str]) {
        let parts: Vec<&str> = split(body.as_bytes())
            .into_iter()
            .map(|range| &body[range])
            .collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn json_is_cut_around_objects_in_arrays() {
        check(
            r#"{"m":"x","messages":[{"a":1},{"b":[{"c":"}]"}]}],"tools":[]}"#,
            &[
                r#"{"m":"x","messages":["#,
                r#"{"a":1}"#,
                r#",{"b":["#,
                r#"{"c":"}]"}"#,
                "]}",
                r#"],"tools":[]}"#,
            ],
        );
        check(r#"[1,"\"{",{}]"#, &[r#"[1,"\"{",{}"#, "]"]);
        check("", &[]);
        check(r#"{"open":["#, &[r#"{"open":["#]);
        check(
            "data: {}\n\ndata: [{}]\n\n",
            &["data: {}\n\ndata: [{}]\n\n"],
        );
    }

    #[test]
    fn long_strings_stand_alone() {
        let long = format!("\"{}\\\"\"", "y".repeat(300));
        check(
            &format!("[{{\"t\":{long},\"c\":1}}]"),
            &["[", "{\"t\":", &long, ",\"c\":1}", "]"],
        );
    }

    #[test]
    fn long_parts_are_cut_between_words() {
        let text = "secret-0123456789 ".repeat(30_000);
        let parts = split(text.as_bytes());
        assert!(parts.len() > 2);
        for part in &parts {
            assert!(part.len() <= MAX_PART);
            assert!(text[part.clone()].starts_with("secret-"));
        }
    }

    #[test]
    fn a_further_turn_leaves_earlier_parts_alone() {
        let message = |n: usize| format!(r#"{{"role":"user","content":"{}"}}"#, "w".repeat(n * 50));
        let body = |turns: usize| {
            let all: Vec<String> = (0..turns).map(message).collect();
            format!(r#"{{"messages":[{}],"stream":true}}"#, all.join(","))
        };
        let (short, long) = (body(9), body(10));
        let parts = |body: &str| -> Vec<String> {
            split(body.as_bytes())
                .into_iter()
                .map(|part| body[part].to_owned())
                .collect()
        };
        let (short, long) = (parts(&short), parts(&long));
        let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
        assert_eq!(same, short.len() - 1, "all but the end");
    }

    proptest! {
        #[test]
        fn parts_make_up_the_whole(body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..2000),
            "[\\[\\]{}\",:\\\\a1 ]{0,400}".prop_map(String::into_bytes),
        ]) {
            let parts = split(&body);
            let mut at = 0;
            for part in parts {
                prop_assert_eq!(part.start, at);
                prop_assert!(part.end > part.start);
                at = part.end;
            }
            prop_assert_eq!(at, body.len());
        }
    }
}
