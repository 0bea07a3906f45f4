//! The incremental parser.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::places::Places;

/// How large one event may be unless the caller says otherwise, in bytes.
pub const DEFAULT_MAX_EVENT: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The `event:` name, if there was one.
    pub event: Option<ByteString>,
    /// The `data:` lines, joined with line feeds.
    pub data: ByteString,
}

/// Why a body cannot be read on as an event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// One event outgrew the limit.
    #[error("one event of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// Cuts a body into events.
///
/// Lines end in LF, CR or CRLF, wherever the pieces are cut; a byte order mark at the start is skipped; an event that the
/// end of the body cuts off before its blank line still counts. An event whose data lies in one piece shares that
/// piece's bytes; only what straddles two is copied.
#[derive(Debug)]
pub struct SseParser {
    max_event: usize,
    /// The unfinished line's bytes from earlier pieces.
    line: Vec<u8>,
    is_first_line: bool,
    /// The last byte was a CR: a LF that follows belongs to it.
    skips_lf: bool,
    event: Option<ByteString>,
    data: Data,
    has_comment: bool,
    /// Where the events begin, if somebody wants to know.
    places: Option<Box<Places>>,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    Line(ByteString),
    Lines(String),
}

impl SseParser {
    /// A parser that takes events of up to [`DEFAULT_MAX_EVENT`] bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_max_event(DEFAULT_MAX_EVENT)
    }

    /// A parser that takes events of up to `max_event` bytes.
    #[must_use]
    pub const fn with_max_event(max_event: usize) -> Self {
        Self {
            max_event,
            line: Vec::new(),
            is_first_line: true,
            skips_lf: false,
            event: None,
            data: Data::None,
            has_comment: false,
            places: None,
        }
    }

    /// Takes the next piece of the body and appends the events that it completes.
    ///
    /// # Errors
    /// An event beyond the limit. The events before it have been appended; the parser must
    /// not be used again.
    pub fn push(&mut self, chunk: Bytes, frames: &mut Vec<Frame>) -> Result<(), SseError> {
        let mut from = 0;
        if let Some(places) = &mut self.places {
            places.begin();
        }
        loop {
            if std::mem::take(&mut self.skips_lf) {
                match chunk.get(from) {
                    Some(b'\n') => from += 1,
                    Some(_) => {}
                    None => self.skips_lf = true,
                }
            }
            let rest = chunk.get(from..).unwrap_or_default();
            if !rest.is_empty() && !matches!(rest, [b'\n' | b'\r', ..]) {
                self.begins_line(from);
            }
            let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.line.extend_from_slice(rest);
                self.has_read(chunk.len());
                return self.check_size();
            };
            let line = from..from + length;
            self.skips_lf = chunk.get(line.end) == Some(&b'\r');
            from = line.end + 1;
            if self.line.is_empty() {
                self.take_line(&chunk, line, frames)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(chunk.get(line).unwrap_or_default());
                self.take_whole_line(whole, frames)?;
            }
        }
    }

    /// Takes the end of the body and appends the event it cuts off, if there is one.
    ///
    /// # Errors
    /// As [`SseParser::push`].
    pub fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), SseError> {
        if let Some(places) = &mut self.places {
            places.begin();
        }
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take_whole_line(line, frames)?;
        }
        self.dispatch(frames);
        Ok(())
    }

    /// Has it keep where events begin.
    #[must_use]
    pub fn locating(mut self) -> Self {
        self.places = Some(Box::default());
        self
    }

    /// Where an event begins, in bytes from the start of the body: the `nth` of those that were appended last. `None` behind
    /// the last, and always unless it was told to keep that.
    #[must_use]
    pub fn start(&self, nth: usize) -> Option<u64> {
        self.places.as_ref()?.start(nth)
    }

    fn begins_line(&mut self, n_into_piece: usize) {
        let n_before = self.line.len();
        if let Some(places) = &mut self.places {
            places.line(n_into_piece, n_before);
        }
    }

    fn has_read(&mut self, n_bytes: usize) {
        if let Some(places) = &mut self.places {
            places.read(n_bytes);
        }
    }

    /// Whether a comment arrived since this was asked last: the peer is alive without saying anything.
    pub fn take_comment(&mut self) -> bool {
        std::mem::take(&mut self.has_comment)
    }

    fn take_whole_line(&mut self, line: Vec<u8>, frames: &mut Vec<Frame>) -> Result<(), SseError> {
        let line = Bytes::from(line);
        self.take_line(&line, 0..line.len(), frames)
    }

    /// Takes the line that stands there in a piece. Of most lines nothing is kept, and nothing shares their bytes.
    fn take_line(
        &mut self,
        piece: &Bytes,
        mut place: Range<usize>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), SseError> {
        let mut line = piece.get(place.clone()).unwrap_or_default();
        if std::mem::take(&mut self.is_first_line)
            && let Some(behind) = line.strip_prefix(BYTE_ORDER_MARK)
        {
            place.start += BYTE_ORDER_MARK.len();
            line = behind;
        }
        if line.is_empty() {
            self.dispatch(frames);
            return Ok(());
        }
        if line.first() == Some(&b':') {
            self.has_comment = true;
            return Ok(());
        }
        if let Some(behind) = behind_name("data", line) {
            self.data
                .push(decoded(piece, place.start + behind..place.end));
        } else if let Some(behind) = behind_name("event", line) {
            self.event = Some(decoded(piece, place.start + behind..place.end));
        }
        // `id` and `retry` are for browsers that reconnect; other fields do not exist.
        self.check_size()
    }

    fn dispatch(&mut self, frames: &mut Vec<Frame>) {
        let event = self.event.take();
        let data = std::mem::take(&mut self.data).joined();
        if let Some(places) = &mut self.places {
            places.dispatched(data.is_some());
        }
        if let Some(data) = data {
            frames.push(Frame { event, data });
        }
    }

    fn check_size(&self) -> Result<(), SseError> {
        if self.line.len().saturating_add(self.data.len()) > self.max_event {
            return Err(SseError::TooLarge {
                limit: self.max_event,
            });
        }
        Ok(())
    }
}

/// Where the value of a line's field begins, if the field has this name. A line without a colon is a name alone.
fn behind_name(name: &str, line: &[u8]) -> Option<usize> {
    match line.strip_prefix(name.as_bytes())? {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// The end of a whole line, which stands there in a piece, as text; bytes that are not UTF-8 become U+FFFD, as the format prescribes.
fn decoded(piece: &Bytes, place: Range<usize>) -> ByteString {
    #[expect(
        clippy::disallowed_methods,
        reason = "the line is whole: no character is cut at its ends"
    )]
    ByteString::try_from(piece.slice(place.clone())).unwrap_or_else(|_| {
        let line = piece.get(place).unwrap_or_default();
        String::from_utf8_lossy(line).into_owned().into()
    })
}

impl Default for SseParser {
    fn default() -> Self {
        Self::new()
    }
}

impl Data {
    fn push(&mut self, line: ByteString) {
        *self = match std::mem::take(self) {
            Self::None => Self::Line(line),
            Self::Line(first) => Self::Lines(format!("{first}\n{line}")),
            Self::Lines(mut lines) => {
                lines.push('\n');
                lines.push_str(&line);
                Self::Lines(lines)
            }
        };
    }

    fn joined(self) -> Option<ByteString> {
        match self {
            Self::None => None,
            Self::Line(line) => Some(line),
            Self::Lines(lines) => Some(lines.into()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Line(line) => line.len(),
            Self::Lines(lines) => lines.len(),
        }
    }
}
