//! What a provider sends back, and how the bytes arrive.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

/// A scripted answer: a head, then acts in order.
///
/// A body made of SSE frames is sent chunked, one chunk and one write per piece; any other body has a content length.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) head: Head,
    pub(crate) acts: Vec<Act>,
}

#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// Nothing is written before the acts: they carry everything, or nothing at all.
    None,
    Http {
        status: u16,
        headers: Vec<(String, String)>,
        chunked: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Write(Bytes),
    Pause(Duration),
    /// Nothing more, with the connection open, until the client leaves.
    Stall,
    /// Ends the connection in an orderly way but without the end of the body.
    Cut,
    /// Ends the connection with a TCP reset.
    Reset,
}

impl Answer {
    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::text(status, "application/json", body.to_string())
    }

    /// A body of any type.
    pub fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Answer {
            head: Head::Http {
                status,
                headers,
                chunked: false,
            },
            acts: vec![Act::Write(body.into())],
        }
    }

    /// A stream of server-sent events: every item is one write, so frames may also be cut anywhere.
    pub fn sse<T: Into<Bytes>>(pieces: impl IntoIterator<Item = T>) -> Answer {
        let headers = vec![
            (
                "content-type".to_owned(),
                "text/event-stream; charset=utf-8".to_owned(),
            ),
            ("cache-control".to_owned(), "no-cache".to_owned()),
        ];
        let acts = pieces
            .into_iter()
            .map(|piece| Act::Write(piece.into()))
            .collect();
        Answer {
            head: Head::Http {
                status: 200,
                headers,
                chunked: true,
            },
            acts,
        }
    }

    /// Takes the request and never says a word.
    pub fn silence() -> Answer {
        Answer {
            head: Head::None,
            acts: vec![Act::Stall],
        }
    }

    /// These bytes and nothing else, head included; then the connection ends.
    pub fn raw(bytes: impl Into<Bytes>) -> Answer {
        Answer {
            head: Head::None,
            acts: vec![Act::Write(bytes.into()), Act::Cut],
        }
    }

    /// With another status.
    pub fn status(mut self, new: u16) -> Answer {
        if let Head::Http { status, .. } = &mut self.head {
            *status = new;
        }
        self
    }

    /// With a header, replacing one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        if let Head::Http { headers, .. } = &mut self.head {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same bytes, `size` of them a write.
    pub fn split_every(self, size: usize) -> Answer {
        let body = self.body();
        self.pieces(
            body.chunks(size.max(1))
                .map(Bytes::copy_from_slice)
                .collect(),
        )
    }

    /// The same bytes, cut at these offsets of the body.
    pub fn split_at(self, offsets: &[usize]) -> Answer {
        let body = Bytes::from(self.body());
        let mut pieces = Vec::new();
        let mut start = 0;
        for &offset in offsets.iter().filter(|offset| **offset < body.len()) {
            pieces.push(body.slice(start..offset));
            start = offset;
        }
        pieces.push(body.slice(start..));
        self.pieces(pieces)
    }

    /// A pause before every write.
    pub fn paced(mut self, pause: Duration) -> Answer {
        let paced = |act| match act {
            Act::Write(_) => vec![Act::Pause(pause), act],
            Act::Pause(_) | Act::Stall | Act::Cut | Act::Reset => vec![act],
        };
        self.acts = self.acts.into_iter().flat_map(paced).collect();
        self
    }

    /// Only the first `n` writes of the body; what follows is up to the next call.
    pub fn take(mut self, n: usize) -> Answer {
        self.acts.retain(|act| matches!(act, Act::Write(_)));
        self.acts.truncate(n);
        self
    }

    /// Then a pause.
    pub fn pause(self, pause: Duration) -> Answer {
        self.then(Act::Pause(pause))
    }

    /// Then another write.
    pub fn write(self, piece: impl Into<Bytes>) -> Answer {
        self.then(Act::Write(piece.into()))
    }

    /// Then the body of another answer, as that one would send it.
    pub fn followed_by(mut self, other: Answer) -> Answer {
        self.acts.extend(other.acts);
        self
    }

    /// Then nothing, with the connection open.
    pub fn stall(self) -> Answer {
        self.then(Act::Stall)
    }

    /// Then the end of the connection, without the end of the body.
    pub fn cut(self) -> Answer {
        self.then(Act::Cut)
    }

    /// Then a TCP reset.
    pub fn reset(self) -> Answer {
        self.then(Act::Reset)
    }

    /// The body compressed with gzip, in one piece.
    pub fn gzip(self) -> Answer {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder
            .write_all(&self.body())
            .expect("memory takes every write");
        let packed = encoder.finish().expect("memory takes every write");
        self.header("content-encoding", "gzip")
            .pieces(vec![packed.into()])
    }

    /// All bytes of the body, however they are cut.
    pub fn body(&self) -> Vec<u8> {
        let writes = self.acts.iter().filter_map(|act| match act {
            Act::Write(bytes) => Some(bytes),
            Act::Pause(_) | Act::Stall | Act::Cut | Act::Reset => None,
        });
        writes.flat_map(|bytes| bytes.iter().copied()).collect()
    }

    fn then(mut self, act: Act) -> Answer {
        self.acts.push(act);
        self
    }

    fn pieces(mut self, pieces: Vec<Bytes>) -> Answer {
        let rest: Vec<Act> = self
            .acts
            .into_iter()
            .filter(|act| !matches!(act, Act::Write(_)))
            .collect();
        self.acts = pieces.into_iter().map(Act::Write).chain(rest).collect();
        self
    }
}
