//! Frames read back, the last ones kept at hand.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::Error;
use crate::parts::Span;
use crate::place::Place;

use super::frame;

/// Content kept at hand.
const CACHE_BYTES: usize = 16 << 20;

/// Files kept open.
const CACHE_FILES: usize = 8;

/// Reads frames. Holds at most [`CACHE_BYTES`] of them.
pub(crate) struct Frames {
    place: Place,
    files: VecDeque<(i64, Option<Arc<File>>)>,
    contents: HashMap<(i64, u32), Arc<[u8]>>,
    order: VecDeque<(i64, u32)>,
    held: usize,
}

impl Frames {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            files: VecDeque::new(),
            contents: HashMap::new(),
            order: VecDeque::new(),
            held: 0,
        }
    }

    /// Gives the bytes of the spans to `sink`, piece by piece, until it says no. `false` if the segment is gone.
    pub(crate) fn each(
        &mut self,
        segment: i64,
        spans: &[Span],
        sink: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, Error> {
        for span in spans {
            let Some(content) = self.content(segment, span.frame)? else {
                return Ok(false);
            };
            let end = u64::from(span.start) + u64::from(span.length);
            let bytes = content.get(span.start as usize..end as usize);
            let damaged = || Error::Damaged {
                segment,
                offset: u64::from(span.frame),
                problem: "the frame is shorter than a row says",
            };
            if !sink(bytes.ok_or_else(damaged)?) {
                break;
            }
        }
        Ok(true)
    }

    fn content(&mut self, segment: i64, frame: u32) -> Result<Option<Arc<[u8]>>, Error> {
        if let Some(content) = self.contents.get(&(segment, frame)) {
            return Ok(Some(Arc::clone(content)));
        }
        let Some(file) = self.file(segment)? else {
            return Ok(None);
        };
        let content: Arc<[u8]> = read(&file, frame)
            .map_err(Error::io(self.place.segment(segment)))?
            .map_err(|problem| Error::Damaged {
                segment,
                offset: u64::from(frame),
                problem,
            })?
            .into();
        self.keep((segment, frame), &content);
        Ok(Some(content))
    }

    fn keep(&mut self, at: (i64, u32), content: &Arc<[u8]>) {
        self.held += content.len();
        self.contents.insert(at, Arc::clone(content));
        self.order.push_back(at);
        while self.held > CACHE_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            let gone = self.contents.remove(&oldest);
            self.held -= gone.map_or(0, |content| content.len());
        }
    }

    fn file(&mut self, segment: i64) -> Result<Option<Arc<File>>, Error> {
        if let Some((_, file)) = self.files.iter().find(|(number, _)| *number == segment) {
            return Ok(file.clone());
        }
        let path = self.place.segment(segment);
        let file = match File::open(&path) {
            Ok(file) => Some(Arc::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io(path)(error)),
        };
        self.files.push_back((segment, file.clone()));
        if self.files.len() > CACHE_FILES {
            self.files.pop_front();
        }
        Ok(file)
    }
}

fn read(file: &File, at: u32) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut head = [0; frame::HEADER];
    if let Err(error) = file.read_exact_at(&mut head, u64::from(at)) {
        return cut(error);
    }
    let header = match frame::header(&head) {
        Ok(header) => header,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut following = vec![0; header.following()];
    match file.read_exact_at(&mut following, u64::from(at) + frame::HEADER as u64) {
        Ok(()) => Ok(frame::content(&head, &header, &following)),
        Err(error) => cut(error),
    }
}

fn cut(error: io::Error) -> io::Result<Result<Vec<u8>, &'static str>> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        Ok(Err("the file ends here"))
    } else {
        Err(error)
    }
}
