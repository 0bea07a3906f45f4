//! Exact beats longest literal beats `*`; what `*` caught may be used once.

use lingate_route::{Alias, check_destination};

use crate::support::{aliases, check, shown, table};

#[test]
fn the_most_specific_wins() {
    let mut table = table();
    table.global.aliases = aliases(&[
        ("*", "a/any"),
        ("claude-*", "a/claude"),
        ("claude-opus-*", "a/opus"),
        ("*-opus-latest-x", "a/longest"),
        ("claude-opus-5", "a/exact"),
        ("kimi-*", "b/moonshotai/kimi-*"),
        ("next", "claude-opus-5"),
    ]);
    check(
        &table,
        &[
            (
                "claude-opus-5",
                "alias `claude-opus-5` -> a/exact, provider `a` | a/exact",
            ),
            (
                "claude-opus-6",
                "alias `claude-opus-*` -> a/opus, provider `a` | a/opus",
            ),
            (
                "claude-opus-latest-x",
                "alias `*-opus-latest-x` -> a/longest, provider `a` | a/longest",
            ),
            (
                "claude-x",
                "alias `claude-*` -> a/claude, provider `a` | a/claude",
            ),
            ("gpt", "alias `*` -> a/any, provider `a` | a/any"),
            (
                "kimi-k3",
                "alias `kimi-*` -> b/moonshotai/kimi-k3, provider `b` | b/moonshotai/kimi-k3",
            ),
            // Found with and without the window suffix, which no upstream is sent.
            (
                "claude-opus-5[1m]",
                "alias `claude-opus-*` -> a/opus, provider `a` | a/opus",
            ),
            (
                "kimi-k3[1m]",
                "alias `kimi-*` -> b/moonshotai/kimi-k3[1m], provider `b` | b/moonshotai/kimi-k3",
            ),
            // An alias may lead to another.
            (
                "next",
                "alias `next` -> claude-opus-5, alias `claude-opus-5` -> a/exact, provider `a` | a/exact",
            ),
            // Models and providers come before aliases.
            ("kimi", "model `kimi` | a/k2.6 b/moonshotai/k2.6"),
            ("a/x", "provider `a` | a/x"),
        ],
    );
}

#[test]
fn circles_end() {
    let mut table = table();
    table.global.aliases = aliases(&[
        ("x", "y"),
        ("y", "x"),
        ("grow-*", "grow-a*"),
        ("dead", "end"),
    ]);
    check(
        &table,
        &[
            (
                "x",
                "model `x` leads to `y` and back through aliases: did you mean `x` or `y`?",
            ),
            (
                "dead",
                "model `dead` leads to `end`, which nothing serves: did you mean `dead`?",
            ),
        ],
    );
    assert!(shown(check_destination(&table, None, "grow-1")).contains("back through aliases"));
}

#[test]
fn keeping_the_name_through_an_alias() {
    let mut table = table();
    table.global.aliases = aliases(&[("keep", "a/*"), ("claude-*", "a/claude-*")]);
    check(
        &table,
        &[
            ("keep", "alias `keep` -> a/*, provider `a` | a/keep"),
            (
                "claude-x",
                "alias `claude-*` -> a/claude-x, provider `a` | a/claude-x",
            ),
        ],
    );
}

#[test]
fn one_star_a_side() {
    assert_eq!(
        Alias::new("a*b*", "x").expect_err("two").to_string(),
        "`a*b*` has more than one `*`"
    );
    assert_eq!(
        Alias::new("a*", "x*y*").expect_err("two").to_string(),
        "`x*y*` uses `*` more than once"
    );
    assert_eq!(Alias::new("a*", "x").expect("one").pattern(), "a*");
}

#[test]
fn destinations() {
    let mut table = table();
    table.global.aliases = aliases(&[("claude-*", "kimi")]);
    for (to, expected) in [
        ("kimi", "model `kimi`"),
        ("a/x*", "provider `a`"),
        ("a/*", "provider `a`"),
        ("claude-*", "alias `claude-*` -> kimi, model `kimi`"),
        (
            "nothing",
            "model `nothing` leads to `nothing`, which nothing serves",
        ),
        ("c/x", "model `c/x` leads to `c/x`, which nothing serves"),
    ] {
        let found = shown(check_destination(&table, None, to));
        assert_eq!(found.split(" | ").next(), Some(expected), "{to}");
    }
}
