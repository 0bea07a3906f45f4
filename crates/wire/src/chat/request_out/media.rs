//! Pictures, documents and found passages, as parts of a message.
//!
//! What a host cannot take is named in a line of text, so that the model knows that something was there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Wire;
use crate::json::Text;
use crate::turn::{
    Block, CacheHint, Document, Image, Media, MediaKind, MediaSource, Node, Place, SearchResult,
    data_uri,
};

use super::Out;
use super::content::{Part, PartKind};

impl Out<'_> {
    pub(super) fn image(&mut self, image: &Image, path: &Place<'_>, parts: &mut Vec<Part>) {
        let cache = self.carried_hint(image.cache, path);
        let url = match &image.source {
            MediaSource::Base64 { media_type, data } => data_uri(media_type, data),
            MediaSource::Url(url) if self.dialect.has_image_urls => vec![url.clone()],
            MediaSource::Url(url) => {
                self.losses.add(path);
                let note = [
                    Text::from_static("[Image: "),
                    url.clone(),
                    Text::from_static("]"),
                ];
                return parts.push(Part::cached(note, cache));
            }
            MediaSource::File(_) | MediaSource::Text(_) | MediaSource::Blocks(_) => {
                self.losses.add(path);
                let note =
                    Text::from_static("[Image left out: it is stored with another provider]");
                return parts.push(Part::cached(note, cache));
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

    /// Sound and films as they came, or as the part that this wire has for them.
    pub(super) fn media(
        &mut self,
        block: &Node<Block>,
        media: &Media,
        path: &Place<'_>,
        parts: &mut Vec<Part>,
    ) {
        let kind = match (block.raw(Wire::Chat), media.kind, &media.source) {
            (Some(raw), ..) => PartKind::Received(raw.clone()),
            (None, MediaKind::Audio, MediaSource::Base64 { media_type, data }) => PartKind::Audio {
                format: audio_format(media_type),
                data: data.clone(),
            },
            (None, MediaKind::Video, MediaSource::Base64 { media_type, data }) => PartKind::Video {
                url: data_uri(media_type, data),
            },
            (None, MediaKind::Video, MediaSource::Url(url)) => PartKind::Video {
                url: vec![url.clone()],
            },
            (None, kind, _) => {
                self.losses.add(path);
                let note = format!("[{} left out: it is stored elsewhere]", kind.name());
                PartKind::Text(Text::from(note).into())
            }
        };
        if block.raw(Wire::Chat).is_none() {
            self.losses.add_members(path, &media.extra);
        }
        parts.push(Part { kind, cache: None });
    }

    /// Text goes in as text, everything else as a file.
    pub(super) fn document(
        &mut self,
        document: &Document,
        path: &Place<'_>,
        parts: &mut Vec<Part>,
    ) {
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
                        parts.push(Part::text(context.clone()));
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
                    let note = [
                        Text::from_static("["),
                        name,
                        Text::from_static(" left out: this provider takes no files]"),
                    ];
                    parts.push(Part::cached(note, cache));
                }
            },
            MediaSource::Url(url) => {
                self.losses.add(path);
                let note = [
                    Text::from_static("[Document: "),
                    url.clone(),
                    Text::from_static("]"),
                ];
                parts.push(Part::cached(note, cache));
            }
            MediaSource::File(id) if self.is_same_wire() => parts.push(Part {
                kind: PartKind::FileId(id.clone()),
                cache,
            }),
            MediaSource::File(_) => {
                self.losses.add(path);
                let note =
                    Text::from_static("[Document left out: it is stored with another provider]");
                parts.push(Part::cached(note, cache));
            }
            MediaSource::Blocks(blocks) => {
                let mut head = heading(document);
                if !head.is_empty() {
                    head.pop();
                    parts.push(Part::text(head));
                }
                for (at, block) in blocks.iter().enumerate() {
                    let source = path.below("source", None);
                    self.part(block, &source.below("content", Some(at)), parts);
                }
                if let Some(last) = parts.last_mut() {
                    last.cache = last.cache.or(cache);
                }
            }
        }
    }

    pub(super) fn search_result(
        &mut self,
        result: &SearchResult,
        path: &Place<'_>,
        parts: &mut Vec<Part>,
    ) {
        let newline = || Text::from_static("\n");
        parts.push(Part::text([
            result.title.clone(),
            newline(),
            result.source.clone(),
        ]));
        for (at, block) in result.content.iter().enumerate() {
            self.part(block, &path.below("content", Some(at)), parts);
        }
        self.losses.add_members(path, &result.extra);
    }
}

/// The short name that `input_audio.format` has for a media type.
fn audio_format(media_type: &Text) -> Text {
    let media_type = media_type.decode();
    let name = media_type.rsplit('/').next().unwrap_or_default();
    match name {
        "mpeg" => Text::from_static("mp3"),
        "x-wav" | "wave" => Text::from_static("wav"),
        other => other.to_owned().into(),
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

fn titled(document: &Document, text: Text, cache: Option<CacheHint>) -> Part {
    let mut pieces = heading(document);
    pieces.push(text);
    Part::cached(pieces, cache)
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
