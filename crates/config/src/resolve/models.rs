//! Settings of configured models, global and of profiles.

use std::collections::BTreeMap;

use lingate_quirk::{Instruction, Temperature};

use super::headers::headers;
use crate::config::{Context, Images, ModelSettings, TargetSettings};
use crate::environment::Environment;
use crate::file::{ContextEntry, File, ModelEntry, TargetEntry, TargetTable, TemperatureEntry};
use crate::report::{Path, Report};

type Settings = BTreeMap<(Option<String>, String), ModelSettings>;

/// What `ensure_tool_call` does where neither the file nor the environment says so.
const CALL_ATTEMPTS: u32 = 3;
/// More attempts than these do not make a model call a tool.
const MOST_CALL_ATTEMPTS: u32 = 5;
/// The environment's say in it.
const CALL_ATTEMPTS_VARIABLE: &str = "ENSURE_TOOL_CALL_MAX_ATTEMPTS";

pub(super) fn settings(
    file: &File,
    environment: &dyn Environment,
    report: &mut Report,
) -> Settings {
    let mut settings = Settings::new();
    let call_attempts = call_attempts(environment, report);
    let model =
        |entry, path: Path<'_>, report: &mut Report| model(entry, call_attempts, path, report);
    for (name, entry) in file.models.iter() {
        let resolved = model(entry, &["models", name], report);
        settings.insert((None, name.to_owned()), resolved);
    }
    for (profile, scope) in file.profiles.iter() {
        for (name, entry) in scope.models.iter() {
            let resolved = model(entry, &["profiles", profile, "models", name], report);
            settings.insert((Some(profile.to_owned()), name.to_owned()), resolved);
        }
    }
    settings
}

/// A number above the most is taken for the most.
fn call_attempts(environment: &dyn Environment, report: &mut Report) -> u32 {
    let Some(text) = environment.var(CALL_ATTEMPTS_VARIABLE) else {
        return CALL_ATTEMPTS;
    };
    match text.trim().parse() {
        Ok(attempts @ 1..) => MOST_CALL_ATTEMPTS.min(attempts),
        Ok(0) | Err(_) => {
            let hint = format!("write a number from 1 to {MOST_CALL_ATTEMPTS}");
            report.error(
                &[],
                format!("{CALL_ATTEMPTS_VARIABLE}: `{text}` is not a number of attempts"),
                Some(hint),
            );
            CALL_ATTEMPTS
        }
    }
}

fn model(
    entry: &ModelEntry,
    call_attempts: u32,
    path: Path<'_>,
    report: &mut Report,
) -> ModelSettings {
    let instruction = (!entry.instruction.trim().is_empty()).then(|| Instruction {
        text: entry.instruction.clone(),
        mode: entry.instruction_mode,
    });
    let targets = entry
        .targets
        .iter()
        .enumerate()
        .map(|(index, target)| match target {
            TargetEntry::Name(_) => TargetSettings::default(),
            TargetEntry::Table(TargetTable {
                context,
                headers: added,
                body,
                ..
            }) => {
                let index = index.to_string();
                let path = [path, &["targets", index.as_str()]].concat();
                TargetSettings {
                    context: *context,
                    headers: headers(added, &path, report),
                    body: body.clone(),
                }
            }
        });
    let targets = targets.collect();
    ModelSettings {
        context: match entry.context {
            None => Context::Facts,
            Some(ContextEntry::Tokens(tokens)) => Context::Tokens(tokens),
            Some(ContextEntry::Word(_)) => Context::Auto,
        },
        max_output: entry.max_output,
        input: entry.input.clone(),
        images: images(entry, path, report),
        thinking: entry.thinking,
        reasoning_history: entry.reasoning_history,
        overflow: (!entry.overflow.is_empty()).then(|| entry.overflow.clone()),
        ensure_tool_call: entry
            .ensure_tool_call
            .then(|| entry.ensure_tool_call_max_attempts.unwrap_or(call_attempts)),
        validate_tool_calls: entry.validate_tool_calls,
        price: entry.price.map(|price| price.rates()),
        max_tokens_field: entry.max_tokens_field,
        tool_format: entry.tool_format,
        tools_allowed: entry.tools_allowed.clone(),
        instruction,
        max_turns: (entry.max_turns > 0).then_some(entry.max_turns),
        temperature: match entry.temperature {
            TemperatureEntry::Number(number) => Temperature::Fixed(number),
            TemperatureEntry::Word(crate::file::TemperatureWord::Client) => Temperature::Client,
            TemperatureEntry::Word(crate::file::TemperatureWord::Omit) => Temperature::Omit,
        },
        targets,
    }
}

fn images(entry: &ModelEntry, path: Path<'_>, report: &mut Report) -> Images {
    match entry.images.as_deref() {
        None | Some("omit") => Images::Omit,
        Some(text) => {
            if let Some(model) = text
                .strip_prefix("route:")
                .filter(|model| !model.is_empty())
            {
                return Images::Route(model.to_owned());
            }
            let path = [path, &["images"]].concat();
            let hint = "write `omit` or `route:MODEL`".to_owned();
            report.error(
                &path,
                format!(
                    "`{}`: `{text}` says nothing",
                    crate::document::dotted(&path)
                ),
                Some(hint),
            );
            Images::Omit
        }
    }
}
