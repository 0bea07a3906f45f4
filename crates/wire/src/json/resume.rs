//! Scanning a body of which much is known: agents send their history again with every request.
//!
//! Where two bodies are the same up to a place, a scanner has come to the same state there, and what it found on the way is
//! the same. So what is known of the bytes in front of the first difference is taken over, as far as whole members of the
//! outermost object go, and whole items of the array that holds the difference: the conversation. From there on the body is
//! scanned, but for the members of the outermost object that stand in the known one too, byte for byte: tools, mostly.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::body::Body;
use super::doc::{Doc, Kind, Node, offset};
use super::prefix::common_prefix;
use super::scan::{Broken, Mark, Members, Names, Scanner, expected_nodes};

/// What a scan came to that could take over what was known.
#[derive(Debug)]
pub struct Resumed {
    /// The same as without it.
    pub doc: Doc,
    /// Bytes of the body that were scanned.
    pub scanned: usize,
}

/// The same as [`super::scan_marked`] of a body that is like `known`: a document of the same function, or of this one, for
/// the same opaque members and marks. What is known is not looked at for being text either.
///
/// `None` if it cannot be had so: a whole scan has the document, or what is wrong with it.
#[must_use]
pub fn scan_like(known: &Doc, body: &Bytes, opaque: &[&str], marks: [Mark; 2]) -> Option<Resumed> {
    let is_object = known.nodes().first().map(Node::kind) == Some(Kind::Object);
    if !is_object || u32::try_from(body.len()).is_err() {
        return None;
    }
    let mut resumption = Resumption {
        scanner: Scanner::new(body, opaque, marks, Names::Unique),
        known,
        next: FIRST_MEMBER,
        texts: Vec::new(),
        taken: 0,
    };
    resumption.run().ok()?;
    let scanned = body.len() - resumption.taken;
    let text = Body::joined(body, resumption.texts)?;
    let doc = resumption.scanner.into_doc(text);
    Some(Resumed { doc, scanned })
}

/// Known members that one of the body is held against. Their order seldom changes, and a request has a dozen.
const MOST_LOOKED_AT: usize = 16;

/// Shorter members are looked through as soon as shared.
const WORTH_SHARING: usize = 256;

/// The node of the outermost object, and that of its first member's name.
const OUTERMOST: usize = 0;
const FIRST_MEMBER: usize = OUTERMOST + 1;

struct Resumption<'a> {
    scanner: Scanner<'a>,
    /// An object.
    known: &'a Doc,
    /// The first of its members behind the last one that was taken over, by the node of its name.
    next: usize,
    /// What was taken over and is worth to be shared, by where it stands in the body.
    texts: Vec<(usize, ByteString)>,
    /// Bytes that were not scanned.
    taken: usize,
}

/// Where the known document and the body begin to differ.
#[derive(Debug)]
struct Place {
    /// The first node that is not taken over.
    node: usize,
    /// Behind the last member or item that is.
    at: usize,
    /// The array that is still open there, if one is: the value of the last member so far.
    array: Option<usize>,
}

impl Resumption<'_> {
    fn run(&mut self) -> Result<(), Broken> {
        let place = Place::of(self.known, self.scanner.bytes());
        let behind = self.scanner.bytes().len() - place.as_ref().map_or(0, |place| place.at);
        let taken = place.as_ref().map_or(0, |place| place.node);
        (self.scanner.nodes).reserve_exact(taken + expected_nodes(behind));

        let mut members = Members::NONE;
        let is_complete = match place {
            Some(place) => self.beginning(&place, &mut members)?,
            None => {
                if self.scanner.token() != b'{' {
                    return Err(self.scanner.error("no object"));
                }
                self.scanner.begin::<true>(Kind::Object)?;
                self.scanner.token() == b'}'
            }
        };
        if !is_complete {
            loop {
                self.member(&mut members)?;
                if self.scanner.is_last(b'}')? {
                    break;
                }
            }
        }
        self.scanner.finish::<true>(OUTERMOST);
        self.scanner.check_names(OUTERMOST, &members)?;
        self.scanner.end()
    }

    /// Up to the first difference, and on to the end of the array that it is in. Tells whether no member follows.
    fn beginning(&mut self, place: &Place, members: &mut Members) -> Result<bool, Broken> {
        let scanner = &mut self.scanner;
        let taken = self.known.nodes().get(..place.node).unwrap_or_default();
        scanner.nodes.extend_from_slice(taken);
        for (_, name, _) in member_nodes(taken, FIRST_MEMBER) {
            members.add(name, scanner.bytes());
        }
        let marks = marks_in(self.known, 0..place.at);
        scanner.marked.extend_from_slice(marks);
        scanner.go_on_at(place.at);
        self.texts.push((0, self.known.shared(0..place.at)));
        self.taken = place.at;
        self.next = place.node;
        scanner.depth = 1;
        if let Some(array) = place.array {
            scanner.depth = 2;
            while !scanner.is_last(b']')? {
                scanner.value::<true>()?;
            }
            scanner.finish::<true>(array);
            self.next = self.known.nodes().get(array).map_or(0, Node::next);
        }
        scanner.is_last(b'}')
    }

    /// A member of the outermost object, which may be known.
    fn member(&mut self, members: &mut Members) -> Result<(), Broken> {
        let scanner = &mut self.scanner;
        scanner.token();
        let (nodes, body) = (self.known.nodes(), self.known.body());
        let rest = scanner.bytes().get(scanner.at..).unwrap_or_default();
        let is_here = |(_, name, value): &(usize, &Node, &Node)| {
            let member = body.get(name.start()..value.end()).unwrap_or_default();
            let is_whole = || value.kind() != Kind::Number || !goes_on(rest.get(member.len()));
            rest.starts_with(member) && is_whole()
        };
        let mut known = member_nodes(nodes, self.next).take(MOST_LOOKED_AT);
        let Some((at, name, value)) = known.find(is_here) else {
            return scanner.member::<true>(members);
        };
        let (begin, end) = (name.start(), value.end());
        self.next = value.next();
        // All of it as it is, further on or further back.
        let moved = offset(scanner.at).wrapping_sub(offset(begin));
        let first = scanner.nodes.len();
        let further = offset(first).wrapping_sub(offset(at));
        let taken = nodes.get(at..self.next).unwrap_or_default().iter();
        (scanner.nodes).extend(taken.map(|node| node.moved(moved, further)));
        if let Some(name) = scanner.nodes.get(first) {
            members.add(name, scanner.bytes());
        }
        let marks = marks_in(self.known, begin..end).iter();
        (scanner.marked).extend(marks.map(|mark| mark.wrapping_add(moved)));
        if end - begin >= WORTH_SHARING {
            let text = self.known.shared(begin..end);
            self.texts.push((scanner.at, text));
        }
        scanner.go_on_at(scanner.at + end - begin);
        self.taken += end - begin;
        Ok(())
    }
}

impl Place {
    /// Behind the last of `known` that is certain; nothing may be.
    fn of(known: &Doc, body: &[u8]) -> Option<Self> {
        let (nodes, prefix) = (known.nodes(), common_prefix(known.body(), body));
        // A number that ends where the difference begins could go on.
        let is_whole = |node: &Node| {
            node.end() < prefix || node.end() == prefix && node.kind() != Kind::Number
        };
        let mut place = None;
        for (at, _, value) in member_nodes(nodes, FIRST_MEMBER) {
            if !is_whole(value) {
                let items = Self::in_array(nodes, at + 1, is_whole);
                return items.or(place);
            }
            place = Some(Self {
                node: value.next(),
                at: value.end(),
                array: None,
            });
        }
        place
    }

    fn in_array(nodes: &[Node], own: usize, is_whole: impl Fn(&Node) -> bool) -> Option<Self> {
        let array = nodes.get(own).filter(|node| node.kind() == Kind::Array)?;
        let mut place = None;
        let mut at = own + 1;
        while at < array.next() {
            let Some(item) = nodes.get(at).filter(|item| is_whole(item)) else {
                break;
            };
            at = item.next();
            place = Some(Self {
                node: at,
                at: item.end(),
                array: Some(own),
            });
        }
        place
    }
}

/// Whether a number may go on with this byte.
fn goes_on(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b'0'..=b'9' | b'.' | b'e' | b'E'))
}

/// The members of an object from this node on, also where it is still open: where each begins, its name and its value.
fn member_nodes(nodes: &[Node], first: usize) -> impl Iterator<Item = (usize, &Node, &Node)> {
    let mut next = first;
    std::iter::from_fn(move || {
        let at = next;
        let (name, value) = (nodes.get(at)?, nodes.get(at + 1)?);
        next = value.next();
        Some((at, name, value))
    })
}

/// The marks in these bytes of a document.
fn marks_in(doc: &Doc, bytes: Range<usize>) -> &[u32] {
    let marks = doc.marks();
    let before = |end: usize| marks.partition_point(|mark| (*mark as usize) < end);
    marks
        .get(before(bytes.start)..before(bytes.end))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::scan_marked;

    const OPAQUE: [&str; 1] = ["input"];
    const MARKS: [Mark; 2] = [*b"lg1."; 2];

    fn known(text: &str) -> Doc {
        scan_marked(&text.into(), &OPAQUE, MARKS).unwrap()
    }

    /// However it is scanned, the outcome is the same. Tells how many bytes were scanned.
    #[track_caller]
    fn check(before: &str, body: &str) -> usize {
        let body = ByteString::from(body);
        let plain = scan_marked(&body, &OPAQUE, MARKS);
        let like = scan_like(&known(before), body.as_bytes(), &OPAQUE, MARKS);
        let Some(Resumed { doc, scanned }) = like else {
            let are_objects = before.starts_with('{') && body.starts_with('{');
            assert!(plain.is_err() || !are_objects, "{before}");
            return body.len();
        };
        assert_eq!(
            format!("{doc:?}"),
            format!("{:?}", plain.unwrap()),
            "{before}"
        );
        scanned
    }

    const HISTORY: &str = concat!(
        r#"{"model":"m", "n":12,"messages":[{"role":"user","content":"a\"b"},"#,
        r#" {"role":"assistant","content":[{"t":"lg1.x","input":{"a":{},"a":1}}]} ,12,"#,
        r#"{"role":"user","content":"c"}],"#,
        r#""system":["s","lg1.y",{"input":[1,[2]]}],"tools":[{"name":"t"}],"stream":true} "#
    );

    #[test]
    fn a_session_goes_on() {
        for (from, to) in [
            ("", ""),
            (r#""content":"c"}"#, r#""content":"c"},{"role":"user"}"#),
            (r#""content":"c"}"#, r#""content":"cd"}"#),
            (r#",{"role":"user","content":"c"}"#, ""),
            (",12,", ",123,"),
            (",12,", ",1,"),
            (r#""n":12"#, r#""n":1"#),
            (r#""model":"m""#, r#""model":"another""#),
            (r#""model":"m", "#, ""),
            (r#"["s","#, r#"["s2","lg1.z","#),
            (r#""lg1.y","#, ""),
            (r#""lg1.x""#, r#""lg2.x""#),
            (r#""stream":true"#, r#""stream":false"#),
            (r#","stream":true"#, ""),
            (r#""tools""#, r#""system""#),
            (r#""system""#, r#""model""#),
            (r#""stream""#, r#""\u006dodel""#),
            (r#""messages":["#, r#""messages":[[],"#),
            (r#""messages":"#, r#""messages":1,"x":"#),
            (r#"a\"b"#, r#"a\\"b"#),
            (r#"a\"b"#, "a\\\"b\u{1}"),
            ("} ", "}"),
            ("} ", "},"),
            ("} ", ""),
        ] {
            let body = HISTORY.replacen(from, to, 1);
            check(HISTORY, &body);
            if is_fit(&body) {
                check(&body, HISTORY);
            }
        }
    }

    #[test]
    fn what_is_known_may_be_anything() {
        for known in [
            "{}",
            "[]",
            "1",
            r#""a""#,
            "[1,2]",
            r#"{"a":1}"#,
            r#"{"a":[]}"#,
            "{ }",
        ] {
            for body in [
                "{}",
                "[1,2,3]",
                "12",
                "",
                r#"{"a":12}"#,
                r#"{"a":[1]}"#,
                r#"{"a":[],"a":1}"#,
            ] {
                check(known, body);
            }
            check(known, known);
        }
    }

    #[test]
    fn what_is_known_is_not_scanned() {
        let items =
            |name: &str| vec![format!(r#"{{"{name}":"again and again"}}"#); 1_000].join(",");
        let (turns, tools, system) = (items("role"), items("name"), items("text"));
        let body = |model: &str, more: &str, system: &str, last: &str| {
            format!(
                r#"{{"model":"{model}","messages":[{turns}{more}],"system":[{system}],"tools":[{tools}],"last":{last}}}"#
            )
        };
        let before = body("m", "", &system, "1");
        for (after, scanned) in [
            (before.clone(), 0..10),
            (body("m", r#",{"role":"user"}"#, &system, "1"), 15..30),
            (body("m", r#",{"role":"user"}"#, &system, "12"), 20..60),
            (body("m", "", "", "2"), 20..60),
            (body("other", "", &system, "1"), 10..40),
            (body("other", ",1", "2", "3"), turns.len()..turns.len() + 90),
        ] {
            let found = check(&before, &after);
            assert!(
                scanned.contains(&found),
                "{found}: {}",
                &after[after.len() - 20..]
            );
        }
    }

    #[test]
    fn what_is_new_must_be_text() {
        let known = known(HISTORY);
        let new = |letter: &[u8]| {
            let (before, behind) = HISTORY.split_once(r#""content":"c""#).unwrap();
            let new = [b"\"content\":\"", letter, b"\""].concat();
            let body = [before.as_bytes(), &new, behind.as_bytes()].concat();
            scan_like(&known, &body.into(), &OPAQUE, MARKS)
        };
        let doc = new("é".as_bytes()).unwrap().doc;
        assert_eq!(doc.text(), HISTORY.replace(r#""c""#, "\"é\""));
        assert!(new(b"\xe9").is_none() && new(b"\xc3").is_none());
    }

    #[test]
    fn what_is_taken_over_is_the_same() {
        let known = known(&HISTORY.replace("\"t\"", &format!("\"{}\"", "t".repeat(300))));
        let body = known.text().replacen("lg1.y", "lg1.yes", 1);
        let resumed = scan_like(&known, &body.into(), &OPAQUE, MARKS).unwrap();
        let both = |name| {
            (
                known.root().get(name).unwrap(),
                resumed.doc.root().get(name).unwrap(),
            )
        };
        for (name, is_same) in [
            ("model", true),
            ("messages", true),
            ("system", false),
            ("tools", true),
        ] {
            let (one, other) = both(name);
            assert_eq!(one.is_same(other), is_same, "{name}");
        }
    }

    /// Whoever sends many members pays for them once: a walk through all of them for each takes minutes.
    #[test]
    fn many_members_are_gone_through_once() {
        let body = |name: &str, value: &str| {
            let members: Vec<String> = (0..40_000)
                .map(|n| format!("\"{name}{n}\":{value}"))
                .collect();
            format!("{{\"same\":1,{}}}", members.join(","))
        };
        check(&body("a", "1"), &body("b", "1"));
        check(
            &body("a", r#""lg1.""#),
            &body("a", r#""lg1.""#).replacen('1', "2", 1),
        );
    }

    fn list(items: &[String], brackets: [char; 2], comma: &str) -> String {
        format!("{}{}{}", brackets[0], items.join(comma), brackets[1])
    }

    fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        let member =
            ("[a-d]|input", value).prop_map(|(name, value)| format!("\"{name}\": {value}"));
        prop::collection::vec(member, 0..5).prop_map(|members| list(&members, ['{', '}'], " ,"))
    }

    /// Documents of few letters, so that they are alike.
    fn body() -> impl Strategy<Value = String> {
        let leaves = ["1", "12", r#""lg1.a""#, r#""é\"\\""#, "true"];
        let value = prop::sample::select(leaves.to_vec()).prop_map(str::to_owned);
        let value = value.prop_recursive(3, 24, 5, |inner| {
            let items = prop::collection::vec(inner.clone(), 0..5);
            prop_oneof![
                items.prop_map(|items| list(&items, ['[', ']'], ",")),
                members(inner),
            ]
        });
        members(value)
    }

    fn is_fit(body: &str) -> bool {
        scan_marked(&body.into(), &OPAQUE, MARKS).is_ok()
    }

    proptest! {
        #[test]
        fn any_change_of_any_document(
            known in body(),
            at in 0..200_usize,
            until in 0..200_usize,
            put in r#"[\[\]{},:"1aé\\]{0,3}"#,
        ) {
            if !is_fit(&known) {
                return Ok(());
            }
            let at = known.floor_char_boundary(at.min(known.len()));
            let until = known.floor_char_boundary(until.clamp(at, known.len()));
            let mut body = known.clone();
            body.replace_range(at..until, &put);
            check(&known, &body);
        }

        #[test]
        fn any_two_documents(known in body(), other in body()) {
            if is_fit(&known) {
                check(&known, &other);
            }
        }
    }
}
