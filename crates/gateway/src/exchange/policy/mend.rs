//! Arguments that mean the right thing in the wrong type: mended where there is one reading.
//!
//! The validator's own complaints say what is wanted where, so that references, alternatives and nesting need no second
//! reading of the schema. A mended value counts only if the whole of it fits; else nothing is changed.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Number, Value};

/// Rounds of mending: what is unwrapped may have to be mended within.
const MOST_ROUNDS: usize = 6;
/// Complaints that are looked at in one round.
const MOST_COMPLAINTS: usize = 64;
/// Alternatives that are tried for one call, each of them on a copy.
const MOST_TRIALS: usize = 16;
/// Longer arguments are not mended: nobody waits for it.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// The value as it fits, if it can be made to.
pub(super) fn mended(validator: &Validator, value: &Value) -> Option<Value> {
    let mut value = value.clone();
    let mut trials = MOST_TRIALS;
    for _ in 0..MOST_ROUNDS {
        let before = value.clone();
        for error in validator.iter_errors(&before).take(MOST_COMPLAINTS) {
            mend(validator, &mut value, &error, &mut trials);
        }
        if validator.is_valid(&value) {
            return Some(value);
        }
        if value == before {
            return None;
        }
    }
    None
}

/// Mends what one complaint is about.
fn mend(validator: &Validator, value: &mut Value, error: &ValidationError<'_>, trials: &mut usize) {
    let path = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let is_wanted = |wanted: JsonType| match kind {
                TypeKind::Single(only) => *only == wanted,
                TypeKind::Multiple(some) => some.contains(wanted),
            };
            match value.pointer(path).map(|own| retyped(own, &is_wanted)) {
                Some(Some(other)) => put(value, path, other),
                Some(None) if value.pointer(path) == Some(&Value::Null) => remove(value, path),
                Some(None) | None => {}
            }
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            if let Some(Value::Object(members)) = value.pointer_mut(path) {
                members.retain(|key, _| !unexpected.contains(key));
            }
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            choose(value, path, options);
        }
        ValidationErrorKind::Constant { expected_value } => {
            choose(value, path, std::slice::from_ref(&**expected_value));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            // How many there are beyond that makes no difference, and counting them takes long.
            let n_complaints = |value: &Value| {
                validator
                    .iter_errors(value)
                    .take(MOST_COMPLAINTS + 1)
                    .count()
            };
            let before = n_complaints(value);
            // The first alternative that the value can be made to fit.
            for errors in context {
                let Some(left) = trials.checked_sub(1) else {
                    return;
                };
                *trials = left;
                let mut other = value.clone();
                for error in errors.iter().take(MOST_COMPLAINTS) {
                    mend(validator, &mut other, error, trials);
                }
                if other != *value && n_complaints(&other) < before {
                    *value = other;
                    return;
                }
            }
        }
        _ => {}
    }
}

/// The value in another type, where its text says the same.
fn retyped(value: &Value, is_wanted: &dyn Fn(JsonType) -> bool) -> Option<Value> {
    let single =
        |value: &Value| is_wanted(JsonType::Array).then(|| Value::Array(vec![value.clone()]));
    match value {
        Value::String(text) => from_text(text, is_wanted).or_else(|| single(value)),
        Value::Number(_) | Value::Bool(_) if is_wanted(JsonType::String) => {
            Some(Value::String(value.to_string()))
        }
        Value::Number(_) | Value::Bool(_) | Value::Object(_) => single(value),
        Value::Null | Value::Array(_) => None,
    }
}

/// What a text spells, if it spells exactly something that is wanted.
fn from_text(text: &str, is_wanted: &dyn Fn(JsonType) -> bool) -> Option<Value> {
    let trimmed = text.trim();
    let parsed: Value = match trimmed {
        "True" | "TRUE" => Value::Bool(true),
        "False" | "FALSE" => Value::Bool(false),
        "None" => Value::Null,
        _ => serde_json::from_str(trimmed).ok()?,
    };
    let fits = match &parsed {
        Value::Null => is_wanted(JsonType::Null),
        Value::Bool(_) => is_wanted(JsonType::Boolean),
        Value::Number(number) => {
            is_wanted(JsonType::Number) || (is_wanted(JsonType::Integer) && is_whole(number))
        }
        Value::Array(_) => is_wanted(JsonType::Array),
        Value::Object(_) => is_wanted(JsonType::Object),
        Value::String(_) => false,
    };
    fits.then_some(parsed)
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// The one option that differs in case only, or in its type.
fn choose(value: &mut Value, path: &str, options: &[Value]) {
    let Some(own) = value.pointer(path) else {
        return;
    };
    let plain = |value: &Value| match value {
        Value::String(text) => text.trim().to_lowercase(),
        other => other.to_string().to_lowercase(),
    };
    let wanted = plain(own);
    let mut fitting = options.iter().filter(|option| plain(option) == wanted);
    if let (Some(only), None) = (fitting.next(), fitting.next()) {
        put(value, path, only.clone());
    }
}

fn put(value: &mut Value, path: &str, other: Value) {
    if let Some(own) = value.pointer_mut(path) {
        *own = other;
    }
}

/// Leaves a member out that says nothing.
fn remove(value: &mut Value, path: &str) {
    let Some((parent, key)) = path.rsplit_once('/') else {
        return;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(members)) = value.pointer_mut(parent) {
        members.shift_remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_one_reading_is_mended_and_nothing_else() {
        let check = |schema: &str, input: &str, expected: Option<&str>| {
            let schema: Value = serde_json::from_str(schema).unwrap();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let value: Value = serde_json::from_str(input).unwrap();
            assert!(!validator.is_valid(&value), "{input} fits as it is");
            let got = mended(&validator, &value).map(|value| value.to_string());
            assert_eq!(got.as_deref(), expected, "{schema} {input}");
        };
        let one = |kind: &str| {
            format!(r#"{{"type":"object","properties":{{"a":{kind}}},"required":["a"]}}"#)
        };
        for (kind, input, expected) in [
            (r#"{"type":"integer"}"#, r#"{"a":"5"}"#, Some(r#"{"a":5}"#)),
            (
                r#"{"type":"integer"}"#,
                r#"{"a":" 5 "}"#,
                Some(r#"{"a":5}"#),
            ),
            (r#"{"type":"integer"}"#, r#"{"a":"5.5"}"#, None),
            (r#"{"type":"integer"}"#, r#"{"a":"5 apples"}"#, None),
            (r#"{"type":"integer"}"#, r#"{"a":5.5}"#, None),
            (
                r#"{"type":"number"}"#,
                r#"{"a":"5.5"}"#,
                Some(r#"{"a":5.5}"#),
            ),
            (
                r#"{"type":"boolean"}"#,
                r#"{"a":"true"}"#,
                Some(r#"{"a":true}"#),
            ),
            (
                r#"{"type":"boolean"}"#,
                r#"{"a":"False"}"#,
                Some(r#"{"a":false}"#),
            ),
            (r#"{"type":"boolean"}"#, r#"{"a":"yes"}"#, None),
            (r#"{"type":"boolean"}"#, r#"{"a":1}"#, None),
            (r#"{"type":"string"}"#, r#"{"a":5}"#, Some(r#"{"a":"5"}"#)),
            (
                r#"{"type":"string"}"#,
                r#"{"a":true}"#,
                Some(r#"{"a":"true"}"#),
            ),
            (r#"{"type":"string"}"#, r#"{"a":{"b":1}}"#, None),
            (
                r#"{"type":"object"}"#,
                r#"{"a":"{\"b\":1}"}"#,
                Some(r#"{"a":{"b":1}}"#),
            ),
            (
                r#"{"type":"array"}"#,
                r#"{"a":"[1,2]"}"#,
                Some(r#"{"a":[1,2]}"#),
            ),
            (
                r#"{"type":"array","items":{"type":"string"}}"#,
                r#"{"a":"x"}"#,
                Some(r#"{"a":["x"]}"#),
            ),
            (
                r#"{"type":"array","items":{"type":"integer"}}"#,
                r#"{"a":"7"}"#,
                Some(r#"{"a":[7]}"#),
            ),
            (
                r#"{"type":"array","items":{"type":"integer"}}"#,
                r#"{"a":"x"}"#,
                None,
            ),
            (
                r#"{"type":"array","items":{"type":"integer"}}"#,
                r#"{"a":["1","2"]}"#,
                Some(r#"{"a":[1,2]}"#),
            ),
            (
                r#"{"type":["integer","null"]}"#,
                r#"{"a":"null"}"#,
                Some(r#"{"a":null}"#),
            ),
            (
                r#"{"enum":["Low","High"]}"#,
                r#"{"a":"low"}"#,
                Some(r#"{"a":"Low"}"#),
            ),
            (r#"{"enum":["Low","LOW"]}"#, r#"{"a":"low"}"#, None),
            (r#"{"enum":[1,2]}"#, r#"{"a":"2"}"#, Some(r#"{"a":2}"#)),
            (r#"{"const":"x"}"#, r#"{"a":"X"}"#, Some(r#"{"a":"x"}"#)),
            (
                r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#,
                r#"{"a":"5"}"#,
                Some(r#"{"a":5}"#),
            ),
            (
                r#"{"oneOf":[{"type":"boolean"},{"type":"integer"}]}"#,
                r#"{"a":"5"}"#,
                Some(r#"{"a":5}"#),
            ),
            (r#"{"type":"string"}"#, r#"{"a":null}"#, None),
            (r#"{"type":"string"}"#, r#"{"b":"x"}"#, None),
        ] {
            check(&one(kind), input, expected);
        }
        let closed = r##"{"properties":{"a":{"type":"string"},"b":{"$ref":"#/$defs/n"}},"required":["a"],
            "additionalProperties":false,"$defs":{"n":{"type":"integer"}}}"##;
        check(closed, r#"{"a":"x","c":1}"#, Some(r#"{"a":"x"}"#));
        check(closed, r#"{"path":"x"}"#, None);
        check(closed, r#"{"a":"x","b":null}"#, Some(r#"{"a":"x"}"#));
        check(closed, r#"{"a":"x","b":"3"}"#, Some(r#"{"a":"x","b":3}"#));
        check(
            closed,
            r#"{"a":1,"b":"3","c":{}}"#,
            Some(r#"{"a":"1","b":3}"#),
        );
    }
}
