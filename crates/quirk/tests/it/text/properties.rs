//! Generated replies: the same however they are cut, nothing leaked, nothing lost.
//!
//! 50,000 strings in all; `PROPTEST_CASES` sets another number.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::kimi_k2::{explicit, implicit, line, spelled};
use super::{Outcome, Piece, Stages, in_pieces};

/// Everything that means something to the stage, whole and in part, and things that look like it.
const TOKENS: &[&str] = &[
    "«S»",
    "«s»",
    "«C»",
    "«C»",
    "«c»",
    "«A»",
    "«A»",
    "«E»",
    "<think>",
    "</think>",
    "<thinking>",
    "</thinking>",
    "(no content)",
    "<tool_call>",
    "<|tool_call_section_begin|>",
    "functions.",
    "lookup",
    "get_weather",
    "Bash:0",
    "lookup:1",
    "call_1",
    "15",
    ".",
    ":",
    "0",
    " ",
    "\n",
    "  ",
    "{\"term\":\"",
    "{\"city\": \"SF\"}",
    "{\"term\":\"a\"}",
    "{}",
    "null",
    "{",
    "}",
    "\"",
    "\\",
    "\\\"",
    "\\u00e9",
    "[1,2]",
    ",",
    "a",
    "word",
    "é",
    "😀",
    "`",
    "<",
    "<|",
    "<|tool",
    "_call_end|>",
    "|>",
    "(",
];

/// A share of all strings, in percent.
pub(super) fn share(percent: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    // 256 is what it is where nobody asks.
    let all = if config.cases == 256 {
        50_000
    } else {
        config.cases
    };
    ProptestConfig {
        cases: all / 100 * percent,
        failure_persistence: None,
        ..config
    }
}

/// Runs replies on stages made once.
struct Runner {
    explicit: Stages,
    implicit: Stages,
}

thread_local! {
    static RUNNER: Runner = Runner {
        explicit: explicit().stages(),
        implicit: implicit().stages(),
    };
}

fn run(is_implicit: bool, pieces: &[Piece<'_>], finish: &str) -> Outcome {
    RUNNER.with(|runner| {
        let stages = if is_implicit {
            &runner.implicit
        } else {
            &runner.explicit
        };
        stages.run(pieces, finish)
    })
}

/// Cuts a text in two.
pub(super) fn cut(text: &str, at: Index) -> (&str, &str) {
    let positions: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    text.split_at(*at.get(&positions))
}

/// All text and thoughts of an outcome.
pub(super) fn said(outcome: &Outcome) -> String {
    let prose = outcome.blocks.iter().filter(|block| block[0] != "tool");
    prose.map(|block| block[1].as_str()).collect()
}

proptest! {
    #![proptest_config(share(40))]

    #[test]
    fn no_cut_changes_anything(
        tokens in prop::collection::vec(select(TOKENS), 1..24),
        reasoning in prop::collection::vec(select(TOKENS), 0..6),
        finish in select(&["stop", "tool_calls", "length"][..]),
        is_implicit: bool,
        at: Index,
        size in 1..9_usize,
    ) {
        let content = spelled(&tokens.concat());
        let reasoning = spelled(&reasoning.concat());
        let whole = [Piece::Reasoning(&reasoning), Piece::Content(&content)];
        let expected = line(&run(is_implicit, &whole, finish));
        let (before, behind) = cut(&content, at);
        let halves = [Piece::Reasoning(&reasoning), Piece::Content(before), Piece::Content(behind)];
        prop_assert_eq!(&line(&run(is_implicit, &halves, finish)), &expected);
        prop_assert_eq!(&line(&run(is_implicit, &in_pieces(&whole, size), finish)), &expected);
    }

}

proptest! {
    #![proptest_config(share(20))]

    #[test]
    fn clean_text_is_identical(text in "[ -;=-~\n\té😀<>]{0,60}", size in 1..9_usize) {
        prop_assume!(!text.trim_start().starts_with("(no content)"));
        let pieces = in_pieces(&[Piece::Content(&text)], size);
        let outcome = run(false, &pieces, "stop");
        prop_assert_eq!(said(&outcome), text);
        prop_assert!(outcome.hits.is_empty() && outcome.blocks.len() <= 1, "{:?}", outcome);
    }

    #[test]
    fn calls_come_out_whole_and_nothing_leaks(
        prose in "[a-z .,\n]{0,20}",
        calls in prop::collection::vec((0..7_usize, "[ -~\né]{0,12}"), 1..4),
        has_section: bool,
        size in 1..9_usize,
        in_reasoning: bool,
    ) {
        let mut text = prose.clone();
        let mut expected: Vec<Vec<String>> = Vec::new();
        if has_section {
            text.push_str("«S»");
        }
        for (nth, (how, term)) in calls.iter().enumerate() {
            let arguments = serde_json::json!({ "term": term }).to_string();
            let (begin, end) = [
                ("functions.lookup:N", "«c»"), ("lookup:N", "«c»"), (" functions.lookup:N ", " «c»\n"),
                ("lookup", "«c»"), ("15", "«c»"), ("call_N", "«c»"), ("functions.lookup:N", ""),
            ][*how];
            let begin = begin.replace('N', &nth.to_string());
            write!(text, "«C»{begin}«A»{arguments}{end}").unwrap();
            expected.push(vec!["tool".to_owned(), "lookup".to_owned(), arguments]);
        }
        if has_section {
            text.push_str("«s»");
        }
        text.push_str(" done.«E»");
        let text = spelled(&text);
        let piece = if in_reasoning { Piece::Reasoning(&text) } else { Piece::Content(&text) };
        let outcome = run(false, &in_pieces(&[piece], size), "stop");
        let kind = if in_reasoning { "thinking" } else { "text" };
        if !prose.trim().is_empty() {
            expected.insert(0, vec![kind.to_owned(), prose.trim_end().to_owned()]);
        }
        prop_assert_eq!(&outcome.blocks, &expected, "{}", text);
        prop_assert_eq!(outcome.stop, Some("tool_use"));
    }

    #[test]
    fn words_before_a_call_are_never_lost(
        tokens in prop::collection::vec(select(TOKENS), 0..16),
        is_implicit: bool,
    ) {
        // Every other token is a word of its own.
        let mut text = String::new();
        let mut words = Vec::new();
        let mut has_begun = false;
        for (nth, token) in tokens.iter().enumerate() {
            has_begun |= token.contains(['S', 'C']) || token.contains("begin") || *token == "<tool_call>";
            text.push_str(token);
            let word = format!(" w{nth}é ");
            text.push_str(&word);
            if !has_begun {
                words.push(word.trim().to_owned());
            }
        }
        let said = said(&run(is_implicit, &[Piece::Content(&spelled(&text))], "stop"));
        let mut rest = said.as_str();
        for word in words {
            let at = rest.find(&word);
            prop_assert!(at.is_some(), "{word} of {text:?} is not in {said:?}");
            rest = &rest[at.unwrap_or_default()..];
        }
    }
}
