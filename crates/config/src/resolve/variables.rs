//! What a preset's URLs leave open: `{project}` in an address is a variable, filled from the provider's `variables`, the
//! environment, the preset's default, or another variable (`by`).

use std::collections::BTreeMap;

use super::Inputs;
use crate::environment::Environment;
use crate::file::ProviderEntry;
use crate::preset::{Preset, Variable};
use crate::report::{Report, did_you_mean, list};

/// The preset's settings with every variable filled in. What is missing is reported if the provider is in use, and its
/// name in capitals stands in for it.
pub(super) fn filled(
    id: &str,
    entry: &ProviderEntry,
    preset: Option<&'static Preset>,
    inputs: &Inputs<'_>,
    report: &mut Report,
) -> ProviderEntry {
    check_names(id, entry, preset, report);
    let Some(preset) = preset else {
        return ProviderEntry::default();
    };
    let mut values = BTreeMap::new();
    let has_own_url = entry.base_url.is_some() && !preset.provider.paths.is_any();
    let is_needed = entry.enabled != Some(false) && !has_own_url;
    for (name, variable) in preset.variables.iter() {
        let value = chosen(name, variable, entry, inputs.environment, &values);
        if let Some(value) = &value
            && !is_fit(value)
        {
            let message = format!("`{name}` of provider `{id}` holds a character it may not hold");
            let hint = "letters, digits, `-`, `_`, `.` and `:`".to_owned();
            report.error(&["providers", id, "variables", name], message, Some(hint));
        }
        if value.is_none() && is_needed {
            let mut ways: Vec<String> = Vec::new();
            if !variable.env.is_empty() {
                let names: Vec<&str> = variable.env.iter().map(String::as_str).collect();
                ways.push(format!("set {}", list(&names)));
            }
            ways.push(format!("write `variables = {{ {name} = \"...\" }}`"));
            let message = format!("provider `{id}` needs its `{name}`: {}", variable.about);
            report.error(&["providers", id], message, Some(ways.join(", or ")));
        }
        let value = value.filter(|value| is_fit(value));
        values.insert(name, value.unwrap_or_else(|| name.to_uppercase()));
    }
    let mut provider = preset.provider.clone();
    if !values.is_empty() {
        let mut fill = |text: &mut String| *text = replaced(text, &values);
        if let Some(base_url) = &mut provider.base_url {
            base_url.each(&mut fill);
        }
        provider.paths.each(&mut fill);
        provider.headers.values_mut().for_each(fill);
    }
    provider
}

/// Whether the environment alone gives every variable that has no default.
pub(super) fn are_set(preset: &Preset, environment: &dyn Environment) -> bool {
    preset.variables.iter().all(|(_, variable)| {
        variable.default.is_some() || variable.by.is_some() || of(variable, environment).is_some()
    })
}

fn chosen(
    name: &str,
    variable: &Variable,
    entry: &ProviderEntry,
    environment: &dyn Environment,
    earlier: &BTreeMap<&str, String>,
) -> Option<String> {
    if let Some(by) = &variable.by {
        let key = earlier.get(by.as_str())?;
        let value = variable
            .values
            .get(key)
            .or_else(|| variable.values.get("*"))?;
        return Some(replaced(value, earlier));
    }
    let own = entry.variables.get(name).filter(|own| !own.is_empty());
    own.cloned()
        .or_else(|| of(variable, environment))
        .or_else(|| variable.default.clone())
}

fn of(variable: &Variable, environment: &dyn Environment) -> Option<String> {
    let value = variable.env.iter().find_map(|name| environment.var(name))?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn replaced(text: &str, values: &BTreeMap<&str, String>) -> String {
    let replace =
        |text: String, (name, value): (&&str, &String)| text.replace(&format!("{{{name}}}"), value);
    values.iter().fold(text.to_owned(), replace)
}

/// What may stand in a host or path without changing where it leads.
fn is_fit(value: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    !value.is_empty() && value.chars().all(fits)
}

fn check_names(id: &str, entry: &ProviderEntry, preset: Option<&Preset>, report: &mut Report) {
    let known: Vec<&str> = preset
        .iter()
        .flat_map(|preset| preset.variables.iter())
        .filter(|(_, variable)| variable.by.is_none())
        .map(|(name, _)| name)
        .collect();
    for name in entry.variables.keys() {
        if known.contains(&name.as_str()) {
            continue;
        }
        let message = format!("no variable `{name}` in provider `{id}`");
        let hint = match known.as_slice() {
            [] => "its addresses leave nothing open".to_owned(),
            known => did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("there is {}", list(known))),
        };
        report.error(&["providers", id, "variables", name], message, Some(hint));
    }
}
