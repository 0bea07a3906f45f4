//! Token counts. The wire's prompt count includes what was read from the cache, its output counts thoughts apart.

use super::member;
use crate::json::{Value, Writer};
use crate::turn::Usage;

/// Reads a `usageMetadata`.
pub(super) fn read(value: Value<'_>) -> Usage {
    let counts = [
        "promptTokenCount",
        "cachedContentTokenCount",
        "toolUsePromptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
    ];
    let counts = member::pick(value, counts).map(|count| count.and_then(Value::u64));
    let [prompt, cache_read, tool_prompt, candidates, thoughts] = counts;
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    };
    Usage {
        input: prompt.map(|prompt| {
            prompt
                .saturating_add(tool_prompt.unwrap_or(0))
                .saturating_sub(cache_read.unwrap_or(0))
        }),
        cache_read,
        cache_write_5m: None,
        cache_write_1h: None,
        output: sum(candidates, thoughts),
        reasoning: thoughts,
    }
}

/// Writes a `usageMetadata` object.
pub(super) fn write(usage: &Usage, json: &mut Writer) {
    let prompt = usage.total_input().unwrap_or(0);
    let output = usage.output.unwrap_or(0);
    let thoughts = usage.reasoning.unwrap_or(0).min(output);
    json.begin_object();
    json.key("promptTokenCount").u64(prompt);
    json.key("candidatesTokenCount")
        .u64(output.saturating_sub(thoughts));
    json.key("totalTokenCount")
        .u64(prompt.saturating_add(output));
    if let Some(read) = usage.cache_read.filter(|read| *read > 0) {
        json.key("cachedContentTokenCount").u64(read);
    }
    if thoughts > 0 {
        json.key("thoughtsTokenCount").u64(thoughts);
    }
    json.end_object();
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;
    use crate::json::scan;

    /// Expected: input, cache read, output, reasoning.
    #[track_caller]
    fn check(body: &str, expected: [Option<u64>; 4]) {
        let doc = scan(&ByteString::from(body)).unwrap();
        let usage = read(doc.root());
        let found = [usage.input, usage.cache_read, usage.output, usage.reasoning];
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn cache_thoughts_and_tool_prompts_are_told_apart() {
        check("{}", [None; 4]);
        check(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"toolUsePromptTokenCount":5,"candidatesTokenCount":7,"thoughtsTokenCount":3,"totalTokenCount":115}"#,
            [Some(45), Some(60), Some(10), Some(3)],
        );
        check(
            r#"{"prompt_token_count":9,"thoughtsTokenCount":4}"#,
            [Some(9), None, Some(4), Some(4)],
        );
        check(
            r#"{"promptTokenCount":9,"totalTokenCount":9}"#,
            [Some(9), None, None, None],
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            input: Some(35),
            cache_read: Some(60),
            output: Some(10),
            reasoning: Some(3),
            ..Usage::default()
        };
        let mut json = Writer::default();
        write(&usage, &mut json);
        let body = ByteString::try_from(json.into_bytes()).unwrap();
        assert_eq!(read(scan(&body).unwrap().root()), usage);
        assert!(
            body.contains(r#""candidatesTokenCount":7,"totalTokenCount":105"#),
            "{body}"
        );
    }
}
