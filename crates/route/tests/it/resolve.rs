//! The order of the contract, step by step.

use lingate_route::{Ask, Scope, resolve, resolve_name};

use crate::support::{aliases, check, model, shown, table};

#[test]
fn models_and_providers() {
    let mut table = table();
    table.global.models.push(model("a/own = b/z"));
    table.global.models.push(model("wide[1m] = b/wide"));
    check(
        &table,
        &[
            ("kimi", "model `kimi` | a/k2.6 b/moonshotai/k2.6"),
            ("kimi[1m]", "model `kimi` | a/k2.6 b/moonshotai/k2.6"),
            ("anthropic/kimi", "model `kimi` | a/k2.6 b/moonshotai/k2.6"),
            (
                "anthropic/kimi[1m]",
                "model `kimi` | a/k2.6 b/moonshotai/k2.6",
            ),
            ("wide[1m]", "model `wide[1m]` | b/wide"),
            // A configured name with a slash comes before the provider.
            ("a/own", "model `a/own` | b/z"),
            ("a/other", "provider `a` | a/other"),
            ("b/moonshotai/k3", "provider `b` | b/moonshotai/k3"),
            ("a/k3[1m]", "provider `a` | a/k3"),
            // The provider of that name, if no model was published under it.
            (
                "anthropic/claude-x",
                "provider `anthropic` | anthropic/claude-x",
            ),
            // A disabled provider's targets are skipped.
            ("both", "model `both` | b/y"),
            (
                "gone",
                "every provider of model `gone` is disabled: did you mean `gone`?",
            ),
            ("off/x", "every provider of model `off/x` is disabled"),
        ],
    );
}

#[test]
fn unknown_names() {
    check(
        &table(),
        &[
            ("kimmi", "no model `kimmi`: did you mean `kimi`?"),
            ("anthropic2/kimi", "no model `anthropic2/kimi`"),
            ("gpt-5", "no model `gpt-5`"),
            ("", "no model ``"),
        ],
    );
}

#[test]
fn defaults() {
    for (default, name, expected) in [
        (
            "kimi",
            "x",
            "default -> kimi, model `kimi` | a/k2.6 b/moonshotai/k2.6",
        ),
        (
            "b/moonshotai/k3",
            "x",
            "default -> b/moonshotai/k3, provider `b` | b/moonshotai/k3",
        ),
        (
            "a/*",
            "claude-x[1m]",
            "default -> a/*, provider `a` | a/claude-x",
        ),
        (
            "a/*",
            "vendor/x",
            "default -> a/*, provider `a` | a/vendor/x",
        ),
        // The model still comes first, and what is disabled is not unknown.
        ("a/*", "kimi", "model `kimi` | a/k2.6 b/moonshotai/k2.6"),
        (
            "a/*",
            "off/x",
            "every provider of model `off/x` is disabled",
        ),
        // A mistake in the table ends; it does not fall back on itself.
        (
            "nothing",
            "x",
            "model `x` leads to `nothing`, which nothing serves",
        ),
    ] {
        let mut table = table();
        table.global.default = Some(default.to_owned());
        check(&table, &[(name, expected)]);
    }
}

#[test]
fn small() {
    let mut table = table();
    table.global.default = Some("kimi".to_owned());
    table.global.small = Some("b/small".to_owned());
    check(
        &table,
        &[
            (
                "claude-haiku-5-5",
                "small -> b/small, provider `b` | b/small",
            ),
            (
                "claude-opus-5-5",
                "default -> kimi, model `kimi` | a/k2.6 b/moonshotai/k2.6",
            ),
        ],
    );
    // An alias that says otherwise is asked first.
    table.global.aliases = aliases(&[("claude-*", "kimi")]);
    check(
        &table,
        &[(
            "claude-haiku-5-5",
            "alias `claude-*` -> kimi, model `kimi` | a/k2.6 b/moonshotai/k2.6",
        )],
    );
    let auxiliary = Ask {
        class: &|| lingate_route::Class::Auxiliary,
        ..Ask::plain("kimi")
    };
    assert_eq!(
        shown(resolve(&table, &auxiliary)),
        "small -> b/small, provider `b` | b/small"
    );
}

/// A profile's own entries first, then the global ones, another profile's never.
#[test]
fn profiles() {
    let mut table = table();
    let team = Scope {
        models: vec![model("kimi = b/team"), model("secret = b/secret")],
        aliases: aliases(&[("x", "secret")]),
        default: Some("secret".to_owned()),
        small: Some("b/mini".to_owned()),
    };
    table.profiles.insert("team".to_owned(), team);
    table.profiles.insert("other".to_owned(), Scope::default());
    for (profile, name, expected) in [
        (Some("team"), "kimi", "model `kimi` | b/team"),
        (Some("team"), "both", "model `both` | b/y"),
        (
            Some("team"),
            "x",
            "alias `x` -> secret, model `secret` | b/secret",
        ),
        (
            Some("team"),
            "unknown",
            "default -> secret, model `secret` | b/secret",
        ),
        (
            Some("team"),
            "claude-haiku-9",
            "small -> b/mini, provider `b` | b/mini",
        ),
        (Some("other"), "secret", "no model `secret`"),
        (
            Some("other"),
            "kimi",
            "model `kimi` | a/k2.6 b/moonshotai/k2.6",
        ),
        (
            Some("no such"),
            "kimi",
            "model `kimi` | a/k2.6 b/moonshotai/k2.6",
        ),
        (None, "secret", "no model `secret`"),
        (None, "x", "no model `x`"),
    ] {
        assert_eq!(
            shown(resolve_name(&table, profile, name)),
            expected,
            "{profile:?} {name}"
        );
    }
    let resolution = resolve_name(&table, Some("team"), "kimi").expect("resolves");
    let target = resolution.candidates[0]
        .target
        .as_ref()
        .expect("a configured target");
    assert_eq!(
        (target.profile.as_deref(), &*target.model, target.index),
        (Some("team"), "kimi", 0)
    );
    assert_eq!(resolution.model_name(), Some("kimi"));
}
