//! Token counts, as the Chat wire and its dialects report them.

use crate::json::{Value, Writer};
use crate::turn::Usage;

/// Reads a `usage` object. The wire's `prompt_tokens` includes what was read from and written to the cache; the hub
/// counts the three apart, so the fresh part is the rest, never below zero.
pub(super) fn decode(usage: Value<'_>) -> Usage {
    let own = |key: &str| usage.get(key).and_then(Value::u64);
    let detail = |group: &str, key: &str| {
        usage
            .get(group)
            .and_then(|group| group.get(key))
            .and_then(Value::u64)
    };
    let cache_read = detail("prompt_tokens_details", "cached_tokens")
        .or_else(|| own("prompt_cache_hit_tokens"))
        .or_else(|| own("cached_tokens"));
    let cache_write = detail("prompt_tokens_details", "cache_write_tokens")
        .or_else(|| detail("prompt_tokens_details", "cache_creation_tokens"))
        .or_else(|| own("cache_creation_input_tokens"));
    Usage {
        input: own("prompt_tokens").map(|prompt| {
            prompt
                .saturating_sub(cache_read.unwrap_or(0))
                .saturating_sub(cache_write.unwrap_or(0))
        }),
        cache_read,
        cache_write_5m: cache_write,
        cache_write_1h: None,
        output: own("completion_tokens"),
        reasoning: detail("completion_tokens_details", "reasoning_tokens")
            .or_else(|| own("reasoning_tokens")),
    }
}

/// Writes a `usage` object.
pub(super) fn write(usage: &Usage, w: &mut Writer) {
    let prompt = usage.total_input().unwrap_or(0);
    let completion = usage.output.unwrap_or(0);
    w.begin_object();
    w.key("prompt_tokens").u64(prompt);
    w.key("completion_tokens").u64(completion);
    w.key("total_tokens").u64(prompt.saturating_add(completion));
    w.key("prompt_tokens_details").begin_object();
    w.key("cached_tokens").u64(usage.cache_read.unwrap_or(0));
    w.key("cache_write_tokens")
        .u64(usage.cache_write().unwrap_or(0));
    w.end_object();
    if let Some(reasoning) = usage.reasoning {
        w.key("completion_tokens_details").begin_object();
        w.key("reasoning_tokens").u64(reasoning);
        w.end_object();
    }
    w.end_object();
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;
    use crate::json::scan;

    /// `expected`: input, cache read, cache write, output, reasoning.
    fn check(usage: &str, expected: [Option<u64>; 5]) {
        let doc = scan(&ByteString::from(usage)).unwrap();
        let usage = decode(doc.root());
        let found = [
            usage.input,
            usage.cache_read,
            usage.cache_write_5m,
            usage.output,
            usage.reasoning,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn every_spelling_of_the_cache_counts() {
        check("{}", [None; 5]);
        check(
            r#"{"prompt_tokens":10,"completion_tokens":2}"#,
            [Some(10), None, None, Some(2), None],
        );
        check(
            r#"{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":5},
                "completion_tokens_details":{"reasoning_tokens":3}}"#,
            [Some(35), Some(60), Some(5), Some(7), Some(3)],
        );
        check(
            r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":null,"completion_tokens_details":null}"#,
            [Some(10), None, None, Some(2), None],
        );
        check(
            r#"{"prompt_tokens":10,"cached_tokens":4}"#,
            [Some(6), Some(4), None, None, None],
        );
        check(
            r#"{"prompt_tokens":10,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}"#,
            [Some(6), Some(4), None, None, None],
        );
        check(
            r#"{"prompt_tokens":3,"cached_tokens":4}"#,
            [Some(0), Some(4), None, None, None],
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            input: Some(35),
            cache_read: Some(60),
            cache_write_5m: Some(5),
            cache_write_1h: None,
            output: Some(7),
            reasoning: Some(3),
        };
        let mut w = Writer::default();
        write(&usage, &mut w);
        let body = ByteString::try_from(w.into_bytes()).unwrap();
        assert_eq!(decode(scan(&body).unwrap().root()), usage);
    }
}
