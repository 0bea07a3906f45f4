//! Blocks as the parts of a message or of a result. What this wire cannot take is named in a line of text, so that the
//! model knows that something was there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;

use crate::Wire;
use crate::json::Text;
use crate::turn::{
    Block, CacheHint, Document, Image, Media, MediaKind, MediaSource, Node, SearchResult, data_uri,
};

use super::Out;

/// A part.
pub(super) struct Part {
    kind: PartKind,
    has_breakpoint: bool,
}

enum PartKind {
    /// Text in pieces.
    Text(Vec<Text>),
    /// A picture: what names it (`image_url`, `file_id`) in pieces, and how closely to look.
    Image {
        member: &'static str,
        value: Vec<Text>,
        detail: Option<Text>,
    },
    /// A file: its name, and what holds it (`file_data`, `file_url`, `file_id`) in pieces.
    File {
        name: Option<Text>,
        member: &'static str,
        value: Vec<Text>,
    },
    /// Sound: its short format name and its base64.
    Audio { format: Text, data: Text },
    /// A part of this wire as it was received.
    Received(ByteString),
}

impl Part {
    pub(super) const fn text(pieces: Vec<Text>) -> Self {
        Self::new(PartKind::Text(pieces))
    }

    const fn new(kind: PartKind) -> Self {
        Self {
            kind,
            has_breakpoint: false,
        }
    }

    /// The pieces of a text part that may stand as a bare string.
    pub(super) const fn as_text(&self) -> Option<&Vec<Text>> {
        match &self.kind {
            PartKind::Text(pieces) if !self.has_breakpoint => Some(pieces),
            PartKind::Text(_)
            | PartKind::Image { .. }
            | PartKind::File { .. }
            | PartKind::Audio { .. }
            | PartKind::Received(_) => None,
        }
    }
}

impl Out<'_> {
    /// Writes a message made of parts; nothing if there are none.
    pub(super) fn message(&mut self, role: &str, parts: &[Part]) {
        if parts.is_empty() {
            return;
        }
        self.w.begin_object().key("type").str("message");
        self.w.key("role").str(role);
        self.w.key("content").begin_array();
        for part in parts {
            self.write_part(part);
        }
        self.w.end_array().end_object();
    }

    pub(super) fn write_part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Received(raw) => {
                self.w.raw(raw);
                return;
            }
            PartKind::Text(pieces) => {
                self.w.begin_object().key("type").str("input_text");
                self.pieces("text", pieces);
            }
            PartKind::Image {
                member,
                value,
                detail,
            } => {
                self.w.begin_object().key("type").str("input_image");
                self.pieces(member, value);
                if let Some(detail) = detail {
                    self.w.key("detail").text(detail);
                }
            }
            PartKind::File {
                name,
                member,
                value,
            } => {
                self.w.begin_object().key("type").str("input_file");
                if let Some(name) = name {
                    self.w.key("filename").text(name);
                }
                self.pieces(member, value);
            }
            PartKind::Audio { format, data } => {
                self.w.begin_object().key("type").str("input_audio");
                self.w.key("input_audio").begin_object();
                self.w.key("data").text(data).key("format").text(format);
                self.w.end_object();
            }
        }
        if part.has_breakpoint {
            self.w.key("prompt_cache_breakpoint").begin_object();
            self.w.key("mode").str("explicit").end_object();
        }
        self.w.end_object();
    }

    fn pieces(&mut self, key: &'static str, pieces: &[Text]) {
        self.w.key(key).text_parts(pieces);
    }

    /// Turns a block into parts of a message that is not the model's.
    pub(super) fn part(&mut self, block: &Node<Block>, path: &str, parts: &mut Vec<Part>) {
        if let Some(raw) = block
            .raw(Wire::Responses)
            .filter(|raw| raw.starts_with('{'))
        {
            return parts.push(Part::new(PartKind::Received(raw.clone())));
        }
        let from = parts.len();
        let cache = match &**block {
            Block::Text {
                text,
                citations,
                signature: _,
                cache,
            } => {
                if citations.is_some() {
                    self.losses.add(format!("{path}.citations"));
                }
                // Hosts refuse empty text, and nothing is said in white space.
                if !text.is_blank() {
                    parts.push(Part::text(vec![text.clone()]));
                }
                *cache
            }
            Block::Image(image) => {
                let part = self.image(image, path);
                parts.push(part);
                image.cache
            }
            Block::Media(media) => {
                let part = self.media(media, path);
                parts.push(part);
                None
            }
            Block::Document(document) => {
                self.document(document, path, parts);
                document.cache
            }
            Block::ToolReference { name } => {
                parts.push(Part::text(vec![
                    Text::from_static("Tool loaded: "),
                    name.clone(),
                ]));
                None
            }
            Block::SearchResult(result) => {
                self.search_result(result, path, parts);
                None
            }
            Block::Refusal(text) => {
                parts.push(Part::text(vec![text.clone()]));
                None
            }
            Block::Foreign(foreign) if foreign.wire == Wire::Responses => {
                parts.push(Part::new(PartKind::Received(foreign.raw.clone())));
                None
            }
            Block::Foreign(_)
            | Block::ServerTool(_)
            | Block::Thinking(_)
            | Block::ToolUse(_)
            | Block::ToolResult(_) => {
                self.losses.add(path);
                None
            }
        };
        self.hint(cache, path, parts.get_mut(from..).and_then(<[_]>::last_mut));
    }

    fn hint(&mut self, cache: Option<CacheHint>, path: &str, part: Option<&mut Part>) {
        match part {
            _ if cache.is_none() => {}
            Some(part) if self.has_breakpoints => part.has_breakpoint = true,
            _ => self.losses.add(format!("{path}.cache_control")),
        }
    }

    fn image(&mut self, image: &Image, path: &str) -> Part {
        let (member, value) = match &image.source {
            MediaSource::Base64 { media_type, data } => ("image_url", data_uri(media_type, data)),
            MediaSource::Url(url) => ("image_url", vec![url.clone()]),
            MediaSource::File(id) if self.is_same_wire() => ("file_id", vec![id.clone()]),
            MediaSource::File(_) | MediaSource::Text(_) | MediaSource::Blocks(_) => {
                return self.left_out("Image", path);
            }
        };
        Part::new(PartKind::Image {
            member,
            value,
            detail: image.detail.clone(),
        })
    }

    fn left_out(&mut self, what: &str, path: &str) -> Part {
        self.losses.add(path);
        let note = format!("[{what} left out: it is stored with another provider]");
        Part::text(vec![note.into()])
    }

    fn media(&mut self, media: &Media, path: &str) -> Part {
        self.losses.add_members(path, &media.extra);
        match (media.kind, &media.source) {
            (MediaKind::Audio, MediaSource::Base64 { media_type, data }) => {
                let media_type = media_type.decode();
                let format = match media_type.rsplit('/').next().unwrap_or_default() {
                    "mpeg" => "mp3",
                    "x-wav" | "wave" => "wav",
                    other => other,
                };
                Part::new(PartKind::Audio {
                    format: format.into(),
                    data: data.clone(),
                })
            }
            (kind, _) => {
                self.losses.add(path);
                let note = format!("[{} left out: this provider takes none]", kind.name());
                Part::text(vec![note.into()])
            }
        }
    }

    /// Text goes in as text, everything else as a file.
    fn document(&mut self, document: &Document, path: &str, parts: &mut Vec<Part>) {
        self.losses.add_members(path, &document.extra);
        let title = document.title.clone();
        let file = |member, value, name| {
            Part::new(PartKind::File {
                name,
                member,
                value,
            })
        };
        let part = match &document.source {
            MediaSource::Text(text) => titled(document, text.clone()),
            MediaSource::Base64 { media_type, data } => match plain_text(media_type, data) {
                Some(text) => titled(document, text),
                None => {
                    // Data without a name is refused.
                    let name = title.unwrap_or(Text::from_static("document.pdf"));
                    self.context(document, parts);
                    file("file_data", data_uri(media_type, data), Some(name))
                }
            },
            MediaSource::Url(url) => {
                self.context(document, parts);
                // A name beside an address is refused.
                file("file_url", vec![url.clone()], None)
            }
            MediaSource::File(id) if self.is_same_wire() => file("file_id", vec![id.clone()], None),
            MediaSource::File(_) => self.left_out("Document", path),
            MediaSource::Blocks(blocks) => {
                let mut head = heading(document);
                if !head.is_empty() {
                    head.pop();
                    parts.push(Part::text(head));
                }
                for (at, block) in blocks.iter().enumerate() {
                    self.part(block, &format!("{path}.source.content[{at}]"), parts);
                }
                return;
            }
        };
        parts.push(part);
    }

    fn context(&mut self, document: &Document, parts: &mut Vec<Part>) {
        parts.extend(
            document
                .context
                .iter()
                .map(|context| Part::text(vec![context.clone()])),
        );
    }

    fn search_result(&mut self, result: &SearchResult, path: &str, parts: &mut Vec<Part>) {
        let newline = Text::from_static("\n");
        parts.push(Part::text(vec![
            result.title.clone(),
            newline,
            result.source.clone(),
        ]));
        for (at, block) in result.content.iter().enumerate() {
            self.part(block, &format!("{path}.content[{at}]"), parts);
        }
        self.losses.add_members(path, &result.extra);
    }
}

/// The text of a document that is text, though it came as base64.
fn plain_text(media_type: &Text, data: &Text) -> Option<Text> {
    if !media_type.starts_with("text/") {
        return None;
    }
    let bytes = STANDARD.decode(data.decode().as_bytes()).ok()?;
    String::from_utf8(bytes).ok().map(Text::from)
}

fn titled(document: &Document, text: Text) -> Part {
    let mut pieces = heading(document);
    pieces.push(text);
    Part::text(pieces)
}

/// A document's title and context, each on a line of its own.
fn heading(document: &Document) -> Vec<Text> {
    let newline = || Text::from_static("\n");
    let mut pieces = Vec::new();
    if let Some(title) = &document.title {
        pieces.extend([Text::from_static("Document: "), title.clone(), newline()]);
    }
    if let Some(context) = &document.context {
        pieces.extend([context.clone(), newline()]);
    }
    pieces
}
