//! Calls that the client runs, and their results. Beside functions there are tools that models of this wire know by
//! their type; their calls are calls of a function of that name, so that another model can read the history.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, Value};
use crate::turn::{Block, Foreign, Image, Node, ToolInput, ToolResult, ToolUse};

use super::content;
use super::{Extra, others, others_below};

/// The call an item is, if its `kind` is one.
pub(super) fn call(kind: &str, item: Value<'_>) -> Option<ToolUse> {
    let text = |key: &str| item.get(key).and_then(Value::text);
    let id = text("call_id").or_else(|| text("id")).unwrap_or_default();
    let (name, input, known) = match kind {
        "function_call" => (
            text("name").unwrap_or_default(),
            ToolInput::Json(
                item.get("arguments")
                    .map(arguments)
                    .unwrap_or_default()
                    .into(),
            ),
            "arguments",
        ),
        "custom_tool_call" => (
            text("name").unwrap_or_default(),
            ToolInput::Freeform(text("input").unwrap_or_default()),
            "input",
        ),
        "local_shell_call" => typed("local_shell", item, "action"),
        "shell_call" => typed("shell", item, "action"),
        "computer_call" => typed("computer", item, "action"),
        "apply_patch_call" => typed("apply_patch", item, "operation"),
        // The provider's own search has no call to answer.
        "tool_search_call" if item.get("call_id").is_some_and(|id| !id.is_null()) => {
            typed("tool_search", item, "arguments")
        }
        _ => return None,
    };
    Some(ToolUse {
        id,
        name,
        namespace: text("namespace"),
        input,
        signature: None,
        cache: None,
        extra: others(
            item,
            &[
                "type",
                "id",
                "call_id",
                "name",
                "namespace",
                "status",
                known,
            ],
        ),
    })
}

fn typed(
    name: &'static str,
    item: Value<'_>,
    member: &'static str,
) -> (Text, ToolInput, &'static str) {
    let input = item.get(member).map(arguments).unwrap_or_default();
    (
        Text::from_static(name),
        ToolInput::Json(input.into()),
        member,
    )
}

/// Arguments are a string of JSON by the book, an object in the field.
fn arguments(value: Value<'_>) -> ByteString {
    match value.text() {
        Some(text) => text.to_plain(),
        None if value.kind() == Kind::Object => value.to_raw(),
        None => ByteString::new(),
    }
}

/// The result an item is, if its `kind` is one.
///
/// What it says that a result has no place for goes to `rest`; `at` is the item's place.
pub(super) fn result(
    kind: &str,
    item: Value<'_>,
    at: usize,
    rest: &mut Extra,
) -> Option<ToolResult> {
    const KNOWN: [&str; 8] = [
        "type",
        "id",
        "call_id",
        "output",
        "status",
        "name",
        "tools",
        "execution",
    ];
    let path = format!("input[{at}]");
    let output = format!("{path}.output");
    let is_failed = || {
        item.get("status")
            .is_some_and(|status| status.is_str("failed"))
    };
    let (content, is_error) = match kind {
        "function_call_output"
        | "custom_tool_call_output"
        | "local_shell_call_output"
        | "computer_call_output" => (content::blocks(item.get("output"), &output, rest), false),
        "apply_patch_call_output" => (
            content::blocks(item.get("output"), &output, rest),
            is_failed(),
        ),
        "shell_call_output" => (
            item.get("output")
                .into_iter()
                .flat_map(Value::items)
                .flat_map(shell_output)
                .collect(),
            false,
        ),
        "tool_search_output" if item.get("call_id").is_some_and(|id| !id.is_null()) => {
            (found_tools(item), false)
        }
        _ => return None,
    };
    rest.extend(others_below(&path, item, &KNOWN));
    let id = item
        .get("call_id")
        .or_else(|| item.get("id"))
        .and_then(Value::text);
    Some(ToolResult {
        tool_use_id: id.unwrap_or_default(),
        content,
        is_error,
        cache: None,
    })
}

/// What a command printed and how it ended, as text.
fn shell_output(output: Value<'_>) -> Vec<Node<Block>> {
    let printed = ["stdout", "stderr"]
        .into_iter()
        .filter_map(|key| output.get(key)?.text())
        .filter(|text| !text.is_empty())
        .map(|text| Node::new(Block::text(text)));
    let outcome = output.get("outcome");
    let ended = outcome.and_then(|outcome| match outcome.get("exit_code") {
        Some(code) if code.raw() == "0" => None,
        Some(code) => Some(format!("exit code {}", code.raw())),
        None => outcome
            .get("type")
            .is_some_and(|kind| kind.is_str("timeout"))
            .then(|| "the command timed out".to_owned()),
    });
    printed
        .chain(ended.map(|text| Node::new(Block::text(text.into()))))
        .collect()
}

fn found_tools(item: Value<'_>) -> Vec<Node<Block>> {
    let tools = item.get("tools").into_iter().flat_map(Value::items);
    tools
        .filter_map(|tool| tool.get("name")?.text())
        .map(|name| Node::new(Block::ToolReference { name }))
        .collect()
}

/// A picture that came as the output of a hosted tool (`image_generation_call`).
pub(in crate::responses) fn generated_image(item: Value<'_>) -> Option<Image> {
    let data = item
        .get("result")
        .and_then(Value::text)
        .filter(|data| !data.is_empty())?;
    let format = item.get("output_format").and_then(Value::str);
    Some(Image {
        source: crate::turn::MediaSource::Base64 {
            media_type: format!("image/{}", format.as_deref().unwrap_or("png")).into(),
            data,
        },
        detail: None,
        cache: None,
    })
}

/// An item as it is, for what the hub has no place for.
pub(in crate::responses) fn as_foreign(item: Value<'_>) -> Foreign {
    Foreign {
        wire: Wire::Responses,
        raw: item.to_raw(),
    }
}
