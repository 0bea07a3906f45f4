//! Content blocks.

use super::Encoder;
use super::conversation::is_bare_string;
use super::fit::{Fit, Part};
use crate::Wire;
use crate::json::{Kind, Text, scan_reply};
use crate::turn::Place;
use crate::turn::{
    Block, CacheHint, Document, Foreign, MediaSource, Node, SearchResult, ToolInput, ToolResult,
    ToolUse,
};

impl Encoder<'_> {
    /// Writes an array of blocks.
    pub(super) fn parts(&mut self, parts: &[Part<'_>]) {
        self.json.begin_array();
        for part in parts {
            part.at_place(|place| self.part(&part.fit, place));
        }
        self.json.end_array();
    }

    fn part(&mut self, fit: &Fit<'_>, place: &Place<'_>) {
        match fit {
            Fit::Raw { raw, .. } => {
                self.json.raw(raw);
            }
            Fit::Block(block) => self.block(block, place),
            Fit::Thinking { text, signature } => self.thinking(text, signature.as_ref()),
            Fit::RedactedThinking { data } => self.redacted_thinking(data),
            Fit::Trimmed(text) => {
                self.json.begin_object().key("type").str("text");
                self.json.key("text").text(text).end_object();
            }
            Fit::Reminder(Block::Text { text, .. }) => {
                let (begin, end) = (
                    Text::from_static("<system-reminder>\n"),
                    Text::from_static("\n</system-reminder>"),
                );
                self.json.begin_object().key("type").str("text");
                self.json
                    .key("text")
                    .text_parts([&begin, text, &end])
                    .end_object();
            }
            Fit::Reminder(block) => self.block(block, place),
            Fit::StoredElsewhere => {
                self.json.begin_object().key("type").str("text");
                self.json
                    .key("text")
                    .str("[File left out: it is stored with another provider]")
                    .end_object();
            }
            Fit::LeftOut { kind } => {
                let note = format!("[{} left out: this provider takes none]", kind.name());
                self.json.begin_object().key("type").str("text");
                self.json.key("text").str(&note).end_object();
            }
            Fit::MissingResult { tool_use_id } => {
                self.json.begin_object().key("type").str("tool_result");
                self.json.key("tool_use_id").str(&fit_id(tool_use_id));
                self.json
                    .key("content")
                    .str("The result of this call is missing.");
                self.json.key("is_error").bool(true).end_object();
            }
        }
    }

    fn block(&mut self, block: &Block, place: &Place<'_>) {
        match block {
            Block::Text {
                text,
                citations,
                signature: _,
                cache,
            } => {
                self.json
                    .begin_object()
                    .key("type")
                    .str("text")
                    .key("text")
                    .text(text);
                match citations {
                    Some(Foreign { wire, raw }) if *wire == Wire::Anthropic => {
                        self.json.key("citations").raw(raw);
                    }
                    Some(_) => self.losses.add(place.member("citations")),
                    None => {}
                }
                self.end_with_cache(*cache);
            }
            Block::Refusal(text) => {
                self.json
                    .begin_object()
                    .key("type")
                    .str("text")
                    .key("text")
                    .text(text)
                    .end_object();
            }
            Block::Thinking(thinking) => match &thinking.signature {
                Some(data) if thinking.is_redacted => self.redacted_thinking(data),
                signature => self.thinking(&thinking.text, signature.as_ref()),
            },
            Block::ToolUse(call) => self.tool_use(call, place),
            Block::ToolResult(result) => self.tool_result(result, place),
            Block::Image(image) => {
                if image.detail.is_some() {
                    self.losses.add(place.member("detail"));
                }
                self.json.begin_object().key("type").str("image");
                self.source(&image.source, place);
                self.end_with_cache(image.cache);
            }
            Block::Document(document) => self.document(document, place),
            // Written as a note by `fit`.
            Block::Media(_) => {}
            Block::ToolReference { name } => {
                self.json.begin_object().key("type").str("tool_reference");
                self.json.key("tool_name").text(name).end_object();
            }
            Block::SearchResult(found) => self.search_result(found, place),
            Block::ServerTool(step) => {
                self.json.raw(&step.block.raw);
            }
            Block::Foreign(foreign) => {
                self.json.raw(&foreign.raw);
            }
        }
    }

    fn thinking(&mut self, text: &Text, signature: Option<&Text>) {
        self.json
            .begin_object()
            .key("type")
            .str("thinking")
            .key("thinking")
            .text(text);
        if let Some(signature) = signature {
            self.json.key("signature").text(signature);
        }
        self.json.end_object();
    }

    fn redacted_thinking(&mut self, data: &Text) {
        self.json
            .begin_object()
            .key("type")
            .str("redacted_thinking")
            .key("data")
            .text(data)
            .end_object();
    }

    fn tool_use(&mut self, call: &ToolUse, place: &Place<'_>) {
        if call.namespace.is_some() {
            self.losses.add(place.member("namespace"));
        }
        self.json.begin_object().key("type").str("tool_use");
        self.json
            .key("id")
            .str(&fit_id(&call.id))
            .key("name")
            .text(&call.name)
            .key("input");
        match &call.input {
            ToolInput::Json(raw)
                if scan_reply(raw, &[]).is_ok_and(|doc| doc.root().kind() == Kind::Object) =>
            {
                self.json.raw(raw);
            }
            ToolInput::Json(raw) => {
                if !raw.trim().is_empty() {
                    self.losses.add(place.member("input"));
                }
                self.json.raw("{}");
            }
            ToolInput::Freeform(text) => {
                self.json
                    .begin_object()
                    .key("input")
                    .text(text)
                    .end_object();
            }
        }
        self.extra(&call.extra, place);
        self.end_with_cache(call.cache);
    }

    fn tool_result(&mut self, result: &ToolResult, place: &Place<'_>) {
        self.json.begin_object().key("type").str("tool_result");
        self.json
            .key("tool_use_id")
            .str(&fit_id(&result.tool_use_id));
        if !result.content.is_empty() {
            self.json.key("content");
            self.content(&result.content, place);
        }
        if result.is_error {
            self.json.key("is_error").bool(true);
        }
        self.end_with_cache(result.cache);
    }

    fn document(&mut self, document: &Document, place: &Place<'_>) {
        self.json.begin_object().key("type").str("document");
        self.source(&document.source, place);
        for (key, text) in [("title", &document.title), ("context", &document.context)] {
            if let Some(text) = text {
                self.json.key(key).text(text);
            }
        }
        self.extra(&document.extra, place);
        self.end_with_cache(document.cache);
    }

    fn search_result(&mut self, found: &SearchResult, place: &Place<'_>) {
        self.json.begin_object().key("type").str("search_result");
        self.json
            .key("source")
            .text(&found.source)
            .key("title")
            .text(&found.title)
            .key("content");
        self.content(&found.content, place);
        self.extra(&found.extra, place);
        self.json.end_object();
    }

    fn source(&mut self, source: &MediaSource, place: &Place<'_>) {
        self.json.key("source").begin_object().key("type");
        match source {
            MediaSource::Base64 { media_type, data } => {
                self.json
                    .str("base64")
                    .key("media_type")
                    .text(media_type)
                    .key("data")
                    .text(data);
            }
            MediaSource::Url(url) => {
                self.json.str("url").key("url").text(url);
            }
            MediaSource::File(id) => {
                self.json.str("file").key("file_id").text(id);
            }
            MediaSource::Text(text) => {
                self.json
                    .str("text")
                    .key("media_type")
                    .str("text/plain")
                    .key("data")
                    .text(text);
            }
            MediaSource::Blocks(blocks) => {
                self.json.str("content").key("content");
                self.content(blocks, &place.below("source", None));
            }
        }
        self.json.end_object();
    }

    /// Blocks inside a block. One plain text goes as a string, which is how nearly every client sends it.
    fn content(&mut self, blocks: &[Node<Block>], place: &Place<'_>) {
        if let [only] = blocks {
            match &**only {
                Block::Text {
                    text,
                    citations: None,
                    cache: None,
                    ..
                } if !self.is_own || is_bare_string(only) => {
                    self.json.text(text);
                    return;
                }
                _ => {}
            }
        }
        self.json.begin_array();
        for (nth, node) in blocks.iter().enumerate() {
            let place = place.below("content", Some(nth));
            if let Some(part) = self.fit(node, &place) {
                self.part(&part, &place);
            }
        }
        self.json.end_array();
    }

    /// Members of another wire mean nothing here.
    fn extra(
        &mut self,
        extra: &[(bytestring::ByteString, bytestring::ByteString)],
        place: &Place<'_>,
    ) {
        if self.is_own {
            self.json.members(extra);
        } else {
            self.losses.add_members(place, extra);
        }
    }

    fn end_with_cache(&mut self, hint: Option<CacheHint>) {
        self.cache_control(hint);
        self.json.end_object();
    }

    /// Writes `cache_control` into the object that is open.
    pub(super) fn cache_control(&mut self, hint: Option<CacheHint>) {
        let Some(hint) = hint else { return };
        self.json
            .key("cache_control")
            .begin_object()
            .key("type")
            .str("ephemeral");
        if hint == CacheHint::OneHour {
            self.json.key("ttl").str("1h");
        }
        self.json.end_object();
    }
}

/// A call's id as this API takes it: letters, digits, `_` and `-`. Others are replaced, with a checksum of the whole so
/// that two stay two, and a call and its result still agree.
fn fit_id(id: &Text) -> String {
    let id = id.decode();
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(is_fit) {
        return id.into_owned();
    }
    let replaced: String = id
        .chars()
        .map(|c| if is_fit(c) { c } else { '_' })
        .collect();
    format!("{replaced}_{:08x}", crc32fast::hash(id.as_bytes()))
}
