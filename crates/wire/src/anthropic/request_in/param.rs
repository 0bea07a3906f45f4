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
    let (mode, taken): (_, &[&str]) = match &*kind {
        "enabled" => {
            let budget_tokens = value.get("budget_tokens").and_then(Value::u64);
            let taken: &[&str] = match budget_tokens {
                Some(_) => &["type", "budget_tokens"],
                None => &["type"],
            };
            (ThinkingMode::Enabled { budget_tokens }, taken)
        }
        "adaptive" => (ThinkingMode::Adaptive, &["type"]),
        "disabled" => (ThinkingMode::Disabled, &["type"]),
        // Between tools only: closest to the model's own choice; the type itself stays in `extra`.
        "between_tools" => (ThinkingMode::Adaptive, &[]),
        _ => return None,
    };
    params.thinking = Some(mode);
    keep(value, "thinking.", taken, &mut params.extra);
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
    let name = value.get("name").and_then(Value::text);
    let taken: &[&str] = match name {
        Some(_) => &["type", "schema", "name"],
        None => &["type", "schema"],
    };
    keep(value, prefix, taken, extra);
    Some(OutputFormat::JsonSchema {
        name,
        schema: schema.to_raw(),
        strict: None,
    })
}

fn tool_choice(value: Value<'_>, params: &mut Params) -> Option<()> {
    let kind = value.get("type")?.str()?;
    let (choice, taken) = match &*kind {
        "auto" => (ToolChoice::Auto, "type"),
        "any" => (ToolChoice::Required, "type"),
        "none" => (ToolChoice::None, "type"),
        "tool" => (ToolChoice::Tool(value.get("name")?.text()?), "name"),
        _ => return None,
    };
    params.tool_choice = Some(choice);
    let is_serial = value.get("disable_parallel_tool_use").and_then(Value::bool);
    params.parallel_tool_calls = is_serial.map(|is_serial| !is_serial);
    let taken: &[&str] = match is_serial {
        Some(_) => &["type", taken, "disable_parallel_tool_use"],
        None => &["type", taken],
    };
    keep(value, "tool_choice.", taken, &mut params.extra);
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
