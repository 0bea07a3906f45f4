//! Suggestions for a mistyped name.

/// At most three of `names` that a person may have meant by `asked`, the best first.
///
/// Near is an edit distance of at most a third of the name, or a name that one is the start of the other.
pub fn nearest<'n>(asked: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let asked = asked.to_lowercase();
    let allowed = (asked.chars().count() / 3).clamp(1, 6);
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&asked, &lower);
            let prefix = asked.len() >= 3
                && (lower.starts_with(&asked) || (lower.len() >= 3 && asked.starts_with(&lower)));
            (distance <= allowed || prefix).then_some((distance, name))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggestions() {
        const NAMES: [&str; 5] = ["kimi-k2.6", "kimi-k3", "base_url", "speaks", "ca_file"];
        for (asked, expected) in [
            ("kimi-k26", &["kimi-k2.6", "kimi-k3"][..]),
            ("bse_url", &["base_url"]),
            ("Speaks", &["speaks"]),
            ("kim", &["kimi-k3", "kimi-k2.6"]),
            ("gpt-5", &[]),
            ("x", &[]),
        ] {
            assert_eq!(nearest(asked, NAMES), expected, "{asked}");
        }
    }
}
