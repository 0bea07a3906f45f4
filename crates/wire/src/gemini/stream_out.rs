//! Encodes a reply as a stream: events with `alt=sse`, else one array that grows element by element.
//!
//! Between events nothing but white space keeps a connection alive: the SDK of the year's official command line waits
//! forever behind a comment (@google/genai 1.30, 2025-11).

use super::chunk::{self, Finished};
use super::reply_part::{ReplyPart, ReplyParts};
use super::{error, member};
use crate::json::{Writer, scan_reply};
use crate::sse::write_json;
use crate::turn::{Event, Failure, Stop, Usage};
use crate::{ReplyContext, StreamEncoder};

/// How the responses of a stream stand in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// Server-sent events: the query asks for `alt=sse`.
    #[default]
    Sse,
    /// One JSON array.
    Array,
}

/// The encoder of one stream.
#[derive(Debug)]
pub struct StreamOut {
    context: ReplyContext,
    framing: Framing,
    parts: ReplyParts,
    has_element: bool,
    usage: Usage,
    stop: Option<Stop>,
}

impl StreamOut {
    /// An encoder for one exchange. `shows_thoughts`: the client asked for them (`includeThoughts`).
    #[must_use]
    pub fn new(context: ReplyContext, framing: Framing, shows_thoughts: bool) -> Self {
        Self {
            usage: Usage {
                input: Some(context.input_estimate),
                ..Usage::default()
            },
            context,
            framing,
            parts: ReplyParts::new(shows_thoughts),
            has_element: false,
            stop: None,
        }
    }

    fn chunk(&mut self, parts: &[ReplyPart], out: &mut Vec<u8>) {
        let context = &self.context;
        element(self.framing, &mut self.has_element, out, |json| {
            chunk::write(context, parts, None, json);
        });
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let parts = [self.parts.last()];
        let end = Finished {
            stop: self.stop.as_ref(),
            usage: &self.usage,
        };
        element(self.framing, &mut self.has_element, out, |json| {
            chunk::write(&self.context, &parts, Some(&end), json);
        });
        self.close(out);
    }

    fn close(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Array {
            out.extend_from_slice(b"]\n");
        }
    }
}

impl StreamEncoder for StreamOut {
    fn open(&mut self, out: &mut Vec<u8>) {
        self.keep_alive(out);
    }

    fn keep_alive(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.framing {
            Framing::Sse => b"\n\n",
            Framing::Array => b"\r\n",
        });
    }

    /// An empty text, as the API itself sends it at the end of its streams.
    fn nudge(&mut self, out: &mut Vec<u8>) {
        self.chunk(&[ReplyPart::Text("".into(), None)], out);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.usage.update(&start.usage),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Done => self.finish(out),
            Event::Ping => self.keep_alive(out),
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } => {
                match self.parts.on(event) {
                    // Sources stand on a text, if only an empty one.
                    Some(sources @ ReplyPart::Sources(_)) => {
                        self.chunk(&[ReplyPart::Text("".into(), None), sources], out);
                    }
                    Some(part) => self.chunk(&[part], out),
                    None => {}
                }
            }
        }
    }

    /// The rest of a stream carries the head that its beginning had.
    fn follows(&mut self, event: &[u8], _is_copied: bool) {
        let mut lines = event.split(|byte| matches!(byte, b'\n' | b'\r'));
        let data = lines.find_map(|line| line.strip_prefix(b"data:"));
        let text = data.and_then(|data| std::str::from_utf8(data).ok());
        let Some(doc) = text.and_then(|text| scan_reply(&text.trim().into(), &[]).ok()) else {
            return;
        };
        if let Some(id) = member::text(doc.root(), "responseId") {
            self.context.exchange = id.to_string();
        }
        if let Some(model) = member::text(doc.root(), "modelVersion") {
            self.context.model = model;
        }
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        element(self.framing, &mut self.has_element, out, |json| {
            json.begin_object();
            error::write_error(failure, &self.context.exchange, json);
            json.end_object();
        });
        self.close(out);
    }
}

/// Appends an element of the stream. `has_element`: one stands before it.
fn element(
    framing: Framing,
    has_element: &mut bool,
    out: &mut Vec<u8>,
    build: impl FnOnce(&mut Writer),
) {
    match framing {
        Framing::Sse => write_json(out, None, build),
        Framing::Array => {
            out.extend_from_slice(if *has_element { b",\r\n" } else { b"[" });
            let mut json = Writer::append_to(std::mem::take(out));
            build(&mut json);
            *out = json.into_bytes();
        }
    }
    *has_element = true;
}
