//! The segment being written: bodies gather in memory for a group, then go out in one write and one sync.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::Error;
use crate::Mask;
use crate::parts::{Entry, Keyed, Known, Manifest, Recent, Span, encode_arrivals, join};
use crate::place::{Place, private_file, sync_dir};
use crate::record::Body;

use super::frame;

/// First bytes of every segment file, so that nobody takes it for something else.
const TITLE: &[u8; 16] = b"lingate bodies1\n";

/// zstd's quickest ordinary level: the larger saving is in not writing parts twice.
const LEVEL: i32 = 1;

/// Writes one segment file.
pub(crate) struct Appender {
    number: i64,
    file: File,
    /// What is on disk and referred to by rows.
    committed: u64,
    /// What the group at hand adds.
    pending: Vec<u8>,
    /// Parts this segment holds.
    known: Known,
    recent: Recent,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Appender {
    /// Begins a segment.
    pub(crate) fn create(place: &Place, number: i64) -> Result<Self, Error> {
        let path = place.segment(number);
        let file = private_file(&path).map_err(Error::io(&path))?;
        file.set_len(0).map_err(Error::io(&path))?;
        sync_dir(&place.segments()).map_err(Error::io(place.segments()))?;
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(Error::io(&path))?;
        Ok(Self {
            number,
            file,
            committed: 0,
            pending: TITLE.to_vec(),
            known: Known::default(),
            recent: Recent::default(),
            compressor,
        })
    }

    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// How long the file is once the group is written.
    pub(crate) fn length(&self) -> u64 {
        self.committed + self.pending.len() as u64
    }

    /// Begins the bodies of an exchange.
    pub(crate) fn draft(&mut self) -> Draft<'_> {
        Draft {
            frame: self.length() as u32,
            segment: self,
            content: Vec::new(),
            manifest: Manifest::default(),
        }
    }

    /// Puts what the group added on disk: so many bytes. Nothing may refer to it before this has returned.
    pub(crate) fn sync(&mut self) -> std::io::Result<u64> {
        let written = self.pending.len() as u64;
        if written > 0 {
            self.file.write_all_at(&self.pending, self.committed)?;
            self.file.sync_data()?;
            self.committed += written;
            self.pending.clear();
        }
        Ok(written)
    }

    /// What is on disk.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Writes a frame without content, to see whether that works.
    pub(crate) fn probe(&mut self) -> std::io::Result<()> {
        frame::encode(&[], &mut self.compressor, &mut self.pending)?;
        self.sync().map(drop)
    }

    /// Gives back the room of what was not written whole. Best effort: what rows refer to is before it.
    pub(crate) fn cut(&self) {
        if let Err(error) = self.file.set_len(self.committed) {
            tracing::debug!("segment {} keeps its torn end: {error}", self.number);
        }
    }
}

/// The bodies of one exchange, on their way into a segment.
pub(crate) struct Draft<'a> {
    segment: &'a mut Appender,
    /// Where the frame at hand will begin.
    frame: u32,
    content: Vec<u8>,
    manifest: Manifest,
}

impl Draft<'_> {
    /// Adds a body of a conversation.
    pub(crate) fn add(
        &mut self,
        body: &Body,
        session: Option<&str>,
        mask: &Mask,
    ) -> std::io::Result<()> {
        let like = self.segment.recent.like(session, body.kind);
        let like: Vec<&Keyed> = like.iter().map(AsRef::as_ref).collect();
        let keyed = Arc::new(Keyed::new(body.joined(), &like));
        let mut spans = Vec::new();
        for (part, key) in keyed.parts() {
            let span = match self.segment.known.find(&key) {
                Some(span) => span,
                None => {
                    let span = self.put(&mask.bytes(part))?;
                    self.segment.known.insert(key, span);
                    span
                }
            };
            join(&mut spans, span);
        }
        let mut arrivals = Vec::new();
        for part in encode_arrivals(&body.arrivals).chunks(frame::MAX_CONTENT) {
            join(&mut arrivals, self.put(part)?);
        }
        self.manifest.entries.push(Entry {
            kind: body.kind,
            attempt: body.attempt,
            digest: keyed.whole,
            spans,
            arrivals,
        });
        self.segment.recent.add(session, body.kind, keyed);
        Ok(())
    }

    /// What the bodies are made of.
    pub(crate) fn finish(mut self) -> std::io::Result<Manifest> {
        self.flush()?;
        Ok(self.manifest)
    }

    fn put(&mut self, part: &[u8]) -> std::io::Result<Span> {
        if self.content.len() + part.len() > frame::MAX_CONTENT {
            self.flush()?;
        }
        let span = Span {
            frame: self.frame,
            start: self.content.len() as u32,
            length: part.len() as u32,
        };
        self.content.extend_from_slice(part);
        Ok(span)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.content.is_empty() {
            let segment = &mut *self.segment;
            frame::encode(&self.content, &mut segment.compressor, &mut segment.pending)?;
            self.content.clear();
        }
        self.frame = u32::try_from(self.segment.length()).map_err(std::io::Error::other)?;
        Ok(())
    }
}
