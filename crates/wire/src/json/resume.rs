//! Scanning a body of which much is known: agents send their history again with every request.
//!
//! Where two bodies are the same up to a place, a scanner has come to the same state there, and what it found on the way
//! is the same. So what is known of the bytes in front of the first difference is taken over, as far as whole members of
//! the outermost object and whole items of the one array go that holds the difference (the conversation). From there on
//! the body is scanned, until a member of the outermost object begins behind which nothing differs any more: the rest is
//! the known one again, moved.

use bytestring::ByteString;

use super::doc::{Doc, Kind, Node, offset};
use super::likeness::Likeness;
use super::scan::{
    Broken, Mark, Members, Names, Scanner, SyntaxError, expected_nodes, scan_marked,
};

/// A scanned document, and what another body has in common with it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'d> {
    /// By [`scan_marked`] or [`scan_like`], for the same opaque members and marks.
    pub doc: &'d Doc,
    /// With the document's body.
    pub likeness: Likeness,
}

/// The same as [`scan_marked`], sooner if the body is like one that is known.
///
/// # Errors
/// As [`scan_marked`].
pub fn scan_like(
    body: &ByteString,
    known: Option<Known<'_>>,
    opaque: &[&str],
    marks: [Mark; 2],
) -> Result<Doc, SyntaxError> {
    let resumed = known.and_then(|known| {
        let place = Place::of(known)?;
        let mut scanner = Scanner::new(body, opaque, marks, Names::Unique);
        scanner.resume(known, &place).ok()?;
        Some(scanner.into_doc(body))
    });
    match resumed {
        Some(doc) => Ok(doc),
        // What is wrong with a body is said by the scan that everybody knows.
        None => scan_marked(body, opaque, marks),
    }
}

/// Where the scan goes on.
#[derive(Debug)]
struct Place {
    /// The first node that is not taken over.
    node: usize,
    /// Behind the last member or item that is taken over.
    at: usize,
    /// The array that is still open there, if one is; it is the value of the last member so far.
    array: Option<usize>,
}

impl Place {
    /// Behind the last of `known` that is certain.
    fn of(known: Known<'_>) -> Option<Self> {
        let (nodes, prefix) = (known.doc.nodes(), known.likeness.prefix);
        // A number that ends where the difference begins could go on.
        let is_whole = |node: &Node| {
            node.end() < prefix || node.end() == prefix && node.kind() != Kind::Number
        };
        if nodes.first()?.kind() != Kind::Object {
            return None;
        }
        let mut place = None;
        let mut key = 1;
        while let Some(value) = nodes.get(key + 1) {
            if !is_whole(value) {
                let items = Self::in_array(nodes, key + 1, is_whole);
                return items.or(place);
            }
            key = value.next();
            place = Some(Self {
                node: key,
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

impl Scanner<'_> {
    fn resume(&mut self, known: Known<'_>, place: &Place) -> Result<(), Broken> {
        let bytes = self.bytes();
        let behind = bytes.len() - place.at;
        (self.nodes).reserve_exact(known.doc.nodes().len() + expected_nodes(behind) / 4);
        let taken = known.doc.nodes().get(..place.node).unwrap_or_default();
        self.nodes.extend_from_slice(taken);
        let marks = known.doc.marks().iter().copied();
        (self.marked).extend(marks.take_while(|mark| (*mark as usize) < place.at));
        self.go_on_at(place.at);

        let mut members = Members::NONE;
        for name in names(taken, 1) {
            members.add(name, bytes);
        }
        self.depth = 1;
        if let Some(array) = place.array {
            self.depth = 2;
            while !self.is_last(b']')? {
                self.value::<true>()?;
            }
            self.finish::<true>(array);
        }
        let mut rest = Rest::of(known, bytes.len());
        while !self.is_last(b'}')? {
            self.token();
            if let Some(key) = rest.key_at(self.at) {
                rest.take_over(self, key, &mut members);
                break;
            }
            self.member::<true>(&mut members)?;
        }
        self.finish::<true>(0);
        self.check_names(0, &members)?;
        self.end()
    }
}

/// What follows behind the last difference.
#[derive(Debug)]
struct Rest<'d> {
    doc: &'d Doc,
    /// Where it begins in the new body.
    begin: usize,
    /// How much further on everything stands in the new body.
    moved: u32,
    /// The first known member of the outermost object that has not been passed.
    key: usize,
}

impl<'d> Rest<'d> {
    fn of(known: Known<'d>, length: usize) -> Self {
        Self {
            doc: known.doc,
            begin: length - known.likeness.suffix,
            moved: offset(length).wrapping_sub(offset(known.doc.body().len())),
            key: 1,
        }
    }

    /// The known member that begins here, if nothing differs behind it.
    fn key_at(&mut self, at: usize) -> Option<usize> {
        if at < self.begin {
            return None;
        }
        let nodes = self.doc.nodes();
        let known_at = offset(at).wrapping_sub(self.moved) as usize;
        while nodes.get(self.key)?.start() < known_at {
            self.key = nodes.get(self.key + 1)?.next();
        }
        (nodes.get(self.key)?.start() == known_at).then_some(self.key)
    }

    /// From this member to the bracket that closes the outermost object.
    fn take_over(&self, scanner: &mut Scanner<'_>, key: usize, members: &mut Members) {
        let bytes = scanner.bytes();
        let (nodes, first) = (self.doc.nodes(), scanner.nodes.len());
        let further = offset(first).wrapping_sub(offset(key));
        let rest = nodes.get(key..).unwrap_or_default().iter();
        (scanner.nodes).extend(rest.map(|node| node.moved(self.moved, further)));
        for name in names(&scanner.nodes, first) {
            members.add(name, bytes);
        }
        let begin = nodes.get(key).map_or(usize::MAX, Node::start);
        let marks = self.doc.marks().iter();
        let marks = marks.filter(|mark| **mark as usize >= begin);
        (scanner.marked).extend(marks.map(|mark| mark.wrapping_add(self.moved)));
        let end = nodes.first().map_or(0, Node::end);
        scanner.at = offset(end - 1).wrapping_add(self.moved) as usize;
    }
}

/// The names of the outermost object's members from this one on, also where it is still open.
fn names(nodes: &[Node], first: usize) -> impl Iterator<Item = &Node> {
    let mut at = first;
    std::iter::from_fn(move || {
        let name = nodes.get(at)?;
        at = nodes.get(at + 1).map_or(usize::MAX, Node::next);
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::scan_with_opaque;

    const OPAQUE: [&str; 1] = ["input"];
    const MARKS: [Mark; 2] = [*b"lg1."; 2];

    fn likely<'d>(known: &'d Doc, body: &str) -> Known<'d> {
        Known {
            doc: known,
            likeness: Likeness::of(known.body().as_bytes(), body.as_bytes()),
        }
    }

    /// However it is scanned, the outcome is the same.
    #[track_caller]
    fn check(known: &str, body: &str) {
        let known = scan_marked(&known.into(), &OPAQUE, MARKS).unwrap();
        let body = ByteString::from(body);
        let plain = scan_marked(&body, &OPAQUE, MARKS);
        let like = scan_like(&body, Some(likely(&known, &body)), &OPAQUE, MARKS);
        assert_eq!(format!("{like:?}"), format!("{plain:?}"));
        if let Some(place) = Place::of(likely(&known, &body))
            && plain.is_ok()
        {
            let mut scanner = Scanner::new(&body, &OPAQUE, MARKS, Names::Unique);
            let resumed = scanner.resume(likely(&known, &body), &place);
            assert!(resumed.is_ok(), "what is right is not scanned twice");
        }
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
            if scan_with_opaque(&body.as_str().into(), &OPAQUE).is_ok() {
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

    /// A history is not gone through again.
    #[test]
    fn what_is_known_is_not_scanned() {
        let items = vec![r#"{"role":"user","content":"again and again"}"#; 1_000].join(",");
        let body =
            |more: &str| format!(r#"{{"model":"m","messages":[{items}{more}],"n":[{items}]}}"#);
        let known = scan_marked(&body("").into(), &OPAQUE, MARKS).unwrap();
        let longer = body(r#",{"role":"user"}"#);
        let place = Place::of(likely(&known, &longer)).unwrap();
        assert_eq!(place.at, r#"{"model":"m","messages":["#.len() + items.len());
        assert_eq!(place.array, Some(4));
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
        let leaves = ["1", "12", r#""lg1.a""#, r#""a\"\\""#, "true"];
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
            put in r#"[\[\]{},:"1a\\]{0,3}"#,
        ) {
            prop_assume!(is_fit(&known));
            let at = at.min(known.len());
            let until = until.clamp(at, known.len());
            let mut body = known.clone();
            body.replace_range(at..until, &put);
            check(&known, &body);
        }

        #[test]
        fn any_two_documents(known in body(), other in body()) {
            prop_assume!(is_fit(&known));
            check(&known, &other);
        }
    }
}
