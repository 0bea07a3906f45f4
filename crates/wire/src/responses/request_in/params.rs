//! Parameters.
//!
//! Members of `reasoning` and `text` that have no place in the hub stand among the others under their path.

use bytestring::ByteString;

use crate::json::{Kind, Value};
use crate::tool_choice;
use crate::turn::{
    Effort, Failure, OutputFormat, Params, ThinkingMode, ThoughtDisplay, ToolChoice, like_a_path,
};

use super::{invalid, others};

/// The parameters: every member that `elsewhere` does not name. A value that is not understood is kept as received.
///
/// # Errors
/// A name that no member has, here or in an object that is read.
pub(super) fn decode(root: Value<'_>, elsewhere: &[&str]) -> Result<Params, Failure> {
    let mut params = Params::default();
    for (key, value) in root.members().filter(|(_, value)| !value.is_null()) {
        if elsewhere.contains(&&*key) {
            continue;
        }
        if matches!(&*key, "reasoning" | "text")
            && let Some(reason) = value.members().find_map(|(key, _)| like_a_path(&key))
        {
            return Err(invalid(format!("{key}: {reason}")));
        }
        if known(&key, value, &mut params).is_none() {
            if let Some(reason) = like_a_path(&key) {
                return Err(invalid(reason));
            }
            params.extra.push((key.as_ref().into(), value.to_raw()));
        }
    }
    Ok(params)
}

fn known(key: &str, value: Value<'_>, params: &mut Params) -> Option<()> {
    let number = || (value.kind() == Kind::Number).then(|| value.to_raw());
    let text = || Some(Some(value.text()?).filter(|text| !text.is_empty()));
    match key {
        "max_output_tokens" => params.max_tokens = Some(value.u64()?),
        "stream" => params.stream = value.bool()?,
        "temperature" => params.temperature = Some(number()?),
        "top_p" => params.top_p = Some(number()?),
        "parallel_tool_calls" => params.parallel_tool_calls = Some(value.bool()?),
        "user" => params.user = text()?,
        "prompt_cache_key" => params.cache_key = text()?,
        "reasoning" if value.kind() == Kind::Object => reasoning(value, params),
        "text" if value.kind() == Kind::Object => self::text(value, params),
        "tool_choice" => {
            params.tool_choice = Some(choice(value)?);
            params.extra.extend(tool_choice::rest(value));
        }
        _ => return None,
    }
    Some(())
}

fn reasoning(reasoning: Value<'_>, params: &mut Params) {
    let [effort, summary, older] = reasoning.pick(["effort", "summary", "generate_summary"]);
    params.effort = effort
        .and_then(Value::str)
        .and_then(|word| Effort::from_name(&word));
    let mut known = Vec::new();
    if params.effort.is_some() {
        known.push("effort");
    }
    if params.effort == Some(Effort::None) {
        params.thinking = Some(ThinkingMode::Disabled);
    }
    let is_absent = |value: Option<Value<'_>>| value.is_none_or(Value::is_null);
    let (member, wish) = if is_absent(summary) {
        ("generate_summary", older)
    } else {
        ("summary", summary)
    };
    match wish.and_then(Value::str).as_deref() {
        None => {}
        Some("auto") => {
            params.thoughts = Some(ThoughtDisplay::Shown);
            known.push(member);
        }
        Some("none") => {
            params.thoughts = Some(ThoughtDisplay::Omitted);
            known.push(member);
        }
        // How long it is to be is a wish that only this wire can say.
        Some(_) => params.thoughts = Some(ThoughtDisplay::Shown),
    }
    keep("reasoning", reasoning, &known, params);
}

fn text(text: Value<'_>, params: &mut Params) {
    let format = text.get("format").filter(|format| !format.is_null());
    let is_known = format.is_some_and(|format| self::format(format, params).is_some());
    let known: &[&str] = if is_known { &["format"] } else { &[] };
    keep("text", text, known, params);
}

/// Reads a format. What is left of it is kept by its path; `None` if all of it is to be kept as it is.
fn format(format: Value<'_>, params: &mut Params) -> Option<()> {
    // Not that all members were known: that they would not be taken for one another, or for those of an inner object.
    let is_plain =
        |object: Value<'_>| (object.members()).all(|(key, _)| like_a_path(&key).is_none());
    let kind = format.get("type")?.str()?;
    match &*kind {
        // The default: there is nothing to say.
        "text" => format.members().all(|(key, _)| key == "type").then_some(()),
        "json_object" if is_plain(format) => {
            params.format = Some(OutputFormat::JsonObject);
            keep("text.format", format, &["type"], params);
            Some(())
        }
        "json_schema" if is_plain(format) => {
            let inner = format.get("json_schema");
            let body = inner.unwrap_or(format);
            let is_twice = |key: &str| key != "json_schema" && body.get(key).is_some();
            let has_twins = || format.members().any(|(key, _)| is_twice(&key));
            if inner.is_some() && (!is_plain(body) || has_twins()) {
                return None;
            }
            let schema = body.get("schema")?.to_raw();
            let name = body.get("name").and_then(Value::text);
            let strict = body.get("strict").and_then(Value::bool);
            let mut told = vec!["type", "schema", "json_schema"];
            told.extend(name.is_some().then_some("name"));
            told.extend(strict.is_some().then_some("strict"));
            params.format = Some(OutputFormat::JsonSchema {
                name,
                schema,
                strict,
            });
            keep("text.format", body, &told, params);
            if inner.is_some() {
                keep("text.format", format, &["type", "json_schema"], params);
            }
            Some(())
        }
        _ => None,
    }
}

fn keep(path: &str, object: Value<'_>, known: &[&str], params: &mut Params) {
    let left = others(object, known);
    params.extra.extend(
        left.into_iter()
            .map(|(key, raw)| (ByteString::from(format!("{path}.{key}")), raw)),
    );
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
    match choice.get("type").and_then(Value::str).as_deref() {
        Some("allowed_tools") => tool_choice::among(choice.get("allowed_tools").unwrap_or(choice)),
        Some("function" | "custom") | None => tool_choice::name(choice).map(ToolChoice::Tool),
        // One of the provider's own tools.
        Some(_) => None,
    }
}
