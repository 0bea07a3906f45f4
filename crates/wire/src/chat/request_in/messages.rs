//! Messages.
//!
//! The system and developer messages at the head are the system prompt; later ones stay where they stand. `tool` messages
//! in a row are the results of one turn and become one message of the hub.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, Value, scan_reply};
use crate::turn::{
    Block, Failure, Foreign, Message, Node, Role, SEAL_PREFIX, Thinking, ToolInput, ToolResult,
    ToolUse,
};

use super::super::peek::invalid;
use super::super::reasoning;
use super::content::{self, node};
use super::{Extra, others, others_below};

/// Members of messages that say and show.
const KNOWN: [&str; 2] = ["role", "content"];

type Conversation = (Vec<Node<Block>>, Vec<Node<Message>>);

/// The system prompt and the conversation behind it. `rest` takes what the messages of the system prompt say that its
/// blocks have no place for.
pub(super) fn decode(messages: Value<'_>, rest: &mut Extra) -> Result<Conversation, Failure> {
    let mut system = Vec::new();
    let mut conversation: Vec<Node<Message>> = Vec::new();
    let mut is_batch = false;
    for (at, message) in messages.items().enumerate() {
        if message.kind() != Kind::Object {
            return Err(invalid(format!("messages[{at}]: must be an object")));
        }
        let Some(role) = message.get("role").and_then(Value::str) else {
            return Err(invalid(format!(
                "messages[{at}].role: must be one of system, developer, user, assistant, tool"
            )));
        };
        let is_result = matches!(&*role, "tool" | "function");
        if is_result {
            let batch = match conversation.last_mut().filter(|_| is_batch) {
                Some(batch) => batch.edit(),
                None => {
                    let batch = Message {
                        role: Role::User,
                        blocks: Vec::new().into(),
                        extra: Vec::new(),
                    };
                    conversation.push_mut(Node::new(batch)).edit()
                }
            };
            let path = format!("content[{}].", batch.blocks.len());
            let result = result(message, &role, &path, &mut batch.extra);
            batch.blocks.push(result);
        } else if matches!(&*role, "system" | "developer") && conversation.is_empty() {
            lead(message, at, &mut system, rest);
        } else {
            conversation.push(node(of_role(message, &role), message.to_raw()));
        }
        is_batch = is_result;
    }
    Ok((system, conversation))
}

/// Adds a message of the system prompt. Its first block holds the bytes of all of it, the others none, so that an encoder of
/// this wire copies the message once.
fn lead(message: Value<'_>, at: usize, system: &mut Vec<Node<Block>>, rest: &mut Extra) {
    let path = format!("messages[{at}].");
    let blocks = content::blocks(message.get("content"), &path, rest);
    rest.extend(others_below(&path, message, &KNOWN));
    for (at, block) in blocks.into_iter().enumerate() {
        let raw = if at == 0 {
            message.to_raw()
        } else {
            ByteString::new()
        };
        system.push(Node::received(block.into_inner(), Wire::Chat, raw));
    }
}

fn of_role(message: Value<'_>, role: &str) -> Message {
    let simple = |role| {
        let mut extra = others(message, &KNOWN);
        Message {
            role,
            blocks: content::blocks(message.get("content"), "", &mut extra).into(),
            extra,
        }
    };
    match role {
        "user" => simple(Role::User),
        "system" | "developer" => simple(Role::System),
        "assistant" => assistant(message),
        // A role from the future: carried on this wire, a loss on any other.
        _ => Message {
            role: Role::User,
            blocks: vec![Node::new(Block::Foreign(Foreign {
                wire: Wire::Chat,
                raw: message.to_raw(),
            }))]
            .into(),
            extra: Vec::new(),
        },
    }
}

fn assistant(message: Value<'_>) -> Message {
    const KNOWN: [&str; 8] = [
        "role",
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "reasoning_content",
        "reasoning",
        reasoning::DETAILS_MEMBER,
    ];
    let mut blocks = thoughts(message);
    let mut extra = others(message, &KNOWN);
    blocks.extend(content::blocks(message.get("content"), "", &mut extra));
    let refusal = message
        .get("refusal")
        .and_then(Value::text)
        .filter(|text| !text.is_empty());
    blocks.extend(refusal.map(|text| Node::new(Block::Refusal(text))));
    let calls: Vec<Node<Block>> = message
        .get("tool_calls")
        .into_iter()
        .flat_map(Value::items)
        .map(call)
        .collect();
    let is_legacy = calls.is_empty();
    blocks.extend(calls);
    if let Some(function) = message
        .get("function_call")
        .filter(|call| is_legacy && call.kind() == Kind::Object)
    {
        blocks.push(legacy_call(function));
    }
    Message {
        role: Role::Assistant,
        blocks: blocks.into(),
        extra: extra.into_iter().filter(|(_, raw)| raw != "null").collect(),
    }
}

/// Reasoning from whichever member holds it, and the seals that came with it in `reasoning_details`.
fn thoughts(message: Value<'_>) -> Vec<Node<Block>> {
    let mut blocks = Vec::new();
    let thinking = |text: Text, signature: Option<Text>, is_redacted| {
        Node::new(Block::Thinking(Thinking {
            text,
            signature,
            is_redacted,
        }))
    };
    let members = message.pick(reasoning::MEMBERS);
    let [.., list] = members;
    let details = || list.into_iter().flat_map(Value::items);
    let seal = |detail: Value<'_>, key: &str| {
        detail
            .get(key)
            .and_then(Value::text)
            .filter(|text| text.starts_with(SEAL_PREFIX))
    };
    if let Some((_, texts)) = reasoning::text(members) {
        let text = match <[Text; 1]>::try_from(texts) {
            Ok([text]) => text,
            Err(texts) => texts.iter().map(Text::decode).collect::<String>().into(),
        };
        blocks.push(thinking(
            text,
            details().find_map(|detail| seal(detail, "signature")),
            false,
        ));
    }
    for data in details().filter_map(|detail| seal(detail, "data")) {
        blocks.push(thinking(Text::default(), Some(data), true));
    }
    blocks
}

fn call(call: Value<'_>) -> Node<Block> {
    const KNOWN: [&str; 5] = ["id", "type", "function", "custom", "index"];
    let text =
        |holder: Value<'_>, key: &str| holder.get(key).and_then(Value::text).unwrap_or_default();
    let mut extra = others(call, &KNOWN);
    let (name, input) = match call
        .get("custom")
        .filter(|custom| custom.kind() == Kind::Object)
    {
        Some(custom) => {
            extra.extend(others_below("custom.", custom, &["name", "input"]));
            (
                text(custom, "name"),
                ToolInput::Freeform(text(custom, "input")),
            )
        }
        None => {
            let function = call.get("function").unwrap_or(call);
            if call.get("function").is_some() {
                extra.extend(others_below("function.", function, &["name", "arguments"]));
            }
            (
                text(function, "name"),
                arguments(function.get("arguments"), &mut extra),
            )
        }
    };
    Node::received(
        Block::ToolUse(ToolUse {
            id: text(call, "id"),
            name,
            namespace: None,
            input,
            signature: None,
            cache: None,
            extra,
        }),
        Wire::Chat,
        call.to_raw(),
    )
}

/// The old way to call has no id: the function's name stands for it, as in its result.
fn legacy_call(function: Value<'_>) -> Node<Block> {
    let name = function
        .get("name")
        .and_then(Value::text)
        .unwrap_or_default();
    let mut extra = others_below("function.", function, &["name", "arguments"]);
    Node::new(Block::ToolUse(ToolUse {
        id: name.clone(),
        name,
        namespace: None,
        input: arguments(function.get("arguments"), &mut extra),
        signature: None,
        cache: None,
        extra,
    }))
}

/// Arguments are a string that holds a JSON object, or the object itself. What is neither cannot be a tool's input: it is
/// kept beside an empty one.
fn arguments(arguments: Option<Value<'_>>, extra: &mut Vec<(ByteString, ByteString)>) -> ToolInput {
    let empty = || ToolInput::Json(ByteString::from_static("{}").into());
    let Some(arguments) = arguments.filter(|arguments| !arguments.is_null()) else {
        return empty();
    };
    let json = match arguments.kind() {
        Kind::Object => return ToolInput::Json(arguments.to_raw().into()),
        Kind::String => arguments.text().unwrap_or_default().to_plain(),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => ByteString::new(),
    };
    if json.trim().is_empty() && arguments.kind() == Kind::String {
        return empty();
    }
    match scan_reply(&json, &[]) {
        Ok(doc) if doc.root().kind() == Kind::Object => ToolInput::Json(json.into()),
        _ => {
            extra.push((ByteString::from_static("arguments"), arguments.to_raw()));
            empty()
        }
    }
}

fn result(message: Value<'_>, role: &str, path: &str, rest: &mut Extra) -> Node<Block> {
    const KNOWN: [&str; 4] = ["role", "content", "tool_call_id", "name"];
    rest.extend(others_below(path, message, &KNOWN));
    let id = if role == "function" {
        "name"
    } else {
        "tool_call_id"
    };
    let result = ToolResult {
        tool_use_id: message.get(id).and_then(Value::text).unwrap_or_default(),
        content: content::blocks(message.get("content"), path, rest),
        is_error: false,
        cache: None,
    };
    node(Block::ToolResult(result), message.to_raw())
}
