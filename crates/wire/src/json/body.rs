//! A document's bytes and the text they are.
//!
//! Text that is known already is not looked through again for being UTF-8: where a received body is the same, byte for byte,
//! as one that was, the text is the other's, and only what stands between is validated.

use std::iter;
use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

/// A received body as text: in one piece, or put together.
#[derive(Debug, Clone)]
pub(super) struct Body {
    /// Its beginning; all of it, in most documents.
    text: ByteString,
    joint: Option<Box<Joint>>,
}

/// A body in pieces, most of them in another body's memory.
#[derive(Debug, Clone)]
struct Joint {
    received: Bytes,
    /// Those behind the first, by where they begin.
    pieces: Vec<(usize, ByteString)>,
}

impl From<ByteString> for Body {
    fn from(text: ByteString) -> Self {
        Self { text, joint: None }
    }
}

impl Body {
    /// A body of which some pieces are `known` as text: in their order, each with where it begins. They must stand there byte
    /// for byte. `None` if the rest is no text.
    pub(super) fn joined(received: &Bytes, known: Vec<(usize, ByteString)>) -> Option<Self> {
        let mut pieces = Vec::with_capacity(known.len() * 2 + 1);
        let mut at = 0;
        let fill = |at: usize, to: usize, pieces: &mut Vec<_>| {
            if at < to {
                let text = ByteString::try_from(received.slice(at..to)).ok()?;
                pieces.push((at, text));
            }
            Some(())
        };
        for (begin, text) in known {
            fill(at, begin, &mut pieces)?;
            at = begin + text.len();
            pieces.push((begin, text));
        }
        fill(at, received.len(), &mut pieces)?;
        let text = if pieces.is_empty() {
            ByteString::new()
        } else {
            pieces.remove(0).1
        };
        let received = received.clone();
        let joint = Some(Box::new(Joint { received, pieces }));
        Some(Self { text, joint })
    }

    /// As it came.
    pub(super) fn received(&self) -> &Bytes {
        match &self.joint {
            None => self.text.as_bytes(),
            Some(joint) => &joint.received,
        }
    }

    /// All of it, piece by piece: what was known is in the memory of the body that it was known from.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        let others = self.joint.iter().flat_map(|joint| &joint.pieces);
        iter::once(self.text.as_bytes()).chain(others.map(|(_, piece)| piece.as_bytes()))
    }

    /// A part of it. One that more than one piece holds is looked through once more.
    #[inline]
    pub(super) fn get(&self, span: Range<usize>) -> &str {
        match self.text.get(span.clone()) {
            Some(text) => text,
            None => self.elsewhere(&span).unwrap_or_default(),
        }
    }

    fn elsewhere(&self, span: &Range<usize>) -> Option<&str> {
        let joint = self.joint.as_deref()?;
        match joint.piece(span) {
            Some((begin, piece)) => piece.get(span.start - begin..span.end - begin),
            None => std::str::from_utf8(joint.received.get(span.clone())?).ok(),
        }
    }

    /// The same, sharing memory.
    pub(super) fn shared(&self, span: Range<usize>) -> ByteString {
        match self.text.get(span.clone()) {
            Some(text) => self.text.slice_ref(text),
            None => self.shared_elsewhere(&span).unwrap_or_default(),
        }
    }

    fn shared_elsewhere(&self, span: &Range<usize>) -> Option<ByteString> {
        let joint = self.joint.as_deref()?;
        let Some((begin, piece)) = joint.piece(span) else {
            let received = joint.received.get(span.clone())?;
            return ByteString::try_from(joint.received.slice_ref(received)).ok();
        };
        let text = piece.get(span.start - begin..span.end - begin)?;
        Some(piece.slice_ref(text))
    }

    /// The same in memory of its own.
    pub(super) fn detached(&self) -> Self {
        let mut text = String::with_capacity(self.received().len());
        text.push_str(&self.text);
        for (_, piece) in self.joint.iter().flat_map(|joint| &joint.pieces) {
            text.push_str(piece);
        }
        Self::from(ByteString::from(text))
    }
}

impl Joint {
    /// The piece that holds all of it, and where that begins.
    fn piece(&self, span: &Range<usize>) -> Option<(usize, &ByteString)> {
        let behind = (self.pieces).partition_point(|(begin, _)| *begin <= span.start);
        let (begin, piece) = self.pieces.get(behind.checked_sub(1)?)?;
        (span.end <= begin + piece.len()).then_some((*begin, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In every part the same as a body in one piece.
    #[track_caller]
    fn check(text: &str, known: &[[usize; 2]]) {
        let whole = Body::from(ByteString::from(text));
        let known = known
            .iter()
            .map(|&[from, to]| (from, ByteString::from(&text[from..to])));
        let joined = Body::joined(whole.received(), known.collect()).unwrap();
        assert_eq!(joined.received(), whole.received());
        assert_eq!(joined.detached().get(0..text.len()), text);
        for from in 0..=text.len() {
            for to in from..=text.len() + 1 {
                assert_eq!(joined.get(from..to), whole.get(from..to), "{from}..{to}");
                assert_eq!(joined.shared(from..to), whole.shared(from..to));
            }
        }
    }

    #[test]
    fn pieces_are_one_text() {
        let text = "{\"é\":[1,\"ä\"]}";
        let length = text.len();
        for known in [
            &[][..],
            &[[0, length]],
            &[[0, 1]],
            &[[length - 1, length]],
            &[[0, 5], [5, 7], [8, length]],
            &[[1, 5], [9, 12]],
            &[[1, 1]],
        ] {
            check(text, known);
        }
        check("", &[]);
    }

    #[test]
    fn what_is_known_is_shared_and_the_rest_is_looked_at() {
        let known = ByteString::from("é: ");
        let received = Bytes::from("é: \u{e4}".to_owned());
        let body = Body::joined(&received, vec![(0, known.clone())]).unwrap();
        assert!(std::ptr::eq(body.get(0..2), &known[0..2]));
        assert!(std::ptr::eq(&*body.shared(0..2), &known[0..2]));
        let broken = Bytes::from_static(b"\xc3\xa9: \xe4");
        assert!(Body::joined(&broken, vec![(0, known)]).is_none());
    }
}
