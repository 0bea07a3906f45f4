//! A request's body as it goes out, which need not be in one piece: a received body with another name for its model is most
//! of it the very bytes that came.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};

/// A body of known length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload {
    /// In order; those that were sent are empty.
    pieces: [Bytes; 3],
}

impl Payload {
    /// All of it, copied together where it has several pieces.
    pub(crate) fn whole(&self) -> Bytes {
        let mut pieces = self.pieces.iter().filter(|piece| !piece.is_empty());
        match (pieces.next(), pieces.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only.clone(),
            _ => {
                let mut whole = BytesMut::with_capacity(self.len());
                for piece in &self.pieces {
                    whole.extend_from_slice(piece);
                }
                whole.freeze()
            }
        }
    }

    /// What it is made of, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter().filter(|piece| !piece.is_empty())
    }

    fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

impl From<Bytes> for Payload {
    fn from(whole: Bytes) -> Self {
        Self::from([whole, Bytes::new(), Bytes::new()])
    }
}

/// What is cut is cut around a whole JSON value, where no secret reaches over a border: the record masks a piece that it has
/// not seen before on its own.
impl From<[Bytes; 3]> for Payload {
    fn from(pieces: [Bytes; 3]) -> Self {
        Self { pieces }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut pieces = self.pieces.iter_mut();
        let next = pieces.find(|piece| !piece.is_empty());
        Poll::Ready(next.map(|piece| Ok(Frame::data(std::mem::take(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn every_byte_goes_out_once_and_the_length_is_told() {
        for pieces in [["a", "bc", "def"], ["", "bc", ""], ["a", "", "d"], [""; 3]] {
            let mut payload =
                Payload::from(pieces.map(|piece| Bytes::from_static(piece.as_bytes())));
            let all = pieces.concat();
            assert_eq!(payload.whole(), all);
            let mut sent = Vec::new();
            while !payload.is_end_stream() {
                let left = (all.len() - sent.len()) as u64;
                assert_eq!(payload.size_hint().exact(), Some(left));
                let frame = payload.frame().await.unwrap().unwrap();
                sent.extend_from_slice(&frame.into_data().unwrap());
            }
            assert!(payload.frame().await.is_none());
            assert_eq!(sent, all.as_bytes());
        }
        let whole = Bytes::from_static(b"whole");
        assert_eq!(Payload::from(whole.clone()).whole(), whole);
    }
}
