//! A segment file that is being written: bodies gather in memory for a group, then go out in one write and one sync.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;

use crate::Error;
use crate::Mask;
use crate::parts::{
    Entry, Keyed, Known, Recent, Seen, Shared, Span, encode_arrivals, join, within,
};
use crate::place::{Place, private_file, sync_dir};
use crate::record::Body;

use super::frame;

/// First bytes of every segment file, so that nobody takes it for something else.
const TITLE: &[u8; 16] = b"lingate bodies1\n";

/// zstd's quickest ordinary level: the larger saving is in not writing parts twice.
const LEVEL: i32 = 1;

/// Shorter bodies are copied before they are kept at hand: they may be slices of much larger buffers.
const COPIED: usize = 16 << 10;

/// Writes one segment file.
pub(crate) struct Appender {
    number: i64,
    file: File,
    tail: Tail,
    /// Parts this segment holds.
    known: Known,
    recent: Recent,
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
    content: Vec<u8>,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Appender {
    /// Begins a segment.
    pub(crate) fn create(place: &Place, number: i64, mask: &Mask) -> Result<Self, Error> {
        let path = place.segment(number);
        let file = private_file(&path).map_err(Error::io(&path))?;
        file.set_len(0).map_err(Error::io(&path))?;
        sync_dir(&place.segments()).map_err(Error::io(place.segments()))?;
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(Error::io(&path))?;
        let tail = Tail {
            committed: 0,
            pending: TITLE.to_vec(),
            content: Vec::new(),
            compressor,
        };
        Ok(Self {
            number,
            file,
            tail,
            known: Known::default(),
            recent: Recent::default(),
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
        }
    }

    /// Adds a body of a conversation. What it is made of is on disk after [`Self::sync`].
    pub(crate) fn add(&mut self, body: &Body, session: Option<&str>) -> io::Result<Entry> {
        let mut bytes = body.joined();
        if bytes.len() < COPIED {
            bytes = Bytes::copy_from_slice(&bytes);
        }
        let seen = self.recent.closest(session, body.kind, &bytes);
        let (keyed, shared) = match seen {
            Some((seen, same)) => Keyed::like(bytes, &seen.keyed, same, &self.mask),
            None => (Keyed::new(bytes, &self.mask), Shared::default()),
        };
        let mut spans = Vec::new();
        if let Some((seen, _)) = seen {
            let first = within(&seen.spans, 0..shared.first);
            first.for_each(|span| join(&mut spans, span));
        }
        for (part, key) in keyed.parts(shared.first..keyed.len() - shared.last) {
            let span = match self.known.find(&key) {
                Some(span) => span,
                None => {
                    let span = self.tail.put(&self.mask.bytes(part))?;
                    self.known.insert(key, span);
                    span
                }
            };
            join(&mut spans, span);
        }
        if let Some((seen, _)) = seen {
            let length = seen.keyed.len();
            let last = within(&seen.spans, length - shared.last..length);
            last.for_each(|span| join(&mut spans, span));
        }
        let mut arrivals = Vec::new();
        for part in encode_arrivals(&body.arrivals).chunks(frame::MAX_CONTENT) {
            join(&mut arrivals, self.tail.put(part)?);
        }
        let entry = Entry {
            kind: body.kind,
            attempt: body.attempt,
            digest: keyed.whole,
            spans: spans.clone(),
            arrivals,
        };
        self.recent.add(session, body.kind, Seen { keyed, spans });
        Ok(entry)
    }

    /// Puts what the group added on disk: so many bytes. Nothing may refer to it before this has returned.
    pub(crate) fn sync(&mut self) -> io::Result<u64> {
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

    /// Writes a frame without content, to see whether that works.
    pub(crate) fn probe(&mut self) -> io::Result<()> {
        self.tail.add_frame(&[])?;
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
        if self.content.len() + part.len() > frame::MAX_CONTENT {
            self.end_frame()?;
        }
        let span = Span {
            frame: u32::try_from(self.frame()).map_err(io::Error::other)?,
            start: self.content.len() as u32,
            length: part.len() as u32,
        };
        self.content.extend_from_slice(part);
        Ok(span)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        let mut content = std::mem::take(&mut self.content);
        let added = self.add_frame(&content);
        content.clear();
        self.content = content;
        added
    }

    fn add_frame(&mut self, content: &[u8]) -> io::Result<()> {
        frame::encode(content, &mut self.compressor, &mut self.pending)
    }
}
