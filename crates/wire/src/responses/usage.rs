//! Token counts, as the Responses wire reports them.

use crate::json::{Value, Writer};
use crate::turn::Usage;

/// Reads a `usage` object. `input_tokens` includes what was read from and written to the cache; the hub counts the three
/// apart, so the fresh part is the rest, never below zero.
pub(super) fn decode(usage: Value<'_>) -> Usage {
    let own = |key: &str| usage.get(key).and_then(Value::u64);
    let detail = |group: &str, key: &str| usage.get(group)?.get(key)?.u64();
    let cache_read = detail("input_tokens_details", "cached_tokens");
    let cache_write = detail("input_tokens_details", "cache_write_tokens");
    Usage {
        input: own("input_tokens").map(|input| {
            input
                .saturating_sub(cache_read.unwrap_or(0))
                .saturating_sub(cache_write.unwrap_or(0))
        }),
        cache_read,
        cache_write_5m: cache_write,
        cache_write_1h: None,
        output: own("output_tokens"),
        reasoning: detail("output_tokens_details", "reasoning_tokens"),
    }
}

/// Writes a `usage` object. Clients read every member of it without asking whether it is there.
pub(super) fn write(usage: &Usage, w: &mut Writer) {
    let input = usage.total_input().unwrap_or(0);
    let output = usage.output.unwrap_or(0);
    w.begin_object();
    w.key("input_tokens").u64(input);
    w.key("input_tokens_details").begin_object();
    w.key("cached_tokens").u64(usage.cache_read.unwrap_or(0));
    w.key("cache_write_tokens")
        .u64(usage.cache_write().unwrap_or(0));
    w.end_object();
    w.key("output_tokens").u64(output);
    w.key("output_tokens_details").begin_object();
    w.key("reasoning_tokens").u64(usage.reasoning.unwrap_or(0));
    w.end_object();
    w.key("total_tokens").u64(input.saturating_add(output));
    w.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    /// `expected`: input, cache read, cache write, output, reasoning.
    fn check(usage: &str, expected: [Option<u64>; 5]) {
        let doc = scan(&usage.into()).unwrap();
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
    fn the_parts_of_the_input_are_counted_apart() {
        check(
            r#"{"input_tokens":105,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":5},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":114}"#,
            [Some(40), Some(60), Some(5), Some(9), Some(4)],
        );
        check(
            r#"{"input_tokens":7,"output_tokens":1}"#,
            [Some(7), None, None, Some(1), None],
        );
        check(
            r#"{"input_tokens":7,"input_tokens_details":{"cached_tokens":9}}"#,
            [Some(0), Some(9), None, None, None],
        );
        check("null", [None; 5]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let usage = Usage {
            input: Some(40),
            cache_read: Some(60),
            cache_write_5m: Some(3),
            cache_write_1h: Some(2),
            output: Some(9),
            reasoning: Some(4),
        };
        let mut w = Writer::default();
        write(&usage, &mut w);
        let text = String::from_utf8(w.into_bytes()).unwrap();
        assert_eq!(
            text,
            r#"{"input_tokens":105,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":5},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":114}"#
        );
        check(&text, [Some(40), Some(60), Some(5), Some(9), Some(4)]);
    }
}
