//! Generated replies of the other families: the same however they are cut, nothing leaked, nothing lost.
//!
//! 25,000 strings in all; `PROPTEST_CASES` sets another number, of which this is one half.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::families::{ALL, DEEPSEEK, Family, GLM, HERMES, KIMI_K3, MINIMAX, QWEN3_CODER};
use super::kimi_k2::line;
use super::properties::{cut, said, share};
use super::{Outcome, Piece, Stages, in_pieces};

thread_local! {
    static STAGES: Vec<Stages> = ALL.iter().map(|family| family.stages()).collect();
}

fn run(family: usize, pieces: &[Piece<'_>], finish: &str) -> Outcome {
    STAGES.with(|stages| stages[family].run(pieces, finish))
}

/// What every family's text is made of, whole and in part.
const COMMON: &[&str] = &[
    "<think>",
    "</think>",
    "get_weather",
    "ls",
    "Write",
    "city",
    "SF",
    "{\"city\": \"SF\"}",
    "{}",
    "{",
    "}",
    "\"",
    "\\",
    "null",
    "\n",
    " ",
    "<",
    "<|",
    ">",
    "a",
    "é",
    "word",
    ",",
    ":",
];

/// What one family's text is made of.
fn tokens(family: usize) -> &'static [&'static str] {
    match ALL[family] {
        family if family == KIMI_K3 => &[
            "<|open|>think<|sep|>",
            "<|close|>think<|sep|>",
            "<|open|>response<|sep|>",
            "<|close|>response<|sep|>",
            "<|open|>tools<|sep|>",
            "<|close|>tools<|sep|>",
            "<|open|>call tool=\"get_weather\" index=\"1\"<|sep|>",
            "<|open|>call ",
            "<|close|>call<|sep|>",
            "<|open|>argument key=\"city\" type=\"string\"<|sep|>",
            "<|close|>argument<|sep|>",
            "<|close|>message<|sep|>",
            "<|sep|>",
        ],
        family if family == HERMES => &[
            "<tool_call>",
            "</tool_call>",
            "{\"name\": \"get_weather\", \"arguments\": ",
            "\"name\": ",
            "\"arguments\": ",
            "\"function\": ",
            "\"{\\\"city\\\": \\\"SF\\\"}\"",
            "}}",
        ],
        family if family == QWEN3_CODER => &[
            "<tool_call>",
            "</tool_call>",
            "<function=get_weather>",
            "<function=",
            "</function>",
            "<parameter=city>",
            "<parameter=",
            "</parameter>",
        ],
        family if family == GLM => &[
            "<tool_call>",
            "</tool_call>",
            "<tool_call>get_weather",
            "<arg_key>",
            "</arg_key>",
            "<arg_value>",
            "</arg_value>",
        ],
        family if family == DEEPSEEK => &[
            "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁call▁end｜>",
            "<｜tool▁sep｜>",
            "function",
            "\n```json\n",
            "\n```",
            "<｜DSML｜tool_calls>",
            "</｜DSML｜tool_calls>",
            "<｜DSML｜invoke name=\"get_weather\">",
            "<｜DSML｜invoke name=\"nope\">",
            "</｜DSML｜invoke>",
            "<｜DSML｜parameter name=\"city\" string=\"true\">",
            "<｜DSML｜parameter name=\"arguments\" string=\"false\">",
            "</｜DSML｜parameter>",
            "｜",
        ],
        family if family == MINIMAX => &[
            "<minimax:tool_call>",
            "</minimax:tool_call>",
            "<invoke name=\"get_weather\">",
            "<invoke name=",
            "</invoke>",
            "<parameter name=\"city\">",
            "<parameter name=days>",
            "</parameter>",
            "<mm:think>",
        ],
        _ => &[
            "<|start|>",
            "<|start|>assistant",
            "<|channel|>",
            "<|channel|>analysis",
            "<|channel|>final",
            "<|channel|>commentary to=functions.get_weather ",
            "<|constrain|>json",
            "<|message|>",
            "<|end|>",
            "<|call|>",
            "<|return|>",
            " to=functions.ls",
        ],
    }
}

/// A reply made of a family's tokens: numbers choose them.
fn reply(family: usize, choices: &[(bool, Index)]) -> String {
    let pick = |(is_own, at): &(bool, Index)| {
        let from = if *is_own { tokens(family) } else { COMMON };
        *at.get(from)
    };
    choices.iter().map(pick).collect()
}

/// A call as the family writes it.
fn written(family: Family, city: &str) -> (String, Value) {
    let arguments = json!({ "city": city });
    let call = match family {
        family if family == KIMI_K3 => format!(
            "<|open|>tools<|sep|><|open|>call tool=\"get_weather\" index=\"1\"<|sep|><|open|>argument key=\"city\" \
             type=\"string\"<|sep|>{city}<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>"
        ),
        family if family == HERMES => {
            let call = json!({ "name": "get_weather", "arguments": arguments });
            format!("<tool_call>\n{call}\n</tool_call>")
        }
        family if family == QWEN3_CODER => format!(
            "<tool_call>\n<function=get_weather>\n<parameter=city>\n{city}\n</parameter>\n</function>\n</tool_call>"
        ),
        family if family == GLM => format!(
            "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>{city}</arg_value>\n</tool_call>"
        ),
        family if family == DEEPSEEK => format!(
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        family if family == MINIMAX => format!(
            "<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">{city}</parameter>\n</invoke>\n\
             </minimax:tool_call>"
        ),
        _ => format!(
            "<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{arguments}<|call|>"
        ),
    };
    (call, arguments)
}

proptest! {
    #![proptest_config(share(30))]

    #[test]
    fn no_cut_changes_anything(
        family in 0..ALL.len(),
        choices in prop::collection::vec(any::<(bool, Index)>(), 1..20),
        finish in select(&["stop", "tool_calls", "length"][..]),
        at: Index,
        size in 1..9_usize,
    ) {
        let content = reply(family, &choices);
        let whole = [Piece::Content(&content)];
        let expected = line(&run(family, &whole, finish));
        let (before, behind) = cut(&content, at);
        let halves = [Piece::Content(before), Piece::Content(behind)];
        prop_assert_eq!(&line(&run(family, &halves, finish)), &expected, "{:?} {}", ALL[family], content);
        let pieces = in_pieces(&whole, size);
        prop_assert_eq!(&line(&run(family, &pieces, finish)), &expected, "{:?} {}", ALL[family], content);
    }
}

proptest! {
    #![proptest_config(share(10))]

    #[test]
    fn clean_text_is_identical(family in 0..ALL.len(), text in "[ -;=-~\n\té😀<>｜▁]{0,60}", size in 1..9_usize) {
        let pieces = in_pieces(&[Piece::Content(&text)], size);
        let outcome = run(family, &pieces, "stop");
        prop_assert_eq!(said(&outcome), text);
        prop_assert!(outcome.hits.is_empty() && outcome.blocks.len() <= 1, "{:?}", outcome);
    }

    #[test]
    fn calls_come_out_whole_and_nothing_leaks(
        family in 0..ALL.len(),
        prose in "[a-z .,\n]{0,20}",
        cities in prop::collection::vec("[a-zA-Z0-9 .\"{}\\\\é]{0,12}", 1..4),
        size in 1..9_usize,
    ) {
        let mut text = prose.clone();
        let mut expected = Vec::new();
        if !prose.trim().is_empty() {
            expected.push(json!(["text", prose.trim_end()]));
        }
        for city in &cities {
            let (call, arguments) = written(ALL[family], city);
            text.push_str(&call);
            expected.push(json!(["tool", "get_weather", arguments]));
        }
        let outcome = run(family, &in_pieces(&[Piece::Content(&text)], size), "stop");
        let found: Vec<Value> = outcome
            .blocks
            .iter()
            .map(|block| match block.as_slice() {
                [kind, name, arguments] => {
                    json!([kind, name, serde_json::from_str::<Value>(arguments).unwrap_or_default()])
                }
                other => json!(other),
            })
            .collect();
        prop_assert_eq!(&found, &expected, "{}", text);
        prop_assert_eq!(outcome.stop, Some("tool_use"));
    }
}
