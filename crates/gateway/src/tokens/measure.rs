//! The walk over a request: everything that a model gets to read, measured one way or the other.

use lingate_wire::Decoded;
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Document, MediaSource, Node, Tool, ToolInput};

use super::{image, pdf, pieces};

/// Bytes of text that make one token, on the average of prose and code.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
/// What a message's role and separators cost.
const MESSAGE: u64 = 4;
/// What stands around a tool's name, description and schema.
const TOOL: u64 = 12;
/// What stands around a call's name and arguments.
const CALL: u64 = 8;
/// Tokens of sound or a film, whose length stands in no member: half a minute of sound by the Gemini API (32 a second).
const MEDIA: u64 = 1_000;

/// How the parts of a request are measured.
pub(crate) trait Meter {
    /// A text the model reads.
    fn text(&mut self, text: &Text);
    /// JSON the model reads as JSON.
    fn json(&mut self, raw: &str);
    /// Tokens of a PDF.
    fn pdf(&self, data: &Text) -> u64;
    /// Tokens of all texts so far.
    fn tokens(&self) -> u64;
}

/// By the number of bytes, escapes included: nothing is decoded.
#[derive(Debug, Default)]
pub(crate) struct Bytes(u64);

impl Meter for Bytes {
    fn text(&mut self, text: &Text) {
        self.0 += text.wire_len() as u64;
    }

    fn json(&mut self, raw: &str) {
        self.0 += raw.len() as u64;
    }

    fn pdf(&self, data: &Text) -> u64 {
        pdf::by_size(data)
    }

    fn tokens(&self) -> u64 {
        self.0.div_ceil(BYTES_PER_TOKEN)
    }
}

/// By a tokenizer's pieces.
#[derive(Debug, Default)]
pub(crate) struct Pieces(u64);

impl Meter for Pieces {
    fn text(&mut self, text: &Text) {
        self.0 += pieces::count(&text.decode());
    }

    fn json(&mut self, raw: &str) {
        self.0 += pieces::count(raw);
    }

    fn pdf(&self, data: &Text) -> u64 {
        pdf::by_pages(data)
    }

    fn tokens(&self) -> u64 {
        self.0
    }
}

/// Tokens of a request, in two parts: models differ in what they make of text, and their templates in what they make of
/// tools, from nothing at all to more than was declared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// The system prompt and the conversation.
    pub text: u64,
    /// The declared tools.
    pub tools: u64,
}

impl Size {
    /// Both.
    pub(crate) const fn total(self) -> u64 {
        self.text + self.tools
    }
}

/// Measures a request.
pub(crate) fn measure(decoded: &Decoded, meter: impl Meter) -> Size {
    let turn = &decoded.turn;
    let mut walk = Walk { meter, fixed: 0 };
    if !turn.system.is_empty() {
        walk.fixed += MESSAGE;
        walk.blocks(&turn.system);
    }
    for message in &turn.messages {
        walk.fixed += MESSAGE;
        walk.blocks(&message.blocks);
    }
    let text = walk.tokens().max(1);
    for tool in &turn.tools {
        walk.tool(tool);
    }
    Size {
        text,
        tools: walk.tokens().saturating_sub(text),
    }
}

struct Walk<M> {
    meter: M,
    /// Tokens that no text makes.
    fixed: u64,
}

impl<M: Meter> Walk<M> {
    fn tokens(&self) -> u64 {
        self.meter.tokens() + self.fixed
    }

    fn blocks(&mut self, blocks: &[Node<Block>]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Text { text, .. } | Block::Refusal(text) => self.meter.text(text),
            Block::Thinking(thinking) => self.meter.text(&thinking.text),
            Block::ToolUse(call) => {
                self.fixed += CALL;
                self.meter.text(&call.name);
                match &call.input {
                    ToolInput::Json(raw) => self.meter.json(raw),
                    ToolInput::Freeform(text) => self.meter.text(text),
                }
            }
            Block::ToolResult(result) => {
                self.fixed += MESSAGE;
                self.blocks(&result.content);
            }
            Block::Image(image) => self.fixed += image::tokens(&image.source),
            Block::Media(_) => self.fixed += MEDIA,
            Block::Document(document) => self.document(document),
            Block::ToolReference { name } => self.meter.text(name),
            Block::SearchResult(result) => self.blocks(&result.content),
            Block::ServerTool(step) => self.meter.json(&step.block.raw),
            Block::Foreign(foreign) => self.meter.json(&foreign.raw),
        }
    }

    fn document(&mut self, document: &Document) {
        match &document.source {
            MediaSource::Base64 { data, .. } => self.fixed += self.meter.pdf(data),
            MediaSource::Text(text) => self.meter.text(text),
            MediaSource::Blocks(blocks) => self.blocks(blocks),
            MediaSource::Url(_) | MediaSource::File(_) => self.fixed += pdf::PAGE,
        }
    }

    fn tool(&mut self, tool: &Tool) {
        self.fixed += TOOL;
        match tool {
            Tool::Function {
                name,
                description,
                input_schema,
                ..
            } => {
                self.meter.text(name);
                self.described(description.as_ref(), input_schema.as_deref());
            }
            Tool::Freeform {
                name,
                description,
                format,
                ..
            } => {
                self.meter.text(name);
                self.described(description.as_ref(), format.as_deref());
            }
            Tool::Hosted { declaration, .. } => self.meter.json(&declaration.raw),
        }
    }

    fn described(&mut self, description: Option<&Text>, schema: Option<&str>) {
        if let Some(description) = description {
            self.meter.text(description);
        }
        if let Some(schema) = schema {
            self.meter.json(schema);
        }
    }
}
