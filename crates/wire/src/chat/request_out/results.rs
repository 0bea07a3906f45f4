//! Results of tool calls.

use crate::json::{Joined, Text};
use crate::turn::{CacheHint, Place, ToolResult};

use super::Out;
use super::content::Part;

/// A result whose call is not in the message before it: hosts refuse it as a `tool` message.
pub(super) struct Orphan<'a>(pub(super) &'a ToolResult);

impl Out<'_> {
    /// Writes a `tool` message. It can hold nothing but text, so that pictures and files go into `attached`, for the user
    /// message behind the batch, and a line says so.
    pub(super) fn result(
        &mut self,
        result: &ToolResult,
        path: &Place<'_>,
        attached: &mut Vec<Part>,
    ) {
        let (lines, cache) = self.lines(result, path, attached);
        let lines =
            lines.unwrap_or_else(|| Text::from_static(self.dialect.empty_tool_result).into());
        let error = result.is_error.then_some(Text::from_static("Error: "));
        let texts = error.iter().chain(lines.iter());
        self.w
            .frame(r#"{"role":"tool","tool_call_id":"#)
            .text(&result.tool_use_id)
            .key("content");
        if self.keeps_parts() {
            self.w.begin_array().begin_object().key("type").str("text");
            self.w.key("text").text_parts(texts);
            if let Some(hint) = cache {
                self.cache_hint(hint);
            }
            self.w.end_object().end_array();
        } else {
            self.w.text_parts(texts);
        }
        self.w.end_object();
    }

    /// The text of a result, with the lines that announce what is attached, and a hint that stood in it or on it.
    fn lines(
        &mut self,
        result: &ToolResult,
        path: &Place<'_>,
        attached: &mut Vec<Part>,
    ) -> (Option<Joined>, Option<CacheHint>) {
        let mut cache = self.carried_hint(result.cache, path);
        let mut parts = Vec::new();
        for (at, block) in result.content.iter().enumerate() {
            self.part(block, &path.below("content", Some(at)), &mut parts);
        }
        let mut lines: Option<Joined> = None;
        let mut add = |line: Joined| match &mut lines {
            Some(lines) => {
                lines.append(Text::from_static("\n"));
                lines.append(line);
            }
            None => lines = Some(line),
        };
        let (mut n_images, mut n_documents) = (0, 0);
        for part in parts {
            let hint = part.cache;
            match part.into_text() {
                Ok(text) => {
                    add(text);
                    // The lines become one part, behind which the hint stands.
                    cache = cache.or(hint);
                }
                Err(media) => {
                    n_images += usize::from(media.is_image());
                    n_documents += usize::from(!media.is_image());
                    attached.push(media);
                }
            }
        }
        for (n, what) in [(n_images, "image"), (n_documents, "document")] {
            if n > 0 {
                let note = format!("[{n} {what}(s) attached in the next user message]");
                add(Text::from(note).into());
            }
        }
        (lines, cache)
    }

    /// Says in a user message what a result without its call says.
    pub(super) fn orphan(&mut self, orphan: &Orphan<'_>, path: &Place<'_>, said: &mut Vec<Part>) {
        let mut attached = Vec::new();
        let mut text = Joined::from(Text::from_static(if orphan.0.is_error {
            "[Result of an earlier tool call] Error:"
        } else {
            "[Result of an earlier tool call]"
        }));
        let (lines, cache) = self.lines(orphan.0, path, &mut attached);
        if let Some(lines) = lines {
            text.append(Text::from_static("\n"));
            text.append(lines);
        }
        said.push(Part::cached(text, cache));
        said.append(&mut attached);
    }

    /// Stands in for a result that never came.
    pub(super) fn missing_result(&mut self, id: &Text) {
        self.w.frame(r#"{"role":"tool","tool_call_id":"#).text(id);
        let words = Text::from_static("Error: the tool call was not answered");
        self.content(vec![Part::text(words)], "");
        self.w.end_object();
    }
}
