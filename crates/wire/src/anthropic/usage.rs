//! Token counts, in and out.
//!
//! This wire counts input in parts that do not overlap: fresh, written to the cache, read from it.

use crate::json::{Value, Writer};
use crate::turn::Usage;

/// Reads a `usage` object; whatever else comes tells nothing.
pub(super) fn read(value: Value<'_>) -> Usage {
    let count = |key: &str| value.get(key)?.u64();
    let writes = |key: &str| value.get("cache_creation")?.get(key)?.u64();
    let (cache_write_5m, cache_write_1h) = match (
        writes("ephemeral_5m_input_tokens"),
        writes("ephemeral_1h_input_tokens"),
    ) {
        (None, None) => (count("cache_creation_input_tokens"), None),
        split => split,
    };
    Usage {
        input: count("input_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write_5m,
        cache_write_1h,
        output: count("output_tokens"),
        reasoning: value
            .get("output_tokens_details")
            .and_then(|details| details.get("thinking_tokens")?.u64()),
    }
}

/// Writes a `usage` object. Clients do arithmetic with the four main counts, so none of them is ever missing.
pub(super) fn write(json: &mut Writer, usage: &Usage, input_if_untold: u64, output_if_untold: u64) {
    json.frame(r#"{"input_tokens":"#)
        .u64(usage.input.unwrap_or(input_if_untold));
    json.frame(r#""cache_creation_input_tokens":"#)
        .u64(usage.cache_write().unwrap_or(0));
    json.frame(r#""cache_read_input_tokens":"#)
        .u64(usage.cache_read.unwrap_or(0));
    if let Some(one_hour) = usage.cache_write_1h {
        json.key("cache_creation").begin_object();
        json.key("ephemeral_5m_input_tokens")
            .u64(usage.cache_write_5m.unwrap_or(0));
        json.key("ephemeral_1h_input_tokens").u64(one_hour);
        json.end_object();
    }
    json.frame(r#""output_tokens":"#)
        .u64(usage.output.unwrap_or(output_if_untold));
    if let Some(reasoning) = usage.reasoning {
        json.key("output_tokens_details").begin_object();
        json.key("thinking_tokens").u64(reasoning);
        json.end_object();
    }
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    #[track_caller]
    fn check(received: &str, usage: Usage, written: &str) {
        let doc = scan(&received.into()).unwrap();
        assert_eq!(read(doc.root()), usage);
        let mut json = Writer::default();
        write(&mut json, &usage, 11, 7);
        assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), written);
    }

    #[test]
    fn counts_that_are_told_pass_and_untold_ones_are_estimates_or_zero() {
        check(
            r#"{"input_tokens":40,"cache_read_input_tokens":60,"cache_creation_input_tokens":5,"output_tokens":9,"service_tier":"standard"}"#,
            Usage {
                input: Some(40),
                cache_read: Some(60),
                cache_write_5m: Some(5),
                output: Some(9),
                ..Usage::default()
            },
            r#"{"input_tokens":40,"cache_creation_input_tokens":5,"cache_read_input_tokens":60,"output_tokens":9}"#,
        );
        check(
            "null",
            Usage::default(),
            r#"{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":7}"#,
        );
        check(
            r#"{"input_tokens":null,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1,"output_tokens_details":{"thinking_tokens":1}}"#,
            Usage {
                cache_write_5m: Some(10),
                cache_write_1h: Some(20),
                output: Some(1),
                reasoning: Some(1),
                ..Usage::default()
            },
            r#"{"input_tokens":11,"cache_creation_input_tokens":30,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1,"output_tokens_details":{"thinking_tokens":1}}"#,
        );
    }
}
