//! Parameters: everything of the body that is not conversation.

use super::block::others;
use super::{Extra, invalid};
use crate::json::{Kind, Value};
use crate::turn::{Effort, Failure, OutputFormat, Params, ThinkingMode, ToolChoice, like_a_path};

/// Decodes the body's member `key`. A value that is not understood is kept as received.
///
/// # Errors
/// A name that no member has, here or in `output_config`.
pub(super) fn decode(key: &str, value: Value<'_>, params: &mut Params) -> Result<(), Failure> {
    if value.is_null() {
        return Ok(());
    }
    if key == "output_config"
        && let Some(reason) = value.members().find_map(|(key, _)| like_a_path(&key))
    {
        return Err(invalid(format!("{key}: {reason}")));
    }
    if known(key, value, params).is_none() {
        if let Some(reason) = like_a_path(key) {
            return Err(invalid(reason));
        }
        params.extra.push((key.into(), value.to_raw()));
    }
    Ok(())
}

/// Refuses a body that asks for a format in both places, the older one beside the newer: only one could be sent on.
///
/// # Errors
/// An invalid request that names both.
pub(super) fn one_format(body: Value<'_>) -> Result<(), Failure> {
    let [older, config] = body
        .pick(["output_format", "output_config"])
        .map(|member| member.filter(|member| !member.is_null()));
    let is_second = |config: Value<'_>| {
        let format = config.get("format");
        config.kind() != Kind::Object || format.is_some_and(|format| !format.is_null())
    };
    if older.is_some() && config.is_some_and(is_second) {
        return Err(invalid(
            "output_format: `output_config.format` says it, too; send one of them",
        ));
    }
    Ok(())
}

fn known(key: &str, value: Value<'_>, params: &mut Params) -> Option<()> {
    let number = || (value.kind() == Kind::Number).then(|| value.to_raw());
    match key {
        "max_tokens" => params.max_tokens = Some(value.u64()?),
        "stream" => params.stream = value.bool()?,
        "temperature" => params.temperature = Some(number()?),
        "top_p" => params.top_p = Some(number()?),
        "top_k" => params.top_k = Some(number()?),
        "stop_sequences" if value.kind() == Kind::Array => {
            params.stop = value.items().map(Value::text).collect::<Option<_>>()?;
        }
        "thinking" => thinking(value, params)?,
        "output_config" if value.kind() == Kind::Object => output_config(value, params),
        "output_format" => {
            params.format = Some(format(value, "output_format.", &mut params.extra)?)
        }
        "tool_choice" => tool_choice(value, params)?,
        "metadata" if value.kind() == Kind::Object => {
            let user = value.get("user_id");
            params.user = user.and_then(Value::text);
            let taken: &[&str] = if params.user.is_some() || user.is_some_and(Value::is_null) {
                &["user_id"]
            } else {
                &[]
            };
            keep(value, "metadata.", taken, &mut params.extra);
        }
        _ => return None,
    }
    Some(())
}

fn thinking(value: Value<'_>, params: &mut Params) -> Option<()> {
    let kind = value.get("type")?.str()?;
    let mode = match &*kind {
        "enabled" => ThinkingMode::Enabled {
            budget_tokens: value.get("budget_tokens").and_then(Value::u64),
        },
        "adaptive" => ThinkingMode::Adaptive,
        "disabled" => ThinkingMode::Disabled,
        // Between tools only: closest to the model's own choice; the type itself stays in `extra`.
        "between_tools" => {
            keep(value, "thinking.", &["budget_tokens"], &mut params.extra);
            params.thinking = Some(ThinkingMode::Adaptive);
            return Some(());
        }
        _ => return None,
    };
    params.thinking = Some(mode);
    keep(
        value,
        "thinking.",
        &["type", "budget_tokens"],
        &mut params.extra,
    );
    Some(())
}

fn output_config(value: Value<'_>, params: &mut Params) {
    for (key, member) in value.members().filter(|(_, member)| !member.is_null()) {
        let is_known = match &*key {
            "effort" => {
                params.effort = member.str().and_then(|name| Effort::from_name(&name));
                params.effort.is_some()
            }
            "format" => {
                params.format = format(member, "output_config.format.", &mut params.extra);
                params.format.is_some()
            }
            _ => false,
        };
        if !is_known {
            params
                .extra
                .push((format!("output_config.{key}").into(), member.to_raw()));
        }
    }
}

fn format(value: Value<'_>, prefix: &str, extra: &mut Extra) -> Option<OutputFormat> {
    let schema = value.get("schema").filter(|_| {
        value
            .get("type")
            .is_some_and(|kind| kind.is_str("json_schema"))
    })?;
    keep(value, prefix, &["type", "schema", "name"], extra);
    Some(OutputFormat::JsonSchema {
        name: value.get("name").and_then(Value::text),
        schema: schema.to_raw(),
        strict: None,
    })
}

fn tool_choice(value: Value<'_>, params: &mut Params) -> Option<()> {
    let kind = value.get("type")?.str()?;
    params.tool_choice = Some(match &*kind {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(value.get("name")?.text()?),
        _ => return None,
    });
    params.parallel_tool_calls = value
        .get("disable_parallel_tool_use")
        .and_then(Value::bool)
        .map(|disabled| !disabled);
    keep(
        value,
        "tool_choice.",
        &["type", "name", "disable_parallel_tool_use"],
        &mut params.extra,
    );
    Some(())
}

/// Keeps the members that are not in `taken`, by their path.
fn keep(value: Value<'_>, prefix: &str, taken: &[&str], extra: &mut Extra) {
    let rest = others(value, taken);
    extra.extend(
        rest.into_iter()
            .map(|(key, raw)| (format!("{prefix}{key}").into(), raw)),
    );
}
