//! Variables of the environment that shape requests, and what the file says of the same.

use lingate_config::Config;
use serde_json::Value;

use crate::support::{load, problems, provider};

const KEY: (&str, &str) = ("OPENROUTER_API_KEY", "sk-or");

fn loaded(text: &str, variables: &[(&str, &str)]) -> Config {
    let variables: Vec<_> = [KEY].iter().chain(variables).copied().collect();
    load(text, &variables).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

#[track_caller]
fn check(text: &str, variables: &[(&str, &str)], expected: &str) {
    let config = loaded(text, variables);
    let body = Value::Object(provider(&config, "openrouter").body.clone());
    assert_eq!(body.to_string(), expected, "{text} {variables:?}");
}

#[test]
fn members_of_the_body() {
    check("", &[], "{}");
    check(
        "",
        &[("OPENROUTER_PROVIDERS", "moonshotai, groq,")],
        r#"{"provider":{"only":["moonshotai","groq"]}}"#,
    );
    check(
        "",
        &[
            ("OPENROUTER_ORDER", "a"),
            ("OPENROUTER_SORT", "throughput"),
            ("OPENROUTER_ALLOW_FALLBACKS", "False"),
        ],
        r#"{"provider":{"order":["a"],"sort":"throughput","allow_fallbacks":false}}"#,
    );
    // The file's members win, the others stay.
    check(
        "[providers.openrouter]\nbody = { provider = { order = [\"b\"] }, x = 1 }",
        &[("OPENROUTER_ORDER", "a"), ("OPENROUTER_SORT", "price")],
        r#"{"provider":{"order":["b"],"sort":"price"},"x":1}"#,
    );
    check(
        "from_env = false\n[providers.openrouter]\napi_key = \"k\"",
        &[("OPENROUTER_SORT", "price")],
        "{}",
    );
}

#[test]
fn the_ending_of_models_names() {
    let sent = |variables: &[(&str, &str)], text: &str, model: &str| {
        provider(&loaded(text, variables), "openrouter").sent_model(model)
    };
    let kimi = "moonshotai/kimi-k2.6";
    for shortcut in [":nitro", "nitro"] {
        let set = [("OPENROUTER_MODEL_SHORTCUT", shortcut)];
        assert_eq!(sent(&set, "", kimi), "moonshotai/kimi-k2.6:nitro");
        // A variant that was asked for by name is kept.
        assert_eq!(sent(&set, "", "a/b:free"), "a/b:free");
        let own = "[providers.openrouter]\nmodel_suffix = \":floor\"";
        assert_eq!(sent(&set, own, kimi), "moonshotai/kimi-k2.6:floor");
    }
    assert_eq!(sent(&[], "", kimi), kimi);
}

#[test]
fn what_makes_no_sense_is_said() {
    for (name, value, hint) in [
        (
            "OPENROUTER_SORT",
            "cheap",
            "write `price`, `throughput` or `latency`",
        ),
        (
            "OPENROUTER_ALLOW_FALLBACKS",
            "flase",
            "write `true` or `false`",
        ),
        (
            "OPENROUTER_MODEL_SHORTCUT",
            "fast",
            "write `:nitro` or `:floor`",
        ),
    ] {
        let shown = problems("", &[KEY, (name, value)]);
        let expected = format!("environment variable {name} is `{value}`\n  hint: {hint}");
        assert!(shown.contains(&expected), "{shown}");
    }
    let shown = problems("[providers.openrouter]\nsession_header = \"x y\"", &[KEY]);
    assert!(shown.contains("`x y` is not a header's name"), "{shown}");
}
