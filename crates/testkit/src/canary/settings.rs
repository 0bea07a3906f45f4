//! Secrets out of what a test configures.

use super::plant;

/// Members of a configuration, or of a credential in it, whose values are secret.
const NAMES: [&str; 7] = [
    "api_key",
    "api_keys",
    "client_secret",
    "private_key",
    "refresh_token",
    "secret",
    "token",
];

/// Ends of the names of variables that hold secrets.
const VARIABLES: [&str; 4] = ["_KEY", "_KEYS", "_SECRET", "_TOKEN"];

/// Plants every secret that a configuration file gives in plain text.
pub fn plant_settings(text: &str) {
    for name in NAMES {
        for (at, _) in text.match_indices(name) {
            let rest = text.get(at + name.len()..).unwrap_or_default();
            // `name = "x"`, `"name":"x"` and `name = ["x", "y"]`; in a longer name it is another member.
            let rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
            let is_member = rest.starts_with(['=', ':']) && !in_word(text, at);
            if is_member {
                values(rest.lines().next().unwrap_or_default());
            }
        }
    }
}

/// Plants a variable's value, if its name says that it is a secret.
pub fn plant_variable(name: &str, value: &str) {
    if VARIABLES.iter().any(|end| name.ends_with(end)) {
        secret(value);
    }
}

fn in_word(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|text| text.chars().next_back());
    before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | '-'))
}

/// What stands between quotes, in one line.
fn values(line: &str) {
    let line = line.get(1..).unwrap_or_default().trim_start();
    let is_list = line.starts_with('[');
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = rest.get(at..=at).unwrap_or_default();
        let inside = rest.get(at + 1..).unwrap_or_default();
        let Some((value, after)) = inside.split_once(quote) else {
            return;
        };
        secret(value);
        if !is_list {
            return;
        }
        rest = after;
    }
}

/// A reference to a variable is none, and of several lines the longest tells enough.
fn secret(value: &str) {
    let longest = value
        .split("\\n")
        .flat_map(str::lines)
        .max_by_key(|line| line.len());
    if let Some(longest) = longest
        && !value.contains("${")
        && !value.starts_with("sha256:")
    {
        plant(longest);
    }
}
