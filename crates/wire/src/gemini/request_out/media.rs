//! Everything that is neither a thought, a call nor a result, as parts. What cannot go is named in a line of text, so that
//! the model knows that something was there.

use super::Out;
use super::part::{Part, raw};
use crate::Wire;
use crate::json::Text;
use crate::turn::{Block, CacheHint, Document, Image, Media, MediaSource, Node, SearchResult};

/// Picture types that the API takes (2026-11).
const IMAGES: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/webp",
    "image/heic",
    "image/heif",
];

/// Types by the ending of an address.
const ENDINGS: &[(&str, &str)] = &[
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".pdf", "application/pdf"),
    (".mp4", "video/mp4"),
    (".mp3", "audio/mp3"),
    (".wav", "audio/wav"),
];

impl Out<'_> {
    /// Turns a block into parts.
    pub(super) fn said<'t>(
        &mut self,
        node: &'t Node<Block>,
        path: &str,
        parts: &mut Vec<Part<'t>>,
    ) {
        if let Some(raw) = raw(node).filter(|raw| raw.starts_with('{')) {
            return parts.push(Part::Raw {
                raw,
                call: None,
                answers: None,
            });
        }
        match &**node {
            Block::Text {
                text,
                citations,
                signature,
                cache,
            } => {
                if citations.is_some() {
                    self.losses.add(format!("{path}.citations"));
                }
                self.no_hint(*cache, path);
                let token = self.own_token(signature.as_ref());
                if signature.is_some() && token.is_none() {
                    self.losses.add(format!("{path}.signature"));
                }
                // Nothing is said in white space.
                if !text.is_blank() || token.is_some() {
                    parts.push(Part::Text {
                        pieces: vec![text.clone()],
                        signature: token,
                    });
                }
            }
            Block::Image(image) => self.image(image, path, parts),
            Block::Document(document) => self.document(document, path, parts),
            Block::Media(media) => self.media(media, path, parts),
            Block::ToolReference { name } => parts.push(Part::text(vec![
                Text::from_static("Tool loaded: "),
                name.clone(),
            ])),
            Block::SearchResult(found) => self.search_result(found, path, parts),
            Block::Refusal(text) if text.is_blank() => {}
            Block::Refusal(text) => parts.push(Part::text(vec![text.clone()])),
            Block::ServerTool(step) if step.block.wire == Wire::Gemini => parts.push(Part::Raw {
                raw: &step.block.raw,
                call: None,
                answers: None,
            }),
            Block::Foreign(foreign) if foreign.wire == Wire::Gemini => parts.push(Part::Raw {
                raw: &foreign.raw,
                call: None,
                answers: None,
            }),
            Block::ServerTool(_)
            | Block::Foreign(_)
            | Block::Thinking(_)
            | Block::ToolUse(_)
            | Block::ToolResult(_) => self.losses.add(path),
        }
    }

    fn image<'t>(&mut self, image: &Image, path: &str, parts: &mut Vec<Part<'t>>) {
        self.no_hint(image.cache, path);
        if image.detail.is_some() {
            self.losses.add(format!("{path}.detail"));
        }
        let is_taken = match &image.source {
            MediaSource::Base64 { media_type, .. } => {
                self.is_own() || IMAGES.contains(&&*media_type.decode())
            }
            _ => true,
        };
        if is_taken {
            self.source(&image.source, None, "Image", path, parts);
        } else {
            self.losses.add(path);
            let note = "[Image left out: this provider does not take its type]";
            parts.push(Part::text(vec![Text::from_static(note)]));
        }
    }

    fn media<'t>(&mut self, media: &Media, path: &str, parts: &mut Vec<Part<'t>>) {
        self.losses.add_members(path, &media.extra);
        let what = match media.kind {
            crate::turn::MediaKind::Audio => "Audio",
            crate::turn::MediaKind::Video => "Video",
        };
        self.source(&media.source, None, what, path, parts);
    }

    fn document<'t>(&mut self, document: &'t Document, path: &str, parts: &mut Vec<Part<'t>>) {
        self.no_hint(document.cache, path);
        self.losses.add_members(path, &document.extra);
        match &document.source {
            MediaSource::Text(text) => {
                let mut pieces = heading(document);
                pieces.push(text.clone());
                parts.push(Part::text(pieces));
            }
            MediaSource::Blocks(blocks) => {
                let head = heading(document);
                if !head.is_empty() {
                    parts.push(Part::text(head));
                }
                for (at, block) in blocks.iter().enumerate() {
                    self.said(block, &format!("{path}.source.content[{at}]"), parts);
                }
            }
            source => {
                if let Some(context) = &document.context {
                    parts.push(Part::text(vec![context.clone()]));
                }
                self.source(source, document.title.as_ref(), "Document", path, parts);
            }
        }
    }

    fn source<'t>(
        &mut self,
        source: &MediaSource,
        title: Option<&Text>,
        what: &str,
        path: &str,
        parts: &mut Vec<Part<'t>>,
    ) {
        match source {
            MediaSource::Base64 { media_type, data } => parts.push(Part::Inline {
                media_type: media_type.clone(),
                data: data.clone(),
                // Names are for media in a response, which it can refer to; elsewhere the API refuses them.
                title: None,
            }),
            MediaSource::Url(address) => parts.push(Part::File {
                media_type: media_type(address),
                address: address.clone(),
            }),
            MediaSource::File(address) if self.is_own() => parts.push(Part::File {
                media_type: media_type(address),
                address: address.clone(),
            }),
            MediaSource::File(_) | MediaSource::Text(_) | MediaSource::Blocks(_) => {
                self.losses.add(path);
                let note = format!("[{what} left out: it is stored with another provider]");
                parts.push(Part::text(vec![note.into()]));
                return;
            }
        }
        if title.is_some() {
            self.losses.add(format!("{path}.title"));
        }
    }

    fn search_result<'t>(
        &mut self,
        found: &'t SearchResult,
        path: &str,
        parts: &mut Vec<Part<'t>>,
    ) {
        let newline = Text::from_static("\n");
        parts.push(Part::text(vec![
            found.title.clone(),
            newline,
            found.source.clone(),
        ]));
        for (at, block) in found.content.iter().enumerate() {
            self.said(block, &format!("{path}.content[{at}]"), parts);
        }
        self.losses.add_members(path, &found.extra);
    }

    /// This wire caches by itself.
    fn no_hint(&mut self, hint: Option<CacheHint>, path: &str) {
        if hint.is_some() {
            self.losses.add(format!("{path}.cache_control"));
        }
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

fn media_type(address: &Text) -> Option<Text> {
    let address = address.decode().to_ascii_lowercase();
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (_, media_type) = ENDINGS.iter().find(|(ending, _)| path.ends_with(ending))?;
    Some(Text::from_static(media_type))
}
