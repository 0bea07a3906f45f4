//! The routing table, with every reference in it checked.

use std::collections::BTreeMap;

use lingate_route::{Alias, KnownModel, Model, Rule, Scope, Table, Target, When};

use super::references::{check_overflows, check_references, unknown_provider};
use crate::Modality;
use crate::file::{ContextEntry, File, ModelEntry, Ordered, RuleEntry, TargetEntry, TargetTable};
use crate::preset::{ModelFacts, Preset, ThinkingFact, presets};
use crate::provider::{DEMO, Kind, Provider};
use crate::report::{Path, Report};

/// First path segments of the gateway's own routes, which a profile would shadow.
const RESERVED_PROFILES: [&str; 14] = [
    "v1",
    "v1beta",
    "api",
    "ui",
    "health",
    "healthz",
    "readyz",
    "metrics",
    "messages",
    "chat",
    "responses",
    "models",
    "favicon.ico",
    "robots.txt",
];

/// The table, and whether its default was chosen for want of a word in the file.
pub(super) fn routes(file: &File, providers: &[Provider], report: &mut Report) -> (Table, bool) {
    let mut table = Table {
        providers: providers
            .iter()
            .map(|provider| lingate_route::Provider {
                id: provider.id.as_str().into(),
                enabled: provider.enabled,
            })
            .collect(),
        rules: file.rules.iter().map(rule).collect(),
        global: Scope {
            models: models(&file.models, providers, &["models"], report),
            aliases: aliases(&file.aliases, &["aliases"], report),
            default: file.default.clone(),
            small: file.small.clone(),
        },
        profiles: BTreeMap::new(),
        claude: claude_models(),
        known: providers
            .iter()
            .filter_map(|provider| Some((provider.id.clone(), known_models(provider.preset?))))
            .collect(),
    };
    for (name, profile) in file.profiles.iter() {
        check_profile_name(name, report);
        let scope = Scope {
            models: models(
                &profile.models,
                providers,
                &["profiles", name, "models"],
                report,
            ),
            aliases: aliases(&profile.aliases, &["profiles", name, "aliases"], report),
            default: profile.default.clone(),
            small: profile.small.clone(),
        };
        table.profiles.insert(name.to_owned(), scope);
    }
    let chosen = table.global.default.is_none();
    if chosen {
        choose_default(&mut table.global, providers);
    }
    table.global.models.push(demo());
    check_references(file, &table, report);
    check_overflows(file, &table, report);
    (table, chosen)
}

/// With no word on it, the first provider whose preset names a default model serves unknown names; with no models
/// either, those it is known to have can be asked for by their own names.
fn choose_default(scope: &mut Scope, providers: &[Provider]) {
    let first = providers
        .iter()
        .filter(|provider| provider.enabled)
        .find_map(|provider| {
            let preset = provider.preset?;
            Some((provider, preset, preset.default_model.as_ref()?))
        });
    let Some((provider, preset, default)) = first else {
        // Nothing but the demo is there to be served; a provider without a default model is asked for by name.
        let alone = providers
            .iter()
            .all(|provider| provider.kind == Kind::Demo || !provider.enabled);
        if alone && scope.models.is_empty() {
            scope.default = Some(DEMO.to_owned());
        }
        return;
    };
    let at_provider = |model: &String| format!("{}/{model}", provider.id);
    scope.default = Some(at_provider(default));
    if scope.small.is_none() {
        scope.small = preset.small_model.as_ref().map(at_provider);
    }
    if default == "*" || !scope.models.is_empty() {
        return;
    }
    for (id, facts) in preset.models() {
        scope.models.push(Model {
            display_name: facts.name.clone(),
            ..plain_model(id, &provider.id, id)
        });
    }
}

fn demo() -> Model {
    Model {
        display_name: Some("lingate demo".to_owned()),
        context: Some(200_000),
        ..plain_model(DEMO, DEMO, DEMO)
    }
}

fn plain_model(name: &str, provider: &str, model: &str) -> Model {
    Model {
        name: name.into(),
        display_name: None,
        targets: vec![Target {
            provider: provider.into(),
            model: model.into(),
            weight: 1,
            context: None,
        }],
        strategy: lingate_route::Strategy::default(),
        return_to: lingate_route::Return::default(),
        context: None,
        max_output: None,
    }
}

fn models(
    entries: &Ordered<ModelEntry>,
    providers: &[Provider],
    path: Path<'_>,
    report: &mut Report,
) -> Vec<Model> {
    let mut models = Vec::new();
    for (name, entry) in entries.iter() {
        let path = [path, &[name]].concat();
        if name == DEMO {
            report.error(
                &path,
                format!("model `{DEMO}` is built in"),
                Some("choose another name".to_owned()),
            );
            continue;
        }
        if entry.targets.is_empty() {
            let hint = "list at least one `provider/model`".to_owned();
            let path = [path.as_slice(), &["targets"]].concat();
            report.error(&path, format!("model `{name}` has no targets"), Some(hint));
        }
        if entry.strategy.is_per_request() {
            let message = format!(
                "model `{name}`: this strategy changes targets within a session and loses prompt caches"
            );
            let hint = "`ordered` and `spread` keep a session where it is".to_owned();
            report.warn(
                &[path.as_slice(), &["strategy"]].concat(),
                message,
                Some(hint),
            );
        }
        let targets = entry
            .targets
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let index = index.to_string();
                target(
                    entry,
                    providers,
                    &[path.as_slice(), &["targets", index.as_str()]].concat(),
                    report,
                )
            });
        let targets = targets.collect();
        models.push(Model {
            name: name.into(),
            display_name: entry.name.clone(),
            targets,
            strategy: entry.strategy,
            return_to: entry.return_to,
            context: match entry.context {
                Some(ContextEntry::Tokens(tokens)) => Some(tokens),
                Some(ContextEntry::Word(_)) | None => None,
            },
            max_output: entry.max_output,
        });
    }
    models
}

fn target(
    entry: &TargetEntry,
    providers: &[Provider],
    path: Path<'_>,
    report: &mut Report,
) -> Option<Target> {
    let (to, weight, context) = match entry {
        TargetEntry::Name(to) => (to, 1, None),
        TargetEntry::Table(TargetTable {
            to,
            weight,
            context,
            ..
        }) => (
            to,
            u32::try_from((*weight).max(1)).unwrap_or(u32::MAX),
            *context,
        ),
    };
    let Some((provider, model)) = to.split_once('/').filter(|(_, model)| !model.is_empty()) else {
        let message = format!("target `{to}` is not `provider/model`");
        report.error(path, message, None);
        return None;
    };
    if !providers.iter().any(|known| known.id == provider) {
        if report.mentions(&["providers", provider]) {
            return None;
        }
        unknown_provider(provider, providers, path, report);
        return None;
    }
    Some(Target {
        provider: provider.into(),
        model: model.into(),
        weight,
        context,
    })
}

fn aliases(entries: &Ordered<String>, path: Path<'_>, report: &mut Report) -> Vec<Alias> {
    let mut aliases = Vec::new();
    for (pattern, to) in entries.iter() {
        match Alias::new(pattern, to) {
            Ok(alias) => aliases.push(alias),
            Err(error) => {
                report.error(&[path, &[pattern]].concat(), format!("alias {error}"), None)
            }
        }
    }
    aliases
}

fn rule(entry: &RuleEntry) -> Rule {
    let when = &entry.when;
    Rule {
        when: When {
            class: when.class,
            model: when.model.clone(),
            tokens_over: when.tokens_over,
            tool: when.tool.clone(),
            image: when.image,
            thinking: when.thinking,
            headers: when
                .header
                .iter()
                .map(|(name, glob)| (name.to_ascii_lowercase(), glob.clone()))
                .collect(),
            profile: when.profile.clone(),
        },
        to: entry.to.clone(),
    }
}

fn check_profile_name(name: &str, report: &mut Report) {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(valid) || RESERVED_PROFILES.contains(&name) {
        let message = format!("`{name}` cannot be a profile's name");
        let hint =
            "use letters, digits, `-`, `_` and `.`, and no name the gateway's own paths start with";
        report.error(&["profiles", name], message, Some(hint.to_owned()));
    }
}

fn known_models(preset: &Preset) -> Vec<KnownModel> {
    preset
        .models()
        .map(|(id, facts)| known_model(id, facts))
        .collect()
}

/// The ids that clients of the Anthropic wire know: those of the presets' facts that carry the family's name.
fn claude_models() -> Vec<KnownModel> {
    let facts = presets().iter().flat_map(Preset::models);
    facts
        .filter(|(id, _)| id.starts_with("claude-"))
        .map(|(id, facts)| known_model(id, facts))
        .collect()
}

fn known_model(id: &str, facts: &ModelFacts) -> KnownModel {
    KnownModel {
        id: id.to_owned(),
        display_name: facts.name.clone(),
        context: facts.context,
        max_output: facts.max_output,
        thinks: matches!(
            facts.thinking,
            Some(ThinkingFact::Optional | ThinkingFact::Always)
        ),
        has_images: facts.input.contains(&Modality::Image),
    }
}
