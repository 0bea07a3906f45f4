//! Special tokens of models that have no business in what a client reads.

/// Tags that no special brackets mark.
const TAGS: &[&str] = &[
    "<think>",
    "</think>",
    "<mm:think>",
    "</mm:think>",
    "<tool_call>",
    "</tool_call>",
    ":tool_call>",
    "<function_calls>",
    "</function_calls>",
    "<function=",
    "</function>",
    "<parameter=",
    "</parameter>",
    "<invoke name=",
    "</invoke>",
    "<arg_key>",
    "<arg_value>",
    "[TOOL_CALLS]",
    "｜DSML｜",
];
/// How special tokens of all families are bracketed; the second pair is full-width.
const BRACKETS: &[(&str, &str)] = &[("<|", "|>"), ("<｜", "｜>")];
/// Longest name of a special token, in bytes.
const LONGEST: usize = 64;
/// Most of one reply that are told.
const MOST: usize = 8;

/// The special tokens in a text, each once, in no particular order.
pub(super) fn leaked(text: &str) -> Vec<String> {
    let tags = TAGS.iter().filter(|tag| text.contains(**tag));
    let mut found: Vec<String> = tags.map(|tag| (*tag).to_owned()).collect();
    for (open, close) in BRACKETS {
        for token in bracketed(text, open, close) {
            if !found.iter().any(|known| known == token) {
                found.push(token.to_owned());
            }
        }
    }
    found.truncate(MOST);
    found
}

/// Names between such brackets: no white space, and short.
fn bracketed<'t>(text: &'t str, open: &str, close: &str) -> impl Iterator<Item = &'t str> {
    text.match_indices(open).filter_map(move |(start, _)| {
        let inner = text.get(start + open.len()..)?;
        let end = inner.find(close)?;
        let name = inner.get(..end)?;
        let is_name = (1..=LONGEST).contains(&end) && !name.contains(char::is_whitespace);
        is_name.then(|| text.get(start..start + open.len() + end + close.len()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_family_are_found_and_prose_is_not() {
        let check = |text: &str, expected: &[&str]| assert_eq!(leaked(text), expected, "{text}");
        check("fine <b>bold</b> a < b | c > d", &[]);
        check("a <| b and |> c", &[]);
        check("let x = f <|| g |>", &[]);
        check(
            "<|tool_call_begin|>functions.a:0<|tool_call_argument_begin|>{}<|tool_call_begin|>",
            &["<|tool_call_begin|>", "<|tool_call_argument_begin|>"],
        );
        check("done<|im_end|>", &["<|im_end|>"]);
        check("<|some_new_family|>", &["<|some_new_family|>"]);
        check("<｜tool▁calls▁begin｜>", &["<｜tool▁calls▁begin｜>"]);
        check("<｜DSML｜function_calls>", &["｜DSML｜"]);
        check("hm</think>hello", &["</think>"]);
        check("<tool_call>\n<function=a>", &["<tool_call>", "<function="]);
        check("x<vendor:tool_call>", &[":tool_call>"]);
        check("[TOOL_CALLS]", &["[TOOL_CALLS]"]);
        let many: String = (0..20).map(|n| format!("<|t{n}|>")).collect();
        assert_eq!(leaked(&many).len(), MOST);
    }
}
