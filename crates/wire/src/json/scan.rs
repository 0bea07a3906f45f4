//! The single-pass scanner: validates a document and indexes its nodes as spans.

use std::collections::HashSet;

use bytestring::ByteString;

use super::doc::{Doc, Kind, Node};
use super::escape::is_unicode_escape;
use super::special::Ends;

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
    scan_as(body, opaque, Names::Unique)
}

/// Like [`scan_with_opaque`], for what upstreams and models write: a name may occur twice in one object. It is passed on
/// as it stands, and every reader behind decides for itself, as it would without a gateway.
///
/// # Errors
/// As [`scan`], except for names that occur twice.
pub fn scan_reply(body: &ByteString, opaque: &[&str]) -> Result<Doc, SyntaxError> {
    scan_as(body, opaque, Names::Any)
}

/// Whether a name may occur twice in one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Unique,
    Any,
}

fn scan_as(body: &ByteString, opaque: &[&str], names: Names) -> Result<Doc, SyntaxError> {
    let mut scanner = Scanner {
        text: body,
        bytes: body.as_bytes(),
        ends: Ends::new(body.as_bytes()),
        at: 0,
        depth: 0,
        names,
        opaque,
        nodes: Vec::with_capacity(expected_nodes(body.len())),
    };
    match scanner.document() {
        Ok(()) => Ok(Doc::new(body.clone(), scanner.nodes)),
        Err(error) => Err(*error),
    }
}

/// Room for the index: events of a stream have a node every eight bytes, long requests one every hundred.
fn expected_nodes(length: usize) -> usize {
    (length / 8).min(64) + length / 96 + 4
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    ends: Ends<'a>,
    at: usize,
    depth: usize,
    names: Names,
    opaque: &'a [&'a str],
    nodes: Vec<Node>,
}

/// An error on its way out; a pointer, so that what passes it on stays small.
type Broken = Box<SyntaxError>;

/// `INDEXED` is false inside opaque values, which are validated but leave no nodes.
impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Broken> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(self.error("the document is larger than 4 GiB"));
        }
        self.value::<true>()?;
        self.token();
        if self.at < self.bytes.len() {
            return Err(self.error("more follows behind the document"));
        }
        Ok(())
    }

    fn value<const INDEXED: bool>(&mut self) -> Result<(), Broken> {
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
        let mut members = 0_usize;
        if self.token() != b'}' {
            loop {
                if self.token() != b'"' {
                    return Err(self.error("expected a member name in double quotes"));
                }
                let key = self.string()?;
                self.record::<INDEXED>(key);
                if self.token() != b':' {
                    return Err(self.error("expected `:` behind the member name"));
                }
                self.at += 1;
                if INDEXED && self.is_opaque(&key) {
                    self.opaque_value()?;
                } else {
                    self.value::<INDEXED>()?;
                }
                members += 1;
                match self.token() {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return Err(self.error("expected `,` or `}`")),
                }
            }
        }
        self.finish::<INDEXED>(own);
        if INDEXED && members > 1 && self.names == Names::Unique {
            self.check_duplicates(own, members)?;
        }
        Ok(())
    }

    fn array<const INDEXED: bool>(&mut self) -> Result<(), Broken> {
        let own = self.begin::<INDEXED>(Kind::Array)?;
        if self.token() != b']' {
            loop {
                self.value::<INDEXED>()?;
                match self.token() {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return Err(self.error("expected `,` or `]`")),
                }
            }
        }
        self.finish::<INDEXED>(own);
        Ok(())
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

    fn is_opaque(&self, key: &Node) -> bool {
        let is_opaque = |name: &&str| key.is_spelled(name, self.bytes);
        self.opaque.iter().any(is_opaque)
    }

    /// At the opening bracket.
    #[inline]
    fn begin<const INDEXED: bool>(&mut self, kind: Kind) -> Result<usize, Broken> {
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
    fn finish<const INDEXED: bool>(&mut self, own: usize) {
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
        let has_escapes = self.contents()?;
        Ok(Node::string(start, self.at, has_escapes))
    }

    /// Reads to behind the closing quote; whether there are escapes.
    #[inline]
    fn contents(&mut self) -> Result<bool, Broken> {
        let mut at = self.at + 1;
        let mut has_escapes = false;
        loop {
            let stop = self.ends.next(at);
            has_escapes |= stop.has_escapes;
            match self.bytes.get(stop.at) {
                Some(b'"') => {
                    self.at = stop.at + 1;
                    return Ok(has_escapes);
                }
                Some(b'u') if is_unicode_escape(self.bytes, stop.at) => at = stop.at + 5,
                _ => return Err(self.bad_string(stop.at)),
            }
        }
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

    /// Refuses a name that occurs twice. Names of different lengths or last letters are told apart without comparing
    /// them; in most objects that is all of them.
    fn check_duplicates(&self, own: usize, members: usize) -> Result<(), Broken> {
        let keys = || super::doc::member_keys(&self.nodes, own);
        let mut seen = 0_u64;
        let is_clear = keys().all(|key| {
            let bit = key.bit(self.bytes);
            let is_new = bit.is_some_and(|bit| seen & bit == 0);
            seen |= bit.unwrap_or_default();
            is_new
        });
        if is_clear {
            return Ok(());
        }
        let mut seen = HashSet::new();
        for (nth, key) in keys().enumerate() {
            let is_repeated = if members <= PAIRWISE_MEMBERS {
                keys()
                    .take(nth)
                    .any(|earlier| earlier.means_the_same(key, self.text))
            } else {
                !seen.insert(key.characters(self.text))
            };
            if is_repeated {
                return Err(Box::new(SyntaxError {
                    offset: key.start(),
                    problem: format!(
                        "the name `{}` occurs twice in one object",
                        key.characters(self.text)
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
    fn token(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    #[cold]
    fn error(&self, problem: &str) -> Broken {
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
}
