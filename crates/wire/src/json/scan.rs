//! The single-pass scanner: validates a document and indexes its nodes as spans.

use std::collections::HashSet;

use bytestring::ByteString;

use super::doc::{Doc, Kind, Node};
use super::escape::first_special;

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
        at: 0,
        depth: 0,
        names,
        opaque,
        opaque_depth: 0,
        nodes: Vec::with_capacity(expected_nodes(body.len())),
    };
    if u32::try_from(body.len()).is_err() {
        return Err(scanner.error("the document is larger than 4 GiB"));
    }
    scanner.skip_white_space();
    scanner.value()?;
    scanner.skip_white_space();
    if scanner.at < body.len() {
        return Err(scanner.error("more follows behind the document"));
    }
    Ok(Doc::new(body.clone(), scanner.nodes))
}

/// Room for the index: events of a stream have a node every eight bytes, long requests one every hundred.
fn expected_nodes(length: usize) -> usize {
    (length / 8).min(64) + length / 96 + 4
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    names: Names,
    opaque: &'a [&'a str],
    /// How many opaque values enclose the current position; no nodes are recorded while it is not zero.
    opaque_depth: usize,
    nodes: Vec<Node>,
}

impl Scanner<'_> {
    fn value(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                let node = self.string()?;
                self.record(node);
                Ok(())
            }
            Some(b't') => self.literal("true", Kind::Bool),
            Some(b'f') => self.literal("false", Kind::Bool),
            Some(b'n') => self.literal("null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("the document ends where a value should be")),
        }
    }

    fn object(&mut self) -> Result<(), SyntaxError> {
        let own = self.begin(Kind::Object)?;
        let mut members = 0_usize;
        if !self.eat_after_space(b'}') {
            loop {
                self.skip_white_space();
                if self.peek() != Some(b'"') {
                    return Err(self.error("expected a member name in double quotes"));
                }
                let key = self.string()?;
                let is_opaque = self.is_opaque(&key);
                self.record(key);
                self.skip_white_space();
                if !self.eat(b':') {
                    return Err(self.error("expected `:` behind the member name"));
                }
                self.skip_white_space();
                self.member_value(is_opaque)?;
                members += 1;
                if self.eat_after_space(b'}') {
                    break;
                }
                if !self.eat(b',') {
                    return Err(self.error("expected `,` or `}`"));
                }
            }
        }
        self.finish(own);
        self.check_duplicates(own, members)
    }

    /// The value of a member; of an opaque one only its own node is recorded.
    fn member_value(&mut self, is_opaque: bool) -> Result<(), SyntaxError> {
        if !is_opaque || self.opaque_depth > 0 {
            return self.value();
        }
        let kind = match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            _ => return self.value(),
        };
        let start = self.at;
        self.opaque_depth += 1;
        self.value()?;
        self.opaque_depth -= 1;
        self.record(Node::leaf(kind, start, self.at, true));
        Ok(())
    }

    fn is_opaque(&self, key: &Node) -> bool {
        !self.opaque.is_empty() && self.opaque.contains(&key.inner(self.text))
    }

    fn array(&mut self) -> Result<(), SyntaxError> {
        let own = self.begin(Kind::Array)?;
        if !self.eat_after_space(b']') {
            loop {
                self.skip_white_space();
                self.value()?;
                if self.eat_after_space(b']') {
                    break;
                }
                if !self.eat(b',') {
                    return Err(self.error("expected `,` or `]`"));
                }
            }
        }
        self.finish(own);
        Ok(())
    }

    fn begin(&mut self, kind: Kind) -> Result<usize, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(&format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let own = self.nodes.len();
        self.record(Node::leaf(kind, self.at, self.at, false));
        self.at += 1;
        Ok(own)
    }

    fn finish(&mut self, own: usize) {
        self.depth -= 1;
        if self.opaque_depth == 0 {
            let next = self.nodes.len();
            if let Some(node) = self.nodes.get_mut(own) {
                node.close(self.at, next);
            }
        }
    }

    /// The contents are checked here; escapes are undone only when somebody asks.
    fn string(&mut self) -> Result<Node, SyntaxError> {
        let start = self.at;
        let mut has_escapes = false;
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += first_special(rest);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Node::string(start, self.at, has_escapes));
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => {
                    return Err(self.error("a control character must be escaped in a string"));
                }
                None => return Err(self.error("the document ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let tail = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = match tail.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u')
                if tail
                    .get(2..6)
                    .is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) =>
            {
                6
            }
            _ => return Err(self.error("an escape that JSON does not know")),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
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
        self.record(Node::leaf(Kind::Number, start, self.at, false));
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<(), SyntaxError> {
        let start = self.at;
        if !self
            .text
            .as_bytes()
            .get(start..)
            .unwrap_or_default()
            .starts_with(word.as_bytes())
        {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        self.record(Node::leaf(kind, start, self.at, false));
        Ok(())
    }

    fn check_duplicates(&self, own: usize, members: usize) -> Result<(), SyntaxError> {
        if self.names == Names::Any || self.opaque_depth > 0 || members < 2 {
            return Ok(());
        }
        let keys = || super::doc::member_keys(&self.nodes, own);
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
                return Err(SyntaxError {
                    offset: key.start(),
                    problem: format!(
                        "the name `{}` occurs twice in one object",
                        key.characters(self.text)
                    ),
                });
            }
        }
        Ok(())
    }

    fn record(&mut self, node: Node) {
        if self.opaque_depth == 0 {
            let next = self.nodes.len() + 1;
            self.nodes.push(node.with_next(next));
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn eat_after_space(&mut self, byte: u8) -> bool {
        self.skip_white_space();
        self.eat(byte)
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn error(&self, problem: &str) -> SyntaxError {
        SyntaxError {
            offset: self.at,
            problem: problem.to_owned(),
        }
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
