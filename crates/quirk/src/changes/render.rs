//! Parts of a request as a person reads them.

use std::fmt::Write as _;

use lingate_wire::turn::{Block, Message, Node, Role, Tool, ToolInput};

/// Text as it is; a call as its name, id and input; media by their kind alone.
pub(super) fn block(block: &Block) -> String {
    match block {
        Block::Text { text, .. } | Block::Refusal(text) => text.decode().into_owned(),
        Block::Thinking(thinking) => format!("[thinking] {}", thinking.text.decode()),
        Block::ToolUse(call) => format!(
            "[call {} {}] {}",
            call.name.decode(),
            call.id.decode(),
            input(&call.input)
        ),
        Block::ToolResult(result) => format!(
            "[result {}] {}",
            result.tool_use_id.decode(),
            blocks(&result.content)
        ),
        Block::Image(_) => "[image]".to_owned(),
        Block::Media(media) => format!("[{}]", media.kind.name()),
        Block::Document(_) => "[document]".to_owned(),
        Block::ToolReference { name } => format!("[tool {}]", name.decode()),
        Block::SearchResult(found) => format!("[found] {}", blocks(&found.content)),
        Block::ServerTool(step) => step.block.raw.to_string(),
        Block::Foreign(foreign) => foreign.raw.to_string(),
    }
}

/// One block a line.
pub(super) fn blocks(list: &[Node<Block>]) -> String {
    let lines: Vec<String> = list.iter().map(|own| block(own)).collect();
    lines.join("\n")
}

/// What a call is made with.
pub(super) fn input(input: &ToolInput) -> String {
    match input {
        ToolInput::Json(json) => json.to_string(),
        ToolInput::Freeform(text) => text.decode().into_owned(),
    }
}

/// Who speaks, and what.
pub(super) fn message(message: &Message) -> String {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    };
    format!("[{role}] {}", blocks(&message.blocks))
}

/// A tool by its name and schema.
pub(super) fn tool(tool: &Tool) -> String {
    let mut text = tool.name().decode().into_owned();
    match tool {
        Tool::Function { input_schema, .. } => {
            if let Some(schema) = input_schema {
                // Writing to a string cannot fail.
                let _infallible = write!(text, " {schema}");
            }
        }
        Tool::Freeform { .. } => {}
        Tool::Hosted { declaration, .. } => {
            let _infallible = write!(text, " {}", declaration.raw);
        }
    }
    text
}
