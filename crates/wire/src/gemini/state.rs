//! What a request leaves with the provider.

use crate::turn::{Failure, FailureKind};
use crate::{Decoded, Wire};

/// Why a request of this wire cannot be served by a provider that speaks another: a part of its conversation is kept in the
/// provider's cache, and an answer without it would pass for one with it.
#[must_use]
pub fn depends_on_state(decoded: &Decoded) -> Option<Failure> {
    let is_kept = |(key, _): &(_, _)| *key == "cachedContent";
    let depends = decoded.turn.origin == Wire::Gemini && decoded.params.extra.iter().any(is_kept);
    depends.then(|| Failure {
        should_retry: Some(false),
        ..Failure::new(
            FailureKind::InvalidRequest,
            "cachedContent: caches are not kept for this model; send the whole conversation in `contents`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::{decode_request, scan_request};

    #[test]
    fn a_cache_is_with_its_provider_only() {
        for (body, expected) in [
            (
                r#"{"contents":[],"cachedContent":"cachedContents/a"}"#,
                true,
            ),
            (
                r#"{"contents":[],"cached_content":"cachedContents/a"}"#,
                true,
            ),
            (r#"{"contents":[],"cachedContent":null,"labels":{}}"#, false),
        ] {
            let doc = scan_request(&body.into()).unwrap();
            let failure = depends_on_state(&decode_request(&doc).unwrap());
            assert_eq!(failure.is_some(), expected, "{body}");
        }
    }
}
