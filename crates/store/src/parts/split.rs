//! Where a body is cut.
//!
//! JSON is cut around the objects in its arrays (messages, blocks, tools) and around long strings, because a turn adds
//! objects and moves small members between them, but leaves texts alone. The cuts depend on what is near them, never on
//! how much stands before. It is no parser: anything is cut somehow, and the parts make up the whole.

use memchr::memchr_iter;

use crate::Mask;

/// No part is longer.
pub(crate) const MAX_PART: usize = 128 << 10;

/// Strings from this length on are parts of their own, quotes included.
const LONG_STRING: usize = 256;

/// How deep arrays are looked into. Blocks of messages are objects at depth four.
const MAX_DEPTH: u16 = 8;

/// Where a part ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The first byte of the next part.
    pub end: usize,
    /// What stands open there. `None` where a part was cut for its length alone, and at the end.
    pub open: Option<Open>,
}

/// The containers that stand open at a place: all that is to be known of what came before in order to go on there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Open {
    depth: u16,
    /// A bit for each container: whether it is an array. Those too deep have none.
    arrays: u8,
}

/// How far behind the beginning of a string the bytes may lie that decide whether it is cut there: a long one shows that it
/// is. Whether anything else is cut is decided by what stands before it and by its first byte.
pub(crate) const SIGHT: usize = LONG_STRING;

/// The ends of a body's parts, in order; the last one is its own.
#[cfg(test)]
pub(crate) fn split(body: &[u8]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    go_on(body, &mut cuts, &Mask::default(), &mut |_| false);
    cuts
}

/// Adds the cuts behind those that are there, of which the last, if there is one, says what stands open. Ends before
/// the end of the body when `is_known` says of a cut that those behind it are known; whether it did. No part is cut for
/// its length where the mask would no longer see a secret.
pub(crate) fn go_on(
    body: &[u8],
    cuts: &mut Vec<Cut>,
    mask: &Mask,
    is_known: &mut dyn FnMut(&Cut) -> bool,
) -> bool {
    let last = cuts.last().copied();
    let mut cutter = Cutter {
        body,
        from: last.map_or(0, |cut| cut.end),
        open: last.and_then(|cut| cut.open).unwrap_or_default(),
        cuts,
        mask,
        is_known,
    };
    if is_json(body) && cutter.json() {
        return true;
    }
    cutter.end(body.len(), None);
    false
}

/// Whether a body looks like JSON that has parts.
pub(crate) fn is_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

struct Cutter<'a> {
    body: &'a [u8],
    /// Where the part at hand begins.
    from: usize,
    open: Open,
    cuts: &'a mut Vec<Cut>,
    mask: &'a Mask,
    is_known: &'a mut dyn FnMut(&Cut) -> bool,
}

impl Cutter<'_> {
    /// Cuts where something begins or ends. Whether what follows is known.
    fn at(&mut self, end: usize) -> bool {
        let open = Some(self.open);
        self.end(end, open) && (self.is_known)(&Cut { end, open })
    }

    /// Ends the part at hand, in several pieces if it is too long. Whether there was one.
    fn end(&mut self, end: usize, open: Option<Open>) -> bool {
        while end - self.from > MAX_PART {
            // Nothing behind `end` may decide.
            let rest = self.body.get(self.from..end).unwrap_or_default();
            let cut = self.from + self.mask.cut(rest, MAX_PART);
            self.cuts.push(Cut {
                end: cut,
                open: None,
            });
            self.from = cut;
        }
        let is_part = end > self.from;
        if is_part {
            self.cuts.push(Cut { end, open });
            self.from = end;
        }
        is_part
    }

    /// Goes through JSON. Whether it came to where the rest is known.
    fn json(&mut self) -> bool {
        let body = self.body;
        let mut at = self.from;
        while let Some(&byte) = body.get(at) {
            match byte {
                b'"' => {
                    let end = string_end(body, at);
                    if end - at >= LONG_STRING && (self.at(at) || self.at(end)) {
                        return true;
                    }
                    at = end;
                    continue;
                }
                b'{' | b'[' => {
                    let begins = byte == b'{'
                        && self.open.is_array()
                        && body.get(at.wrapping_sub(1)) != Some(&b',');
                    if begins && self.at(at) {
                        return true;
                    }
                    self.open.enter(byte == b'[');
                }
                b'}' | b']' => {
                    self.open.leave();
                    if byte == b'}' && self.open.is_array() && self.at(at + 1) {
                        return true;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        false
    }
}

impl Open {
    fn enter(&mut self, is_array: bool) {
        if let Some(bit) = Self::bit(self.depth) {
            self.arrays = self.arrays & !bit | if is_array { bit } else { 0 };
        }
        self.depth = self.depth.saturating_add(1);
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        // Of what is closed nothing is kept: places with the same open containers are equal.
        if let Some(bit) = Self::bit(self.depth) {
            self.arrays &= !bit;
        }
    }

    /// Whether the innermost one is an array that is looked into.
    fn is_array(self) -> bool {
        let innermost = self.depth.checked_sub(1).and_then(Self::bit);
        innermost.is_some_and(|bit| self.arrays & bit != 0)
    }

    fn bit(depth: u16) -> Option<u8> {
        (depth < MAX_DEPTH).then(|| 1 << depth)
    }
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

    fn parts(body: &str) -> Vec<&str> {
        let cuts = split(body.as_bytes());
        let begins = [0].into_iter().chain(cuts.iter().map(|cut| cut.end));
        begins
            .zip(&cuts)
            .map(|(begin, cut)| &body[begin..cut.end])
            .collect()
    }

    fn check(body: &str, expected: &[&str]) {
        assert_eq!(parts(body), expected);
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
        let parts = parts(&text);
        assert!(parts.len() > 2);
        for part in &parts {
            assert!(part.len() <= MAX_PART);
            assert!(part.starts_with("secret-"));
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
            let mut at = 0;
            for cut in split(&body) {
                prop_assert!(cut.end > at && cut.end - at <= MAX_PART);
                at = cut.end;
            }
            prop_assert_eq!(at, body.len());
        }
    }
}
