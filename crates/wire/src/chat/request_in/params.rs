//! Parameters.

use bytestring::ByteString;

use crate::json::{Kind, Text, Value, scan};
use crate::tool_choice;
use crate::turn::{
    CacheHint, Effort, Failure, OutputFormat, Params, ThinkingMode, ToolChoice, like_a_path,
};

use super::super::READ;
use super::content::cache_hint;
use super::{invalid, others_below};

/// Members besides [`READ`] whose `null` says nothing; that of any other is copied.
const READ_IN_PART: [&str; 5] = [
    "response_format",
    "cache_control",
    "tool_choice",
    "function_call",
    "n",
];

/// The parameters, and the hint that stands at the top of the body. `elsewhere` names the members others decode. A value
/// that is not understood is kept as received.
///
/// # Errors
/// A name that no member has, here or in `response_format`.
pub(super) fn decode(
    root: Value<'_>,
    elsewhere: &[&str],
) -> Result<(Params, Option<CacheHint>), Failure> {
    let mut params = Params::default();
    for (key, value) in root.members() {
        let is_read = || READ.contains(&&*key) || READ_IN_PART.contains(&&*key);
        if elsewhere.contains(&&*key) || value.is_null() && is_read() {
            continue;
        }
        if key == "response_format" {
            only_plain("response_format", value)?;
        }
        if known(&key, value, root, &mut params).is_none() {
            if let Some(reason) = like_a_path(&key) {
                return Err(invalid(reason));
            }
            params.extra.push((key.as_ref().into(), value.to_raw()));
        }
    }
    (params.thinking, params.effort) = thinking_of(&params.extra);
    Ok((params, cache_hint(root)))
}

/// Refuses members that could not be told from another by the path they are kept under.
fn only_plain(path: &str, object: Value<'_>) -> Result<(), Failure> {
    for (key, value) in object.members() {
        if let Some(reason) = like_a_path(&key) {
            return Err(invalid(format!("{path}: {reason}")));
        }
        if key == "json_schema" {
            only_plain("response_format.json_schema", value)?;
        }
    }
    Ok(())
}

/// Reads a member that has a place in [`Params`], or only says what is the default.
fn known(key: &str, value: Value<'_>, root: Value<'_>, params: &mut Params) -> Option<()> {
    let number = || (value.kind() == Kind::Number).then(|| value.to_raw());
    let text = || Some(Some(value.text()?).filter(|text| !text.is_empty()));
    match key {
        "n" => {}
        "max_completion_tokens" => params.max_tokens = Some(value.u64()?),
        // The older name, which counts where the newer one does not stand.
        "max_tokens" => {
            let newer = root.get("max_completion_tokens").and_then(Value::u64);
            params.max_tokens = Some(newer.or_else(|| value.u64())?);
        }
        "stream" => params.stream = value.bool()?,
        "temperature" => params.temperature = Some(number()?),
        "top_p" => params.top_p = Some(number()?),
        "top_k" => params.top_k = Some(number()?),
        "seed" => params.seed = Some(number()?),
        "stop" => params.stop = stop(value)?,
        "parallel_tool_calls" => params.parallel_tool_calls = Some(value.bool()?),
        "user" => params.user = text()?,
        "prompt_cache_key" => params.cache_key = text()?,
        "response_format" => format(value, params)?,
        // The hint itself belongs to the conversation.
        "cache_control" if value.kind() == Kind::Object => {
            keep("cache_control", value, &["type", "ttl"], params);
        }
        "function_call" if root.get("tool_choice").is_some_and(|own| !own.is_null()) => {}
        "tool_choice" | "function_call" => {
            params.tool_choice = Some(choice(value)?);
            params.extra.extend(tool_choice::rest(value));
        }
        _ => return None,
    }
    Some(())
}

/// A text, or a list of them.
fn stop(stop: Value<'_>) -> Option<Vec<Text>> {
    match stop.kind() {
        Kind::Array => stop.items().map(Value::text).collect(),
        _ => Some(vec![stop.text()?]),
    }
}

/// Reads a format. What is left of it is kept by its path; `None` if all of it is to be kept as it is.
fn format(format: Value<'_>, params: &mut Params) -> Option<()> {
    match &*format.get("type")?.str()? {
        // The default: there is nothing to say.
        "text" => return format.members().all(|(key, _)| key == "type").then_some(()),
        "json_object" => params.format = Some(OutputFormat::JsonObject),
        "json_schema" => {
            let body = format.get("json_schema")?;
            let schema = body.get("schema")?.to_raw();
            let name = body.get("name").and_then(Value::text);
            let strict = body.get("strict").and_then(Value::bool);
            let mut told = vec!["schema"];
            told.extend(name.is_some().then_some("name"));
            told.extend(strict.is_some().then_some("strict"));
            keep("response_format.json_schema", body, &told, params);
            params.format = Some(OutputFormat::JsonSchema {
                name,
                schema,
                strict,
            });
        }
        _ => return None,
    }
    let told: &[&str] = match params.format {
        Some(OutputFormat::JsonSchema { .. }) => &["type", "json_schema"],
        _ => &["type"],
    };
    keep("response_format", format, told, params);
    Some(())
}

/// Keeps the members that are not in `known`, by their path; a `null` says nothing.
fn keep(path: &str, object: Value<'_>, known: &[&str], params: &mut Params) {
    let left = others_below(&format!("{path}."), object, known);
    params.extra.extend(left);
}

/// A choice the hub can say. Others stay among the members it cannot.
fn choice(choice: Value<'_>) -> Option<ToolChoice> {
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
        return tool_choice::among(choice.get("allowed_tools").unwrap_or(choice));
    }
    tool_choice::name(choice).map(ToolChoice::Tool)
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
