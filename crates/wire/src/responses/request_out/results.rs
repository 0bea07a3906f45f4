//! Results of tool calls.

use crate::json::Text;
use crate::turn::ToolResult;

use super::Out;
use super::content::Part;

impl Out<'_> {
    /// Writes a result: as a string if it is text, else as parts.
    pub(super) fn result(&mut self, result: &ToolResult, path: &str) {
        let parts = self.result_parts(result, path);
        let kind = if self.answers_freeform(&result.tool_use_id) {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        self.w.begin_object().key("type").str(kind);
        self.w.key("call_id").text(&result.tool_use_id);
        self.w.key("output");
        let texts: Option<Vec<&Vec<Text>>> = parts.iter().map(Part::as_text).collect();
        match texts {
            Some(texts) => {
                let newline = Text::from_static("\n");
                let error = Text::from_static("Error: ");
                let mut pieces: Vec<&Text> = Vec::new();
                for (at, text) in texts.iter().enumerate() {
                    if at > 0 {
                        pieces.push(&newline);
                    }
                    pieces.extend(*text);
                }
                if result.is_error {
                    pieces.insert(0, &error);
                }
                self.w.text_parts(pieces);
            }
            None => {
                self.w.begin_array();
                if result.is_error {
                    self.write_part(&Part::text(vec![Text::from_static("Error:")]));
                }
                for part in &parts {
                    self.write_part(part);
                }
                self.w.end_array();
            }
        }
        self.w.end_object();
    }

    fn result_parts(&mut self, result: &ToolResult, path: &str) -> Vec<Part> {
        if result.cache.is_some() {
            self.losses.add(format!("{path}.cache_control"));
        }
        let mut parts = Vec::new();
        for (at, block) in result.content.iter().enumerate() {
            self.part(block, &format!("{path}.content[{at}]"), &mut parts);
        }
        parts
    }

    /// Whether the call with this id took free text.
    fn answers_freeform(&self, id: &Text) -> bool {
        self.freeform_calls.contains(&*id.decode())
    }

    /// Says in a user message what a result without its call says.
    pub(super) fn orphan(&mut self, result: &ToolResult, path: &str, parts: &mut Vec<Part>) {
        parts.push(Part::text(vec![Text::from_static(if result.is_error {
            "[Result of an earlier tool call] Error:"
        } else {
            "[Result of an earlier tool call]"
        })]));
        parts.append(&mut self.result_parts(result, path));
    }

    /// Stands in for a result that never came.
    pub(super) fn missing_result(&mut self, id: &Text) {
        let kind = if self.answers_freeform(id) {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        self.w.begin_object().key("type").str(kind);
        self.w.key("call_id").text(id);
        self.w
            .key("output")
            .str("Error: the tool call was not answered");
        self.w.end_object();
    }
}
