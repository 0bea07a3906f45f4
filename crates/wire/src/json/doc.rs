//! A scanned document: a flat index of spans, and a cursor over it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::body::Body;
use super::escape::unescape;
use super::text::Text;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, in its received spelling.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One value's place in the document. Children follow their parent; `next` is the index behind the whole subtree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    kind: Kind,
    /// Strings: has escapes. Objects and arrays: children were not indexed.
    flag: bool,
    start: u32,
    end: u32,
    next: u32,
}

/// A validated document and the index of its values.
#[derive(Clone)]
pub struct Doc {
    body: Body,
    nodes: Vec<Node>,
    /// Where the strings begin that begin with a mark, in order.
    marks: Vec<u32>,
}

/// A cursor on one value of a [`Doc`].
#[derive(Clone, Copy)]
pub struct Value<'d> {
    doc: &'d Doc,
    node: &'d Node,
    index: usize,
}

impl Doc {
    pub(super) fn new(body: Body, nodes: Vec<Node>, marks: Vec<u32>) -> Self {
        Self { body, nodes, marks }
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn marks(&self) -> &[u32] {
        &self.marks
    }

    /// The same, in memory of its own: what was received together with the body is not held on to.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            body: self.body.detached(),
            nodes: self.nodes.clone(),
            marks: self.marks.clone(),
        }
    }

    /// Bytes of memory that the document takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body().len() + size_of_val(&*self.nodes) + size_of_val(&*self.marks)
    }

    /// Whether one of the marks was found that the scan looked for.
    #[must_use]
    pub fn has_mark(&self) -> bool {
        !self.marks.is_empty()
    }

    /// The received bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.body.received()
    }

    /// The received bytes, piece by piece: what [`super::scan_like`] took over is in the memory of the known document.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.body.pieces()
    }

    /// The received bytes as text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.body.get(0..self.body().len())
    }

    pub(super) fn shared(&self, span: Range<usize>) -> ByteString {
        self.body.shared(span)
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        self.at(0)
    }

    /// What a string means.
    fn characters(&self, string: &Node) -> Cow<'_, str> {
        string.meaning(self.body.get(string.inner()))
    }

    #[inline]
    fn at(&self, index: usize) -> Value<'_> {
        const NOTHING: Node = Node::leaf(Kind::Null, 0, 0, false);
        Value {
            doc: self,
            node: self.nodes.get(index).unwrap_or(&NOTHING),
            index,
        }
    }
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doc")
            .field("body", &self.text())
            .field("nodes", &self.nodes)
            .field("marks", &self.marks)
            .finish()
    }
}

impl<'d> Value<'d> {
    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.node.kind
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.node.kind == Kind::Null
    }

    /// The value as received.
    #[must_use]
    pub fn raw(self) -> &'d str {
        self.doc.body.get(self.span())
    }

    /// The value as received, sharing the document's bytes.
    #[must_use]
    pub fn to_raw(self) -> ByteString {
        self.doc.shared(self.span())
    }

    /// Whether both are one value: not only alike, but in the same memory. A document that was scanned like another one
    /// shares with it what it took over.
    #[must_use]
    pub fn is_same(self, other: Value<'_>) -> bool {
        std::ptr::eq(self.raw(), other.raw())
    }

    /// Byte range of the value in the document.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        self.node.start()..self.node.end as usize
    }

    /// A string, still in its received spelling.
    #[must_use]
    pub fn text(self) -> Option<Text> {
        (self.node.kind == Kind::String)
            .then(|| Text::from_json(self.doc.shared(self.node.inner()), self.node.flag))
    }

    /// A string's characters.
    #[must_use]
    pub fn str(self) -> Option<Cow<'d, str>> {
        (self.node.kind == Kind::String).then(|| self.doc.characters(self.node))
    }

    /// Whether it is a string of exactly these characters.
    #[must_use]
    pub fn is_str(self, expected: &str) -> bool {
        self.node.kind == Kind::String && self.node.means(expected, self.doc.body())
    }

    /// A whole number that fits; `12.0` and `1e3` count as whole.
    #[must_use]
    pub fn u64(self) -> Option<u64> {
        if self.node.kind != Kind::Number {
            return None;
        }
        let raw = self.raw();
        raw.parse().ok().or_else(|| {
            let number: f64 = raw.parse().ok()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range and the fraction are checked first"
            )]
            (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
        })
    }

    /// A number.
    #[must_use]
    pub fn f64(self) -> Option<f64> {
        (self.node.kind == Kind::Number).then(|| self.raw().parse().ok())?
    }

    /// `true` or `false`.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        (self.node.kind == Kind::Bool).then(|| self.raw() == "true")
    }

    /// An object's member; `None` for other kinds and absent names.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'d>> {
        let (mut at, body) = (self.first_child(Kind::Object), self.doc.body());
        loop {
            let name = self.child(at)?;
            let value = self.doc.at(at + 1);
            if name.means(key, body) {
                return Some(value);
            }
            at = value.node.next as usize;
        }
    }

    /// Several members of an object, in one walk: what [`Value::get`] gives for each name.
    #[must_use]
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Value<'d>>; N] {
        let mut found = [None; N];
        // Most members are of no length that is looked for.
        let lengths = names
            .iter()
            .fold(0, |lengths, name| lengths | length_bit(name.len()));
        let (mut at, body) = (self.first_child(Kind::Object), self.doc.body());
        while let Some(key) = self.child(at) {
            let value = self.doc.at(at + 1);
            if key.flag || lengths & length_bit(key.inner_length()) != 0 {
                let place = names.iter().position(|name| key.means(name, body));
                if let Some(place @ None) = place.and_then(|place| found.get_mut(place)) {
                    *place = Some(value);
                }
            }
            at = value.node.next as usize;
        }
        found
    }

    /// An object's members in received order; nothing for other kinds.
    pub fn members(self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> {
        let mut at = self.first_child(Kind::Object);
        std::iter::from_fn(move || {
            let key = self.child(at)?;
            let value = self.doc.at(at + 1);
            at = value.node.next as usize;
            Some((self.doc.characters(key), value))
        })
    }

    /// An array's items; nothing for other kinds.
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        let mut at = self.first_child(Kind::Array);
        std::iter::from_fn(move || {
            self.child(at)?;
            let item = self.doc.at(at);
            at = item.node.next as usize;
            Some(item)
        })
    }

    /// Index of the first child, or an index that ends the iteration at once.
    fn first_child(self, kind: Kind) -> usize {
        if self.node.kind == kind {
            self.index + 1
        } else {
            usize::MAX
        }
    }

    #[inline]
    fn child(self, at: usize) -> Option<&'d Node> {
        (at < self.node.next as usize).then(|| self.doc.nodes.get(at))?
    }
}

impl Node {
    pub(super) const fn leaf(kind: Kind, start: usize, end: usize, flag: bool) -> Self {
        Self {
            kind,
            flag,
            start: offset(start),
            end: offset(end),
            next: 0,
        }
    }

    pub(super) const fn string(start: usize, end: usize, has_escapes: bool) -> Self {
        Self::leaf(Kind::String, start, end, has_escapes)
    }

    pub(super) const fn with_next(mut self, next: usize) -> Self {
        self.next = offset(next);
        self
    }

    pub(super) const fn close(&mut self, end: usize, next: usize) {
        self.end = offset(end);
        self.next = offset(next);
    }

    pub(super) const fn start(&self) -> usize {
        self.start as usize
    }

    pub(super) const fn end(&self) -> usize {
        self.end as usize
    }

    pub(super) const fn next(&self) -> usize {
        self.next as usize
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The same value, so many bytes and nodes further on: as in the arithmetic of `u32`, also further back.
    pub(super) const fn moved(self, bytes: u32, nodes: u32) -> Self {
        Self {
            start: self.start.wrapping_add(bytes),
            end: self.end.wrapping_add(bytes),
            next: self.next.wrapping_add(nodes),
            ..self
        }
    }

    /// What a string with these contents means.
    fn meaning<'t>(&self, contents: &'t str) -> Cow<'t, str> {
        if self.flag {
            unescape(contents)
        } else {
            Cow::Borrowed(contents)
        }
    }

    /// What a string means; nothing in a body that turns out to be no text.
    pub(super) fn characters<'t>(&self, body: &'t [u8]) -> Cow<'t, str> {
        let contents = body.get(self.inner()).unwrap_or_default();
        self.meaning(std::str::from_utf8(contents).unwrap_or_default())
    }

    /// Whether a string means exactly these characters.
    #[inline]
    pub(super) fn means(&self, expected: &str, body: &[u8]) -> bool {
        if self.flag {
            return self.characters(body) == expected;
        }
        self.is_spelled(expected, body)
    }

    /// Whether two strings mean the same characters.
    pub(super) fn means_the_same(&self, other: &Self, body: &[u8]) -> bool {
        if self.flag || other.flag {
            return self.characters(body) == other.characters(body);
        }
        body.get(self.inner()) == body.get(other.inner())
    }

    /// Whether a string stands there in exactly these bytes, between its quotes.
    #[inline]
    pub(super) fn is_spelled(&self, expected: &str, body: &[u8]) -> bool {
        let (start, end) = (self.start as usize + 1, self.end as usize - 1);
        end - start == expected.len() && body.get(start..end) == Some(expected.as_bytes())
    }

    /// Bytes between a string's quotes.
    pub(super) const fn inner_length(&self) -> usize {
        (self.end - self.start) as usize - 2
    }

    /// One bit for a string, the same for equal ones. `None` if only its characters can tell.
    pub(super) fn bit(&self, body: &[u8]) -> Option<u64> {
        let (length, last) = (self.end - self.start, body.get(self.end as usize - 2)?);
        (!self.flag).then(|| 1 << ((length ^ u32::from(*last) << 3) % 64))
    }

    /// Where a string's contents stand, without the quotes.
    pub(super) const fn inner(&self) -> Range<usize> {
        self.start as usize + 1..(self.end as usize).saturating_sub(1)
    }
}

/// One bit for a length.
pub(super) const fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

/// The member names of the object at `own`, in received order.
pub(super) fn member_keys(nodes: &[Node], own: usize) -> impl Iterator<Item = &Node> {
    let behind = nodes.get(own).map_or(0, |node| node.next as usize);
    let mut at = own + 1;
    std::iter::from_fn(move || {
        let key = (at < behind).then(|| nodes.get(at))??;
        at = nodes.get(at + 1)?.next as usize;
        Some(key)
    })
}

/// Documents are below 4 GiB: the scanner refuses larger ones before it indexes anything.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked at the start of the scan"
)]
pub(super) const fn offset(at: usize) -> u32 {
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan_reply;

    #[test]
    fn several_members_are_those_that_are_asked_for_one_by_one() {
        for object in [
            r#"{"a":1,"bb":2,"c":3}"#,
            r#"{"c":3,"a":1,"a":2,"bb":null}"#,
            r#"{"\u0061":1,"b\u0062":2}"#,
            r#"{"d":{"a":1},"x":["bb"]}"#,
            r#"["a","bb","c"]"#,
            "{}",
        ] {
            let doc = scan_reply(&object.into(), &[]).unwrap();
            let names = ["a", "bb", "c"];
            let raw = |value: Option<Value<'_>>| value.map(|value| value.raw().to_owned());
            let one_by_one = names.map(|name| raw(doc.root().get(name)));
            assert_eq!(doc.root().pick(names).map(raw), one_by_one, "{object}");
        }
        let doc = scan_reply(&r#"{"a":1,"bb":2,"a":3}"#.into(), &[]).unwrap();
        let [a, bb, c] = doc.root().pick(["a", "bb", "c"]);
        let is = |value: Option<Value<'_>>, number| value.and_then(Value::u64) == Some(number);
        assert!(is(a, 1) && is(bb, 2) && c.is_none(), "the first counts");
    }
}
