//! A segment file that is being written: bodies gather in memory for a group, then go out in one write and one sync.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;

use crate::Error;
use crate::Mask;
use crate::differences::{Part, Streamed};
use crate::parts::{Keyed, Known, Placed, Recent, Seen, Shared, Span, is_json, join, within};
use crate::place::{Place, private_file, sync_dir};
use crate::record::{Body, BodyBytes, BodyKind};

use super::content::Content;
use super::frame;

/// First bytes of every segment file, so that nobody takes it for something else.
const TITLE: &[u8; 16] = b"lingate bodies1\n";

/// One of zstd's quick levels, without entropy coding of what does not repeat: the larger saving is in not writing parts
/// twice, nor what surrounds the text of events. The next slower one makes segments 6 % smaller, and takes a seventh more.
const LEVEL: i32 = -3;

/// What is shorter is not looked for. With what surrounds them left out, texts lie side by side, and repeat in words. Six
/// makes segments a twentieth larger.
const SHORTEST: u32 = 5;

/// Shorter requests are copied before they are kept at hand: they may be slices of much larger buffers.
const COPIED: usize = 16 << 10;

/// Places that a request may have more than the one it is like, before the list of them has to move.
const ROOM: usize = 8;

/// Most bytes between slices of another body.
const BETWEEN: usize = 4 << 10;

/// Writes one segment file.
pub(crate) struct Appender {
    number: i64,
    file: File,
    tail: Tail,
    /// Parts this segment holds.
    known: Known,
    /// Requests seen last.
    recent: Recent,
    /// What a provider replied last in this group, and where it was put.
    reply: Option<(Streamed, Vec<Span>)>,
    /// What they were masked by.
    mask: Mask,
}

/// What the group at hand adds.
struct Tail {
    /// Bytes on disk, which rows refer to.
    committed: u64,
    /// Whole frames behind them.
    pending: Vec<u8>,
    /// The content of the frame that follows.
    content: Content,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Appender {
    /// Begins a segment.
    pub(crate) fn create(place: &Place, number: i64, mask: &Mask) -> Result<Self, Error> {
        let path = place.segment(number);
        let file = private_file(&path).map_err(Error::io(&path))?;
        file.set_len(0).map_err(Error::io(&path))?;
        sync_dir(&place.segments()).map_err(Error::io(place.segments()))?;
        let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(Error::io(&path))?;
        compressor
            .set_parameter(zstd::zstd_safe::CParameter::MinMatch(SHORTEST))
            .map_err(Error::io(&path))?;
        let tail = Tail {
            committed: 0,
            pending: TITLE.to_vec(),
            content: Content::default(),
            compressor,
        };
        Ok(Self {
            number,
            file,
            tail,
            known: Known::default(),
            recent: Recent::default(),
            reply: None,
            mask: mask.clone(),
        })
    }

    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// How long the file is at most once the group is written.
    pub(crate) fn length(&self) -> u64 {
        self.tail.frame() + self.tail.content.len() as u64
    }

    /// Other secrets are known from here on. What was written without masking them is not referred to any more,
    /// and what was cut without knowing them not gone on with.
    pub(crate) fn mask_by(&mut self, mask: &Mask) {
        if !self.mask.is_same(mask) {
            self.mask = mask.clone();
            self.known = Known::default();
            self.recent = Recent::default();
            self.reply = None;
        }
    }

    /// Adds a body of a conversation. What it is made of is on disk after [`Self::sync`].
    pub(crate) fn add(&mut self, body: &Body, session: Option<&str>) -> io::Result<Placed> {
        let mut arrivals = Vec::new();
        let spans = match &body.bytes {
            BodyBytes::Pieces(pieces) => self.whole(body, pieces, session)?,
            BodyBytes::Streamed(streamed) => {
                let spans = self.reply(body.kind, streamed)?;
                let stored = streamed.arrivals_stored().into_iter();
                for part in stored.flat_map(|bytes| bytes.chunks(frame::MAX_CONTENT)) {
                    join(&mut arrivals, self.tail.put(part)?);
                }
                spans
            }
        };
        Ok(Placed {
            kind: body.kind,
            attempt: body.attempt,
            spans,
            arrivals,
        })
    }

    /// A body that was there whole. Of a request nearly everything was sent before.
    fn whole(
        &mut self,
        body: &Body,
        pieces: &[Bytes],
        session: Option<&str>,
    ) -> io::Result<Vec<Span>> {
        if let Some(spans) = self.slices(pieces)? {
            return Ok(spans);
        }
        let mut bytes = body.bytes.joined();
        if bytes.len() < COPIED {
            bytes = Bytes::copy_from_slice(&bytes);
        }
        let seen = (self.recent).closest(session, body.kind, &bytes, body.alike);
        let (mut keyed, shared) = match seen {
            Some((seen, same)) => Keyed::like(bytes, &seen.keyed, same, &self.mask),
            None => (Keyed::new(bytes, &self.mask), Shared::default()),
        };
        keyed.alike = body.alike;
        let count = seen.map_or(0, |(seen, _)| seen.spans.len());
        let mut spans = Vec::with_capacity(count + ROOM);
        if let Some((seen, _)) = seen {
            let first = within(&seen.spans, 0..shared.first);
            first.for_each(|span| join(&mut spans, span));
        }
        let new = shared.first..keyed.len() - shared.last;
        let (known, mask) = (&mut self.known, &self.mask);
        self.tail.put_parts(&keyed, new, known, mask, &mut spans)?;
        if let Some((seen, _)) = seen {
            let length = seen.keyed.len();
            let last = within(&seen.spans, length - shared.last..length);
            last.for_each(|span| join(&mut spans, span));
        }
        let kept = spans.clone();
        let seen = Seen { keyed, spans: kept };
        self.recent.add(session, body.kind, seen);
        Ok(spans)
    }

    /// The places of a body that is put together from slices of one at hand, with little else in between, such as
    /// another name for the model. What is in between is a value of its own: no secret reaches over its ends.
    fn slices(&mut self, pieces: &[Bytes]) -> io::Result<Option<Vec<Span>>> {
        let longest = pieces.iter().max_by_key(|piece| piece.len());
        let Some(seen) = longest.and_then(|longest| self.recent.holding(longest)) else {
            return Ok(None);
        };
        let places = pieces.iter().map(|piece| (piece, seen.keyed.place(piece)));
        let new = places.clone().filter(|(_, place)| place.is_none());
        if new.map(|(piece, _)| piece.len()).sum::<usize>() > BETWEEN {
            return Ok(None);
        }
        let mut spans = Vec::new();
        let mut end = 0;
        for (piece, place) in places {
            // What was replaced by the same is no change.
            let place = place.or_else(|| seen.keyed.goes_on(end, piece));
            if let Some(start) = place {
                end = start + piece.len();
                within(&seen.spans, start..end).for_each(|span| join(&mut spans, span));
            } else {
                join(&mut spans, self.tail.put(&self.mask.bytes(piece))?);
            }
        }
        Ok(Some(spans))
    }

    /// A reply is new, or what the provider replied, passed on.
    fn reply(&mut self, kind: BodyKind, streamed: &Streamed) -> io::Result<Vec<Span>> {
        if let Some((reply, spans)) = &self.reply
            && reply.is_same(streamed)
        {
            return Ok(spans.clone());
        }
        let mut spans = Vec::new();
        let (known, mask) = (&mut self.known, &self.mask);
        if is_json(streamed.beginning()) || !mask.ends_at_quotes() {
            let keyed = Keyed::new(streamed.bytes(), mask);
            let all = 0..keyed.len();
            self.tail.put_parts(&keyed, all, known, mask, &mut spans)?;
        } else {
            for part in streamed.parts() {
                if part.copies.is_empty() {
                    let keyed = Keyed::new(part.own, mask);
                    let all = 0..keyed.len();
                    self.tail.put_parts(&keyed, all, known, mask, &mut spans)?;
                } else {
                    join(&mut spans, self.tail.put_part(&part, mask)?);
                }
            }
        }
        if kind == BodyKind::ProviderResponse {
            self.reply = Some((streamed.clone(), spans.clone()));
        }
        Ok(spans)
    }

    /// Puts what the group added on disk: so many bytes. Nothing may refer to it before this has returned.
    pub(crate) fn sync(&mut self) -> io::Result<u64> {
        self.reply = None;
        self.tail.end_frame()?;
        let written = self.tail.pending.len() as u64;
        if written > 0 {
            let at = self.tail.committed;
            self.file.write_all_at(&self.tail.pending, at)?;
            self.file.sync_data()?;
            self.tail.committed += written;
            self.tail.pending.clear();
        }
        Ok(written)
    }

    /// What is on disk.
    pub(crate) fn committed(&self) -> u64 {
        self.tail.committed
    }

    /// Writes a frame, empty unless there is content at hand, to see whether that works.
    pub(crate) fn probe(&mut self) -> io::Result<()> {
        self.tail.add_frame()?;
        self.sync().map(drop)
    }

    /// Gives back the room of what was not written whole. Best effort: what rows refer to is before it.
    pub(crate) fn cut(&self) {
        if let Err(error) = self.file.set_len(self.tail.committed) {
            tracing::debug!("segment {} keeps its torn end: {error}", self.number);
        }
    }
}

impl Tail {
    /// Where the frame at hand begins.
    fn frame(&self) -> u64 {
        self.committed + self.pending.len() as u64
    }

    fn put(&mut self, part: &[u8]) -> io::Result<Span> {
        let span = self.place(part.len())?;
        self.content.put(part);
        Ok(span)
    }

    /// The same of a part of a stream, without its secrets.
    fn put_part(&mut self, part: &Part<'_>, mask: &Mask) -> io::Result<Span> {
        let span = self.place(part.length)?;
        self.content.put_part(part, mask);
        Ok(span)
    }

    /// Where so many bytes will be that are put next.
    fn place(&mut self, length: usize) -> io::Result<Span> {
        if self.content.len() + length > frame::MAX_CONTENT {
            self.end_frame()?;
        }
        Ok(Span {
            frame: u32::try_from(self.frame()).map_err(io::Error::other)?,
            start: self.content.len() as u32,
            length: length as u32,
        })
    }

    /// Puts the parts of a body that are not known yet; adds the places of all that lie there.
    fn put_parts(
        &mut self,
        keyed: &Keyed,
        within: Range<usize>,
        known: &mut Known,
        mask: &Mask,
        spans: &mut Vec<Span>,
    ) -> io::Result<()> {
        for (part, key) in keyed.parts(within) {
            let span = if let Some(span) = key.and_then(|key| known.find(&key)) {
                span
            } else {
                let span = self.put(&mask.bytes(part))?;
                if let Some(key) = key {
                    known.insert(key, span);
                }
                span
            };
            join(spans, span);
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        self.add_frame()
    }

    fn add_frame(&mut self) -> io::Result<()> {
        frame::encode(&mut self.content, &mut self.compressor, &mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BodyKind;

    /// A request long enough not to be copied.
    fn request(model: &str) -> Bytes {
        let message = format!(r#"{{"role":"user","content":"{}"}}"#, "word ".repeat(100));
        let messages = vec![message; COPIED / 500 + 1].join(",");
        format!(r#"{{"model":"{model}","messages":[{messages}]}}"#).into()
    }

    /// The same with what stands at `{"model":` and between these places exchanged.
    fn sent_on(request: &Bytes, until: usize, new: &str) -> Vec<Bytes> {
        let new = Bytes::copy_from_slice(new.as_bytes());
        vec![request.slice(..9), new, request.slice(until..)]
    }

    /// Adds a request and what is sent on of it: the new bytes that takes, and where both are.
    fn add(request: &Bytes, pieces: Vec<Bytes>) -> (usize, Placed, Placed) {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        place.create().unwrap();
        let mask = Mask::new(["secret-name"]);
        let mut appender = Appender::create(&place, 1, &mask).unwrap();
        let asked = Body::whole(BodyKind::ClientRequest, 0, request.clone());
        let asked = appender.add(&asked, Some("s")).unwrap();
        // Another one of the conversation comes in between.
        let other = Body::whole(BodyKind::ClientRequest, 0, self::request("other"));
        appender.add(&other, Some("s")).unwrap();
        let before = appender.tail.content.len();
        let sent = Body {
            bytes: BodyBytes::Pieces(pieces),
            ..Body::whole(BodyKind::ProviderRequest, 1, Bytes::new())
        };
        let sent = appender.add(&sent, Some("s")).unwrap();
        let new = appender.tail.content.len() - before;
        let secret = b"secret-name".as_slice();
        appender.tail.content.take_coded(|coded, _| {
            assert!(coded.windows(secret.len()).all(|bytes| bytes != secret));
        });
        (new, asked, sent)
    }

    #[test]
    fn what_is_sent_on_is_slices_of_what_came() {
        let check = |model: &str, until, new: &str, expected: usize| {
            let request = request(model);
            let pieces = sent_on(&request, until, new);
            let length: usize = pieces.iter().map(Bytes::len).sum();
            let (taken, asked, sent) = add(&request, pieces);
            assert_eq!(taken, expected, "{new:.20}");
            assert_eq!(sent.length(), length as u64, "{new:.20}");
            assert_ne!(sent.spans, asked.spans, "{new:.20}");
        };
        check("name", 15, r#""another""#, 9);
        check("name", 15, r#""secret-name""#, 13);
        // So much is cut like any other body: the new string, and what stands around it up to the first message.
        let long = format!("\"{}\"", "x".repeat(BETWEEN));
        check("name", 15, &long, 9 + long.len() + r#","messages":["#.len());
        // What came was copied, because it is short: nothing is a slice of it.
        let short = Bytes::from_static(br#"{"model":"name","a":1}"#);
        let (taken, ..) = add(&short, sent_on(&short, 15, r#""k""#));
        assert_eq!(taken, r#"{"model":"k","a":1}"#.len());
    }

    /// Whole frames: how long the content of each is, and what zstd was given of it.
    fn frames(mut bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Some((head, rest)) = bytes.split_first_chunk() {
            let following = frame::header(head).unwrap().following();
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let coded = zstd::bulk::decompress(&rest[..following], length).unwrap();
            frames.push((length, coded));
            bytes = &rest[following..];
        }
        frames
    }

    /// Also in the parts that begin in the middle of an event, which are cut from a body that is too long for one.
    #[test]
    fn a_stream_that_came_by_event_is_shortened_in_every_frame() {
        let event = |n: usize| {
            format!(
                "data: {{\"id\":\"c-1\",\"object\":\"chunk\",\"text\":\"word{n} \",\"stop\":null}}\n\n"
            )
        };
        let stream: String = (0..9000).map(event).collect();
        let pieces = stream.split_inclusive("\n\n").map(str::as_bytes);
        let reply = Streamed::of(pieces.zip(1..));
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        place.create().unwrap();
        let mut appender = Appender::create(&place, 1, &Mask::default()).unwrap();
        appender.reply(BodyKind::ProviderResponse, &reply).unwrap();
        appender.tail.end_frame().unwrap();
        let frames = frames(&appender.tail.pending[TITLE.len()..]);
        let all: usize = frames.iter().map(|(length, _)| length).sum();
        assert_eq!(all, stream.len());
        assert!(frames.len() > 2, "{}", frames.len());
        for (at, (length, coded)) in frames.iter().enumerate() {
            // Of 68 bytes at most ten are the text with its quote, and one says so.
            let coded = coded.len();
            assert!(coded * 6 < *length, "frame {at}: {coded} of {length}");
        }
    }

    #[test]
    fn what_is_sent_on_unchanged_is_the_same_body() {
        let request = request("name");
        for pieces in [vec![request.clone()], sent_on(&request, 15, r#""name""#)] {
            let (taken, asked, sent) = add(&request, pieces);
            assert_eq!((taken, sent.spans), (0, asked.spans));
        }
    }
}
