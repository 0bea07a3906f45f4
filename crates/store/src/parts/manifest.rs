//! What an exchange's bodies are made of: a small blob beside its row.
//!
//! ```text
//! number of bodies, and of each: u8 kind | attempt | [u8; 16] digest | spans | spans of its arrivals
//! ```
//!
//! Numbers are LEB128. Spans are mostly near each other: the parts that a translated request has of its own, one behind the
//! other, in between those that came from the client, which lie somewhere else. So their number is followed, for each span, by
//! where it begins and by its length, and where it begins is told by what [`Near`] knows. Earlier versions wrote three numbers,
//! and mark themselves by another code for the kind of body.

use std::ops::Range;

use crate::leb128::{folded, put, take, unfolded};
use crate::record::BodyKind;

use super::key::{Key, key};

/// What a body's places mostly take.
const ROOM: usize = 512;

/// Set in the code of a body's kind: its spans are told by [`Near`].
const NEAR: u8 = 1 << 4;

/// Bytes of a frame, uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where in the segment file the frame begins.
    pub frame: u32,
    /// Where in the frame the bytes begin.
    pub start: u32,
    /// How many.
    pub length: u32,
}

/// A body that was put into a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub kind: BodyKind,
    pub attempt: u16,
    pub spans: Vec<Span>,
    /// Where the encoded arrivals are.
    pub arrivals: Vec<Span>,
}

impl Placed {
    /// Length of the body in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.spans.iter().map(|span| u64::from(span.length)).sum()
    }
}

/// One body of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of its segment and places; of its parts in records of earlier versions. Bodies with equal digests are equal.
    pub digest: Key,
    pub placed: Placed,
}

/// The bodies of an exchange that one segment holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Manifest {
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// The manifest of bodies that were put into a segment.
    pub(crate) fn encode(segment: i64, bodies: &[Placed]) -> Vec<u8> {
        let mut out = Vec::with_capacity(ROOM * bodies.len());
        put(&mut out, bodies.len() as u64);
        let mut places = Vec::with_capacity(ROOM);
        for body in bodies {
            places.clear();
            places.extend_from_slice(&segment.to_le_bytes());
            put_spans(&mut places, &body.spans);
            out.push(code(body.kind) | NEAR);
            put(&mut out, u64::from(body.attempt));
            out.extend_from_slice(&key(&places));
            out.extend_from_slice(places.get(size_of_val(&segment)..).unwrap_or_default());
            put_spans(&mut out, &body.arrivals);
        }
        out
    }

    /// Two manifests of a segment as one; `None` if either is none.
    pub(crate) fn join(mut one: &[u8], mut other: &[u8]) -> Option<Vec<u8>> {
        let count = take(&mut one)? + take(&mut other)?;
        let mut out = Vec::with_capacity(2 + one.len() + other.len());
        put(&mut out, count);
        out.extend_from_slice(one);
        out.extend_from_slice(other);
        Some(out)
    }

    /// `None` if the bytes are no manifest.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let mut entries = Vec::new();
        for _ in 0..take(from)? {
            let (kind, rest) = from.split_first()?;
            *from = rest;
            let attempt = u16::try_from(take(from)?).ok()?;
            let (digest, rest) = from.split_first_chunk::<16>()?;
            *from = rest;
            let take_spans = match kind & NEAR {
                NEAR => take_spans,
                _ => take_older_spans,
            };
            let kind = BodyKind::ALL
                .into_iter()
                .find(|known| code(*known) == kind & !NEAR)?;
            entries.push(Entry {
                digest: *digest,
                placed: Placed {
                    kind,
                    attempt,
                    spans: take_spans(from)?,
                    arrivals: take_spans(from)?,
                },
            });
        }
        from.is_empty().then_some(Self { entries })
    }
}

/// Appends a span, as part of the last one where it goes on from there.
pub(crate) fn join(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.frame == span.frame && last.start + last.length == span.start => {
            last.length += span.length;
        }
        _ => spans.push(span),
    }
}

/// The spans of the bytes that lie within a range of those that all spans have.
pub(crate) fn within(spans: &[Span], range: Range<usize>) -> impl Iterator<Item = Span> {
    let mut at = 0;
    spans.iter().filter_map(move |span| {
        let begin = at;
        at += span.length as usize;
        let (from, to) = (range.start.max(begin), range.end.min(at));
        (from < to).then(|| Span {
            frame: span.frame,
            start: span.start + (from - begin) as u32,
            length: (to - from) as u32,
        })
    })
}

const fn code(kind: BodyKind) -> u8 {
    match kind {
        BodyKind::ClientRequest => 1,
        BodyKind::ProviderRequest => 2,
        BodyKind::ProviderResponse => 3,
        BodyKind::ClientResponse => 4,
    }
}

/// Where the last two spans ended, by frame and place in it. Before the first that is the beginning of the file.
#[derive(Debug, Clone, Copy, Default)]
struct Near {
    last: (u32, u32),
    before: (u32, u32),
}

/// From where it is told where a span begins: the two lowest bits of a number. Above them stands how far behind the end of the
/// last span, or of the one before it, it begins in the same frame; or else how far behind the last frame its own begins, and
/// its place in that follows.
const LAST: u64 = 0;
const BEFORE: u64 = 1;
const FRAME: u64 = 2;
const FROM_BITS: u32 = 2;

impl Near {
    /// From where a span is, and how far.
    fn told(self, span: &Span) -> u64 {
        let behind = |at: u32, end: u32| folded(i64::from(at) - i64::from(end)) << FROM_BITS;
        let ends = [(self.last, LAST), (self.before, BEFORE)].into_iter();
        let same_frame = ends.filter(|((frame, _), _)| *frame == span.frame);
        let nearest = same_frame.map(|((_, end), from)| behind(span.start, end) | from);
        let elsewhere = || behind(span.frame, self.last.0) | FRAME;
        nearest.min().unwrap_or_else(elsewhere)
    }

    /// A span ended there.
    fn ended(&mut self, span: &Span) {
        self.before = self.last;
        self.last = (span.frame, span.start.saturating_add(span.length));
    }
}

fn put_spans(out: &mut Vec<u8>, spans: &[Span]) {
    put(out, spans.len() as u64);
    let mut near = Near::default();
    for span in spans {
        let told = near.told(span);
        put(out, told);
        if told & FRAME != 0 {
            put(out, u64::from(span.start));
        }
        put(out, u64::from(span.length));
        near.ended(span);
    }
}

fn take_spans(from: &mut &[u8]) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    let mut near = Near::default();
    for _ in 0..take(from)? {
        let told = take(from)?;
        let behind = |(frame, end): (u32, u32)| {
            let start = unfolded(told >> FROM_BITS).checked_add(i64::from(end))?;
            Some((frame, u32::try_from(start).ok()?))
        };
        let (frame, start) = match told & ((1 << FROM_BITS) - 1) {
            LAST => behind(near.last)?,
            BEFORE => behind(near.before)?,
            FRAME => {
                let (_, frame) = behind((0, near.last.0))?;
                (frame, u32::try_from(take(from)?).ok()?)
            }
            _ => return None,
        };
        let span = Span {
            frame,
            start,
            length: u32::try_from(take(from)?).ok()?,
        };
        near.ended(&span);
        spans.push(span);
    }
    Some(spans)
}

fn take_older_spans(from: &mut &[u8]) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for _ in 0..take(from)? {
        let mut number = || u32::try_from(take(from)?).ok();
        spans.push(Span {
            frame: number()?,
            start: number()?,
            length: number()?,
        });
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let any_span = (any::<u32>(), any::<u32>(), any::<u32>());
        let span = prop_oneof![any_span, (0..4_u32, 0..40_u32, 0..9_u32)];
        let span = span.prop_map(|(frame, start, length)| Span {
            frame,
            start,
            length,
        });
        proptest::collection::vec(span, 0..9)
    }

    proptest! {
        #[test]
        fn manifests_come_back(
            segment in any::<i64>(), bodies in proptest::collection::vec((0..4_usize, any::<u16>(), spans(), spans()), 0..5),
        ) {
            let bodies = bodies.into_iter().map(|(kind, attempt, spans, arrivals)| Placed {
                kind: BodyKind::ALL[kind], attempt, spans, arrivals,
            });
            let bodies: Vec<Placed> = bodies.collect();
            let bytes = Manifest::encode(segment, &bodies);
            let placed = |bytes: &[u8]| -> Option<Vec<Placed>> {
                let manifest = Manifest::decode(bytes)?;
                Some(manifest.entries.into_iter().map(|entry| entry.placed).collect())
            };
            prop_assert_eq!(placed(&bytes), Some(bodies.clone()));
            for cut in 0..bytes.len() {
                prop_assert_eq!(placed(&bytes[..cut]), None);
            }
            let both = Manifest::join(&bytes, &bytes).unwrap();
            prop_assert_eq!(placed(&both), Some([bodies.as_slice(), &bodies].concat()));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::decode(&bytes);
        }
    }

    /// A translated request, of which every second part is the client's.
    #[test]
    fn what_lies_in_turn_in_two_places_takes_little() {
        let check = |frames: [u32; 2], begin: u32| {
            let spans = (0..60).map(|n| match n % 2 {
                0 => Span {
                    frame: frames[0],
                    start: 300 * n,
                    length: 580,
                },
                _ => Span {
                    frame: frames[1],
                    start: begin + 40 * (n / 2),
                    length: 40,
                },
            });
            let spans: Vec<Span> = spans.collect();
            let mut out = Vec::new();
            put_spans(&mut out, &spans);
            assert!(out.len() < 60 * 3 + 20, "{}", out.len());
            assert_eq!(take_spans(&mut out.as_slice()), Some(spans));
        };
        check([1_000_000, 1_200_000], 0);
        check([1_000_000; 2], 120_000);
    }

    #[test]
    fn those_of_earlier_versions_are_read() {
        let placed = |frame, start| Span {
            frame,
            start,
            length: 200,
        };
        let spans = vec![placed(16, 5), placed(70_000, 0)];
        let mut bytes = vec![1, code(BodyKind::ProviderRequest), 3];
        bytes.extend_from_slice(&[7; 16]);
        bytes.push(2);
        for span in &spans {
            for number in [span.frame, span.start, span.length] {
                put(&mut bytes, number.into());
            }
        }
        bytes.push(0);
        let entry = Entry {
            digest: [7; 16],
            placed: Placed {
                kind: BodyKind::ProviderRequest,
                attempt: 3,
                spans,
                arrivals: Vec::new(),
            },
        };
        let entries = vec![entry];
        assert_eq!(Manifest::decode(&bytes), Some(Manifest { entries }));
    }

    /// Bodies that lie elsewhere have other digests.
    #[test]
    fn digests_tell_bodies_apart() {
        let digest = |segment, start| {
            let body = Placed {
                kind: BodyKind::ClientRequest,
                attempt: 0,
                spans: vec![Span {
                    frame: 16,
                    start,
                    length: 9,
                }],
                arrivals: Vec::new(),
            };
            let manifest = Manifest::encode(segment, &[body]);
            Manifest::decode(&manifest).unwrap().entries[0].digest
        };
        assert_eq!(digest(1, 7), digest(1, 7));
        assert_ne!(digest(1, 7), digest(2, 7));
        assert_ne!(digest(1, 7), digest(1, 8));
    }

    #[test]
    fn neighbours_merge() {
        let span = |frame, start, length| Span {
            frame,
            start,
            length,
        };
        let mut all = Vec::new();
        for next in [span(0, 0, 5), span(0, 5, 2), span(0, 8, 1), span(9, 9, 1)] {
            join(&mut all, next);
        }
        assert_eq!(all, [span(0, 0, 7), span(0, 8, 1), span(9, 9, 1)]);
        let check = |range, expected: &[Span]| {
            assert_eq!(within(&all, range).collect::<Vec<_>>(), expected);
        };
        check(0..9, &all);
        check(0..0, &[]);
        check(3..7, &[span(0, 3, 4)]);
        check(6..9, &[span(0, 6, 1), span(0, 8, 1), span(9, 9, 1)]);
    }
}
