//! `tool_format = "xml"`: for models, mostly small local ones, whose host knows nothing of tools.
//!
//! The tools are described in the system prompt, calls are read from the text by the format of Qwen3-Coder, and the
//! history's calls and results are written as the model would have seen them. The text depends on the tools and the
//! history alone, so that prompt caches hold. Nothing about tools is sent in members of its own.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytestring::ByteString;
use lingate_wire::json::{Kind, Text, Writer, scan};
use lingate_wire::turn::{
    Block, Message, Node, Params, Role, Tool, ToolChoice, ToolInput, ToolResult, ToolUse, Turn,
};

use crate::quirk::EventStage;
use crate::state::State;
use crate::text::qwen3_coder::Qwen3Coder;
use crate::text::{self, Starts};

/// What it is counted under; there is no quirk of this name, because the configuration asks for it.
pub(crate) const NAME: &str = "tool-format";

const BEFORE_TOOLS: &str = "# Tools\n\nThese tools can be called. Each line is one tool: its name, what it does, and the \
                            JSON Schema of its parameters.\n\n<tools>\n";

const BEHIND_TOOLS: &str = "</tools>\n\nTo call a tool, write this and nothing behind it:\n\n<tool_call>\n\
                            <function=NAME>\n<parameter=KEY>\nVALUE\n</parameter>\n</function>\n</tool_call>\n\n\
                            Put the tool's name for NAME, and one <parameter=KEY> element for each parameter. A text is \
                            written as it is, without quotes or escapes; lists and objects are written as JSON. For \
                            several calls write several <tool_call> elements. The results come in the next message, in \
                            <tool_response> elements.";

/// Moves tools, calls and results into the text; tells whether there were tools to be told.
pub(crate) fn write(turn: &mut Turn, params: &mut Params, state: &mut State) -> bool {
    if !state.settings.has_tools_in_prompt {
        return false;
    }
    let names = call_names(turn);
    if !names.is_empty() {
        for message in &mut turn.messages {
            write_history(message, &names);
        }
    }
    let is_hosted = |tool: &Node<Tool>| matches!(**tool, Tool::Hosted { .. });
    if turn.tools.iter().all(is_hosted) {
        // Whoever sends it knows what to say about those.
        return false;
    }
    let hosted = turn.tools.iter().enumerate();
    let hosted = hosted.filter(|(_, tool)| is_hosted(tool));
    (state.losses).extend(hosted.map(|(at, _)| format!("tools[{at}]")));
    let described = described(turn);
    turn.tools.clear();
    turn.system.push(block(described));
    let choice = params.tool_choice.take();
    if let Some(words) = choice.and_then(words) {
        turn.system.push(block(words));
    }
    params.parallel_tool_calls = None;
    state.hits.push(NAME);
    true
}

/// Reads the calls of a reply.
pub(crate) fn stage(state: &State) -> Option<EventStage> {
    let is_read = state.settings.has_tools_in_prompt && state.asked.may_call();
    let format = || Box::new(Qwen3Coder::default());
    is_read.then(|| text::stage(NAME, format(), Starts::InText, state))
}

fn block(text: String) -> Node<Block> {
    Node::new(Block::text(Text::from(text)))
}

/// What the client says of the choice of a tool, in words.
fn words(choice: ToolChoice) -> Option<String> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some("Answer without calling a tool.".to_owned()),
        ToolChoice::Required => Some("Call at least one tool in this answer.".to_owned()),
        ToolChoice::Tool(name) => Some(format!("Call the tool {} in this answer.", name.decode())),
        ToolChoice::Among { names, is_required } => {
            let names: Vec<_> = names.iter().map(|name| name.decode()).collect();
            let names = names.join(", ");
            Some(if is_required {
                format!("Call one of these tools in this answer: {names}.")
            } else {
                format!("Call no other tools than these in this answer: {names}.")
            })
        }
    }
}

/// The prompt's text about the tools. Deferred ones are described once something refers to them.
fn described(turn: &Turn) -> String {
    let referred = referred(turn);
    let mut text = BEFORE_TOOLS.to_owned();
    for tool in &turn.tools {
        let (name, description, schema) = match &**tool {
            Tool::Function {
                name,
                description,
                input_schema,
                deferred,
                ..
            } if !*deferred || referred.contains(name) => (name, description, input_schema),
            Tool::Freeform {
                name, description, ..
            } => (name, description, &None),
            Tool::Function { .. } | Tool::Hosted { .. } => continue,
        };
        let mut w = Writer::default();
        w.begin_object();
        w.key("name").text(name);
        if let Some(description) = description {
            w.key("description").text(description);
        }
        if let Some(schema) = schema {
            // A tool is one line.
            w.key("parameters").raw(&schema.replace(['\n', '\r'], " "));
        }
        w.end_object();
        text.push_str(&String::from_utf8(w.into_bytes()).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(BEHIND_TOOLS);
    text
}

fn blocks(turn: &Turn) -> impl Iterator<Item = &Block> {
    let messages = turn.messages.iter();
    messages.flat_map(|message| message.blocks.iter().map(|block| &**block))
}

/// The tools that results refer to.
fn referred(turn: &Turn) -> Vec<Text> {
    let results = blocks(turn).filter_map(|block| match block {
        Block::ToolResult(result) => Some(&result.content),
        _ => None,
    });
    let referred = results.flatten().filter_map(|block| match &**block {
        Block::ToolReference { name } => Some(name.clone()),
        _ => None,
    });
    referred.collect()
}

/// The names of the history's calls, by their ids.
fn call_names(turn: &Turn) -> HashMap<ByteString, ByteString> {
    let calls = blocks(turn).filter_map(|block| match block {
        Block::ToolUse(call) => Some((call.id.to_plain(), call.name.to_plain())),
        _ => None,
    });
    calls.collect()
}

/// Writes the calls and results of one message as text.
fn write_history(message: &mut Node<Message>, names: &HashMap<ByteString, ByteString>) {
    let is_tool = |block: &Node<Block>| matches!(**block, Block::ToolUse(_) | Block::ToolResult(_));
    if message.role == Role::System || !message.blocks.iter().any(is_tool) {
        return;
    }
    let message = message.edit();
    let mut written: Vec<Node<Block>> = Vec::with_capacity(message.blocks.len());
    for node in message.blocks.drain(..) {
        match &*node {
            Block::ToolUse(call) => written.push(with_cache(call_text(call), call.cache)),
            Block::ToolResult(result) => {
                let name = names.get(&result.tool_use_id.to_plain());
                let text = result_text(result, name.map_or("", |name| name));
                written.push(with_cache(text, result.cache));
                // Pictures stay what they are.
                written.extend(
                    result
                        .content
                        .iter()
                        .filter(|&block| !is_text(block))
                        .cloned(),
                );
            }
            _ => written.push(node),
        }
    }
    message.blocks = written.into();
}

fn with_cache(text: String, hint: Option<lingate_wire::turn::CacheHint>) -> Node<Block> {
    let mut block = Block::text(Text::from(text));
    if let Block::Text { cache, .. } = &mut block {
        *cache = hint;
    }
    Node::new(block)
}

fn is_text(block: &Block) -> bool {
    matches!(block, Block::Text { .. } | Block::ToolReference { .. })
}

/// A call as the model is told to write it.
fn call_text(call: &ToolUse) -> String {
    let mut text = format!("<tool_call>\n<function={}>\n", call.name.decode());
    let mut parameter = |key: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = write!(text, "<parameter={key}>\n{value}\n</parameter>\n");
    };
    match &call.input {
        ToolInput::Freeform(input) => parameter("input", &input.decode()),
        ToolInput::Json(input) => {
            if let Ok(input) = scan(input) {
                for (key, value) in input.root().members() {
                    let plain = value.str().filter(|_| value.kind() == Kind::String);
                    parameter(&key, plain.as_deref().unwrap_or(value.raw()));
                }
            }
        }
    }
    text.push_str("</function>\n</tool_call>");
    text
}

/// A result, with the name of the tool it came from.
fn result_text(result: &ToolResult, name: &str) -> String {
    let mut text = "<tool_response".to_owned();
    if !name.is_empty() {
        let _ = write!(text, " name=\"{name}\"");
    }
    if result.is_error {
        text.push_str(" error=\"true\"");
    }
    text.push_str(">\n");
    for block in &result.content {
        match &**block {
            Block::Text { text: said, .. } => text.push_str(&said.decode()),
            Block::ToolReference { name } => text.push_str(&name.decode()),
            _ => continue,
        }
        text.push('\n');
    }
    text.push_str("</tool_response>");
    text
}
