//! The single-pass scanner: validates a document and indexes its nodes as spans.

use std::collections::HashSet;

use bytestring::ByteString;

use super::body::Body;
use super::closings::Closings;
use super::doc::{Doc, Kind, Node, length_bit, offset};

/// How deep objects and arrays may nest.
pub const MAX_DEPTH: usize = 128;

/// Objects with more members than this are checked for duplicates through a hash set.
const PAIRWISE_MEMBERS: usize = 12;

/// Why a document is not acceptable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at byte {offset}: {problem}")]
pub struct SyntaxError {
    /// Byte offset of the first byte that does not fit.
    pub offset: usize,
    /// What was found or expected, as a phrase.
    pub problem: String,
}

/// Validates `body` as one JSON document and indexes it.
///
/// # Errors
/// Anything RFC 8259 does not allow, nesting beyond [`MAX_DEPTH`], a member name that occurs twice in one object
/// (two readers could disagree on which one counts), a body of 4 GiB or more.
pub fn scan(body: &ByteString) -> Result<Doc, SyntaxError> {
    scan_with_opaque(body, &[])
}

/// Like [`scan`], but does not index what is inside the values of members named in `opaque`.
///
/// Such values are validated and available as spans; their members are not visible. Tool schemas and tool inputs are
/// carried whole, so indexing their insides would be wasted.
///
/// # Errors
/// As [`scan`], except that duplicate names inside opaque values go unnoticed.
pub fn scan_with_opaque(body: &ByteString, opaque: &[&str]) -> Result<Doc, SyntaxError> {
    scan_as(body, opaque, NO_MARKS, Names::Unique)
}

/// Like [`scan_with_opaque`], and notes whether any string, a name or inside an opaque value too, begins with one of
/// `marks`: [`Doc::has_mark`]. A mark that is spelled with escapes is none. Who looks for one mark names it twice.
///
/// # Errors
/// As [`scan_with_opaque`].
pub fn scan_marked(
    body: &ByteString,
    opaque: &[&str],
    marks: [Mark; 2],
) -> Result<Doc, SyntaxError> {
    scan_as(body, opaque, marks, Names::Unique)
}

/// What a string may begin with.
pub type Mark = [u8; 4];

/// Begins no string: control characters are escaped in them.
const NO_MARKS: [Mark; 2] = [[0; 4]; 2];

/// Like [`scan_with_opaque`], for what upstreams and models write: a name may occur twice in one object. It is passed on
/// as it stands, and every reader behind decides for itself, as it would without a gateway.
///
/// # Errors
/// As [`scan`], except for names that occur twice.
pub fn scan_reply(body: &ByteString, opaque: &[&str]) -> Result<Doc, SyntaxError> {
    scan_as(body, opaque, NO_MARKS, Names::Any)
}

/// Whether a name may occur twice in one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Unique,
    Any,
}

fn scan_as(
    body: &ByteString,
    opaque: &[&str],
    marks: [Mark; 2],
    names: Names,
) -> Result<Doc, SyntaxError> {
    let mut scanner = Scanner::new(body.as_bytes(), opaque, marks, names);
    scanner.nodes.reserve_exact(expected_nodes(body.len()));
    match scanner.document() {
        Ok(()) => Ok(scanner.into_doc(Body::from(body.clone()))),
        Err(error) => Err(*error),
    }
}

/// Room for the index: events of a stream have a node every eight bytes, long requests one every hundred.
pub(super) fn expected_nodes(length: usize) -> usize {
    (length / 8).min(64) + length / 96 + 4
}

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    closings: Closings<'a>,
    pub(super) at: usize,
    pub(super) depth: usize,
    names: Names,
    opaque: &'a [&'a str],
    /// How long these names are: few others are as long.
    opaque_lengths: u64,
    marks: [u32; 2],
    pub(super) marked: Vec<u32>,
    pub(super) nodes: Vec<Node>,
}

/// An error on its way out; a pointer, so that what passes it on stays small.
pub(super) type Broken = Box<SyntaxError>;

/// The names of an object's members so far, as far as they can be told apart without comparing them: most differ in length
/// or last letter.
#[derive(Debug)]
pub(super) struct Members {
    count: usize,
    seen: u64,
    is_clear: bool,
}

impl Members {
    pub(super) const NONE: Self = Self {
        count: 0,
        seen: 0,
        is_clear: true,
    };

    #[inline]
    pub(super) fn add(&mut self, name: &Node, bytes: &[u8]) {
        self.count += 1;
        let bit = name.bit(bytes);
        self.is_clear &= bit.is_some_and(|bit| self.seen & bit == 0);
        self.seen |= bit.unwrap_or_default();
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        opaque: &'a [&'a str],
        marks: [Mark; 2],
        names: Names,
    ) -> Self {
        Self {
            bytes,
            closings: Closings::new(bytes),
            at: 0,
            depth: 0,
            names,
            opaque,
            opaque_lengths: opaque
                .iter()
                .fold(0, |lengths, name| lengths | length_bit(name.len())),
            marks: marks.map(u32::from_le_bytes),
            marked: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// Goes on at `at`, which is no place inside of a string.
    pub(super) fn go_on_at(&mut self, at: usize) {
        self.at = at;
        self.closings = Closings::behind(self.bytes, at);
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn into_doc(self, body: Body) -> Doc {
        Doc::new(body, self.nodes, self.marked)
    }
}

/// `INDEXED` is false inside opaque values, which are validated but leave no nodes.
impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Broken> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(self.error("the document is larger than 4 GiB"));
        }
        self.value::<true>()?;
        self.end()
    }

    /// Behind the outermost value: only white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        self.token();
        if self.at < self.bytes.len() {
            return Err(self.error("more follows behind the document"));
        }
        Ok(())
    }

    pub(super) fn value<const INDEXED: bool>(&mut self) -> Result<(), Broken> {
        match self.token() {
            b'"' => {
                let node = self.string()?;
                self.record::<INDEXED>(node);
                Ok(())
            }
            b'{' => self.object::<INDEXED>(),
            b'[' => self.array::<INDEXED>(),
            b't' => self.literal::<INDEXED>("true", Kind::Bool),
            b'f' => self.literal::<INDEXED>("false", Kind::Bool),
            b'n' => self.literal::<INDEXED>("null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number::<INDEXED>(),
            _ if self.at < self.bytes.len() => Err(self.error("expected a value")),
            _ => Err(self.error("the document ends where a value should be")),
        }
    }

    fn object<const INDEXED: bool>(&mut self) -> Result<(), Broken> {
        let own = self.begin::<INDEXED>(Kind::Object)?;
        let mut members = Members::NONE;
        if self.token() != b'}' {
            loop {
                self.member::<INDEXED>(&mut members)?;
                if self.is_last(b'}')? {
                    break;
                }
            }
        }
        self.finish::<INDEXED>(own);
        if INDEXED {
            self.check_names(own, &members)?;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn member<const INDEXED: bool>(
        &mut self,
        members: &mut Members,
    ) -> Result<(), Broken> {
        if self.token() != b'"' {
            return Err(self.error("expected a member name in double quotes"));
        }
        let key = self.string()?;
        self.record::<INDEXED>(key);
        if INDEXED {
            members.add(&key, self.bytes);
        }
        if self.token() != b':' {
            return Err(self.error("expected `:` behind the member name"));
        }
        self.at += 1;
        if INDEXED && self.is_opaque(&key) {
            self.opaque_value()
        } else {
            self.value::<INDEXED>()
        }
    }

    fn array<const INDEXED: bool>(&mut self) -> Result<(), Broken> {
        let own = self.begin::<INDEXED>(Kind::Array)?;
        if self.token() != b']' {
            loop {
                self.value::<INDEXED>()?;
                if self.is_last(b']')? {
                    break;
                }
            }
        }
        self.finish::<INDEXED>(own);
        Ok(())
    }

    /// Behind a member or an item: whether `end` follows, the bracket that closes what it is in. A comma is passed.
    #[inline]
    pub(super) fn is_last(&mut self, end: u8) -> Result<bool, Broken> {
        match self.token() {
            b',' => {
                self.at += 1;
                Ok(false)
            }
            byte if byte == end => Ok(true),
            _ if end == b'}' => Err(self.error("expected `,` or `}`")),
            _ => Err(self.error("expected `,` or `]`")),
        }
    }

    /// Behind an object's end: no two members may have one name.
    #[inline]
    pub(super) fn check_names(&self, own: usize, members: &Members) -> Result<(), Broken> {
        if members.is_clear || self.names == Names::Any {
            return Ok(());
        }
        self.check_duplicates(own, members.count)
    }

    /// The value of an opaque member: only its own node is recorded.
    fn opaque_value(&mut self) -> Result<(), Broken> {
        let kind = match self.token() {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            _ => return self.value::<true>(),
        };
        let start = self.at;
        self.value::<false>()?;
        self.record::<true>(Node::leaf(kind, start, self.at, true));
        Ok(())
    }

    #[inline]
    fn is_opaque(&self, key: &Node) -> bool {
        if self.opaque_lengths & length_bit(key.inner_length()) == 0 {
            return false;
        }
        let is_opaque = |name: &&str| key.is_spelled(name, self.bytes);
        self.opaque.iter().any(is_opaque)
    }

    /// At the opening bracket.
    #[inline]
    pub(super) fn begin<const INDEXED: bool>(&mut self, kind: Kind) -> Result<usize, Broken> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(&format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let own = self.nodes.len();
        self.record::<INDEXED>(Node::leaf(kind, self.at, self.at, false));
        self.at += 1;
        Ok(own)
    }

    /// At the closing bracket.
    #[inline]
    pub(super) fn finish<const INDEXED: bool>(&mut self, own: usize) {
        self.depth -= 1;
        self.at += 1;
        if INDEXED {
            let next = self.nodes.len();
            if let Some(node) = self.nodes.get_mut(own) {
                node.close(self.at, next);
            }
        }
    }

    /// The contents are checked here; escapes are undone only when somebody asks.
    #[inline]
    fn string(&mut self) -> Result<Node, Broken> {
        let start = self.at;
        let Some(closing) = self.closings.next() else {
            return Err(self.bad_string(self.closings.stop()));
        };
        self.at = closing.at + 1;
        let begin = self.bytes.get(start + 1..start + 5);
        if let Some(begin) = begin.and_then(<[u8]>::first_chunk) {
            let begin = u32::from_le_bytes(*begin);
            let [one, other] = self.marks;
            if begin == one || begin == other {
                self.marked.push(offset(start));
            }
        }
        Ok(Node::string(start, self.at, closing.has_escapes))
    }

    /// The string that begins here cannot go on at `at`.
    #[cold]
    fn bad_string(&mut self, at: usize) -> Broken {
        let before = self.bytes.get(self.at + 1..at).unwrap_or_default();
        let row = before.iter().rev().take_while(|byte| **byte == b'\\');
        let is_escape = row.count() % 2 == 1;
        self.at = at - usize::from(is_escape);
        self.error(match self.bytes.get(at) {
            _ if is_escape => "an escape that JSON does not know",
            Some(_) => "a control character must be escaped in a string",
            None => "the document ends inside a string",
        })
    }

    fn number<const INDEXED: bool>(&mut self) -> Result<(), Broken> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(self.error("expected a digit behind the point"));
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return Err(self.error("expected a digit in the exponent"));
            }
        }
        self.record::<INDEXED>(Node::leaf(Kind::Number, start, self.at, false));
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    fn literal<const INDEXED: bool>(&mut self, word: &str, kind: Kind) -> Result<(), Broken> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        self.record::<INDEXED>(Node::leaf(kind, start, self.at, false));
        Ok(())
    }

    /// Refuses a name that occurs twice.
    #[cold]
    fn check_duplicates(&self, own: usize, members: usize) -> Result<(), Broken> {
        let keys = || super::doc::member_keys(&self.nodes, own);
        let mut seen = HashSet::new();
        for (nth, key) in keys().enumerate() {
            let is_repeated = if members <= PAIRWISE_MEMBERS {
                keys()
                    .take(nth)
                    .any(|earlier| earlier.means_the_same(key, self.bytes))
            } else {
                !seen.insert(key.characters(self.bytes))
            };
            if is_repeated {
                return Err(Box::new(SyntaxError {
                    offset: key.start(),
                    problem: format!(
                        "the name `{}` occurs twice in one object",
                        key.characters(self.bytes)
                    ),
                }));
            }
        }
        Ok(())
    }

    #[inline]
    fn record<const INDEXED: bool>(&mut self, node: Node) {
        if INDEXED {
            let next = self.nodes.len() + 1;
            self.nodes.push(node.with_next(next));
        }
    }

    /// The byte here; 0, which no document has between its tokens, at the end.
    #[inline]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// The byte behind white space, where it stops.
    #[inline]
    pub(super) fn token(&mut self) -> u8 {
        loop {
            let byte = self.byte();
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.at += 1;
        }
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    #[cold]
    pub(super) fn error(&self, problem: &str) -> Broken {
        Box::new(SyntaxError {
            offset: self.at,
            problem: problem.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_are_held_to_unique_names() {
        for (body, is_unique) in [
            (r#"{"a":1,"b":2}"#, true),
            (r#"{"a":1,"a":2}"#, false),
            (r#"[{"b":{"a":1,"\u0061":2}}]"#, false),
        ] {
            let body = ByteString::from(body);
            assert_eq!(scan(&body).is_ok(), is_unique, "{body}");
            let doc = scan_reply(&body, &[]).unwrap();
            assert_eq!(doc.root().raw(), &*body, "as it came");
        }
        assert!(scan_reply(&ByteString::from(r#"{"a":1,}"#), &[]).is_err());
    }

    #[test]
    fn marks_begin_a_string_anywhere() {
        for (body, expected) in [
            (r#"{"a":"lg1.x"}"#, true),
            (r#"{"a":["b",{"c":["lg1."]}]}"#, true),
            (r#"{"lg1.":1}"#, true),
            (r#"{"input":{"deep":["lg1.x"]}}"#, true),
            (r#"["bGcx"]"#, true),
            (r#"{"a":"lg1"}"#, false),
            (r#"["a lg1.x","\"lg1."]"#, false),
            (r#"["\u006cg1.","LG1.",1]"#, false),
        ] {
            let body = ByteString::from(body);
            let doc = scan_marked(&body, &["input"], [*b"lg1.", *b"bGcx"]).unwrap();
            assert_eq!(doc.has_mark(), expected, "{body}");
            assert!(!scan(&body).unwrap().has_mark(), "nobody asked");
        }
    }

    #[test]
    fn names_of_one_length_and_last_letter_are_compared() {
        let many: Vec<String> = (0..100).map(|n| format!(r#""name{n:03}":{n}"#)).collect();
        let body = |extra: &str| ByteString::from(format!("{{{}{extra}}}", many.join(",")));
        assert!(scan(&body("")).is_ok());
        let error = scan(&body(r#","name077":1"#)).unwrap_err();
        assert!(error.problem.contains("`name077` occurs twice"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        let far = "x".repeat(1000);
        for (body, expected) in [
            (
                "[\"a\u{1}\"]",
                "byte 3: a control character must be escaped in a string",
            ),
            (r#"["a\x"]"#, "byte 3: an escape that JSON does not know"),
            (r#"["a\u12"]"#, "byte 3: an escape that JSON does not know"),
            (r#"["a\"#, "byte 3: an escape that JSON does not know"),
            (r#"["a"#, "byte 3: the document ends inside a string"),
            (r#"[\"a"]"#, "byte 1: expected a value"),
            (r#"["a" "b"]"#, "byte 5: expected `,` or `]`"),
            ("[\u{1}]", "byte 1: expected a value"),
        ] {
            check_error(body, expected, 0);
            // The same far behind, where another window tells of it.
            let inner = body.get(1..).unwrap();
            let ahead = format!("[\"{far}\",");
            check_error(&format!("{ahead}{inner}"), expected, ahead.len() - 1);
        }
    }

    #[track_caller]
    fn check_error(body: &str, expected: &str, behind: usize) {
        let (offset, problem) = expected
            .strip_prefix("byte ")
            .unwrap()
            .split_once(": ")
            .unwrap();
        let error = scan(&ByteString::from(body)).unwrap_err();
        let offset = offset.parse::<usize>().unwrap() + behind;
        assert_eq!((error.offset, &*error.problem), (offset, problem), "{body}");
    }
}
