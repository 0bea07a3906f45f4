//! The ready line: the one line on standard output that says a gateway accepts connections.
//!
//! Programs wait for its beginning, `lingate ready URL`; the rest is for people: which providers there are, where
//! their keys were found (never a character of one), what answers, and how to begin.

use lingate_config::{Config, DEMO, Kind, Provider};

/// The line, without its end.
pub(super) fn line(config: &Config, url: &str) -> String {
    let mut parts = vec![format!("lingate ready {url}"), providers(config)];
    if let Some(default) = &config.routes.global.default {
        parts.push(format!("default: {default}"));
    }
    parts.push(match &config.sources.file {
        Some(file) => format!("configuration: {}", file.display()),
        None => "no configuration file".to_owned(),
    });
    parts.push("use it: lingate run -- claude, or eval \"$(lingate env)\"".to_owned());
    parts.join(" | ")
}

fn providers(config: &Config) -> String {
    let in_use = |provider: &&Provider| provider.enabled && provider.kind == Kind::Upstream;
    let described: Vec<String> = config
        .providers
        .iter()
        .filter(in_use)
        .map(provider)
        .collect();
    if described.is_empty() {
        return format!(
            "no provider key found: the built-in {DEMO} answers, and says so; `lingate providers` lists what a key can be for"
        );
    }
    format!("providers: {}", described.join(", "))
}

fn provider(provider: &Provider) -> String {
    format!("{} ({})", provider.id, super::providers::state(provider))
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    fn check(file: &str, variables: &[(&str, &str)], expected: &str) {
        let environment = FixedEnvironment::new(variables.iter().copied());
        let config = Config::from_text(None, file, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let line = line(&config, "http://127.0.0.1:1");
        assert!(
            line.starts_with("lingate ready http://127.0.0.1:1 | "),
            "{line}"
        );
        assert!(line.contains(expected), "{line}");
        assert!(!line.contains("canary") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn it_says_where_keys_were_found_and_never_shows_one() {
        check(
            "",
            &[("MOONSHOT_API_KEY", "sk-canary")],
            "| providers: moonshot (key from environment variable MOONSHOT_API_KEY) | default: moonshot/",
        );
        check(
            "[providers.groq]\napi_key = \"canary\"\n[providers.ollama]",
            &[],
            "ollama (needs no key)",
        );
        check(
            "[providers.anthropic]\nauth = \"client\"",
            &[],
            "anthropic (the client's own key)",
        );
        check(
            "",
            &[],
            "| no provider key found: the built-in demo answers",
        );
    }
}
