//! Replies whose first marker was part of the prompt, or whose tokens a host has dropped.

use lingate_wire::turn::Event;
use proptest::prelude::*;
use proptest::sample::select;

use super::families::{Family, HARMONY, check_all, stays};
use super::kimi_k2::line;
use super::{Piece, Stages, every_cut, in_pieces};

const GROUPS: &[&str] = &["implicit-thinking", "open-models"];
const QWEN: Family = Family(GROUPS, "Qwen/Qwen3-235B-A22B-Thinking-2507");
const GLM: Family = Family(GROUPS, "zai-org/GLM-4.7-Flash");
const R1: Family = Family(GROUPS, "deepseek-ai/DeepSeek-R1-0528");
const MINIMAX: Family = Family(GROUPS, "MiniMaxAI/MiniMax-M2.1");
const LATE_QWEN: Family = Family(GROUPS, "Qwen/Qwen3.5-35B-A3B");

#[test]
fn thoughts_without_an_opening_tag() {
    for family in [QWEN, GLM, R1, MINIMAX, LATE_QWEN] {
        check_all(
            family,
            &[
                (
                    "I think.\n</think>\n\nHi.",
                    "think I think. | text Hi. > end_turn",
                ),
                (
                    "<think>\nI think.</think>Hi.",
                    "think I think. | text Hi. > end_turn",
                ),
                ("</think>Hi.", "text Hi. > end_turn"),
                ("I think.", "think I think. > end_turn"),
                (
                    "I think.</think>Say `</think>` so.",
                    "think I think. | text Say `</think>` so. > end_turn",
                ),
            ],
        );
    }
}

#[test]
fn calls_behind_and_in_such_thoughts() {
    let sf = r#"think Hm. | call get_weather {"city":"SF"} > tool_use"#;
    let check = |family: Family, call: &str| {
        check_all(
            family,
            &[
                (&format!("Hm.</think>\n\n{call}"), sf),
                (&format!("Hm.\n{call}"), sf),
            ],
        );
    };
    check(
        QWEN,
        "<tool_call>\n{\"name\":\"get_weather\",\"arguments\":{\"city\":\"SF\"}}\n</tool_call>",
    );
    check(
        GLM,
        "<tool_call>get_weather<arg_key>city</arg_key><arg_value>SF</arg_value></tool_call>",
    );
    check(
        R1,
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\":\"SF\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    );
    check(
        MINIMAX,
        "<minimax:tool_call><invoke name=\"get_weather\"><parameter name=\"city\">SF</parameter></invoke></minimax:tool_call>",
    );
    check(
        LATE_QWEN,
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nSF\n</parameter>\n</function>\n</tool_call>",
    );
}

#[test]
fn kimi_k3_closes_what_the_prompt_opened() {
    check_all(
        Family(GROUPS, "moonshotai/Kimi-K3"),
        &[
            (
                "I think.<|close|>think<|sep|><|open|>response<|sep|>Hi.<|close|>response<|sep|><|close|>message<|sep|>",
                "think I think. | text Hi. > end_turn",
            ),
            (
                "I think.<|close|>think<|sep|><|open|>tools<|sep|><|open|>call tool=\"ls\" index=\"1\"<|sep|><|close|>call<|sep|><|close|>tools<|sep|>",
                "think I think. | call ls {} > tool_use",
            ),
            (
                "<|open|>think<|sep|>I think.<|close|>think<|sep|>Hi.",
                "think I think. | text Hi. > end_turn",
            ),
        ],
    );
}

#[test]
fn a_host_that_takes_the_thoughts_out_is_believed() {
    let stages = QWEN.stages();
    let pieces = [Piece::Reasoning("I think."), Piece::Content("Hi.")];
    let outcome = every_cut(&pieces, |cut| stages.run(cut, "stop"));
    assert_eq!(line(&outcome), "think I think. | text Hi. > end_turn");
    assert_eq!(outcome.hits, [""; 0]);
}

#[test]
fn a_request_that_switches_thinking_off_begins_in_text() {
    let check = |thinking: &'static str, expected: &str| {
        let family = Family(&["vllm", "implicit-thinking"], QWEN.1);
        let stages = family.setting().thinking(thinking).stages();
        let outcome = every_cut(&[Piece::Content("Hi.")], |cut| stages.run(cut, "stop"));
        assert_eq!(line(&outcome), expected);
    };
    check("disabled", "text Hi. > end_turn");
    check("adaptive", "think Hi. > end_turn");
}

#[test]
fn headers_whose_tokens_were_dropped() {
    let sf = r#"think I look. | call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        HARMONY,
        &[
            (
                "analysisI look.assistantfinalHi.",
                "think I look. | text Hi. > end_turn",
            ),
            (
                "analysisI look.assistantcommentary to=functions.get_weather json{\"city\":\"SF\"}",
                sf,
            ),
            (
                "analysisI look.assistantcommentary to=functions.get_weatherjson{\"city\":\"SF\"}",
                sf,
            ),
            (
                "analysisI look.assistantcommentary to=functions.get_weather code{\"city\":\"SF\"}",
                sf,
            ),
            ("commentary to=functions.ls json{}", "call ls {} > tool_use"),
            (
                "\nassistantcommentary to=functions.get_weather {\"city\":\"a } \\\" assistantfinal\"}",
                r#"call get_weather {"city":"a } \" assistantfinal"} > tool_use"#,
            ),
            (
                "analysisA.assistantcommentaryI will.assistantcommentary to=functions.ls json{}assistantcommentary to=functions.ls {}",
                "think A. | text I will. | call ls {} | call ls {} > tool_use",
            ),
            (
                "analysisA.assistantanalysisB.assistantfinalC assistant finally",
                "think A. | think B. | text C assistant finally > end_turn",
            ),
            (
                "analysisA.assistantcommentary to=functions.get_weather json{\"city\":\"S",
                r#"think A. | call get_weather {"city":"S > BrokenToolCall"#,
            ),
            (
                "analysisA.assistantcommentary to=functions.nope json{}assistantfinalB",
                "think A.assistantcommentary to=functions.nope json{} | text B > end_turn",
            ),
        ],
    );
}

#[test]
fn a_recipient_whose_first_token_was_in_the_prompt() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        HARMONY,
        &[
            (
                " to=functions.get_weather<|channel|>commentary json<|message|>{\"city\":\"SF\"}<|call|>",
                sf,
            ),
            (
                "to=functions.get_weather <|channel|>commentary<|message|>{\"city\":\"SF\"}",
                sf,
            ),
        ],
    );
}

#[test]
fn words_that_are_prose_stay() {
    stays(
        HARMONY,
        &[
            "analysis",
            "analysis of it",
            "analysisResult is a name",
            "analyses",
            "The assistantfinal word",
            "assistant",
            "assistantcommentary",
            "assistantcommentary to=functions.nope json{}",
            "commentary to=functions.ls it is",
            "commentary to=functions.ls",
            "commentary",
            "to=functions.ls",
            "to=functions.ls is how",
            "to=functions.nope<|chan",
            "\n\nto be",
        ],
    );
}

#[test]
fn a_host_that_takes_the_thoughts_out_may_still_drop_the_tokens_of_a_call() {
    let stages = HARMONY.stages();
    let run = |content: &'static str| {
        let pieces = [Piece::Reasoning("I look."), Piece::Content(content)];
        line(&every_cut(&pieces, |cut| stages.run(cut, "stop")))
    };
    assert_eq!(
        run("assistantcommentary to=functions.ls json{}"),
        "think I look. | call ls {} > tool_use"
    );
    // Thoughts have come already: this is an answer.
    assert_eq!(
        run("analysisA.assistantfinalB"),
        "think I look. | text analysisA.assistantfinalB > end_turn"
    );
}

#[test]
fn what_goes_on_is_not_held_back() {
    let stages = HARMONY.stages();
    let mut first = stages.make();
    let stage = &mut first[1];
    let mut sink = lingate_wire::stage::Sink::new();
    for event in super::events(&[Piece::Content("Plain.")], "stop")
        .into_iter()
        .take(3)
    {
        stage.on(event, &mut sink);
    }
    let is_text = |event: &Event| matches!(event, Event::Delta { .. });
    assert!(sink.items.iter().any(is_text) && !stage.holding());
}

/// What replies are made of whose tokens were dropped, in part or all of them.
const BARE: &[&str] = &[
    "analysis",
    "assistant",
    "commentary",
    "final",
    "assistantfinal",
    "assistantcommentary",
    "assistantanalysis",
    " to=functions.",
    "to=functions.",
    "get_weather",
    "ls",
    " json",
    "json",
    "{",
    "}",
    "{}",
    "{\"city\": \"SF\"}",
    "\"",
    "\\",
    "A",
    "a",
    " ",
    "\n",
    "<",
    "<|channel|>",
    "<|message|>",
    "<|call|>",
    "é",
    "analysisA.",
];

thread_local! {
    static STAGES: [Stages; 2] = [HARMONY.stages(), QWEN.stages()];
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_cut_changes_a_reply_without_tokens(
        words in prop::collection::vec(select(BARE), 1..10),
        tags in prop::collection::vec(select(&["<think>", "</think>", "a", " ", "\n", "<tool_call>", "{\"name\": \"ls\"", "}", "<"][..]), 1..10),
        size in 1..8_usize,
    ) {
        for (at, text) in [words.concat(), tags.concat()].iter().enumerate() {
            let whole = [Piece::Content(text)];
            STAGES.with(|stages| {
                let expected = line(&stages[at].run(&whole, "stop"));
                let cut = line(&stages[at].run(&in_pieces(&whole, size), "stop"));
                prop_assert_eq!(cut, expected, "{:?}", text);
                Ok(())
            })?;
        }
    }
}
