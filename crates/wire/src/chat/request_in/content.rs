//! Content: a string, a part, or a list of either.

use std::borrow::Cow;

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, Value};
use crate::turn::{
    Block, CacheHint, Document, Foreign, Image, Media, MediaKind, MediaSource, Node, Thinking,
    media_at,
};

use super::{Extra, others};

/// What a file is told by.
const FILE: [&str; 5] = ["file", "file_data", "file_id", "file_url", "filename"];

/// The blocks of a `content` member. What parts say that blocks have no place for goes to `rest`, by its path behind
/// `at`.
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
            .map(|(nth, part)| self::part(part, at, nth, rest))
            .collect(),
        Kind::Object => vec![part(content, at, 0, rest)],
        Kind::Null => Vec::new(),
        Kind::Bool | Kind::Number => vec![Node::new(Block::text(Text::plain(content.to_raw())))],
    }
}

fn part(part: Value<'_>, at: &str, nth: usize, rest: &mut Extra) -> Node<Block> {
    let is_text = |(key, _): (Cow<'_, str>, Value<'_>)| matches!(&*key, "type" | "text");
    let has_rest = !part.members().all(is_text);
    let kind = part.get("type").and_then(Value::str).unwrap_or_default();
    let text = |key: &str| part.get(key).and_then(Value::text);
    let block = match &*kind {
        "text" | "input_text" | "output_text" | "" => {
            part.text()
                .or_else(|| text("text"))
                .map(|text| Block::Text {
                    text,
                    citations: None,
                    signature: None,
                    cache: if has_rest { cache_hint(part) } else { None },
                })
        }
        "refusal" => text("refusal").map(Block::Refusal),
        "image_url" | "input_image" => image(part),
        "file" | "input_file" => document(part),
        "input_audio" => audio(part),
        "video_url" => video(part),
        "thinking" => text("thinking").map(|text| {
            Block::Thinking(Thinking {
                text,
                ..Thinking::default()
            })
        }),
        _ => None,
    };
    let foreign = || {
        Block::Foreign(Foreign {
            wire: Wire::Chat,
            raw: part.to_raw(),
        })
    };
    if has_rest && block.is_some() {
        note(part, &kind, &format!("{at}content[{nth}]"), rest);
    }
    Node::received(block.unwrap_or_else(foreign), Wire::Chat, part.to_raw())
}

/// Notes what a part of a known type says that its block has no place for.
fn note(part: Value<'_>, kind: &str, path: &str, rest: &mut Extra) {
    let known: &[&str] = match kind {
        "refusal" => &["refusal"],
        "image_url" | "input_image" => &["image_url", "detail"],
        "file" | "input_file" => &FILE,
        "input_audio" => &["input_audio"],
        "video_url" => &["video_url"],
        "thinking" => &["thinking"],
        _ => &["text"],
    };
    for (key, value) in part.members() {
        let inner: &[&str] = match &*key {
            "type" | "prompt_cache_breakpoint" => continue,
            "cache_control" => &["type", "ttl"],
            key if !known.contains(&key) => {
                rest.push((format!("{path}.{key}").into(), value.to_raw()));
                continue;
            }
            "image_url" | "video_url" => &["url", "detail"],
            "file" => &FILE,
            "input_audio" => &["data", "format"],
            _ => continue,
        };
        let left = others(value, inner).into_iter();
        rest.extend(left.map(|(inner, raw)| (format!("{path}.{key}.{inner}").into(), raw)));
    }
}

/// The hint on a part or tool, in either spelling.
pub(super) fn cache_hint(part: Value<'_>) -> Option<CacheHint> {
    if part
        .get("prompt_cache_breakpoint")
        .is_some_and(|hint| !hint.is_null())
    {
        return Some(CacheHint::Default);
    }
    let control = part
        .get("cache_control")
        .filter(|control| control.kind() == Kind::Object)?;
    let is_long = control.get("ttl").is_some_and(|ttl| ttl.is_str("1h"));
    Some(if is_long {
        CacheHint::OneHour
    } else {
        CacheHint::Default
    })
}

/// The address is a string or an object that has one; a data URI holds the picture itself.
fn image(part: Value<'_>) -> Option<Block> {
    let holder = part.get("image_url")?;
    let url = holder.text().or_else(|| holder.get("url")?.text())?;
    Some(Block::Image(Image {
        source: media_at(&url),
        detail: holder
            .get("detail")
            .or_else(|| part.get("detail"))
            .and_then(Value::text),
        cache: cache_hint(part),
    }))
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

fn video(part: Value<'_>) -> Option<Block> {
    let holder = part.get("video_url")?;
    let url = holder.text().or_else(|| holder.get("url")?.text())?;
    Some(Block::Media(Media {
        kind: MediaKind::Video,
        source: media_at(&url),
        extra: Vec::new(),
    }))
}

fn document(part: Value<'_>) -> Option<Block> {
    let file = part.get("file").unwrap_or(part);
    let source = match (
        file.get("file_data").and_then(Value::text),
        file.get("file_id").and_then(Value::text),
    ) {
        (Some(data), _) => media_at(&data),
        (None, Some(id)) => MediaSource::File(id),
        (None, None) => MediaSource::Url(file.get("file_url")?.text()?),
    };
    Some(Block::Document(Document {
        source,
        title: file.get("filename").and_then(Value::text),
        context: None,
        cache: cache_hint(part),
        extra: Vec::new(),
    }))
}

/// Makes a node of what was decoded from `raw`: without its bytes if they hold a seal of ours.
pub(super) fn node<T>(value: T, raw: ByteString) -> Node<T> {
    if memchr::memmem::find(raw.as_bytes(), crate::turn::SEAL_PREFIX.as_bytes()).is_some() {
        Node::new(value)
    } else {
        Node::received(value, Wire::Chat, raw)
    }
}
