//! Names that stand for other names, checked once the table is whole.

use lingate_route::{Cause, Resolution, Scope, Table, Unresolved, check_destination, resolve_name};

use crate::document::dotted;
use crate::file::{File, ModelEntry, Ordered};
use crate::provider::Provider;
use crate::report::{Path, Report, did_you_mean};

/// Every name that stands for another must lead to something.
pub(super) fn check_references(file: &File, table: &Table, report: &mut Report) {
    let mut check = |profile: Option<&str>, to: &str, path: Path<'_>| {
        let Err(Unresolved { cause, nearest, .. }) = check_destination(table, profile, to) else {
            return;
        };
        let nearest: Vec<&str> = nearest.iter().map(String::as_str).collect();
        let hint = (!nearest.is_empty())
            .then(|| format!("did you mean {}?", crate::report::list(&nearest)));
        let key = dotted(path);
        match cause {
            Cause::Disabled => {
                let hint = Some("enable one of its providers".to_owned());
                report.warn(
                    path,
                    format!("`{key}`: every provider of `{to}` is disabled"),
                    hint,
                );
            }
            Cause::Loop(_) => report.error(path, format!("`{key}` leads back to itself"), None),
            // A model that is wrong has been reported itself.
            Cause::Unknown | Cause::DeadEnd(_) if report.mentions(&["models", to]) => {}
            Cause::Unknown | Cause::DeadEnd(_) => match to.split_once('/') {
                Some((provider, _)) if hint.is_none() && !provider.is_empty() => {
                    let known = table.providers.iter().map(|provider| &*provider.id);
                    let hint = did_you_mean(provider, known).or_else(|| preset_hint(provider));
                    report.error(path, format!("`{key}`: no provider `{provider}`"), hint);
                }
                _ => {
                    let hint = hint.or_else(|| {
                        Some("name a model of `[models]`, or `provider/model`".to_owned())
                    });
                    report.error(path, format!("`{key}`: no model `{to}`"), hint);
                }
            },
        }
    };
    let mut scope =
        |profile: Option<&str>, scope: &Scope, prefix: Path<'_>, models: &Ordered<ModelEntry>| {
            for (key, value) in [("default", &scope.default), ("small", &scope.small)] {
                if let Some(to) = value {
                    check(profile, to, &[prefix, &[key]].concat());
                }
            }
            for alias in &scope.aliases {
                check(
                    profile,
                    alias.to(),
                    &[prefix, &["aliases", &alias.pattern()]].concat(),
                );
            }
            for (name, entry) in models.iter() {
                let path = |key| [prefix, &["models", name, key]].concat();
                if !entry.overflow.is_empty() {
                    check(profile, &entry.overflow, &path("overflow"));
                }
                if let Some(to) = entry
                    .images
                    .as_deref()
                    .and_then(|images| images.strip_prefix("route:"))
                {
                    check(profile, to, &path("images"));
                }
            }
        };
    scope(None, &table.global, &[], &file.models);
    for (name, profile) in file.profiles.iter() {
        if let Some(resolved) = table.profiles.get(name) {
            scope(Some(name), resolved, &["profiles", name], &profile.models);
        }
    }
    for (index, rule) in file.rules.iter().enumerate() {
        let index = index.to_string();
        check(
            rule.when.profile.as_deref(),
            &rule.to,
            &["rules", &index, "use"],
        );
    }
    for (index, rule) in file.rules.iter().enumerate() {
        if let Some(profile) = rule
            .when
            .profile
            .as_deref()
            .filter(|name| !table.profiles.contains_key(*name))
        {
            let known = table.profiles.keys().map(String::as_str);
            let path = ["rules", &index.to_string(), "when", "profile"];
            report.error(
                &path,
                format!("no profile `{profile}`"),
                did_you_mean(profile, known),
            );
        }
    }
}

/// An `overflow` has to have more room than the model whose conversations it takes, as far as both are known.
pub(super) fn check_overflows(file: &File, table: &Table, report: &mut Report) {
    let of_profiles = file.profiles.iter();
    let of_profiles = of_profiles.map(|(name, profile)| (Some(name), &profile.models));
    for (profile, models) in std::iter::once((None, &file.models)).chain(of_profiles) {
        for (name, entry) in models
            .iter()
            .filter(|(_, entry)| !entry.overflow.is_empty())
        {
            let own = resolve_name(table, profile, name);
            let to = resolve_name(table, profile, &entry.overflow);
            let (Ok(own), Ok(to)) = (own, to) else {
                continue;
            };
            let room = |found: &Resolution| -> Option<Vec<u64>> {
                let contexts = found.candidates.iter();
                contexts.map(|candidate| table.context(candidate)).collect()
            };
            let own = room(&own).and_then(|own| own.into_iter().min());
            let to = room(&to).and_then(|to| to.into_iter().max());
            let (Some(own), Some(to)) = (own, to) else {
                continue;
            };
            if to <= own {
                let prefix: &[&str] = &[];
                let of_profile = profile.map(|profile| ["profiles", profile]);
                let prefix = of_profile.as_ref().map_or(prefix, |prefix| prefix);
                let message = format!(
                    "`{}` has a context of {to} tokens, no more than `{name}` with {own}",
                    entry.overflow
                );
                let hint = "name a model with a larger context".to_owned();
                report.warn(
                    &[prefix, &["models", name, "overflow"]].concat(),
                    message,
                    Some(hint),
                );
            }
        }
    }
}

fn preset_hint(id: &str) -> Option<String> {
    let preset = crate::preset::preset(id)?;
    Some(match preset.env.first() {
        Some(variable) => format!("it is a preset: set `{variable}`, or add `[providers.{id}]`"),
        None => format!("it is a preset: add `[providers.{id}]`"),
    })
}

/// Reports a provider that nothing defines.
pub(super) fn unknown_provider(
    id: &str,
    providers: &[Provider],
    path: Path<'_>,
    report: &mut Report,
) {
    let near = || did_you_mean(id, providers.iter().map(|provider| provider.id.as_str()));
    let hint = preset_hint(id)
        .or_else(near)
        .unwrap_or_else(|| format!("add `[providers.{id}]`"));
    report.error(path, format!("no provider `{id}`"), Some(hint));
}
