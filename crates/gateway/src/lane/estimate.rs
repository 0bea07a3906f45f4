//! Token counts before an upstream tells: bytes over four, media by their size.

use lingate_wire::Decoded;
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, MediaSource, Node, Tool, ToolInput};

/// Bytes of text that make one token, on the average of prose and code.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens of an image whose size is not known: the most that the Anthropic API counts for one.
const IMAGE: u64 = 1_600;
/// Tokens of a PDF's page, text and picture together, by the Anthropic API's documentation (1,500 to 3,000 a page).
const PAGE: u64 = 2_250;
/// Bytes of a PDF that make one page; a guess, there being no page count without reading the file.
const BYTES_PER_PAGE: u64 = 50_000;
/// Tokens of sound or a film, whose length stands in no member: half a minute of sound by the Gemini API (32 a second).
const MEDIA: u64 = 1_000;
/// What a message's role and separators cost.
const MESSAGE: u64 = 4;

/// Estimates a request's input tokens.
pub(crate) fn input_tokens(decoded: &Decoded) -> u64 {
    let turn = &decoded.turn;
    let mut sum = Sum::default();
    sum.blocks(&turn.system);
    for message in &turn.messages {
        sum.tokens += MESSAGE;
        sum.blocks(&message.blocks);
    }
    for tool in &turn.tools {
        sum.tool(tool);
    }
    (sum.bytes.div_ceil(BYTES_PER_TOKEN) + sum.tokens).max(1)
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    tokens: u64,
}

impl Sum {
    fn text(&mut self, text: &Text) {
        self.bytes += text.wire_len() as u64;
    }

    fn blocks(&mut self, blocks: &[Node<Block>]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Text { text, .. } | Block::Refusal(text) => self.text(text),
            Block::Thinking(thinking) => self.text(&thinking.text),
            Block::ToolUse(call) => {
                self.text(&call.name);
                match &call.input {
                    ToolInput::Json(raw) => self.bytes += raw.len() as u64,
                    ToolInput::Freeform(text) => self.text(text),
                }
            }
            Block::ToolResult(result) => self.blocks(&result.content),
            Block::Image(_) => self.tokens += IMAGE,
            Block::Media(_) => self.tokens += MEDIA,
            Block::Document(document) => match &document.source {
                MediaSource::Base64 { data, .. } => {
                    let bytes = data.wire_len() as u64 * 3 / 4;
                    self.tokens += bytes.div_ceil(BYTES_PER_PAGE) * PAGE;
                }
                MediaSource::Text(text) => self.text(text),
                MediaSource::Blocks(blocks) => self.blocks(blocks),
                MediaSource::Url(_) | MediaSource::File(_) => self.tokens += PAGE,
            },
            Block::ToolReference { name } => self.text(name),
            Block::SearchResult(result) => self.blocks(&result.content),
            Block::ServerTool(step) => self.bytes += step.block.raw.len() as u64,
            Block::Foreign(foreign) => self.bytes += foreign.raw.len() as u64,
        }
    }

    fn tool(&mut self, tool: &Tool) {
        match tool {
            Tool::Function {
                name,
                description,
                input_schema,
                ..
            } => {
                self.text(name);
                self.bytes += description.as_ref().map_or(0, Text::wire_len) as u64;
                self.bytes += input_schema.as_ref().map_or(0, |schema| schema.len()) as u64;
            }
            Tool::Freeform {
                name,
                description,
                format,
                ..
            } => {
                self.text(name);
                self.bytes += description.as_ref().map_or(0, Text::wire_len) as u64;
                self.bytes += format.as_ref().map_or(0, |format| format.len()) as u64;
            }
            Tool::Hosted { declaration, .. } => self.bytes += declaration.raw.len() as u64,
        }
    }
}
