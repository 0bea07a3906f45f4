//! Parameters: everything of the body that is not conversation.

use bytestring::ByteString;

use super::schema::json_schema;
use crate::gemini::member::{self, Extra};
use crate::gemini::peek::invalid;
use crate::json::{Kind, Text, Value};
use crate::turn::{
    Effort, Failure, OutputFormat, Params, ThinkingMode, ThoughtDisplay, ToolChoice,
};

/// Decodes the body's member `key` (in camelCase). A value that is not understood is kept as received.
///
/// # Errors
/// Several candidates are asked for, or a member could not be told from another.
pub(super) fn decode(key: &str, value: Value<'_>, params: &mut Params) -> Result<(), Failure> {
    match key {
        "generationConfig" if value.kind() == Kind::Object => generation_config(value, params),
        "toolConfig" if value.kind() == Kind::Object => tool_config(value, params),
        _ => {
            params.extra.push((key.into(), value.to_raw()));
            Ok(())
        }
    }
}

fn generation_config(config: Value<'_>, params: &mut Params) -> Result<(), Failure> {
    member::distinct(config, "generationConfig.")?;
    format(config, params);
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        let key = member::camel(&key);
        if key == "candidateCount" && value.u64().is_some_and(|count| count > 1) {
            return Err(invalid(
                "generationConfig.candidateCount: one candidate is made per request; ask several times for more",
            ));
        }
        if key == "thinkingConfig" {
            member::distinct(value, "generationConfig.thinkingConfig.")?;
        }
        if known(&key, value, params).is_none() {
            let path = format!("generationConfig.{key}");
            params.extra.push((path.into(), value.to_raw()));
        }
    }
    Ok(())
}

fn known(key: &str, value: Value<'_>, params: &mut Params) -> Option<()> {
    let number = || (value.kind() == Kind::Number).then(|| value.to_raw());
    match key {
        "maxOutputTokens" => params.max_tokens = Some(value.u64()?),
        "temperature" => params.temperature = Some(number()?),
        "topP" => params.top_p = Some(number()?),
        "topK" => params.top_k = Some(whole(number()?)),
        "seed" => params.seed = Some(number()?),
        "stopSequences" if value.kind() == Kind::Array => {
            params.stop = value.items().map(Value::text).collect::<Option<_>>()?;
        }
        "thinkingConfig" if value.kind() == Kind::Object => thinking(value, params),
        // One is what there is anyway.
        "candidateCount" if value.u64() == Some(1) => {}
        // Read together by `format`.
        "responseMimeType" if is_json(value) || value.is_str("text/plain") => {}
        "responseSchema" | "responseJsonSchema" if params.format.is_some() => {}
        _ => return None,
    }
    Some(())
}

/// Google's SDK for Python writes this whole number as `3.0`, which hosts of other wires refuse.
fn whole(number: ByteString) -> ByteString {
    match number.strip_suffix(".0") {
        Some(whole) => number.slice_ref(whole),
        None => number,
    }
}

fn is_json(value: Value<'_>) -> bool {
    value.is_str("application/json")
}

fn format(config: Value<'_>, params: &mut Params) {
    let schema = member::get(config, "responseJsonSchema")
        .map(Value::to_raw)
        .or_else(|| Some(json_schema(member::get(config, "responseSchema")?).into()));
    let is_json = member::get(config, "responseMimeType").is_some_and(is_json);
    params.format = match schema {
        Some(schema) => Some(OutputFormat::JsonSchema {
            name: None,
            schema,
            strict: None,
        }),
        None => is_json.then_some(OutputFormat::JsonObject),
    };
}

fn thinking(config: Value<'_>, params: &mut Params) {
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        let key = member::camel(&key);
        let known = match &*key {
            "includeThoughts" => value.bool().map(|is_shown| {
                params.thoughts = Some(if is_shown {
                    ThoughtDisplay::Shown
                } else {
                    ThoughtDisplay::Omitted
                });
            }),
            "thinkingBudget" => budget(value).map(|mode| params.thinking = Some(mode)),
            // The API takes one of the two.
            "thinkingLevel" if member::get(config, "thinkingBudget").is_some() => None,
            "thinkingLevel" => level(value).map(|effort| params.effort = Some(effort)),
            _ => None,
        };
        if known.is_none() {
            let path = format!("generationConfig.thinkingConfig.{key}");
            params.extra.push((path.into(), value.to_raw()));
        }
    }
}

fn budget(value: Value<'_>) -> Option<ThinkingMode> {
    if value.f64()? < 0.0 {
        return Some(ThinkingMode::Adaptive);
    }
    Some(match value.u64()? {
        0 => ThinkingMode::Disabled,
        tokens => ThinkingMode::Enabled {
            budget_tokens: Some(tokens),
        },
    })
}

fn level(value: Value<'_>) -> Option<Effort> {
    let name = value.str()?.to_ascii_lowercase();
    Effort::from_name(&name).filter(|effort| (Effort::Minimal..=Effort::High).contains(effort))
}

fn tool_config(config: Value<'_>, params: &mut Params) -> Result<(), Failure> {
    member::distinct(config, "toolConfig.")?;
    for (key, value) in member::others(config, &["functionCallingConfig"]) {
        params
            .extra
            .push((format!("toolConfig.{key}").into(), value));
    }
    let Some(calling) = member::get(config, "functionCallingConfig") else {
        return Ok(());
    };
    if calling.kind() != Kind::Object {
        let path = "toolConfig.functionCallingConfig";
        params.extra.push((path.into(), calling.to_raw()));
        return Ok(());
    }
    member::distinct(calling, "toolConfig.functionCallingConfig.")?;
    let prefix = "toolConfig.functionCallingConfig.";
    let keep = |rest: Extra, extra: &mut Extra| {
        extra.extend(
            rest.into_iter()
                .map(|(key, raw)| (format!("{prefix}{key}").into(), raw)),
        );
    };
    let Some((mode, names)) = calling_mode(calling) else {
        keep(member::others(calling, &[]), &mut params.extra);
        return Ok(());
    };
    let mut taken = vec!["mode", "allowedFunctionNames"];
    params.tool_choice = match (&*mode, names) {
        ("" | "MODE_UNSPECIFIED" | "AUTO", names) => {
            if !names.is_empty() {
                taken.pop();
            }
            Some(ToolChoice::Auto)
        }
        ("NONE", names) => {
            if !names.is_empty() {
                taken.pop();
            }
            Some(ToolChoice::None)
        }
        ("ANY", names) => Some(match <[Text; 1]>::try_from(names) {
            Ok([name]) => ToolChoice::Tool(name),
            Err(names) if names.is_empty() => ToolChoice::Required,
            Err(names) => ToolChoice::Among {
                names,
                is_required: true,
            },
        }),
        // As `AUTO`, and the arguments follow their schemas; only this wire says so.
        ("VALIDATED", names) if names.is_empty() => {
            taken.retain(|key| *key != "mode");
            Some(ToolChoice::Auto)
        }
        ("VALIDATED", names) => Some(ToolChoice::Among {
            names,
            is_required: false,
        }),
        _ => {
            taken.clear();
            None
        }
    };
    keep(member::others(calling, &taken), &mut params.extra);
    Ok(())
}

/// The mode, and the names it is about; `None` if one is of a wrong kind.
fn calling_mode(calling: Value<'_>) -> Option<(String, Vec<Text>)> {
    let [mode, names] = member::pick(calling, ["mode", "allowedFunctionNames"]);
    let mode = match mode {
        Some(mode) => mode.str()?.to_ascii_uppercase(),
        None => String::new(),
    };
    let names = match names {
        Some(names) if names.kind() == Kind::Array => {
            names.items().map(Value::text).collect::<Option<_>>()?
        }
        Some(_) => return None,
        None => Vec::new(),
    };
    Some((mode, names))
}
