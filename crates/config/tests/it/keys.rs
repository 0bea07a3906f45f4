//! Provider keys: found, labelled, and traced to where they came from.

use lingate_config::{Auth, Config};

use crate::support::{load, provider};

fn keys(config: &Config, id: &str) -> Vec<String> {
    let keys = provider(config, id).keys.iter();
    keys.map(|key| format!("{}: {} from {}", key.label, key.secret.expose(), key.origin))
        .collect()
}

#[track_caller]
fn check(text: &str, variables: &[(&str, &str)], id: &str, expected: &[&str]) {
    let config = load(text, variables).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    assert_eq!(keys(&config, id), expected, "{text}");
}

#[test]
fn origins() {
    let moonshot = "[providers.moonshot]\n";
    check(
        &format!("{moonshot}api_key = \"sk-a\"\n"),
        &[],
        "moonshot",
        &["moonshot#1: sk-a from lingate.toml:2"],
    );
    check(
        &format!(
            "{moonshot}api_keys = [\n \"${{K1}}\",\n \"${{K2:-}}\",\n \"sk-${{K1}}\",\n \"${{K1}}\",\n]\n"
        ),
        &[("K1", "one")],
        "moonshot",
        &[
            "moonshot#1: one from environment variable K1 (lingate.toml:3)",
            "moonshot#2: sk-one from lingate.toml:5",
        ],
    );
    // The environment's key counts with a file present.
    check(
        moonshot,
        &[("MOONSHOT_API_KEY", " sk-a\n")],
        "moonshot",
        &["moonshot#1: sk-a from environment variable MOONSHOT_API_KEY"],
    );
    // A key of the file wins over it.
    check(
        &format!("{moonshot}api_key = \"sk-b\"\n"),
        &[("MOONSHOT_API_KEY", "sk-a")],
        "moonshot",
        &["moonshot#1: sk-b from lingate.toml:2"],
    );
    // A second account of the same preset shares the variable.
    check(
        "[providers.work]\npreset = \"moonshot\"\n",
        &[("MOONSHOT_API_KEY", "sk-a")],
        "work",
        &["work#1: sk-a from environment variable MOONSHOT_API_KEY"],
    );
    // Two variables of one preset are a pool.
    check(
        "",
        &[("KIMI_API_KEY", "sk-b"), ("MOONSHOT_API_KEY", "sk-a")],
        "moonshot",
        &[
            "moonshot#1: sk-a from environment variable MOONSHOT_API_KEY",
            "moonshot#2: sk-b from environment variable KIMI_API_KEY",
        ],
    );
    // A key under another preset's variable belongs where its prefix says.
    check(
        "[providers.kimi-coding]\n",
        &[("KIMI_API_KEY", "sk-kimi-a")],
        "kimi-coding",
        &["kimi-coding#1: sk-kimi-a from environment variable KIMI_API_KEY"],
    );
    // One variable of two catalogues serves the one that is asked for.
    check(
        "[providers.opencode-go]\n",
        &[("OPENCODE_API_KEY", "k")],
        "opencode-go",
        &["opencode-go#1: k from environment variable OPENCODE_API_KEY"],
    );
    // An empty key is none; the environment's serves.
    check(
        &format!("{moonshot}api_key = \"${{NONE:-}}\"\n"),
        &[("MOONSHOT_API_KEY", "sk-a")],
        "moonshot",
        &["moonshot#1: sk-a from environment variable MOONSHOT_API_KEY"],
    );
}

#[test]
fn no_key_where_none_is_due() {
    check(
        "[providers.anthropic]\nauth = \"client\"\n",
        &[("ANTHROPIC_API_KEY", "sk")],
        "anthropic",
        &[],
    );
    check("[providers.ollama]\n", &[], "ollama", &[]);
    check(
        "[providers.x]\nbase_url = \"http://127.0.0.1:1\"\n",
        &[("MOONSHOT_API_KEY", "sk")],
        "x",
        &[],
    );
}

#[test]
fn auth_kinds() {
    for (text, expected) in [
        ("base_url = \"https://h\"", Auth::None),
        ("base_url = \"https://h\"\napi_key = \"k\"", Auth::Bearer),
        (
            "base_url = \"https://h/anthropic\"\napi_key = \"k\"",
            Auth::Both,
        ),
        (
            "base_url = \"https://h\"\napi_key = \"k\"\nauth = \"x-api-key\"",
            Auth::XApiKey,
        ),
        ("preset = \"vllm\"", Auth::None),
        ("preset = \"vllm\"\napi_key = \"k\"", Auth::Bearer),
        ("preset = \"anthropic\"\napi_key = \"k\"", Auth::XApiKey),
    ] {
        let config = load(&format!("[providers.p]\n{text}\n"), &[])
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(provider(&config, "p").auth, expected, "{text}");
    }
}

/// Local presets wait as long as it takes.
#[test]
fn time_limits() {
    use std::time::Duration;
    let config = load(
        "[providers.ollama]\n[providers.x]\nbase_url = \"https://api.example.com\"\ntimeouts = { idle = \"none\", headers = \"5s\" }\n",
        &[],
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    let local = provider(&config, "ollama");
    assert!(!local.has_deadline && local.is_local());
    assert_eq!((local.timeouts.headers, local.timeouts.idle), (None, None));
    let other = provider(&config, "x");
    assert!(other.has_deadline && !other.is_local());
    assert_eq!(other.timeouts.connect, Duration::from_secs(3));
    assert_eq!(other.timeouts.headers, Some(Duration::from_secs(5)));
    assert_eq!(other.timeouts.first_content, Some(Duration::from_secs(120)));
    assert_eq!(other.timeouts.idle, None);
}
