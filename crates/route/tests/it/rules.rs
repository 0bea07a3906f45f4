//! The first rule whose conditions all hold decides, before anything else.

use std::cell::Cell;

use lingate_route::{Ask, Class, Looks, Rule, When, resolve};

use crate::support::{shown, table};

fn check(when: When, ask: &Ask<'_>, matches: bool) {
    let mut table = table();
    table.rules = vec![
        Rule {
            when,
            to: "b/ruled".to_owned(),
        },
        Rule {
            when: When::default(),
            to: "a/last".to_owned(),
        },
    ];
    let expected = match matches {
        true => "rule 1 -> b/ruled, provider `b` | b/ruled",
        false => "rule 2 -> a/last, provider `a` | a/last",
    };
    assert_eq!(
        shown(resolve(&table, ask)),
        expected,
        "{:?}",
        table.rules[0].when
    );
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn conditions() {
    let headers = |name: &str| (name == "x-team").then_some("blue-1");
    let tools = ["Read", "web_search_20250305"];
    let ask = Ask {
        profile: Some("team"),
        class: &|| Class::Subagent,
        header: &headers,
        image: true,
        input_tokens: 1000,
        tools: &tools,
        ..Ask::plain("claude-opus-5-5")
    };
    let when = When::default;
    let header = |name: &str, glob: &str| When {
        headers: vec![(name.to_owned(), glob.to_owned())],
        ..when()
    };
    for (when, matches) in [
        (when(), true),
        (
            When {
                class: Some(Class::Subagent),
                ..when()
            },
            true,
        ),
        (
            When {
                class: Some(Class::Main),
                ..when()
            },
            false,
        ),
        (
            When {
                model: text("claude-*"),
                ..when()
            },
            true,
        ),
        (
            When {
                model: text("*-sonnet-*"),
                ..when()
            },
            false,
        ),
        (
            When {
                tokens_over: Some(999),
                ..when()
            },
            true,
        ),
        (
            When {
                tokens_over: Some(1000),
                ..when()
            },
            false,
        ),
        (
            When {
                tool: text("web_search*"),
                ..when()
            },
            true,
        ),
        (
            When {
                tool: text("web_fetch*"),
                ..when()
            },
            false,
        ),
        (
            When {
                image: Some(true),
                ..when()
            },
            true,
        ),
        (
            When {
                image: Some(false),
                ..when()
            },
            false,
        ),
        (
            When {
                thinking: Some(false),
                ..when()
            },
            true,
        ),
        (
            When {
                thinking: Some(true),
                ..when()
            },
            false,
        ),
        (header("x-team", "blue-*"), true),
        (header("x-team", "red-*"), false),
        (header("x-none", "*"), false),
        (
            When {
                profile: text("team"),
                ..when()
            },
            true,
        ),
        (
            When {
                profile: text("other"),
                ..when()
            },
            false,
        ),
        // All conditions must hold.
        (
            When {
                class: Some(Class::Subagent),
                image: Some(false),
                ..when()
            },
            false,
        ),
    ] {
        check(when, &ask, matches);
    }
}

/// A rule comes before a model of the asked name and before `small`, and keeps the name for `provider/*`.
#[test]
fn rules_come_first() {
    let mut table = table();
    table.global.small = Some("a/small".to_owned());
    table.rules = vec![Rule {
        when: When {
            model: text("kimi"),
            ..When::default()
        },
        to: "b/*".to_owned(),
    }];
    let ask = Ask {
        class: &|| Class::Auxiliary,
        ..Ask::plain("kimi")
    };
    assert_eq!(
        shown(resolve(&table, &ask)),
        "rule 1 -> b/*, provider `b` | b/kimi"
    );
}

/// Whom nothing tells apart by what a request is for, nobody asks what it is for.
#[test]
fn the_class_is_worked_out_where_somebody_looks_at_it() {
    let check = |rule: Option<When>, small: Option<&str>, expected: bool| {
        let mut table = table();
        let to = "a/x".to_owned();
        table.rules = rule.map(|when| Rule { when, to }).into_iter().collect();
        table.global.small = small.map(str::to_owned);
        let is_asked = Cell::new(false);
        let ask = Ask {
            class: &|| {
                is_asked.set(true);
                Class::Main
            },
            ..Ask::plain("kimi")
        };
        resolve(&table, &ask).expect("the table serves it");
        assert_eq!(is_asked.get(), expected);
    };
    let of_class = When {
        class: Some(Class::Main),
        ..When::default()
    };
    check(None, None, false);
    check(Some(When::default()), Some("a/small"), false);
    check(None, Some("a/small"), true);
    check(Some(of_class), None, true);
}

/// What is costly to know is only asked for by rules that look at it.
#[test]
fn rules_look_at_what_they_name() {
    let check = |when: When, expected: [bool; 3]| {
        let to = "a/x".to_owned();
        let Looks {
            tokens,
            tools,
            image,
        } = Looks::of(&[Rule { when, to }]);
        assert_eq!([tokens, tools, image], expected);
    };
    let when = When::default;
    check(
        When {
            class: Some(Class::Main),
            thinking: Some(true),
            model: text("*"),
            ..when()
        },
        [false; 3],
    );
    let tokens_over = Some(1);
    check(
        When {
            tokens_over,
            ..when()
        },
        [true, false, false],
    );
    let tool = text("x");
    check(When { tool, ..when() }, [false, true, false]);
    let image = Some(false);
    check(When { image, ..when() }, [false, false, true]);
}
