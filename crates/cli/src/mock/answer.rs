//! What is sent back, and how its bytes arrive.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use lingate_store::Bytes;

use super::pace::Pace;
use crate::cassette::Sent;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Before the head is sent.
    pub(super) pause: Duration,
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// Some bytes after a pause.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) pause: Duration,
    pub(super) bytes: Bytes,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// The connection ends without the end of the body.
    Cut,
    /// The same, by a TCP reset.
    Reset,
    /// Nothing more, with the connection open.
    Stall,
    /// Not even a head: the connection ends.
    Refused,
    /// Not even a head, with the connection open.
    Silence,
}

impl Answer {
    /// A body in one piece.
    pub(super) fn whole(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))],
            pause: Duration::ZERO,
            steps: vec![Step::now(body)],
            end: End::Whole,
        }
    }

    /// A stream of server-sent events.
    pub(super) fn stream(events: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            steps: events.into_iter().map(Step::now).collect(),
            ..Self::whole(200, "text/event-stream; charset=utf-8", "")
        }
    }

    /// What a provider answered once; `None` if its body was not kept.
    pub(super) fn recorded(sent: &Sent, pace: Pace) -> Option<Self> {
        let Some(status) = sent.status else {
            return Some(Self {
                end: End::Refused,
                ..Self::whole(502, "text/plain", "")
            });
        };
        let body = Bytes::from(sent.response.as_ref()?.bytes()?);
        let headers = sent.response_headers.iter();
        let headers = headers.filter(|header| is_sent(&header.0));
        let headers =
            headers.filter_map(|header| Some((header.0.parse().ok()?, header.1.parse().ok()?)));
        Some(Self {
            status,
            headers: headers.collect(),
            pause: pace.of(Duration::from_micros(sent.head_us)),
            steps: steps(&body, sent, pace),
            end: if sent.is_cut { End::Cut } else { End::Whole },
        })
    }

    /// All bytes of the body.
    pub(super) fn body(&self) -> Vec<u8> {
        let pieces = self
            .steps
            .iter()
            .flat_map(|step| step.bytes.iter().copied());
        pieces.collect()
    }
}

impl Step {
    pub(super) fn now(bytes: impl Into<Bytes>) -> Self {
        Self {
            pause: Duration::ZERO,
            bytes: bytes.into(),
        }
    }
}

/// The server writes how the body is framed and when; a body is kept without its encoding.
fn is_sent(name: &str) -> bool {
    !matches!(
        name,
        "content-length"
            | "content-encoding"
            | "transfer-encoding"
            | "connection"
            | "date"
            | "keep-alive"
    )
}

/// The body in the pieces in which it came.
fn steps(body: &Bytes, sent: &Sent, pace: Pace) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut from = 0;
    let mut at = sent.head_us;
    let rest = (body.len() as u64, at);
    for (end, at_us) in sent.arrivals.iter().copied().chain([rest]) {
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(body.len());
        if end <= from {
            continue;
        }
        steps.push(Step {
            pause: pace.of(Duration::from_micros(at_us.saturating_sub(at))),
            bytes: body.slice(from..end),
        });
        (from, at) = (end, at.max(at_us));
    }
    steps
}

#[cfg(test)]
mod tests {
    use lingate_store::Header;

    use super::*;
    use crate::cassette::Content;

    #[test]
    fn what_was_recorded_comes_in_the_same_pieces_at_the_same_times() {
        let sent = Sent {
            status: Some(200),
            response: Some(Content::of(b"onetwothree!".to_vec())),
            response_headers: [
                ("content-type", "text/event-stream"),
                ("content-encoding", "gzip"),
                ("x-request-id", "7"),
            ]
            .map(|(name, value)| Header(name.into(), value.into()))
            .into(),
            head_us: 1000,
            arrivals: vec![(3, 2000), (6, 5000), (6, 6000), (11, 4000)],
            is_cut: true,
            ..Sent::default()
        };
        let answer = Answer::recorded(&sent, Pace::Times(0.5)).unwrap();
        assert_eq!(
            (answer.status, answer.pause, answer.end),
            (200, Duration::from_millis(2), End::Cut)
        );
        let names: Vec<_> = answer
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["content-type", "x-request-id"]);
        let steps: Vec<_> = answer
            .steps
            .iter()
            .map(|step| (step.pause.as_millis(), &*step.bytes))
            .collect();
        assert_eq!(
            steps,
            [(2, &b"one"[..]), (6, b"two"), (0, b"three"), (0, b"!")]
        );
        assert_eq!(answer.body(), b"onetwothree!");
    }

    #[test]
    fn what_was_not_kept_cannot_be_played() {
        let mut sent = Sent {
            status: Some(200),
            ..Sent::default()
        };
        assert_eq!(Answer::recorded(&sent, Pace::Max), None);
        sent.status = None;
        assert_eq!(
            Answer::recorded(&sent, Pace::Max).map(|answer| answer.end),
            Some(End::Refused)
        );
    }
}
