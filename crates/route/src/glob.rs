//! Name patterns in rules and key policies.

/// Whether `name` matches `pattern`, where each `*` stands for any run of characters. Case matters.
#[must_use]
pub fn glob_matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(head) else {
        return false;
    };
    match tail.rsplit_once('*') {
        None => rest.ends_with(tail),
        Some((middle, last)) => rest
            .strip_suffix(last)
            .is_some_and(|rest| holds_in_order(rest, middle)),
    }
}

/// Whether the parts of `pattern` between its stars occur in `text` one after the other. Leftmost matches are
/// enough: a later one never leaves more room for the rest.
fn holds_in_order(mut text: &str, pattern: &str) -> bool {
    for part in pattern.split('*') {
        let Some((_, rest)) = text.split_once(part) else {
            return part.is_empty();
        };
        text = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("kimi", "kimi", true),
            ("kimi", "kimi2", false),
            ("*", "", true),
            ("*", "anything", true),
            ("claude-*", "claude-opus-5", true),
            ("claude-*", "claude", false),
            ("*-opus-*", "claude-opus-5", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*b*b*c", "a-b-c", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("Web*", "web_search", false),
            ("é*", "één", true),
        ] {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
