//! What a client is told exists: everything on the list resolves, nothing is made up.

use lingate_route::{Model, Scope, Table, published, resolve_name};

use crate::support::{aliases, known, model, table};

fn with_facts() -> Table {
    let mut table = table();
    table.claude = vec![
        known("claude-opus-5-5", 1_000_000),
        known("claude-haiku-5-5", 1_000_000),
    ];
    table
        .known
        .insert("a".to_owned(), vec![known("k2.6", 262_144)]);
    table.known.insert(
        "b".to_owned(),
        vec![known("moonshotai/k2.6", 200_000), known("y", 1_000)],
    );
    table
        .known
        .insert("anthropic".to_owned(), table.claude.clone());
    table
}

#[track_caller]
fn check(table: &Table, profile: Option<&str>, expected: &[&str]) {
    let list = published(table, profile);
    let shown: Vec<String> = list
        .iter()
        .map(|model| match model.context {
            Some(context) => format!("{} {context}", model.id),
            None => model.id.clone(),
        })
        .collect();
    assert_eq!(shown, expected);
    for model in list {
        assert!(
            resolve_name(table, profile, &model.id).is_ok(),
            "{} does not resolve",
            model.id
        );
        assert!(
            resolve_name(table, profile, &format!("{}[1m]", model.id)).is_ok(),
            "{}[1m]",
            model.id
        );
    }
}

/// Without a route for them there are no Claude ids; what only a disabled provider serves is not listed.
#[test]
fn models_only() {
    check(
        &with_facts(),
        None,
        &[
            "kimi 200000",
            "both 1000",
            "anthropic/kimi 200000",
            "anthropic/both 1000",
        ],
    );
}

#[test]
fn a_default_serves_claude_names() {
    let mut table = with_facts();
    table.global.default = Some("kimi".to_owned());
    table.global.small = Some("b/y".to_owned());
    check(
        &table,
        None,
        &[
            "kimi 200000",
            "both 1000",
            "claude-opus-5-5 200000",
            "claude-haiku-5-5 1000",
            "anthropic/kimi 200000",
            "anthropic/both 1000",
        ],
    );
}

#[test]
fn names_that_are_kept() {
    let mut table = with_facts();
    table.global.models.clear();
    table.global.default = Some("anthropic/*".to_owned());
    check(
        &table,
        None,
        &["claude-opus-5-5 1000000", "claude-haiku-5-5 1000000"],
    );
}

#[test]
fn aliases_and_profiles() {
    let mut table = with_facts();
    table.global.models.truncate(1);
    table.global.aliases = aliases(&[
        ("fast", "b/y"),
        ("claude-opus-*", "kimi"),
        ("dead", "nothing"),
    ]);
    let team = Scope {
        models: vec![Model {
            context: Some(5),
            display_name: Some("Team".to_owned()),
            ..model("own = a/x")
        }],
        ..Scope::default()
    };
    table.profiles.insert("team".to_owned(), team);
    let global = [
        "kimi 200000",
        "fast 1000",
        "claude-opus-5-5 200000",
        "anthropic/kimi 200000",
    ];
    check(&table, None, &global);
    check(
        &table,
        Some("team"),
        &[
            "own 5",
            "kimi 200000",
            "fast 1000",
            "claude-opus-5-5 200000",
            "anthropic/own 5",
            "anthropic/kimi 200000",
        ],
    );
    assert_eq!(published(&table, Some("team"))[0].display_name, "Team");
}

#[test]
fn a_literal_alias_is_published_unless_the_prefix_is_a_providers_id() {
    let mut table = with_facts();
    table.global.models.truncate(1);
    table.global.aliases = aliases(&[("fast", "b/y"), ("*", "kimi")]);
    let ids = |table: &Table| -> Vec<String> {
        published(table, None)
            .into_iter()
            .map(|model| model.id)
            .collect()
    };
    assert!(!ids(&table).contains(&"anthropic/fast".to_owned()));
    table
        .providers
        .retain(|provider| &*provider.id != "anthropic");
    assert!(ids(&table).contains(&"anthropic/fast".to_owned()));
    let found = resolve_name(&table, None, "anthropic/fast[1m]").unwrap();
    assert_eq!(&*found.candidates[0].provider, "b");
}
