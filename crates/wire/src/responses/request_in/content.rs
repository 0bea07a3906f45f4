//! Content: a string, a part, or a list of either.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, Value};
use crate::turn::{
    Block, CacheHint, Document, Foreign, Image, Media, MediaKind, MediaSource, Node, media_at,
};

use super::{Extra, others_below};

/// Members of texts. How likely its words were says nothing to another model.
const TEXT: [&str; 3] = ["text", "annotations", "logprobs"];

/// The blocks of a `content` or `output` member. What parts say that blocks have no place for goes to `rest`, by its path
/// behind `at`, which is that of the member.
pub(super) fn blocks(content: Option<Value<'_>>, at: &str, rest: &mut Extra) -> Vec<Node<Block>> {
    let Some(content) = content else {
        return Vec::new();
    };
    match content.kind() {
        Kind::String => vec![Node::new(Block::text(content.text().unwrap_or_default()))],
        Kind::Array => content
            .items()
            .filter(|part| !part.is_null())
            .enumerate()
            .map(|(nth, part)| self::part(part, || format!("{at}[{nth}]"), rest))
            .collect(),
        Kind::Object => vec![part(content, || at.to_owned(), rest)],
        Kind::Null => Vec::new(),
        Kind::Bool | Kind::Number => vec![Node::new(Block::text(Text::plain(content.to_raw())))],
    }
}

/// Whether an item without a role is a part of a message that stands by itself.
pub(super) fn is_loose_part(item: Value<'_>) -> bool {
    const PARTS: [&str; 8] = [
        "input_text",
        "output_text",
        "text",
        "summary_text",
        "input_image",
        "input_file",
        "input_audio",
        "refusal",
    ];
    item.kind() == Kind::String
        || item
            .get("type")
            .and_then(Value::str)
            .is_some_and(|kind| PARTS.contains(&&*kind))
        || item.get("type").is_none() && item.get("text").is_some()
}

/// Reads a part, which stands at `place`.
pub(super) fn part(
    part: Value<'_>,
    place: impl FnOnce() -> String,
    rest: &mut Extra,
) -> Node<Block> {
    let has_rest = !part
        .members()
        .all(|(key, _)| key == "type" || TEXT.contains(&&*key));
    let kind = part.get("type").and_then(Value::str).unwrap_or_default();
    let text = |key: &str| part.get(key).and_then(Value::text);
    let block = match &*kind {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" | "" => part
            .text()
            .or_else(|| text("text"))
            .map(|text| Block::Text {
                text,
                citations: annotations(part),
                signature: None,
                cache: if has_rest { cache_hint(part) } else { None },
            }),
        "refusal" => text("refusal").map(Block::Refusal),
        "input_image" | "image_url" | "computer_screenshot" => image(part),
        "input_file" | "file" => document(part),
        "input_audio" => audio(part),
        _ => None,
    };
    let foreign = || {
        Block::Foreign(Foreign {
            wire: Wire::Responses,
            raw: part.to_raw(),
        })
    };
    if has_rest && block.is_some() {
        note(part, &kind, &place(), rest);
    }
    Node::received(
        block.unwrap_or_else(foreign),
        Wire::Responses,
        part.to_raw(),
    )
}

/// Notes what a part of a known type says that its block has no place for.
fn note(part: Value<'_>, kind: &str, path: &str, rest: &mut Extra) {
    const FILE: [&str; 6] = [
        "file",
        "file_data",
        "file_id",
        "file_url",
        "filename",
        "detail",
    ];
    let known: &[&str] = match kind {
        "refusal" => &["refusal"],
        "input_image" | "image_url" | "computer_screenshot" => &["image_url", "file_id", "detail"],
        "input_file" | "file" => &FILE,
        "input_audio" => &["input_audio"],
        _ => &TEXT,
    };
    for (key, value) in part.members().filter(|(_, value)| !value.is_null()) {
        let inner: &[&str] = match &*key {
            "type" | "prompt_cache_breakpoint" => continue,
            key if !known.contains(&key) => {
                rest.push((format!("{path}.{key}").into(), value.to_raw()));
                continue;
            }
            "image_url" => &["url", "detail"],
            "file" => &FILE,
            "input_audio" => &["data", "format"],
            _ => continue,
        };
        rest.extend(others_below(&format!("{path}.{key}"), value, inner));
    }
}

fn annotations(part: Value<'_>) -> Option<Foreign> {
    let annotations = part.get("annotations")?;
    annotations.items().next()?;
    Some(Foreign {
        wire: Wire::Responses,
        raw: annotations.to_raw(),
    })
}

fn cache_hint(part: Value<'_>) -> Option<CacheHint> {
    part.get("prompt_cache_breakpoint")
        .filter(|hint| !hint.is_null())
        .map(|_| CacheHint::Default)
}

/// The address is a string, or as Chat clients have it an object that holds one; a data URI holds the picture itself.
fn image(part: Value<'_>) -> Option<Block> {
    let url = part
        .get("image_url")
        .and_then(|holder| holder.text().or_else(|| holder.get("url")?.text()));
    let source = match url {
        Some(url) => media_at(&url),
        None => MediaSource::File(part.get("file_id")?.text()?),
    };
    Some(Block::Image(Image {
        source,
        detail: part.get("detail").and_then(Value::text),
        cache: cache_hint(part),
    }))
}

fn document(part: Value<'_>) -> Option<Block> {
    let file = part.get("file").unwrap_or(part);
    let text = |key: &str| file.get(key).and_then(Value::text);
    let source = match (text("file_data"), text("file_id"), text("file_url")) {
        (Some(data), ..) => match media_at(&data) {
            // Base64 without the head that says what it is: documents are PDFs, unless their name says otherwise.
            MediaSource::Url(data) => MediaSource::Base64 {
                media_type: media_type(text("filename")),
                data,
            },
            source => source,
        },
        (None, Some(id), _) => MediaSource::File(id),
        (None, None, url) => MediaSource::Url(url?),
    };
    Some(Block::Document(Document {
        source,
        title: text("filename"),
        context: None,
        cache: cache_hint(part),
        extra: file
            .get("detail")
            .filter(|detail| !detail.is_null())
            .map(|detail| (ByteString::from_static("detail"), detail.to_raw()))
            .into_iter()
            .collect(),
    }))
}

fn media_type(name: Option<Text>) -> Text {
    let name = name.unwrap_or_default();
    let name = name.decode();
    Text::from_static(match name.rsplit_once('.').map(|(_, end)| end) {
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        _ => "application/pdf",
    })
}

fn audio(part: Value<'_>) -> Option<Block> {
    let sound = part.get("input_audio")?;
    let format = sound.get("format").and_then(Value::text);
    let format = format.as_ref().map_or("wav".into(), Text::decode);
    Some(Block::Media(Media {
        kind: MediaKind::Audio,
        source: MediaSource::Base64 {
            media_type: format!("audio/{format}").into(),
            data: sound.get("data")?.text()?,
        },
        extra: Vec::new(),
    }))
}
