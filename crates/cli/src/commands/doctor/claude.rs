//! Claude Code on this machine: which version, and what would lead it past lingate.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use lingate_config::{Environment, LOCAL_TOKEN_PREFIX};
use serde_json::Value as Json;
use tokio::process::Command;

use super::finding::Finding;
use crate::background::reachable;

/// A start of Node and a line of output, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Variables that lead the client elsewhere, or make it show another credential.
const CONFLICTS: [&str; 8] = [
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
];

/// Its version, and the variables and settings in its way.
pub(super) async fn all(environment: &dyn Environment, listen: SocketAddr) -> Vec<Finding> {
    let mut findings = vec![version().await];
    findings.extend(variables(environment, listen));
    let settings = environment
        .home()
        .map(|home| home.join(".claude/settings.json"));
    if let Some(path) = settings
        && let Ok(text) = environment.read(&path)
    {
        findings.extend(settings_findings(
            &path.display().to_string(),
            &text,
            listen,
        ));
    }
    findings
}

async fn version() -> Finding {
    let mut claude = Command::new("claude");
    claude
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let check = "Claude Code";
    match tokio::time::timeout(PATIENCE, claude.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let text = std::str::from_utf8(&output.stdout).unwrap_or_default();
            Finding::fine(check, text.trim())
        }
        Ok(Ok(output)) => Finding::warning(
            check,
            format!("`claude --version` fails: {}", output.status),
        )
        .because(
            "its installation is broken",
            "install it anew, or run `claude doctor`",
        ),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::fine(check, "not on PATH; other clients do not need it")
        }
        Ok(Err(error)) => Finding::warning(check, format!("`claude` cannot be started: {error}"))
            .because(
                "the file of that name on PATH is no program of this user's",
                "look at what `command -v claude` says",
            ),
        Err(_) => Finding::warning(check, "`claude --version` does not end").because(
            "the program hangs at its start",
            "run it by hand to see what it waits for",
        ),
    }
}

/// Whether the value is what lingate itself would set.
fn is_ours(name: &str, value: &str, listen: SocketAddr) -> bool {
    match name {
        "ANTHROPIC_BASE_URL" => value.starts_with(&format!("http://{}", reachable(listen))),
        _ => value.starts_with(LOCAL_TOKEN_PREFIX),
    }
}

fn variables(environment: &dyn Environment, listen: SocketAddr) -> Option<Finding> {
    let is_foreign = |name: &&str| {
        let value = environment.var(name);
        value.is_some_and(|value| !is_ours(name, &value, listen))
    };
    let found: Vec<&str> = CONFLICTS.into_iter().filter(is_foreign).collect();
    if found.is_empty() {
        return None;
    }
    let message = format!("a client started by hand takes {}", found.join(", "));
    Some(Finding::warning("environment", message).because(
        "they are set in this shell or its profile",
        "start it with `lingate run -- claude`, or `unset` them before `eval \"$(lingate env)\"`",
    ))
}

fn settings_findings(path: &str, text: &str, listen: SocketAddr) -> Vec<Finding> {
    let check = "Claude Code settings";
    let settings: Json = match serde_json::from_str(text) {
        Ok(settings) => settings,
        Err(error) => {
            return vec![
                Finding::warning(check, format!("`{path}` is not JSON: {error}")).because(
                    "the file was cut off or edited wrongly",
                    "mend it: the client ignores or refuses it as it is",
                ),
            ];
        }
    };
    let mut findings = Vec::new();
    let set: Vec<&str> = CONFLICTS
        .into_iter()
        .filter(|name| {
            let value = settings.pointer(&format!("/env/{name}"));
            value.is_some_and(|value| !is_ours(name, value.as_str().unwrap_or_default(), listen))
        })
        .collect();
    if !set.is_empty() {
        let message = format!("`env` in `{path}` sets {}", set.join(", "));
        findings.push(Finding::warning(check, message).because(
            "its `env` wins over the variables of the shell, those of `lingate env` too",
            "start it with `lingate run -- claude`, which wins over it, or remove them there",
        ));
    }
    if settings.get("apiKeyHelper").is_some() {
        let message = format!("`{path}` sets `apiKeyHelper`");
        findings.push(Finding::warning(check, message).because(
            "the client runs that command for its credential, and sends what it prints to lingate",
            "remove it, or make it print a key that lingate knows (`lingate keys add`)",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(
            check,
            format!("nothing in the way in `{path}`"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use lingate_config::FixedEnvironment;

    use super::super::finding::Level;
    use super::*;

    fn listen() -> SocketAddr {
        "127.0.0.1:8484".parse().unwrap()
    }

    #[test]
    fn only_what_is_not_ours_is_in_the_way() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let found =
                super::variables(&FixedEnvironment::new(variables.iter().copied()), listen());
            let text = found.map(|found| found.to_string());
            match expected {
                None => assert_eq!(text, None, "{variables:?}"),
                Some(name) => {
                    let text = text.unwrap_or_default();
                    assert!(text.contains(name) && !text.contains("canary"), "{text}");
                }
            }
        };
        check(&[], None);
        check(
            &[
                ("ANTHROPIC_BASE_URL", "http://127.0.0.1:8484/team"),
                ("ANTHROPIC_AUTH_TOKEN", "lingate-local"),
            ],
            None,
        );
        check(
            &[("ANTHROPIC_API_KEY", "sk-canary")],
            Some("ANTHROPIC_API_KEY"),
        );
        check(
            &[("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")],
            Some("ANTHROPIC_BASE_URL"),
        );
    }

    #[test]
    fn settings_that_win_over_the_shell_are_named() {
        let check = |text: &str, expected: &[(Level, &str)]| {
            let found = settings_findings("s.json", text, listen());
            assert_eq!(found.len(), expected.len(), "{text}");
            for (finding, (level, words)) in found.iter().zip(expected) {
                assert_eq!(finding.level, *level, "{finding}");
                let shown = finding.to_string();
                assert!(
                    shown.contains(words) && !shown.contains("canary"),
                    "{shown}"
                );
            }
        };
        check("{}", &[(Level::Fine, "nothing in the way")]);
        check("{", &[(Level::Warning, "not JSON")]);
        check(
            r#"{"env":{"ANTHROPIC_API_KEY":"sk-canary"},"apiKeyHelper":"canary.sh"}"#,
            &[
                (Level::Warning, "ANTHROPIC_API_KEY"),
                (Level::Warning, "apiKeyHelper"),
            ],
        );
        check(
            r#"{"env":{"ANTHROPIC_AUTH_TOKEN":"lingate-local"}}"#,
            &[(Level::Fine, "nothing in the way")],
        );
    }
}
