//! Token counts, as the Chat wire and its dialects report them.

use crate::json::{Value, Writer};
use crate::turn::Usage;

/// Reads a `usage` object. The wire's `prompt_tokens` includes what was read from and written to the cache; the hub
/// counts the three apart, so the fresh part is the rest, never below zero.
pub(super) fn decode(usage: Value<'_>) -> Usage {
    let mut told = Told::default();
    for (name, value) in usage.members() {
        match &*name {
            "prompt_tokens" => told.prompt = told.prompt.or(value.u64()),
            "completion_tokens" => told.completion = told.completion.or(value.u64()),
            "prompt_cache_hit_tokens" => told.cache_hit = told.cache_hit.or(value.u64()),
            "cached_tokens" => told.cached = told.cached.or(value.u64()),
            "cache_creation_input_tokens" => {
                told.cache_creation = told.cache_creation.or(value.u64())
            }
            "reasoning_tokens" => told.reasoning = told.reasoning.or(value.u64()),
            "prompt_tokens_details" => {
                let detail = |name| value.get(name).and_then(Value::u64);
                let written =
                    detail("cache_write_tokens").or_else(|| detail("cache_creation_tokens"));
                told.cache_read = told.cache_read.or(detail("cached_tokens"));
                told.cache_write = told.cache_write.or(written);
            }
            "completion_tokens_details" => {
                let detail = value.get("reasoning_tokens").and_then(Value::u64);
                told.reasoned = told.reasoned.or(detail);
            }
            _ => {}
        }
    }
    let cache_read = told.cache_read.or(told.cache_hit).or(told.cached);
    let cache_write = told.cache_write.or(told.cache_creation);
    Usage {
        input: told.prompt.map(|prompt| {
            prompt
                .saturating_sub(cache_read.unwrap_or(0))
                .saturating_sub(cache_write.unwrap_or(0))
        }),
        cache_read,
        cache_write_5m: cache_write,
        cache_write_1h: None,
        output: told.completion,
        reasoning: told.reasoned.or(told.reasoning),
    }
}

/// The counts by where they stand: dialects have several places for one.
#[derive(Default)]
struct Told {
    prompt: Option<u64>,
    completion: Option<u64>,
    /// Of the details.
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    reasoned: Option<u64>,
    /// Beside the totals.
    cache_hit: Option<u64>,
    cached: Option<u64>,
    cache_creation: Option<u64>,
    reasoning: Option<u64>,
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
        check(
            r#"{"cache_creation_input_tokens":3,"reasoning_tokens":2,"cached_tokens":1,"prompt_cache_hit_tokens":4,"prompt_tokens":10}"#,
            [Some(3), Some(4), Some(3), None, Some(2)],
        );
        check(
            r#"{"prompt_tokens_details":{"cached_tokens":5,"cache_creation_tokens":6},"cached_tokens":1,"prompt_tokens":20,
                "completion_tokens_details":{"reasoning_tokens":7},"reasoning_tokens":2,"cache_creation_input_tokens":3}"#,
            [Some(9), Some(5), Some(6), None, Some(7)],
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
