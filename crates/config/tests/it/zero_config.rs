//! No file: what the environment's keys alone give.

use lingate_config::{Config, FixedEnvironment, LoadOptions};
use lingate_route::{Ask, published, resolve};

use crate::support::{environment, load};

fn started(variables: &[(&str, &str)]) -> Config {
    let loaded = Config::load(&LoadOptions::default(), &environment(variables));
    loaded.unwrap_or_else(|problems| panic!("{problems}"))
}

fn served(config: &Config, name: &str) -> String {
    match resolve(&config.routes, &Ask::plain(name)) {
        Ok(resolution) => {
            let candidates = resolution.candidates.iter();
            candidates
                .map(|candidate| format!("{}/{}", candidate.provider, candidate.model))
                .collect()
        }
        Err(unresolved) => unresolved.to_string(),
    }
}

#[track_caller]
fn check(variables: &[(&str, &str)], providers: &[&str], asked: &[(&str, &str)]) {
    let config = started(variables);
    let ids: Vec<&str> = config
        .providers
        .iter()
        .map(|provider| provider.id.as_str())
        .collect();
    assert_eq!(ids, providers, "{variables:?}");
    for (name, expected) in asked {
        assert_eq!(
            served(&config, name),
            *expected,
            "{name} with {variables:?}"
        );
    }
    assert!(config.sources.default_chosen);
    assert!(config.warnings.is_empty());
}

#[test]
fn one_key() {
    check(
        &[("MOONSHOT_API_KEY", "sk-a")],
        &["moonshot", "demo"],
        &[
            ("claude-opus-5-5", "moonshot/kimi-k2.6"),
            ("claude-haiku-5-5", "moonshot/kimi-k2.7-code-highspeed"),
            ("anything", "moonshot/kimi-k2.6"),
            ("kimi-k3", "moonshot/kimi-k3"),
            ("anthropic/kimi-k3[1m]", "moonshot/kimi-k3"),
            ("moonshot/other", "moonshot/other"),
            ("demo", "demo/demo"),
        ],
    );
    // Names are kept where they are the provider's own.
    check(
        &[("ANTHROPIC_API_KEY", "sk-ant")],
        &["anthropic", "demo"],
        &[
            ("claude-opus-5-5[1m]", "anthropic/claude-opus-5-5"),
            ("claude-haiku-5-5", "anthropic/claude-haiku-5-5"),
            ("anthropic/claude-x", "anthropic/claude-x"),
        ],
    );
    check(
        &[("OPENROUTER_API_KEY", "k")],
        &["openrouter", "demo"],
        &[("x", "openrouter/moonshotai/kimi-k2.6")],
    );
    // No small model known: the default serves.
    check(
        &[("GROQ_API_KEY", "k")],
        &["groq", "demo"],
        &[("claude-haiku-5-5", "groq/moonshotai/kimi-k2-instruct-0905")],
    );
}

/// The documented order decides which provider serves unknown names.
#[test]
fn several_keys() {
    check(
        &[
            ("OPENAI_API_KEY", "sk-o"),
            ("DEEPSEEK_API_KEY", "sk-d"),
            ("MOONSHOT_API_KEY", "sk-m"),
        ],
        &["moonshot", "openai", "deepseek", "demo"],
        &[
            ("x", "moonshot/kimi-k2.6"),
            ("deepseek/deepseek-flash", "deepseek/deepseek-flash"),
        ],
    );
    // One variable, two kinds of key.
    check(
        &[("KIMI_API_KEY", "sk-kimi-a")],
        &["kimi-coding", "demo"],
        &[("x", "kimi-coding/kimi-for-coding")],
    );
    check(
        &[("KIMI_API_KEY", "sk-a")],
        &["moonshot", "demo"],
        &[("x", "moonshot/kimi-k2.6")],
    );
    // One variable, two catalogues: only one is added by itself.
    check(
        &[("OPENCODE_API_KEY", "k")],
        &["opencode-zen", "demo"],
        &[("x", "opencode-zen/kimi-k2.6")],
    );
}

#[test]
fn no_key() {
    check(
        &[],
        &["demo"],
        &[("claude-opus-5-5", "demo/demo"), ("demo", "demo/demo")],
    );
    // What points at ourselves is no provider, and generic variables are not looked at.
    check(
        &[
            ("ANTHROPIC_API_KEY", "lingate-local-1"),
            ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8484"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:8484/v1"),
            ("HOST", "0.0.0.0"),
            ("PORT", "99999"),
        ],
        &["demo"],
        &[("x", "demo/demo")],
    );
}

#[test]
fn from_env_can_be_switched_off() {
    let variables = [("MOONSHOT_API_KEY", "sk-a")];
    let config =
        load("from_env = false\n", &variables).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.providers.len(), 1);
    // A provider switched off in the file does not come back.
    let config = load("[providers.moonshot]\nenabled = false\n", &variables)
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.providers.len(), 2);
    assert_eq!(served(&config, "x"), "demo/demo");
    assert!(config.sources.keys.is_empty());
}

/// A default of the file leaves `small` alone unless the file names it.
#[test]
fn words_of_the_file_win() {
    let text = "default = \"moonshot/kimi-k3\"\n";
    let config =
        load(text, &[("MOONSHOT_API_KEY", "sk-a")]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(served(&config, "claude-haiku-5-5"), "moonshot/kimi-k3");
    assert_eq!(served(&config, "kimi-k2.6"), "moonshot/kimi-k3");
    assert!(!config.sources.default_chosen);
}

/// Every published id resolves, Claude's only where a route serves them.
#[test]
fn published_models() {
    let config = started(&[("MOONSHOT_API_KEY", "sk-a")]);
    let ids: Vec<String> = published(&config.routes, None)
        .into_iter()
        .map(|model| format!("{} ({}) {:?}", model.id, model.display_name, model.context))
        .collect();
    insta::assert_snapshot!(ids.join("\n"), @r##"
    kimi-k2.6 (Kimi K2.6) Some(262144)
    kimi-k3 (Kimi K3) Some(1048576)
    kimi-k2.7-code (Kimi K2.7 Code) Some(262144)
    kimi-k2.7-code-highspeed (Kimi K2.7 Code Highspeed) Some(262144)
    demo (lingate demo) Some(200000)
    claude-opus-5-5 (Claude Opus 5.5) Some(262144)
    claude-sonnet-5-5 (Claude Sonnet 5.5) Some(262144)
    claude-haiku-5-5 (Claude Haiku 5.5) Some(262144)
    claude-fable-5-1 (Claude Fable 5.1) Some(262144)
    anthropic/kimi-k2.6 (Kimi K2.6) Some(262144)
    anthropic/kimi-k3 (Kimi K3) Some(1048576)
    anthropic/kimi-k2.7-code (Kimi K2.7 Code) Some(262144)
    anthropic/kimi-k2.7-code-highspeed (Kimi K2.7 Code Highspeed) Some(262144)
    anthropic/demo (lingate demo) Some(200000)
    "##);
}

#[test]
fn where_the_file_is_looked_for() {
    let file = |log: &str| format!("[log]\nlevel = \"{log}\"\n");
    let files = |environment: FixedEnvironment| {
        environment
            .with_file("/x/lingate.toml", file("error"))
            .with_file("/xdg/lingate/lingate.toml", file("warn"))
            .with_file("/home/user/.config/lingate/lingate.toml", file("debug"))
            .with_file("lingate.toml", file("trace"))
    };
    for (variables, expected) in [
        (&[][..], "/home/user/.config/lingate/lingate.toml"),
        (&[("XDG_CONFIG_HOME", "/xdg")], "/xdg/lingate/lingate.toml"),
        (
            &[("XDG_CONFIG_HOME", "relative")],
            "/home/user/.config/lingate/lingate.toml",
        ),
        (
            &[
                ("LINGATE_CONFIG", "/x/lingate.toml"),
                ("XDG_CONFIG_HOME", "/xdg"),
            ],
            "/x/lingate.toml",
        ),
    ] {
        let config = Config::load(&LoadOptions::default(), &files(environment(variables)));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.sources.file.as_deref(), Some(expected.as_ref()));
    }
}

/// The command line wins over `LINGATE_*`, which win over the file.
#[test]
fn listen() {
    for (flag, port, variables, expected) in [
        (None, None, &[][..], "127.0.0.1:1"),
        (Some("127.0.0.2"), None, &[], "127.0.0.2:8484"),
        (Some("[::1]:5"), None, &[], "[::1]:5"),
        (None, Some(0), &[], "127.0.0.1:0"),
        (None, None, &[("LINGATE_PORT", "7")], "127.0.0.1:7"),
        (
            Some("127.0.0.2:3"),
            None,
            &[("LINGATE_PORT", "7")],
            "127.0.0.2:3",
        ),
        (
            Some("127.0.0.1:3"),
            Some(4),
            &[("LINGATE_PORT", "7"), ("LINGATE_LISTEN", "127.0.0.9")],
            "127.0.0.1:4",
        ),
        (
            None,
            None,
            &[("LINGATE_LISTEN", "127.0.0.9:2")],
            "127.0.0.9:2",
        ),
    ] {
        let options = LoadOptions {
            listen: flag.map(str::to_owned),
            port,
            ..LoadOptions::default()
        };
        let text = "[server]\nlisten = \"127.0.0.1:1\"\n";
        let config = Config::from_text(None, text, &options, &environment(variables));
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.server.listen.to_string(), expected);
    }
}
