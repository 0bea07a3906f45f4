//! Variables of the environment that shape a provider's requests, as its preset lists them: members of the body, and an
//! ending of the model's name.

use serde_json::{Map, Value};

use super::Inputs;
use crate::environment::Environment;
use crate::preset::{EnvironmentOption, OptionKind, Preset};
use crate::report::{Report, list};

/// What the environment asks of a provider's requests.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) body: Map<String, Value>,
    pub(super) model_suffix: Option<String>,
}

/// What an environment asks of a preset's requests, as far as it makes sense: members of the body, and an ending of the
/// model's name.
pub(crate) fn environment_options(
    preset: &Preset,
    environment: &dyn Environment,
) -> (Map<String, Value>, Option<String>) {
    let mut asked = Asked::default();
    for (name, option) in preset.options.iter() {
        let text = environment.var(name).unwrap_or_default();
        if !text.trim().is_empty() {
            // What is wrong with it is said when it is used.
            let _ = asked.take(option, text.trim());
        }
    }
    (asked.body, asked.model_suffix)
}

/// Reads every option of the preset. A value that makes no sense is reported: left out, it would cost money unnoticed.
pub(super) fn asked(
    id: &str,
    preset: Option<&Preset>,
    inputs: &Inputs<'_>,
    report: &mut Report,
) -> Asked {
    let mut asked = Asked::default();
    for (name, option) in preset.iter().flat_map(|preset| preset.options.iter()) {
        let Some(text) = inputs.environment.var(name) else {
            continue;
        };
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if let Err(hint) = asked.take(option, text) {
            let message = format!("environment variable {name} is `{text}`");
            report.error(&["providers", id], message, Some(hint));
        }
    }
    asked
}

impl Asked {
    /// Takes what `text` says; else how to write it.
    fn take(&mut self, option: &EnvironmentOption, text: &str) -> Result<(), String> {
        let value = value(option, text)?;
        match &option.body {
            Some(path) => set(&mut self.body, path, value),
            None => self.model_suffix = value.as_str().map(str::to_owned),
        }
        Ok(())
    }
}

/// `own` over `base`; objects on both sides are merged member by member.
pub(super) fn merged(mut base: Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    for (key, value) in own {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(own)) => base.extend(own.clone()),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
    base
}

fn value(option: &EnvironmentOption, text: &str) -> Result<Value, String> {
    let words = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        format!("write {}", list(&words))
    };
    match option.kind {
        OptionKind::List => {
            let items = text.split(',').map(str::trim);
            let items: Vec<Value> = items
                .filter(|item| !item.is_empty())
                .map(Into::into)
                .collect();
            Ok(Value::Array(items))
        }
        OptionKind::Flag => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true.into()),
            "false" | "0" | "no" | "off" => Ok(false.into()),
            _ => Err("write `true` or `false`".to_owned()),
        },
        OptionKind::Word => {
            let known = option
                .values
                .iter()
                .find(|value| value.as_str() == text || value.trim_start_matches(':') == text);
            known
                .map(|known| known.as_str().into())
                .ok_or_else(|| words(&option.values))
        }
    }
}

/// Sets `outer.inner` or `member`.
fn set(body: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((outer, inner)) = path.split_once('.') else {
        body.insert(path.to_owned(), value);
        return;
    };
    let outer = body
        .entry(outer)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(outer) = outer {
        outer.insert(inner.to_owned(), value);
    }
}
