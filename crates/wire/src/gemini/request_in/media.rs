//! Media parts: what they are is told by their type alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::gemini::member;
use crate::json::{Text, Value};
use crate::turn::{Block, Document, Image, Media, MediaKind, MediaSource};

/// Reads an `inlineData`, which stands in `part`.
pub(super) fn inline(blob: Value<'_>, part: Value<'_>) -> Option<Block> {
    let media_type = member::text(blob, "mimeType")?;
    let data = standard(member::text(blob, "data")?);
    let title = member::text(blob, "displayName");
    let kind = media_type.to_plain();
    let source = match plain_text(&kind, &data) {
        Some(text) => MediaSource::Text(text),
        None => MediaSource::Base64 { media_type, data },
    };
    Some(block(&kind, source, title, part))
}

/// Reads a `fileData`, which stands in `part`: an address, or a file that the provider keeps.
pub(super) fn file(file: Value<'_>, part: Value<'_>) -> Option<Block> {
    let address = member::text(file, "fileUri")?;
    let title = member::text(file, "displayName");
    let kind = member::text(file, "mimeType")
        .unwrap_or_default()
        .to_plain();
    let is_kept = {
        let address = address.decode();
        !address.starts_with("http") || address.contains("/v1beta/files/")
    };
    let source = if is_kept {
        MediaSource::File(address)
    } else {
        MediaSource::Url(address)
    };
    Some(block(&kind, source, title, part))
}

fn block(kind: &str, source: MediaSource, title: Option<Text>, part: Value<'_>) -> Block {
    let media = |kind, source| {
        Block::Media(Media {
            kind,
            source,
            extra: member::get(part, "videoMetadata")
                .map(|metadata| ("videoMetadata".into(), metadata.to_raw()))
                .into_iter()
                .collect(),
        })
    };
    match kind.split('/').next().unwrap_or_default() {
        "image" => Block::Image(Image {
            source,
            detail: None,
            cache: None,
        }),
        "audio" => media(MediaKind::Audio, source),
        "video" => media(MediaKind::Video, source),
        _ => Block::Document(Document {
            source,
            title,
            context: None,
            cache: None,
            extra: Vec::new(),
        }),
    }
}

/// Base64 in the standard alphabet: Python clients of this wire write the other one.
fn standard(data: Text) -> Text {
    let plain = data.decode();
    if !plain.contains(['-', '_']) {
        return data.clone();
    }
    let mut standard = plain.replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    standard.into()
}

/// The text of a file that is text.
fn plain_text(media_type: &str, data: &Text) -> Option<Text> {
    if !media_type.starts_with("text/") {
        return None;
    }
    let bytes = STANDARD.decode(data.decode().as_bytes()).ok()?;
    String::from_utf8(bytes).ok().map(Text::from)
}
