//! Which headers are kept: an allow-list, because nobody can list every header that may hold a secret.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::Mask;
use crate::record::Header;

/// What no kept name may contain.
const SECRET: [&str; 6] = ["auth", "cookie", "instance", "key", "password", "secret"];

/// Finds [`SECRET`].
static SPEAKS_OF_SECRET: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(SECRET).ok());

/// Whether a header of this name (in lower case) is kept.
#[must_use]
pub fn kept(name: &str) -> bool {
    is_listed(name) || is_one_of_many(name) && !speaks_of_secret(name)
}

/// Names that are kept as they are.
fn is_listed(name: &str) -> bool {
    // Written out, because comparing with what is known when it is compiled takes no call.
    matches!(
        name,
        "accept"
            | "accept-encoding"
            | "anthropic-beta"
            | "anthropic-version"
            | "cache-control"
            | "cf-ray"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "date"
            | "originator"
            | "request-id"
            | "retry-after"
            | "retry-after-ms"
            | "server"
            | "traceparent"
            | "transfer-encoding"
            | "user-agent"
            | "x-app"
            | "x-lingate-attempts"
            | "x-lingate-id"
            | "x-lingate-lane"
            | "x-lingate-overhead-us"
            | "x-lingate-provider"
            | "x-request-id"
            | "x-should-retry"
    )
}

/// Beginnings and ends of names that are kept, unless the rest speaks of a secret. Providers put their own name before ends.
fn is_one_of_many(name: &str) -> bool {
    name.starts_with("anthropic-ratelimit-")
        || name.starts_with("ratelimit-")
        || name.starts_with("x-claude-code-")
        || name.starts_with("x-lingate-")
        || name.starts_with("x-ratelimit-")
        || name.starts_with("x-stainless-")
        || name.starts_with("x-goog-api-client")
        || name.ends_with("-beta")
        || name.ends_with("-processing-ms")
        || name.ends_with("-version")
}

fn speaks_of_secret(name: &str) -> bool {
    let finder = SPEAKS_OF_SECRET.as_ref();
    finder.is_none_or(|finder| finder.is_match(name))
}

/// The headers that are kept, with secrets in their values masked.
pub fn allowed<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    mask: &Mask,
) -> Vec<Header> {
    headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| Header(name.into(), mask.text(value).into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: bool) {
        assert_eq!(kept(name), expected, "{name}");
    }

    #[test]
    fn only_what_is_listed() {
        check("content-type", true);
        check("x-stainless-os", true);
        check("accept", true);
        check("retry-after-ms", true);
        check("x-request-id", true);
        check("x-request-id2", false);
        check("ratelimit-limit", true);
        check("x-ratelimit-limit-requests", true);
        check("x-goog-api-client", true);
        check("anthropic-beta", true);
        check("vendor-beta", true);
        check("anthropic-ratelimit-tokens-remaining", true);
        check("openai-processing-ms", true);
        check("openai-version", true);
        check("x-key-version", false);
        check("x-lingate-id", true);
        check("x-claude-code-session-id", true);
        check("authorization", false);
        check("x-api-key", false);
        check("x-lingate-key", false);
        check("x-lingate-instance", false);
        check("x-goog-api-key", false);
        check("cookie", false);
        check("set-cookie", false);
        check("proxy-authorization", false);
        check("x-claude-code-auth", false);
        check("x-vendor-token", false);
        check("", false);
    }

    #[test]
    fn names_are_lowered_and_values_masked() {
        let headers = [
            ("User-Agent", "agent sk-proj-0123456789abcdefghij"),
            ("Authorization", "Bearer abc"),
        ];
        let kept = allowed(headers, &Mask::default());
        let agent = format!("agent sk-{}", "*".repeat(25));
        assert_eq!(kept, [Header("user-agent".into(), agent.into())]);
    }
}
