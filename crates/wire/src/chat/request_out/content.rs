//! Content: blocks as the parts of a message, and messages made of parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;

use crate::Wire;
use crate::json::Text;
use crate::turn::{Block, CacheHint, Document, Image, MediaSource, Node, SearchResult};

use super::super::dialect::CacheSpelling;
use super::Out;

/// A part of a message's content.
pub(super) struct Part {
    kind: PartKind,
    cache: Option<CacheHint>,
}

enum PartKind {
    /// Text in pieces.
    Text(Vec<Text>),
    /// A picture: the pieces of its address.
    Image {
        url: Vec<Text>,
        detail: Option<Text>,
    },
    /// A file: its name and the pieces of its data URI.
    File { name: Text, data: Vec<Text> },
    /// A file the host already has.
    FileId(Text),
    /// A part of this wire as it was received.
    Received(ByteString),
}

impl Part {
    pub(super) const fn text(pieces: Vec<Text>) -> Self {
        Self {
            kind: PartKind::Text(pieces),
            cache: None,
        }
    }

    /// Puts text before the part's own, if it is text.
    pub(super) fn wrap_front(&mut self, text: Text) {
        if let PartKind::Text(pieces) = &mut self.kind {
            pieces.insert(0, text);
        }
    }

    /// Puts text behind the part's own, if it is text.
    pub(super) fn wrap_back(&mut self, text: Text) {
        if let PartKind::Text(pieces) = &mut self.kind {
            pieces.push(text);
        }
    }

    /// The pieces of a text part.
    pub(super) fn into_text(self) -> Result<Vec<Text>, Self> {
        match self.kind {
            PartKind::Text(pieces) => Ok(pieces),
            PartKind::Image { .. }
            | PartKind::File { .. }
            | PartKind::FileId(_)
            | PartKind::Received(_) => Err(self),
        }
    }

    /// Whether it is a picture, for a part that is not text.
    pub(super) const fn is_image(&self) -> bool {
        matches!(self.kind, PartKind::Image { .. })
    }
}

impl Out<'_> {
    /// Writes a message made of parts. A message without any is left out: no host takes an empty one.
    pub(super) fn message(&mut self, role: &str, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        self.w.begin_object();
        self.w.key("role").str(role);
        self.content(parts, "\n\n");
        self.w.end_object();
    }

    /// Writes the `content` member: one string if everything is text, else a list.
    pub(super) fn content(&mut self, parts: Vec<Part>, joiner: &'static str) {
        self.w.key("content");
        let is_string = parts
            .iter()
            .all(|part| matches!(part.kind, PartKind::Text(_)) && part.cache.is_none())
            && (parts.len() == 1 || !self.keeps_parts());
        if !is_string {
            self.w.begin_array();
            for part in &parts {
                self.write_part(part);
            }
            self.w.end_array();
            return;
        }
        let joiner = Text::from_static(joiner);
        let mut pieces: Vec<&Text> = Vec::new();
        for part in &parts {
            if let PartKind::Text(own) = &part.kind {
                if !pieces.is_empty() {
                    pieces.push(&joiner);
                }
                pieces.extend(own);
            }
        }
        self.w.text_parts(&pieces);
    }

    fn write_part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Received(raw) => {
                self.w.raw(raw);
                return;
            }
            PartKind::Text(pieces) => {
                self.w.begin_object().key("type").str("text");
                self.pieces("text", pieces);
            }
            PartKind::Image { url, detail } => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("image_url")
                    .key("image_url")
                    .begin_object();
                self.pieces("url", url);
                if let Some(detail) = detail {
                    self.w.key("detail").text(detail);
                }
                self.w.end_object();
            }
            PartKind::File { name, data } => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("file")
                    .key("file")
                    .begin_object();
                self.w.key("filename").text(name);
                self.pieces("file_data", data);
                self.w.end_object();
            }
            PartKind::FileId(id) => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("file")
                    .key("file")
                    .begin_object();
                self.w.key("file_id").text(id).end_object();
            }
        }
        if let Some(hint) = part.cache {
            self.cache_hint(hint);
        }
        self.w.end_object();
    }

    fn pieces(&mut self, key: &str, pieces: &[Text]) {
        let pieces: Vec<&Text> = pieces.iter().collect();
        self.w.key(key).text_parts(&pieces);
    }

    pub(super) fn cache_hint(&mut self, hint: CacheHint) {
        match self.dialect.cache {
            CacheSpelling::None => {}
            CacheSpelling::Breakpoint => {
                self.w
                    .key("prompt_cache_breakpoint")
                    .begin_object()
                    .key("mode")
                    .str("explicit")
                    .end_object();
            }
            CacheSpelling::CacheControl => {
                self.w
                    .key("cache_control")
                    .begin_object()
                    .key("type")
                    .str("ephemeral");
                if hint == CacheHint::OneHour {
                    self.w.key("ttl").str("1h");
                }
                self.w.end_object();
            }
        }
    }

    /// The hint as far as the host takes any.
    pub(super) fn carried_hint(
        &mut self,
        hint: Option<CacheHint>,
        path: &str,
    ) -> Option<CacheHint> {
        if hint.is_some() && self.dialect.cache == CacheSpelling::None {
            self.losses.add(format!("{path}.cache_control"));
            return None;
        }
        hint
    }

    /// Turns a block into parts of a message that is not the model's.
    pub(super) fn part(&mut self, block: &Node<Block>, path: &str, parts: &mut Vec<Part>) {
        match &**block {
            Block::Text {
                text,
                citations,
                cache,
            } => {
                if citations.is_some() {
                    self.losses.add(format!("{path}.citations"));
                }
                let cache = self.carried_hint(*cache, path);
                // Hosts refuse empty text, and nothing is said in white space.
                if !text.is_blank() {
                    parts.push(Part {
                        kind: PartKind::Text(vec![text.clone()]),
                        cache,
                    });
                }
            }
            Block::Image(image) => self.image(image, path, parts),
            Block::Document(document) => self.document(document, path, parts),
            Block::ToolReference { name } => parts.push(Part::text(vec![
                Text::from_static("Tool loaded: "),
                name.clone(),
            ])),
            Block::SearchResult(result) => self.search_result(result, path, parts),
            Block::Refusal(text) => parts.push(Part::text(vec![text.clone()])),
            Block::Foreign(foreign) if foreign.wire == Wire::Chat => parts.push(Part {
                kind: PartKind::Received(foreign.raw.clone()),
                cache: None,
            }),
            Block::Foreign(_)
            | Block::ServerTool(_)
            | Block::Thinking(_)
            | Block::ToolUse(_)
            | Block::ToolResult(_) => {
                self.losses.add(path);
            }
        }
    }

    fn image(&mut self, image: &Image, path: &str, parts: &mut Vec<Part>) {
        let cache = self.carried_hint(image.cache, path);
        let url = match &image.source {
            MediaSource::Base64 { media_type, data } => data_uri(media_type, data),
            MediaSource::Url(url) if self.dialect.has_image_urls => vec![url.clone()],
            MediaSource::Url(url) => {
                self.losses.add(path);
                return parts.push(Part::text(vec![
                    Text::from_static("[Image: "),
                    url.clone(),
                    Text::from_static("]"),
                ]));
            }
            MediaSource::File(_) | MediaSource::Text(_) | MediaSource::Blocks(_) => {
                self.losses.add(path);
                return parts.push(Part::text(vec![Text::from_static(
                    "[Image left out: it is stored with another provider]",
                )]));
            }
        };
        parts.push(Part {
            kind: PartKind::Image {
                url,
                detail: image.detail.clone(),
            },
            cache,
        });
    }

    /// Text goes in as text, everything else as a file.
    fn document(&mut self, document: &Document, path: &str, parts: &mut Vec<Part>) {
        let cache = self.carried_hint(document.cache, path);
        self.losses.add_members(path, &document.extra);
        let name = document
            .title
            .clone()
            .unwrap_or(Text::from_static("document.pdf"));
        match &document.source {
            MediaSource::Text(text) => parts.push(titled(document, text.clone(), cache)),
            MediaSource::Base64 { media_type, data } => match plain_text(media_type, data) {
                Some(text) => parts.push(titled(document, text, cache)),
                None if self.dialect.has_files => {
                    if let Some(context) = &document.context {
                        parts.push(Part::text(vec![context.clone()]));
                    }
                    parts.push(Part {
                        kind: PartKind::File {
                            name,
                            data: data_uri(media_type, data),
                        },
                        cache,
                    });
                }
                None => {
                    self.losses.add(path);
                    parts.push(Part::text(vec![
                        Text::from_static("["),
                        name,
                        Text::from_static(" left out: this provider takes no files]"),
                    ]));
                }
            },
            MediaSource::Url(url) => {
                self.losses.add(path);
                parts.push(Part::text(vec![
                    Text::from_static("[Document: "),
                    url.clone(),
                    Text::from_static("]"),
                ]));
            }
            MediaSource::File(id) if self.is_same_wire() => parts.push(Part {
                kind: PartKind::FileId(id.clone()),
                cache,
            }),
            MediaSource::File(_) => {
                self.losses.add(path);
                parts.push(Part::text(vec![Text::from_static(
                    "[Document left out: it is stored with another provider]",
                )]));
            }
            MediaSource::Blocks(blocks) => {
                let mut head = heading(document);
                if !head.is_empty() {
                    head.pop();
                    parts.push(Part::text(head));
                }
                for (at, block) in blocks.iter().enumerate() {
                    self.part(block, &format!("{path}.source.content[{at}]"), parts);
                }
            }
        }
    }

    fn search_result(&mut self, result: &SearchResult, path: &str, parts: &mut Vec<Part>) {
        let newline = || Text::from_static("\n");
        parts.push(Part::text(vec![
            result.title.clone(),
            newline(),
            result.source.clone(),
        ]));
        for (at, block) in result.content.iter().enumerate() {
            self.part(block, &format!("{path}.content[{at}]"), parts);
        }
        self.losses.add_members(path, &result.extra);
    }
}

fn data_uri(media_type: &Text, data: &Text) -> Vec<Text> {
    vec![
        Text::from_static("data:"),
        media_type.clone(),
        Text::from_static(";base64,"),
        data.clone(),
    ]
}

/// The text of a document that is text, though it came as base64.
fn plain_text(media_type: &Text, data: &Text) -> Option<Text> {
    if !media_type.decode().starts_with("text/") {
        return None;
    }
    let bytes = STANDARD.decode(data.decode().as_bytes()).ok()?;
    String::from_utf8(bytes).ok().map(Text::from)
}

fn titled(document: &Document, text: Text, cache: Option<CacheHint>) -> Part {
    let mut pieces = heading(document);
    pieces.push(text);
    Part {
        kind: PartKind::Text(pieces),
        cache,
    }
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
