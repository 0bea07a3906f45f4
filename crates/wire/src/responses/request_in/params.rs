//! Parameters.
//!
//! Members of `reasoning` and `text` that have no place in the hub stand among the others under their path.

use bytestring::ByteString;

use crate::json::{Kind, Text, Value};
use crate::turn::{
    Effort, Failure, OutputFormat, Params, ThinkingMode, ThoughtDisplay, ToolChoice, like_a_path,
};

use super::{invalid, others};

/// Members that have a place in [`Params`].
const KNOWN: [&str; 9] = [
    "max_output_tokens",
    "stream",
    "temperature",
    "top_p",
    "reasoning",
    "text",
    "parallel_tool_calls",
    "user",
    "prompt_cache_key",
];

/// The parameters. `elsewhere` names the members others decode.
///
/// # Errors
/// A name that no member has, here or in `text`.
pub(super) fn decode(root: Value<'_>, elsewhere: &[&str]) -> Result<Params, Failure> {
    let number = |key: &str| {
        root.get(key)
            .filter(|value| value.kind() == Kind::Number)
            .map(Value::to_raw)
    };
    let text = |key: &str| {
        root.get(key)
            .and_then(Value::text)
            .filter(|text| !text.is_empty())
    };
    let mut known: Vec<&str> = KNOWN.iter().chain(elsewhere).copied().collect();
    let tool_choice = root.get("tool_choice").and_then(tool_choice);
    if tool_choice.is_some() {
        known.push("tool_choice");
    }
    let mut params = Params {
        max_tokens: root.get("max_output_tokens").and_then(Value::u64),
        stream: root.get("stream").and_then(Value::bool).unwrap_or(false),
        temperature: number("temperature"),
        top_p: number("top_p"),
        tool_choice,
        parallel_tool_calls: root.get("parallel_tool_calls").and_then(Value::bool),
        user: text("user"),
        cache_key: text("prompt_cache_key"),
        extra: others(root, &known),
        ..Params::default()
    };
    if let Some(reason) = params.extra.iter().find_map(|(key, _)| like_a_path(key)) {
        return Err(invalid(reason));
    }
    if let Some(reasoning) = root.get("reasoning") {
        self::reasoning(reasoning, &mut params);
    }
    if let Some(text) = root.get("text") {
        if let Some(reason) = text.members().find_map(|(key, _)| like_a_path(&key)) {
            return Err(invalid(format!("text: {reason}")));
        }
        self::text(text, &mut params);
    }
    Ok(params)
}

fn reasoning(reasoning: Value<'_>, params: &mut Params) {
    params.effort = reasoning
        .get("effort")
        .and_then(Value::str)
        .and_then(|word| Effort::from_name(&word));
    let mut known = Vec::from(["generate_summary"]);
    if params.effort.is_some() {
        known.push("effort");
    }
    if params.effort == Some(Effort::None) {
        params.thinking = Some(ThinkingMode::Disabled);
    }
    let summary = reasoning
        .get("summary")
        .or_else(|| reasoning.get("generate_summary"));
    match summary.and_then(Value::str).as_deref() {
        None => known.push("summary"),
        Some("auto") => {
            params.thoughts = Some(ThoughtDisplay::Shown);
            known.push("summary");
        }
        Some("none") => {
            params.thoughts = Some(ThoughtDisplay::Omitted);
            known.push("summary");
        }
        // How long it is to be is a wish that only this wire can say.
        Some(_) => params.thoughts = Some(ThoughtDisplay::Shown),
    }
    keep("reasoning", reasoning, &known, params);
}

fn text(text: Value<'_>, params: &mut Params) {
    let mut known = Vec::new();
    if let Some(format) = text.get("format") {
        match format.get("type").and_then(Value::str).as_deref() {
            Some("text") => known.push("format"),
            Some("json_object") => {
                params.format = Some(OutputFormat::JsonObject);
                known.push("format");
            }
            Some("json_schema") => {
                let body = format.get("json_schema").unwrap_or(format);
                if let Some(schema) = body.get("schema") {
                    params.format = Some(OutputFormat::JsonSchema {
                        name: body.get("name").and_then(Value::text),
                        schema: schema.to_raw(),
                        strict: body.get("strict").and_then(Value::bool),
                    });
                    known.push("format");
                    let told = ["type", "name", "schema", "strict", "json_schema"];
                    keep("text.format", body, &told, params);
                }
            }
            _ => {}
        }
    }
    keep("text", text, &known, params);
}

fn keep(path: &str, object: Value<'_>, known: &[&str], params: &mut Params) {
    let left = others(object, known);
    params.extra.extend(
        left.into_iter()
            .map(|(key, raw)| (ByteString::from(format!("{path}.{key}")), raw)),
    );
}

/// A choice the hub can say. Others stay among the members it cannot.
fn tool_choice(choice: Value<'_>) -> Option<ToolChoice> {
    match choice.str().as_deref() {
        Some("auto") => return Some(ToolChoice::Auto),
        Some("required" | "any") => return Some(ToolChoice::Required),
        Some("none") => return Some(ToolChoice::None),
        Some(_) => return None,
        None => {}
    }
    match choice.get("type").and_then(Value::str).as_deref() {
        Some("allowed_tools") => among(choice.get("allowed_tools").unwrap_or(choice)),
        Some("function" | "custom") | None => name(choice).map(ToolChoice::Tool),
        // One of the provider's own tools.
        Some(_) => None,
    }
}

fn among(allowed: Value<'_>) -> Option<ToolChoice> {
    let names = allowed.get("tools")?.items().map(name);
    Some(ToolChoice::Among {
        names: names.collect::<Option<_>>()?,
        is_required: allowed
            .get("mode")
            .is_some_and(|mode| mode.is_str("required")),
    })
}

fn name(tool: Value<'_>) -> Option<Text> {
    let holder = tool.get("function").or_else(|| tool.get("custom"));
    holder.unwrap_or(tool).get("name")?.text()
}
