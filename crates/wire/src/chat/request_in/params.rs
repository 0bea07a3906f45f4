//! Parameters.

use bytestring::ByteString;

use crate::json::{Kind, Text, Value, scan};
use crate::turn::{CacheHint, Effort, OutputFormat, Params, ThinkingMode, ToolChoice};

use super::content::cache_hint;
use super::others;

/// Members that have a place in [`Params`], or only say what is the default.
const KNOWN: [&str; 15] = [
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "response_format",
    "parallel_tool_calls",
    "user",
    "prompt_cache_key",
    "cache_control",
    "function_call",
    "n",
];

/// The parameters, and the hint that stands at the top of the body. `elsewhere` names the members others decode.
pub(super) fn decode(root: Value<'_>, elsewhere: &[&str]) -> (Params, Option<CacheHint>) {
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
    let tool_choice = root
        .get("tool_choice")
        .or_else(|| root.get("function_call"))
        .and_then(tool_choice);
    if tool_choice.is_some() || root.get("tool_choice").is_some_and(Value::is_null) {
        known.push("tool_choice");
    }
    let format = root.get("response_format").and_then(format);
    let extra = others(root, &known);
    let (thinking, effort) = thinking_of(&extra);
    let params = Params {
        max_tokens: ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .find_map(|key| root.get(key)?.u64()),
        stream: root.get("stream").and_then(Value::bool).unwrap_or(false),
        temperature: number("temperature"),
        top_p: number("top_p"),
        top_k: number("top_k"),
        seed: number("seed"),
        stop: root.get("stop").map(stop).unwrap_or_default(),
        thinking,
        thoughts: None,
        effort,
        format,
        tool_choice,
        parallel_tool_calls: root.get("parallel_tool_calls").and_then(Value::bool),
        user: text("user"),
        cache_key: text("prompt_cache_key"),
        extra,
    };
    (params, cache_hint(root))
}

fn stop(stop: Value<'_>) -> Vec<Text> {
    stop.text().map_or_else(
        || stop.items().filter_map(Value::text).collect(),
        |text| vec![text],
    )
}

fn format(format: Value<'_>) -> Option<OutputFormat> {
    match &*format.get("type")?.str()? {
        "json_object" => Some(OutputFormat::JsonObject),
        "json_schema" => {
            let body = format.get("json_schema")?;
            Some(OutputFormat::JsonSchema {
                name: body.get("name").and_then(Value::text),
                schema: body.get("schema")?.to_raw(),
                strict: body.get("strict").and_then(Value::bool),
            })
        }
        _ => None,
    }
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
    if choice
        .get("type")
        .is_some_and(|kind| kind.is_str("allowed_tools"))
    {
        return among(choice.get("allowed_tools").unwrap_or(choice));
    }
    let holder = ["function", "custom"]
        .into_iter()
        .find_map(|key| choice.get(key))
        .unwrap_or(choice);
    holder.get("name")?.text().map(ToolChoice::Tool)
}

fn among(allowed: Value<'_>) -> Option<ToolChoice> {
    let name = |tool: Value<'_>| {
        let holder = tool.get("function").or_else(|| tool.get("custom"));
        holder.unwrap_or(tool).get("name")?.text()
    };
    let names = allowed.get("tools")?.items().map(name);
    Some(ToolChoice::Among {
        names: names.collect::<Option<_>>()?,
        is_required: allowed
            .get("mode")
            .is_some_and(|mode| mode.is_str("required")),
    })
}

/// Whether a member that stays among the others, to be copied on this wire, is wholly told by the parameters.
pub(crate) fn is_told(key: &str, raw: &ByteString) -> bool {
    let has_only = |value: Value<'_>, keys: &[&str]| {
        value.kind() != Kind::Object || value.members().all(|(key, _)| keys.contains(&&*key))
    };
    let keys: &[&str] = match key {
        "reasoning_effort" | "enable_thinking" => &[],
        "thinking" => &["type", "budget_tokens"],
        "reasoning" => &["effort", "max_tokens", "enabled"],
        "chat_template_kwargs" => &["thinking", "enable_thinking"],
        _ => return false,
    };
    let told = thinking_of(&[(key.into(), raw.clone())]) != (None, None);
    told && scan(raw).is_ok_and(|doc| has_only(doc.root(), keys))
}

/// What the members by which clients ask for thinking amount to. They stay among the others, to be copied where the
/// upstream reads the same words.
pub(in crate::chat) fn thinking_of(
    extra: &[(ByteString, ByteString)],
) -> (Option<ThinkingMode>, Option<Effort>) {
    let mut mode = None;
    let mut effort = None;
    for (key, raw) in extra {
        let Ok(doc) = scan(raw) else { continue };
        let value = doc.root();
        let switch = |value: Option<Value<'_>>| value.and_then(Value::bool).map(of_switch);
        match &**key {
            "reasoning_effort" => {
                effort = value
                    .str()
                    .and_then(|word| Effort::from_name(&word))
                    .or(effort)
            }
            "thinking" => mode = of_type(value).or(mode),
            "enable_thinking" => mode = switch(Some(value)).or(mode),
            "chat_template_kwargs" => {
                mode = switch(
                    value
                        .get("thinking")
                        .or_else(|| value.get("enable_thinking")),
                )
                .or(mode);
            }
            "reasoning" => {
                effort = value
                    .get("effort")
                    .and_then(Value::str)
                    .and_then(|word| Effort::from_name(&word))
                    .or(effort);
                let budget = value.get("max_tokens").and_then(Value::u64);
                let budgeted = budget.map(|budget| ThinkingMode::Enabled {
                    budget_tokens: Some(budget),
                });
                mode = switch(value.get("enabled"))
                    .filter(|_| budget.is_none())
                    .or(budgeted)
                    .or(mode);
            }
            _ => {}
        }
    }
    if effort == Some(Effort::None) && mode.is_none() {
        mode = Some(ThinkingMode::Disabled);
    }
    (mode, effort)
}

const fn of_switch(is_on: bool) -> ThinkingMode {
    if is_on {
        ThinkingMode::Enabled {
            budget_tokens: None,
        }
    } else {
        ThinkingMode::Disabled
    }
}

fn of_type(thinking: Value<'_>) -> Option<ThinkingMode> {
    match &*thinking.get("type")?.str()? {
        "enabled" => Some(ThinkingMode::Enabled {
            budget_tokens: thinking.get("budget_tokens").and_then(Value::u64),
        }),
        "disabled" => Some(ThinkingMode::Disabled),
        "adaptive" | "auto" => Some(ThinkingMode::Adaptive),
        _ => None,
    }
}
