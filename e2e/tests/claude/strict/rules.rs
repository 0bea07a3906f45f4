//! What hosts refuse, and in which words.

use serde_json::Value;

use super::INSTRUCTION;

/// A complaint about a request's body.
pub(super) type Rule = fn(&Value) -> Option<String>;

fn tools(body: &Value) -> impl Iterator<Item = &Value> {
    let tools = body["tools"].as_array().into_iter().flatten();
    tools.map(|tool| &tool["function"])
}

fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    body["messages"].as_array().into_iter().flatten()
}

/// Every schema in the parameters of every tool.
fn schemas(body: &Value) -> Vec<&Value> {
    fn walk<'s>(schema: &'s Value, all: &mut Vec<&'s Value>) {
        all.push(schema);
        for group in ["properties", "$defs", "definitions"] {
            let inner = schema[group].as_object().into_iter().flatten();
            inner.for_each(|(_, schema)| walk(schema, all));
        }
        for list in ["anyOf", "oneOf", "allOf"] {
            let inner = schema[list].as_array().into_iter().flatten();
            inner.for_each(|schema| walk(schema, all));
        }
        for one in ["items", "additionalProperties", "not"] {
            if schema[one].is_object() {
                walk(&schema[one], all);
            }
        }
    }
    let mut all = Vec::new();
    tools(body).for_each(|tool| walk(&tool["parameters"], &mut all));
    all
}

/// The first word of a schema that is one of these.
fn word(body: &Value, words: &[&str]) -> Option<String> {
    let found = schemas(body).into_iter().find_map(|schema| {
        let words = words.iter().filter(|word| schema.get(word).is_some());
        words.copied().next()
    });
    found.map(str::to_owned)
}

pub(super) fn names_of_64(body: &Value) -> Option<String> {
    let name = tools(body)
        .filter_map(|tool| tool["name"].as_str())
        .find(|name| name.len() > 64)?;
    let n = name.len();
    Some(format!(
        "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, but got a string \
         with length {n} instead."
    ))
}

pub(super) fn at_most_128_tools(body: &Value) -> Option<String> {
    let n = tools(body).count();
    (n > 128).then(|| {
        format!("Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length {n} instead.")
    })
}

pub(super) fn no_max_tokens(body: &Value) -> Option<String> {
    body.get("max_tokens")?;
    Some("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.".to_owned())
}

pub(super) fn at_most_16384_tokens(body: &Value) -> Option<String> {
    let asked =
        ["max_tokens", "max_completion_tokens"].map(|name| body[name].as_u64().unwrap_or_default());
    asked.iter().any(|&n| n > 16384).then(|| {
        "`max_tokens` must be less than or equal to `16384`, the maximum value for `max_tokens` is less than the \
         `context_window` for this model"
            .to_owned()
    })
}

pub(super) fn no_temperature(body: &Value) -> Option<String> {
    body.get("temperature")?;
    Some("Unsupported parameter: 'temperature' is not supported with this model.".to_owned())
}

pub(super) fn no_temperature_but_1(body: &Value) -> Option<String> {
    let is_other = body
        .get("temperature")
        .is_some_and(|value| value.as_f64() != Some(1.0));
    is_other.then(|| "invalid temperature: only 1 is allowed for this model".to_owned())
}

pub(super) fn temperature_of_0_6(body: &Value) -> Option<String> {
    (body["temperature"] != 0.6).then(|| "temperature must be 0.6".to_owned())
}

pub(super) fn known_efforts(body: &Value) -> Option<String> {
    let effort = body["reasoning_effort"].as_str()?;
    (!["none", "low", "medium", "high", "xhigh"].contains(&effort)).then(|| {
        format!("Unsupported value: '{effort}' is not supported with the 'gpt-5.2' model. Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'.")
    })
}

pub(super) fn objects_at_the_top(body: &Value) -> Option<String> {
    let bad = ["oneOf", "anyOf", "allOf", "enum", "not"];
    for tool in tools(body) {
        let (name, schema) = (&tool["name"], &tool["parameters"]);
        if schema["type"] != "object" || bad.iter().any(|word| schema.get(word).is_some()) {
            return Some(format!(
                "Invalid schema for function {name}: schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level."
            ));
        }
    }
    let is_bare = |schema: &&Value| schema["type"] == "array" && schema.get("items").is_none();
    schemas(body)
        .iter()
        .any(is_bare)
        .then(|| "array schema missing items".to_owned())
}

pub(super) fn properties_where_required(body: &Value) -> Option<String> {
    let is_bare =
        |schema: &Value| schema.get("required").is_some() && schema.get("properties").is_none();
    schemas(body).into_iter().any(is_bare).then(|| {
        "invalid JSON schema for tool: 'required' present but 'properties' is missing".to_owned()
    })
}

pub(super) fn words_of_openapi(body: &Value) -> Option<String> {
    const KNOWN: [&str; 20] = [
        "type",
        "description",
        "properties",
        "required",
        "items",
        "enum",
        "anyOf",
        "nullable",
        "format",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "title",
        "default",
        "example",
        "propertyOrdering",
    ];
    let schemas = schemas(body);
    let words = schemas
        .iter()
        .filter_map(|schema| schema.as_object())
        .flatten();
    let unknown = words
        .map(|(word, _)| word)
        .find(|word| !KNOWN.contains(&word.as_str()))?;
    Some(format!(
        "Invalid JSON payload received. Unknown name \"{unknown}\" at 'tools[0].function_declarations[0].parameters': Cannot find field."
    ))
}

pub(super) fn no_bounds(body: &Value) -> Option<String> {
    let words = [
        "pattern",
        "format",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    ];
    word(body, &words).map(|word| format!("Unsupported JSON schema fields: {{'{word}'}}"))
}

pub(super) fn closed_objects(body: &Value) -> Option<String> {
    let is_open = |schema: &Value| {
        schema["properties"].is_object() && schema["additionalProperties"] != false
    };
    schemas(body)
        .into_iter()
        .any(is_open)
        .then(|| "'additionalProperties' is required to be supplied and to be false".to_owned())
}

pub(super) fn no_titles(body: &Value) -> Option<String> {
    let is_null = |schema: &Value| schema.get("default").is_some_and(Value::is_null);
    let has = word(body, &["pattern", "title"]).is_some() || schemas(body).into_iter().any(is_null);
    has.then(|| "JSON Schema not supported: could not understand the instance".to_owned())
}

pub(super) fn grammars(body: &Value) -> Option<String> {
    let schemas = schemas(body);
    let patterns = schemas
        .iter()
        .filter_map(|schema| schema["pattern"].as_str());
    if patterns
        .into_iter()
        .any(|pattern| !pattern.starts_with('^') || !pattern.ends_with('$'))
    {
        return Some(
            "JSON schema conversion failed: Pattern must start with '^' and end with '$'"
                .to_owned(),
        );
    }
    let is_long = |schema: &&Value| schema["maxLength"].as_u64() > Some(2000);
    let is_not = |schema: &&Value| schema.get("not").is_some();
    (schemas
        .iter()
        .any(|schema| is_long(schema) || is_not(schema)))
    .then(|| "failed to parse grammar: number of repetitions exceeds sane defaults".to_owned())
}

/// Moonshot's subset: a type or alternatives everywhere, nothing beside a reference, no words of others.
pub(super) fn moonshot_schemas(body: &Value) -> Option<String> {
    let is_typed = |schema: &Value| {
        ["type", "anyOf", "$ref", "enum"]
            .iter()
            .any(|word| schema.get(word).is_some())
    };
    let is_alone = |schema: &Value| {
        schema.get("$ref").is_none() || schema.as_object().is_some_and(|schema| schema.len() == 1)
    };
    let is_either = |schema: &Value| schema.get("type").is_none() || schema.get("anyOf").is_none();
    let is_good = |schema: &&Value| is_typed(schema) && is_alone(schema) && is_either(schema);
    let what = match word(body, &["oneOf", "pattern", "format", "const", "not"]) {
        Some(word) => format!("unknown keyword {word}"),
        None if !schemas(body).iter().all(is_good) => {
            "At path 'properties.X': type is not defined".to_owned()
        }
        None => return None,
    };
    Some(format!(
        "Invalid request: tools.function.parameters is not a valid moonshot flavored json schema, details: <{what}>"
    ))
}

pub(super) fn no_cache_control(body: &Value) -> Option<String> {
    body.to_string()
        .contains("\"cache_control\":")
        .then(|| "Unknown parameter: 'messages[0].content[0].cache_control'.".to_owned())
}

pub(super) fn no_reasoning(body: &Value) -> Option<String> {
    messages(body)
        .any(|message| {
            message.get("reasoning_content").is_some() || message.get("reasoning").is_some()
        })
        .then(|| "Unknown parameter: 'messages[1].reasoning_content'.".to_owned())
}

pub(super) fn reasoning_back(body: &Value) -> Option<String> {
    let is_bare = |message: &Value| {
        message["role"] == "assistant" && !message["reasoning_content"].is_string()
    };
    messages(body).any(is_bare).then(|| {
        "The `reasoning_content` in the thinking mode must be passed back to the API.".to_owned()
    })
}

pub(super) fn reasoning_in_calls(body: &Value) -> Option<String> {
    let is_bare = |message: &Value| {
        message["tool_calls"].is_array() && !message["reasoning_content"].is_string()
    };
    let at = messages(body).position(is_bare)?;
    Some(format!(
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index {at}"
    ))
}

/// Not refused by real hosts: the model stops calling instead.
pub(super) fn counted_ids(body: &Value) -> Option<String> {
    let calls =
        messages(body).flat_map(|message| message["tool_calls"].as_array().into_iter().flatten());
    let is_counted = |(n, call): (usize, &Value)| {
        let name = call["function"]["name"].as_str().unwrap_or_default();
        call["id"] == format!("functions.{name}:{n}")
    };
    (!calls.enumerate().all(is_counted))
        .then(|| "an id of a call is not functions.NAME:IDX".to_owned())
}

pub(super) fn no_empty_text(body: &Value) -> Option<String> {
    let is_empty = |message: &Value| {
        let parts = message["content"].as_array().into_iter().flatten();
        message["content"] == "" || parts.into_iter().any(|part| part["text"] == "")
    };
    messages(body)
        .any(is_empty)
        .then(|| "Invalid request: text content is empty".to_owned())
}

pub(super) fn one_word_on_thinking(body: &Value) -> Option<String> {
    (body.get("thinking").is_some() && body.get("reasoning_effort").is_some())
        .then(|| "cannot specify both thinking and reasoning_effort".to_owned())
}

pub(super) fn always_thinks(body: &Value) -> Option<String> {
    (body["thinking"]["type"] == "disabled")
        .then(|| "invalid thinking: only type=enabled is allowed for this model".to_owned())
}

pub(super) fn auto_only(body: &Value) -> Option<String> {
    let choice = body.get("tool_choice")?;
    (choice != "auto").then(|| "tool_choice: only auto is supported".to_owned())
}

fn has_picture(message: &Value) -> bool {
    let mut parts = message["content"].as_array().into_iter().flatten();
    parts.any(|part| part["type"] == "image_url")
}

pub(super) fn no_pictures(body: &Value) -> Option<String> {
    messages(body).any(has_picture).then(|| {
        "Failed to deserialize the JSON body into the target type: messages[1]: unknown variant `image_url`, expected `text`".to_owned()
    })
}

/// Also that the picture has not gone, once it was read.
pub(super) fn text_in_results(body: &Value) -> Option<String> {
    let results: Vec<&Value> = messages(body)
        .filter(|message| message["role"] == "tool")
        .collect();
    let is_shown = messages(body).any(|message| message["role"] == "user" && has_picture(message));
    (results.iter().any(|message| has_picture(message)) || results.len() > 1 && !is_shown)
        .then(|| "Image URLs are only allowed for messages with role 'user', but this message with role 'tool' contains an image URL.".to_owned())
}

pub(super) fn allowed_tools(body: &Value) -> Option<String> {
    let is_allowed =
        |name: &str| name == "Write" || name.starts_with("Re") || name.starts_with("mcp__");
    let other = tools(body)
        .filter_map(|tool| tool["name"].as_str())
        .find(|name| !is_allowed(name))?;
    Some(format!("the tool {other} is not for this model"))
}

pub(super) fn instructed(body: &Value) -> Option<String> {
    let system = messages(body).filter(|message| message["role"] == "system");
    let has_word = system
        .into_iter()
        .any(|message| message["content"].to_string().contains(INSTRUCTION));
    (!has_word).then(|| "the instruction is missing".to_owned())
}
