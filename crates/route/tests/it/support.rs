//! A table in the few words a case needs, and a resolution as one line.

use lingate_route::{
    Alias, Ask, KnownModel, Model, Provider, Resolution, Return, Scope, Strategy, Table, Target,
    Unresolved, resolve,
};

/// `"name = provider/model provider/model"`.
pub(crate) fn model(text: &str) -> Model {
    let (name, targets) = text.split_once(" = ").expect("name = targets");
    let targets = targets.split(' ').map(|target| {
        let (provider, model) = target.split_once('/').expect("provider/model");
        Target {
            provider: provider.into(),
            model: model.into(),
            weight: 1,
            context: None,
        }
    });
    Model {
        name: name.into(),
        display_name: None,
        targets: targets.collect(),
        strategy: Strategy::Ordered,
        return_to: Return::NextSession,
        context: None,
        max_output: None,
    }
}

pub(crate) fn aliases(list: &[(&str, &str)]) -> Vec<Alias> {
    list.iter()
        .map(|(pattern, to)| Alias::new(pattern, to).expect("an alias"))
        .collect()
}

pub(crate) fn provider(id: &str, enabled: bool) -> Provider {
    Provider {
        id: id.into(),
        enabled,
    }
}

pub(crate) fn known(id: &str, context: u64) -> KnownModel {
    KnownModel {
        id: id.into(),
        display_name: None,
        context: Some(context),
        max_output: None,
        thinks: true,
        has_images: false,
    }
}

/// Two providers and one that is off; `kimi` on both, `both` partly on the one that is off.
pub(crate) fn table() -> Table {
    Table {
        providers: vec![
            provider("a", true),
            provider("b", true),
            provider("off", false),
            provider("anthropic", true),
        ],
        global: Scope {
            models: vec![
                model("kimi = a/k2.6 b/moonshotai/k2.6"),
                model("both = off/x b/y"),
                model("gone = off/x"),
            ],
            ..Scope::default()
        },
        ..Table::default()
    }
}

/// `steps | candidates`, or the error as shown.
pub(crate) fn shown(resolution: Result<Resolution, Unresolved>) -> String {
    match resolution {
        Ok(resolution) => {
            let candidates = resolution.candidates.iter();
            let candidates: Vec<String> = candidates
                .map(|one| format!("{}/{}", one.provider, one.model))
                .collect();
            format!("{} | {}", resolution.why(), candidates.join(" "))
        }
        Err(unresolved) => unresolved.to_string(),
    }
}

#[track_caller]
pub(crate) fn check(table: &Table, cases: &[(&str, &str)]) {
    for (name, expected) in cases {
        assert_eq!(
            shown(resolve(table, &Ask::plain(name))),
            *expected,
            "{name}"
        );
    }
}
