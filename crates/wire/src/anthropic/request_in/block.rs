//! Content blocks of a request.

use super::Extra;
use crate::Wire;
use crate::anthropic::reply_block::foreign;
use crate::json::{Kind, Text, Value};
use crate::turn::Place;
use crate::turn::{
    Block, CacheHint, Document, Foreign, Image, MediaSource, Node, SearchResult, ServerToolUse,
    Thinking, ToolInput, ToolResult, ToolUse,
};

/// Decodes blocks; `rest` takes the members that they have no place for.
pub(super) struct Blocks<'r> {
    pub(super) rest: &'r mut Extra,
}

impl Blocks<'_> {
    /// A string or an array of blocks; `None` for anything else. `place` says where the nth one stands.
    ///
    /// A string becomes one text block whose received spelling is the string, so that it can go out as one.
    pub(super) fn content<'p>(
        &mut self,
        value: Value<'_>,
        place: impl Fn(Option<usize>) -> Place<'p>,
    ) -> Option<Vec<Node<Block>>> {
        match value.kind() {
            Kind::String => {
                let text = value.text().filter(|text| !text.is_empty());
                Some(match text {
                    Some(text) => vec![Node::received(
                        Block::text(text),
                        Wire::Anthropic,
                        value.to_raw(),
                    )],
                    None => Vec::new(),
                })
            }
            Kind::Array => {
                let mut blocks = Vec::with_capacity(value.items().count());
                for (nth, item) in value.items().enumerate() {
                    if item.kind() != Kind::Object {
                        return None;
                    }
                    blocks.push(self.block(item, &place(Some(nth))));
                }
                Some(blocks)
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::Object => None,
        }
    }

    /// A block that is not what its type promises is carried whole, like one of an unknown type.
    fn block(&mut self, value: Value<'_>, place: &Place<'_>) -> Node<Block> {
        let mark = self.rest.len();
        let block = self.known(value, place).unwrap_or_else(|| {
            self.rest.truncate(mark);
            Block::Foreign(foreign(value))
        });
        Node::received(block, Wire::Anthropic, value.to_raw())
    }

    fn known(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let kind = match value.get("type") {
            Some(kind) => kind.str()?,
            // Some clients leave out what the member says already.
            None if value.get("text").is_some() => "text".into(),
            None => return None,
        };
        match &*kind {
            "text" => self.text(value, place),
            "thinking" | "redacted_thinking" => self.thinking(value, place),
            "tool_use" => tool_use(value, place, self.rest),
            "tool_result" => self.tool_result(value, place),
            "image" => self.image(value, place),
            "document" => self.document(value, place),
            "search_result" => self.search_result(value, place),
            "tool_reference" => self.tool_reference(value, place),
            "server_tool_use" | "mcp_tool_use" => Some(server_tool(value)),
            kind if kind.ends_with("_tool_result") => Some(server_tool(value)),
            _ => None,
        }
    }

    fn text(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let mut text = None;
        let mut citations: Option<Foreign> = None;
        let mut cache_hint = None;
        for (key, member) in value.members() {
            match &*key {
                "type" => {}
                "text" => text = member.text(),
                "citations" => citations = member.items().next().map(|_| foreign(member)),
                "cache_control" => cache_hint = cache(member, &format!("{place}."), self.rest),
                key => self.note(place, key, member),
            }
        }
        Some(Block::Text {
            signature: None,
            text: text?,
            citations,
            cache: cache_hint,
        })
    }

    fn thinking(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let is_redacted = value.get("type")?.is_str("redacted_thinking");
        let mut thinking = Thinking {
            is_redacted,
            ..Thinking::default()
        };
        for (key, member) in value.members() {
            match &*key {
                "type" => {}
                "thinking" if !is_redacted => thinking.text = member.text()?,
                "signature" if !is_redacted => thinking.signature = member.text(),
                "data" if is_redacted => thinking.signature = Some(member.text()?),
                key => self.note(place, key, member),
            }
        }
        Some(Block::Thinking(thinking))
    }

    fn tool_result(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let mut tool_use_id = None;
        let mut content = Vec::new();
        let mut is_error = false;
        let mut cache_hint = None;
        for (key, member) in value.members() {
            match &*key {
                "type" => {}
                "tool_use_id" => tool_use_id = member.text(),
                "content" if member.is_null() => {}
                "content" => content = self.content(member, |nth| place.below("content", nth))?,
                "is_error" => is_error = member.bool().unwrap_or(false),
                "cache_control" => cache_hint = cache(member, &format!("{place}."), self.rest),
                key => self.note(place, key, member),
            }
        }
        Some(Block::ToolResult(ToolResult {
            tool_use_id: tool_use_id?,
            content,
            is_error,
            cache: cache_hint,
        }))
    }

    fn image(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let mut source = None;
        let mut cache_hint = None;
        for (key, member) in value.members() {
            match &*key {
                "type" => {}
                "source" => source = self.source(member, &place.below("source", None)),
                "cache_control" => cache_hint = cache(member, &format!("{place}."), self.rest),
                key => self.note(place, key, member),
            }
        }
        Some(Block::Image(Image {
            source: source?,
            detail: None,
            cache: cache_hint,
        }))
    }

    fn document(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let mut source = None;
        let mut document = Document {
            source: MediaSource::Blocks(Vec::new()),
            title: None,
            context: None,
            cache: None,
            extra: Extra::new(),
        };
        for (key, member) in value.members() {
            match &*key {
                "type" => {}
                "source" => source = self.source(member, &place.below("source", None)),
                "title" => document.title = member.text(),
                "context" => document.context = member.text(),
                "cache_control" => document.cache = cache(member, &format!("{place}."), self.rest),
                key => document.extra.push((key.into(), member.to_raw())),
            }
        }
        document.source = source?;
        Some(Block::Document(document))
    }

    fn source(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<MediaSource> {
        let text = |key: &str| value.get(key).and_then(Value::text);
        let kind = value.get("type")?.str()?;
        let (source, taken): (_, &[&str]) = match &*kind {
            "base64" => (
                MediaSource::Base64 {
                    media_type: text("media_type")?,
                    data: text("data")?,
                },
                &["media_type", "data"],
            ),
            "url" => (MediaSource::Url(text("url")?), &["url"]),
            "file" => (MediaSource::File(text("file_id")?), &["file_id"]),
            // The media type of a text source is always `text/plain`.
            "text" => (MediaSource::Text(text("data")?), &["media_type", "data"]),
            "content" => {
                let blocks =
                    self.content(value.get("content")?, |nth| place.below("content", nth))?;
                (MediaSource::Blocks(blocks), &["content"])
            }
            _ => return None,
        };
        for (key, member) in value
            .members()
            .filter(|(key, _)| key != "type" && !taken.contains(&&**key))
        {
            self.note(place, &key, member);
        }
        Some(source)
    }

    fn search_result(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let text = |key: &str| value.get(key).and_then(Value::text);
        Some(Block::SearchResult(SearchResult {
            source: text("source")?,
            title: text("title")?,
            content: self.content(value.get("content")?, |nth| place.below("content", nth))?,
            extra: others(value, &["type", "source", "title", "content"]),
        }))
    }

    fn tool_reference(&mut self, value: Value<'_>, place: &Place<'_>) -> Option<Block> {
        let name = value.get("tool_name")?.text()?;
        for (key, member) in value
            .members()
            .filter(|(key, _)| key != "type" && key != "tool_name")
        {
            self.note(place, &key, member);
        }
        Some(Block::ToolReference { name })
    }

    fn note(&mut self, place: &Place<'_>, key: &str, value: Value<'_>) {
        self.rest.push((place.member(key).into(), value.to_raw()));
    }
}

fn tool_use(value: Value<'_>, place: &Place<'_>, rest: &mut Extra) -> Option<Block> {
    let (mut id, mut name, mut input) = (None, None, None);
    let (mut cache_hint, mut extra) = (None, Extra::new());
    for (key, member) in value.members() {
        match &*key {
            "type" => {}
            "id" => id = member.text(),
            "name" => name = member.text(),
            "input" => input = Some(member.to_raw()),
            "cache_control" => cache_hint = cache(member, &format!("{place}."), rest),
            key => extra.push((key.into(), member.to_raw())),
        }
    }
    Some(Block::ToolUse(ToolUse {
        id: id?,
        name: name?,
        namespace: None,
        input: ToolInput::Json(input?.into()),
        signature: None,
        cache: cache_hint,
        extra,
    }))
}

fn server_tool(value: Value<'_>) -> Block {
    Block::ServerTool(ServerToolUse {
        name: value.get("name").and_then(Value::text),
        block: foreign(value),
    })
}

/// The members that are not in `taken`.
pub(super) fn others(value: Value<'_>, taken: &[&str]) -> Extra {
    value
        .members()
        .filter(|(key, _)| !taken.contains(&&**key))
        .map(|(key, member)| (key.into_owned().into(), member.to_raw()))
        .collect()
}

/// Reads a `cache_control`. What it says beyond its lifetime goes to `rest`, behind `prefix` (the owner's path and a dot).
pub(super) fn cache(value: Value<'_>, prefix: &str, rest: &mut Extra) -> Option<CacheHint> {
    if value.is_null() {
        return None;
    }
    if !value
        .get("type")
        .is_some_and(|kind| kind.is_str("ephemeral"))
    {
        rest.push((format!("{prefix}cache_control").into(), value.to_raw()));
        return None;
    }
    let mut hint = CacheHint::Default;
    for (key, member) in value.members() {
        match &*key {
            "type" => {}
            "ttl" if member.is_str("1h") => hint = CacheHint::OneHour,
            "ttl" if member.is_str("5m") || member.is_null() => {}
            key => rest.push((
                format!("{prefix}cache_control.{key}").into(),
                member.to_raw(),
            )),
        }
    }
    Some(hint)
}

/// An optional string: absent, `null` and other kinds are none.
pub(super) fn optional_text(value: Option<Value<'_>>) -> Option<Text> {
    value.and_then(Value::text)
}
