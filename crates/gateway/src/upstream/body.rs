//! An upstream's body, read piece by piece or whole up to a cap.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::{Instant, Sleep, sleep};

use super::decoding::{Decoding, PIECE};
use super::demo::Step;
use super::played::PlayedBody;
use crate::clock;
use crate::record::Tape;

/// Most bytes of a reply that is read whole.
pub(crate) const WHOLE_CAP: usize = 64 * 1024 * 1024;

/// Where the bytes of a reply come from.
pub(crate) enum UpstreamBody {
    /// A provider.
    Http(Incoming, Encoded),
    /// The built-in demo.
    Demo(DemoBody),
    /// The record.
    Played(PlayedBody),
    /// Nowhere: all of it has been read.
    Empty,
}

/// What undoes a body's encoding, and what has come and is not decoded.
pub(crate) struct Encoded {
    decoding: Decoding,
    waiting: Bytes,
    /// When the last piece was given out.
    came_at: Instant,
    /// Hears what is given out.
    tape: Option<Arc<Tape>>,
}

impl Encoded {
    /// The next decoded piece, never empty; `None` when more has to come.
    fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        while !self.waiting.is_empty() {
            let piece = match self.decoding {
                Decoding::Identity => std::mem::take(&mut self.waiting),
                _ => self.waiting.split_to(PIECE.min(self.waiting.len())),
            };
            match self.decoding.push(piece) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => {
                    self.came_at = clock::now();
                    if let Some(tape) = &self.tape {
                        tape.note(&bytes, self.came_at);
                    }
                    return Some(Ok(bytes));
                }
                Err(failure) => {
                    self.ended(Some(&failure));
                    return Some(Err(failure));
                }
            }
        }
        None
    }

    /// No more comes.
    fn ended(&self, failure: Option<&Failure>) {
        if let Some(tape) = &self.tape {
            tape.ended(failure);
        }
    }
}

/// A scripted body, at its own pace.
pub(crate) struct DemoBody {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
    tape: Option<Arc<Tape>>,
}

impl DemoBody {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self {
            steps: steps.into(),
            pause: None,
            tape: None,
        }
    }

    /// Cancel safe: a pause that was begun goes on at the next call.
    async fn chunk(&mut self) -> Option<Bytes> {
        let Some(step) = self.steps.front() else {
            if let Some(tape) = &self.tape {
                tape.ended(None);
            }
            return None;
        };
        self.pause
            .get_or_insert_with(|| Box::pin(sleep(step.pause)))
            .await;
        self.pause = None;
        let bytes = self.steps.pop_front()?.bytes;
        if let Some(tape) = &self.tape {
            tape.note(&bytes, clock::now());
        }
        Some(bytes)
    }
}

impl UpstreamBody {
    /// A provider's answer, encoded as its head says.
    pub(crate) fn http(body: Incoming, decoding: Decoding) -> Self {
        let encoded = Encoded {
            decoding,
            waiting: Bytes::new(),
            came_at: clock::now(),
            tape: None,
        };
        Self::Http(body, encoded)
    }

    /// Has everything that it gives out heard by `tape`.
    pub(crate) fn recorded(&mut self, tape: Option<Arc<Tape>>) {
        match self {
            Self::Http(_, encoded) => encoded.tape = tape,
            Self::Demo(body) => body.tape = tape,
            Self::Played(_) | Self::Empty => {}
        }
    }

    /// When the last piece came: one reading of the clock for all who want to know.
    pub(crate) fn came_at(&self) -> Instant {
        match self {
            Self::Http(_, encoded) => encoded.came_at,
            Self::Demo(_) | Self::Played(_) | Self::Empty => clock::now(),
        }
    }

    /// The next piece; `None` at the end. Cancel safe.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            let (body, encoded) = match self {
                Self::Http(body, encoded) => (body, encoded),
                Self::Demo(body) => return body.chunk().await.map(Ok),
                Self::Played(body) => return body.chunk().await,
                Self::Empty => return None,
            };
            if let Some(piece) = encoded.next() {
                return Some(piece);
            }
            let Some(frame) = body.frame().await else {
                encoded.ended(None);
                return None;
            };
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => encoded.waiting = data,
                // Trailers carry nothing that any wire uses.
                Ok(Err(_trailers)) => {}
                Err(error) => {
                    let failure = cut(&error);
                    encoded.ended(Some(&failure));
                    return Some(Err(failure));
                }
            }
        }
    }

    /// Reads what is left, up to `cap` bytes.
    pub(crate) async fn whole(&mut self, cap: usize) -> Result<Bytes, Failure> {
        self.whole_behind(Bytes::new(), cap).await
    }

    /// Reads what is left behind `first`, up to `cap` bytes in all.
    pub(crate) async fn whole_behind(
        &mut self,
        mut first: Bytes,
        cap: usize,
    ) -> Result<Bytes, Failure> {
        let mut rest = BytesMut::new();
        while let Some(chunk) = self.chunk().await {
            let chunk = chunk?;
            if first.len() + rest.len() + chunk.len() > cap {
                return Err(Failure::new(
                    FailureKind::Malformed,
                    format!("the upstream's reply is larger than {cap} bytes"),
                ));
            }
            if first.is_empty() && rest.is_empty() {
                first = chunk;
            } else {
                if rest.is_empty() {
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&chunk);
            }
        }
        Ok(if rest.is_empty() {
            first
        } else {
            rest.freeze()
        })
    }
}

fn cut(error: &hyper::Error) -> Failure {
    Failure::new(
        FailureKind::Truncated,
        format!("the connection to the upstream broke: {}", chain_of(error)),
    )
}

/// An error and its causes in one line.
pub(crate) fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}
