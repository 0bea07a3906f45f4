//! Kimi K2: the vectors, and what they leave open.

use std::sync::LazyLock;

use lingate_wire::turn::{Event, FailureKind};
use serde_json::Value;

use super::{Outcome, Piece, Setting, Stages, every_cut};
use crate::translate::Upstream;

const VECTORS: &str = include_str!("../../../testdata/kimi.jsonl");

pub(super) static TOOLS: LazyLock<Value> = LazyLock::new(|| {
    let head: Value = serde_json::from_str(VECTORS.lines().next().unwrap()).unwrap();
    head["tools"].clone()
});

/// A third party's K2 with the vectors' tools.
pub(super) fn explicit() -> Setting {
    Setting::new(Upstream::new(&["kimi-k2"], "kimi-k2.6"), &TOOLS)
}

pub(super) fn implicit() -> Setting {
    Setting::new(
        Upstream::new(&["kimi-k2-implicit"], "kimi-k2-thinking"),
        &TOOLS,
    )
}

pub(super) fn stages(vector: &Value) -> Stages {
    let setting = match vector["think"].as_str().unwrap() {
        "explicit" => explicit(),
        _ => implicit(),
    };
    if vector["tools_on"] == true {
        setting.stages()
    } else {
        setting.without_calls().stages()
    }
}

pub(super) fn vectors() -> Vec<Value> {
    VECTORS
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(super) fn pieces(vector: &Value) -> Vec<Piece<'_>> {
    let deltas = vector["deltas"].as_array().unwrap();
    deltas
        .iter()
        .map(|delta| match delta["c"].as_str() {
            Some(content) => Piece::Content(content),
            None => Piece::Reasoning(delta["r"].as_str().unwrap()),
        })
        .collect()
}

/// What the outcome is in the vectors' words.
fn in_words(outcome: &Outcome) -> (Option<&'static str>, Option<&'static str>) {
    let is_empty = outcome.blocks.is_empty();
    match outcome.failure {
        Some(FailureKind::BrokenToolCall) => (None, Some("truncated_tool_call")),
        Some(other) => panic!("{other:?}: {}", outcome.message),
        None if is_empty => (None, Some("empty_response")),
        None => (outcome.stop, None),
    }
}

#[test]
fn every_vector_at_every_cut() {
    for vector in vectors() {
        let id = vector["id"].as_str().unwrap();
        let expected = &vector["expect"];
        let blocks: Vec<Vec<String>> = expected["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| {
                let words = block.as_array().unwrap().iter();
                // A fourth word says that a call is broken; how it ends shows that too.
                words
                    .take(3)
                    .map(|word| word.as_str().unwrap().to_owned())
                    .collect()
            })
            .collect();
        let finish = vector["finish"].as_str().unwrap();
        let stages = stages(&vector);
        let pieces = pieces(&vector);
        let outcome = every_cut(&pieces, |cut| stages.run(cut, finish));
        assert_eq!(outcome.blocks, blocks, "{id}");
        let (stop, error) = in_words(&outcome);
        assert_eq!(error, expected["error"].as_str(), "{id}");
        assert_eq!(stop, expected["stop"].as_str(), "{id}");
        if error == Some("truncated_tool_call") {
            assert!(outcome.message.contains("truncated_tool_call"), "{id}");
        }

        // Nothing that sequencing changes, but for arguments that are not JSON: those never end normally.
        let sequenced = every_cut(&pieces, |cut| stages.run_sequenced(cut, finish));
        if outcome.diags.contains(&"invalid_json") {
            assert_eq!(sequenced.failure, Some(FailureKind::BrokenToolCall), "{id}");
        } else {
            assert_eq!(sequenced.blocks, blocks, "{id}");
            assert_eq!(in_words(&sequenced), (stop, error), "{id}");
        }
    }
}

/// Spells markers out: `«S»` and `«s»` begin and end a section, `«C»` and `«c»` a call, `«A»` begins arguments.
pub(super) fn spelled(text: &str) -> String {
    text.replace("«S»", "<|tool_calls_section_begin|>")
        .replace("«s»", "<|tool_calls_section_end|>")
        .replace("«C»", "<|tool_call_begin|>")
        .replace("«c»", "<|tool_call_end|>")
        .replace("«A»", "<|tool_call_argument_begin|>")
        .replace("«E»", "<|im_end|>")
}

/// Blocks and end in one line: `think a | text b | call NAME {...} > tool_use`.
pub(super) fn line(outcome: &Outcome) -> String {
    let blocks: Vec<String> = outcome
        .blocks
        .iter()
        .map(|block| match block[0].as_str() {
            "tool" => format!("call {} {}", block[1], block[2]),
            "thinking" => format!("think {}", block[1]),
            kind => format!("{kind} {}", block[1]),
        })
        .collect();
    let end = match outcome.failure {
        Some(kind) => format!("{kind:?}"),
        None => outcome.stop.unwrap_or("nothing").to_owned(),
    };
    format!("{} > {end}", blocks.join(" | "))
}

/// A reply by its channels, `r:` before reasoning and `c:` before content; each at every cut.
#[track_caller]
pub(super) fn check_in(stages: &Stages, deltas: &[&str], finish: &str, expected: &str) {
    let deltas: Vec<String> = deltas.iter().map(|delta| spelled(delta)).collect();
    let pieces: Vec<Piece<'_>> = deltas
        .iter()
        .map(|delta| match delta.split_at(2) {
            ("r:", text) => Piece::Reasoning(text),
            ("c:", text) => Piece::Content(text),
            _ => panic!("{delta}"),
        })
        .collect();
    let outcome = every_cut(&pieces, |cut| stages.run(cut, finish));
    assert_eq!(
        line(&outcome),
        spelled(expected),
        "{deltas:?} {:?}",
        outcome.diags
    );
}

/// Any events, as they come.
#[track_caller]
pub(super) fn check_events(stages: &Stages, events: Vec<Event>, expected: &str) {
    let outcome = stages.run_events(events, false);
    assert_eq!(line(&outcome), expected, "{:?}", outcome.diags);
}

#[track_caller]
pub(super) fn check(deltas: &[&str], finish: &str, expected: &str) {
    check_in(&explicit().stages(), deltas, finish, expected);
}

#[track_caller]
pub(super) fn check_implicit(deltas: &[&str], finish: &str, expected: &str) {
    check_in(&implicit().stages(), deltas, finish, expected);
}

#[test]
fn calls_in_every_disorder() {
    let good = r#"call lookup {"term":"a"} > tool_use"#;
    for content in [
        r#"c:«S»«C»functions.lookup:0«A»{"term":"a"}«c»«s»"#,
        r#"c:«C»functions.lookup:0«A»{"term":"a"}«c»"#,
        r#"c:«S»«C»functions.lookup:0«A»{"term":"a"}"#,
        r#"c:«S»«C»lookup«A»{"term":"a"}«C»"#,
        r#"c:«S»«C»lookup_0«A»{"term":"a"}«s»"#,
        r#"c:«S»«C»functions.lookup-12 «A»{"term":"a"}«s»«E»"#,
        r#"c:«S»«C»functions.default_api.lookup:0«A»{"term":"a"}«c»«s»"#,
        r#"c:«S»«C»15«A»{"term":"a"}«c»«s»"#,
        r#"c:«S»«C»functions.15:0«A»{"term":"a"}«c»«s»"#,
        r#"c:«S»«C»toolu_01AbC«A»{"term":"a"}«c»«s»"#,
        r#"c:«S»«C»chatcmpl-tool-3f«A»{"term":"a"}«c»«s»"#,
        r#"c:«S»«C»«A»{"term":"a"}«c»«s»"#,
        r#"c:«S» I will use a tool: «C»functions.lookup:0«A»{"term":"a"}«c»«s»"#,
        r#"c:«S»«S»«C»functions.lookup:0«A»{"term":"a"}«c»«c»«s»«s»"#,
        r#"c:«S»«C»functions.lookup:0«A»{"term":"a"}«c»«s» After tools. «E»"#,
        r#"c:«S»«C»functions.lookup:0«A»{"term":"a"}«c» noise «C»   "#,
        r#"c:«C»functions.lookup:0{"term":"a"} and more"#,
        r#"c:<|tool_call_section_begin|>«C»functions.lookup:0«A»{"term":"a"}«c»<|tool_call_section_end|>"#,
        r#"c:(no content)«S»«C»functions.lookup:0«A»{"term":"a"}«c»«s»"#,
        r#"c:«c»«s»«S»«C»functions.lookup:0«A»{"term":"a"}«c»«s»"#,
    ] {
        check(&[content], "stop", good);
        check(&[content], "tool_calls", good);
        let reasoning = content.replacen("c:", "r:", 1);
        check(&[&reasoning], "stop", good);
        check_implicit(&[content], "stop", good);
    }
}

#[test]
fn several_calls() {
    check(
        &[
            r#"c:A «S»«C»functions.lookup:0«A»{"term":"a"}«c»«s» B «S»«C»functions.list_files:1«A»{}«c»«s»"#,
        ],
        "tool_calls",
        r#"text A | call lookup {"term":"a"} | call list_files {} > tool_use"#,
    );
    check(
        &[r#"c:«C»lookup:0«A»{"term":"a"}«C»lookup:1«A»{"term":"b"}«C»lookup:2«A»{"term":"c"}"#],
        "tool_calls",
        r#"call lookup {"term":"a"} | call lookup {"term":"b"} | call lookup {"term":"c"} > tool_use"#,
    );
    check(
        &[
            r#"r:a «S»«C»lookup:0«A»{"term":"a"}«c»«s»"#,
            r#"c:b «S»«C»lookup:1«A»{"term":"b"}«c»«s»"#,
        ],
        "tool_calls",
        r#"think a | call lookup {"term":"a"} | text b | call lookup {"term":"b"} > tool_use"#,
    );
}

#[test]
fn a_call_may_go_on_in_the_other_channel() {
    check(
        &[
            "r:Let me see. «S»",
            r#"c:«C»functions.lookup:0«A»{"term":"a"}«c»«s»"#,
        ],
        "stop",
        r#"think Let me see. | call lookup {"term":"a"} > tool_use"#,
    );
    check(
        &["r:It begins with «S» and", "c: ends."],
        "stop",
        "think It begins with «S» and | text  ends. > end_turn",
    );
    check(
        &[r#"r:a«S»«C»lookup:0«A»{"term":"a"}«c»«s»"#, "c:Done."],
        "stop",
        r#"think a | call lookup {"term":"a"} | text Done. > tool_use"#,
    );
}

#[test]
fn calls_that_nobody_can_be_meant_by_are_dropped() {
    check(
        &[r#"c:Look.«S»«C»call_1«A»{"zip":1}«c»«s»"#],
        "tool_calls",
        "text Look. > tool_use",
    );
    check(&[r#"c:«S»«C»15:0«A»{}«c»«s»"#], "stop", " > end_turn");
    check(&[r#"c:«S»«C»call_1«c»«s»"#], "stop", " > end_turn");
    check(&[r#"c:«S»«C»«c»«s»"#], "stop", " > end_turn");
    check(
        &[r#"c:«S»«C»call_1«A»not json«c»«s»"#],
        "stop",
        " > end_turn",
    );
}

#[test]
fn arguments_end_where_their_json_does() {
    // The string goes on behind the marker: it was part of it.
    check(
        &[r#"c:«C»lookup:0«A»{"term":"«c»«s»"}«c»"#],
        "stop",
        r#"call lookup {"term":"«c»«s»"} > tool_use"#,
    );
    check(
        &[r#"c:«C»lookup:0«A»"{\"term\":\"«c» \\\" x\"}"«c»"#],
        "stop",
        r#"call lookup {"term":"«c» \" x"} > tool_use"#,
    );
    // It does not: the marker was the end, and what follows is read anew.
    check(
        &[r#"c:«S»«C»lookup:0«A»{"term":"a«c»«C»get_weather:1«A»{"city": "SF"}«c»«s»"#],
        "tool_calls",
        r#"call lookup {"term":"a | call get_weather {"city": "SF"} > tool_use"#,
    );
    check(
        &[r#"c:«S»«C»lookup:0«A»{"term":"a«c»«s»"#],
        "tool_calls",
        r#"call lookup {"term":"a > tool_use"#,
    );
    check(
        &["c:«C»lookup:0«A»{\"term\":\"a\nb\tc\"}«c»"],
        "stop",
        r#"call lookup {"term":"a\nb\tc"} > tool_use"#,
    );
    check(
        &["c:«C»list_files:0«A» null «c»"],
        "stop",
        "call list_files {} > tool_use",
    );
    check(
        &["c:«C»list_files:0«A»null"],
        "stop",
        "call list_files {} > tool_use",
    );
    check(
        &["c:«C»lookup:0«A»[1] «c»"],
        "stop",
        "call lookup [1] > tool_use",
    );
    check(
        &["c:«C»lookup:0«A»\"a\" «c»"],
        "stop",
        "call lookup \"a\" > tool_use",
    );
    check(
        &["c:«C»lookup:0«A»nul «c»"],
        "stop",
        "call lookup nul > tool_use",
    );
    check(
        &[r#"c:«C»lookup:0«A»{"term":1.5e3,"x":[true,false,null,{}],"é":"\u00e9"}«c»"#],
        "stop",
        r#"call lookup {"term":1.5e3,"x":[true,false,null,{}],"é":"\u00e9"} > tool_use"#,
    );
}

#[test]
fn half_a_call_ends_normally_only_by_the_limit() {
    let half = r#"c:A«S»«C»Bash:0«A»{"command":"rm -rf /tm"#;
    check(
        &[half],
        "length",
        r#"text A | call Bash {"command":"rm -rf /tm > max_tokens"#,
    );
    for finish in ["stop", "tool_calls"] {
        check(
            &[half],
            finish,
            r#"text A | call Bash {"command":"rm -rf /tm > BrokenToolCall"#,
        );
        check(&["c:A«S»«C»Bash:0«A»"], finish, "text A > BrokenToolCall");
        check(
            &[r#"c:A«S»«C»call_7«A»{"term":"#],
            finish,
            "text A > BrokenToolCall",
        );
    }
    check(&["c:A«S»«C»Bash:0«A»"], "length", "text A > max_tokens");
    check(
        &[r#"c:A«S»«C»call_7«A»{"term":"#],
        "length",
        "text A > max_tokens",
    );
}

#[test]
fn a_limit_or_a_filter_stays_what_it_is() {
    let call = r#"c:«C»lookup:0«A»{"term":"a"}«c»"#;
    check(
        &[call],
        "length",
        r#"call lookup {"term":"a"} > max_tokens"#,
    );
    check(
        &[call],
        "content_filter",
        r#"call lookup {"term":"a"} > refusal"#,
    );
}

#[test]
fn only_changes_are_hits() {
    let hits = |content: &str| {
        let content = spelled(content);
        explicit()
            .stages()
            .run(&[Piece::Content(&content)], "stop")
            .hits
    };
    assert_eq!(hits("Plain. \n"), Vec::<&str>::new());
    assert_eq!(hits("Use `«C»` to begin"), Vec::<&str>::new());
    assert_eq!(hits("(no content)"), ["kimi-k2-text"]);
    assert_eq!(
        hits("«C»list_files:0«A»{}«c»«C»list_files:0«A»{}«c»"),
        ["kimi-k2-text"]
    );
}

/// A marker is one where a client reads it as one: what stands between its halves unread does not part them.
#[test]
fn a_marker_in_two_channels_is_none() {
    let stages = explicit().stages();
    let call =
        "<|tool_call_begin|>functions.list_files:0<|tool_call_argument_begin|>{}<|tool_call_end|>";
    let begin = "Hi<|tool_calls_section_end|> a<|tool_call";
    let check = |between: &str, said: &[[&str; 2]]| {
        let pieces = [
            Piece::Content(begin),
            Piece::Reasoning(between),
            Piece::Content("s_section_end|> b"),
            Piece::Content(call),
        ];
        let outcome = every_cut(&pieces, |cut| stages.run(cut, "stop"));
        let blocks: Vec<[&str; 2]> = outcome
            .blocks
            .iter()
            .filter(|block| block[0] != "tool")
            .map(|block| [&*block[0], &*block[1]])
            .collect();
        assert_eq!(blocks, said, "{between:?}");
    };
    check("", &[["text", "Hiab"]]);
    check(
        "hm",
        &[
            ["text", "Hia<|tool_call"],
            ["thinking", "hm"],
            ["text", "s_section_end|> b"],
        ],
    );
}
