//! Content: blocks as the parts of a message, and messages made of parts.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Joined, Text};
use crate::turn::{Block, CacheHint, Node, Place};

use super::super::dialect::CacheSpelling;
use super::Out;

/// A part of a message's content.
pub(super) struct Part {
    pub(super) kind: PartKind,
    /// A cache prefix ends behind it, and the host is told so.
    pub(super) cache: Option<CacheHint>,
}

/// What a part is.
pub(super) enum PartKind {
    /// Text.
    Text(Joined),
    /// A picture: the pieces of its address.
    Image {
        url: Vec<Text>,
        detail: Option<Text>,
    },
    /// A file: its name and the pieces of its data URI.
    File { name: Text, data: Vec<Text> },
    /// A file the host already has.
    FileId(Text),
    /// Sound: its short format name and its base64.
    Audio { format: Text, data: Text },
    /// A film: the pieces of its address.
    Video { url: Vec<Text> },
    /// A part of this wire as it was received.
    Received(ByteString),
}

impl Part {
    pub(super) fn text(text: impl Into<Joined>) -> Self {
        Self::cached(text, None)
    }

    /// Text behind which a cache prefix may end.
    pub(super) fn cached(text: impl Into<Joined>, cache: Option<CacheHint>) -> Self {
        Self {
            kind: PartKind::Text(text.into()),
            cache,
        }
    }

    /// Puts text before the part's own, if it is text.
    pub(super) fn wrap_front(&mut self, text: Text) {
        if let PartKind::Text(own) = &mut self.kind {
            own.prepend(text);
        }
    }

    /// Puts text behind the part's own, if it is text.
    pub(super) fn wrap_back(&mut self, text: impl Into<Joined>) {
        if let PartKind::Text(own) = &mut self.kind {
            own.append(text);
        }
    }

    /// The text of a text part.
    pub(super) fn into_text(self) -> Result<Joined, Self> {
        match self.kind {
            PartKind::Text(text) => Ok(text),
            PartKind::Image { .. }
            | PartKind::File { .. }
            | PartKind::FileId(_)
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
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
        self.w.frame(r#"{"role":"#).str(role);
        self.content(parts, "\n\n");
        self.w.end_object();
    }

    /// Writes the `content` member: one string if everything is text and the host takes no hints, else a list.
    pub(super) fn content(&mut self, parts: Vec<Part>, joiner: &'static str) {
        self.w.key("content");
        let is_text = |part: &Part| matches!(part.kind, PartKind::Text(_));
        let is_string = parts.iter().all(is_text) && !self.keeps_parts();
        if !is_string {
            self.w.begin_array();
            for part in &parts {
                self.write_part(part);
            }
            self.w.end_array();
            return;
        }
        let joiner = Text::from_static(joiner);
        let texts = parts.iter().filter_map(|part| match &part.kind {
            PartKind::Text(text) => Some(text),
            _ => None,
        });
        self.w.text_parts(texts.enumerate().flat_map(|(nth, text)| {
            let between = (nth > 0).then_some(&joiner);
            between.into_iter().chain(text.iter())
        }));
    }

    fn write_part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Received(raw) => {
                self.w.raw(raw);
                return;
            }
            PartKind::Text(text) => {
                self.w.frame(r#"{"type":"text","text":"#);
                self.w.text_parts(text.iter());
            }
            PartKind::Image { url, detail } => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("image_url")
                    .key("image_url")
                    .begin_object();
                self.w.key("url").text_parts(url);
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
                self.w.key("file_data").text_parts(data);
                self.w.end_object();
            }
            PartKind::Audio { format, data } => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("input_audio")
                    .key("input_audio")
                    .begin_object();
                self.w.key("data").text(data).key("format").text(format);
                self.w.end_object();
            }
            PartKind::Video { url } => {
                self.w
                    .begin_object()
                    .key("type")
                    .str("video_url")
                    .key("video_url")
                    .begin_object();
                self.w.key("url").text_parts(url);
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
        path: &Place<'_>,
    ) -> Option<CacheHint> {
        if hint.is_some() && self.dialect.cache == CacheSpelling::None {
            self.losses.add(format!("{path}.cache_control"));
            return None;
        }
        hint
    }

    /// Turns a block into parts of a message that is not the model's.
    pub(super) fn part(&mut self, block: &Node<Block>, path: &Place<'_>, parts: &mut Vec<Part>) {
        match &**block {
            Block::Text {
                text,
                citations,
                signature: _,
                cache,
            } => {
                if citations.is_some() {
                    self.losses.add(format!("{path}.citations"));
                }
                let cache = self.carried_hint(*cache, path);
                // Hosts refuse empty text, and nothing is said in white space.
                if !text.is_blank() {
                    parts.push(Part::cached(text.clone(), cache));
                } else if cache.is_some() {
                    self.losses.add(format!("{path}.cache_control"));
                }
            }
            Block::Image(image) => self.image(image, path, parts),
            Block::Media(media) => self.media(block, media, path, parts),
            Block::Document(document) => self.document(document, path, parts),
            Block::ToolReference { name } => parts.push(Part::text([
                Text::from_static("Tool loaded: "),
                name.clone(),
            ])),
            Block::SearchResult(result) => self.search_result(result, path, parts),
            Block::Refusal(text) => parts.push(Part::text(text.clone())),
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
}
