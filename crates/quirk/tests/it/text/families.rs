//! The other families: their vectors, at every cut, and what they have in common.

use serde_json::{Value, json};

use super::kimi_k2::line;
use super::{Piece, Setting, Stages, every_cut};
use crate::translate::Upstream;

const VECTORS: &str = include_str!("../../../testdata/other.jsonl");

/// A family: its group, and a model of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Family(pub &'static [&'static str], pub &'static str);

pub(super) const KIMI_K3: Family = Family(&["kimi-k3"], "kimi-k3");
pub(super) const HERMES: Family = Family(&["hermes"], "qwen3-32b");
pub(super) const QWEN3_CODER: Family =
    Family(&["qwen3-coder"], "Qwen/Qwen3-Coder-30B-A3B-Instruct");
pub(super) const GLM: Family = Family(&["glm"], "zai-org/GLM-4.6");
pub(super) const DEEPSEEK: Family = Family(&["open-models"], "deepseek-ai/DeepSeek-V3.1");
pub(super) const MINIMAX: Family = Family(&["open-models"], "MiniMaxAI/MiniMax-M2");
pub(super) const HARMONY: Family = Family(&["harmony"], "openai/gpt-oss-20b");

pub(super) const LLAMA: Family = Family(&["open-models"], "llama-3.3-70b");

pub(super) const ALL: [Family; 7] = [
    KIMI_K3,
    HERMES,
    QWEN3_CODER,
    GLM,
    DEEPSEEK,
    MINIMAX,
    HARMONY,
];

impl Family {
    pub(super) fn setting(self) -> Setting {
        let head: Value = serde_json::from_str(VECTORS.lines().next().unwrap()).unwrap();
        Setting::new(Upstream::new(self.0, self.1), &head["tools"])
    }

    pub(super) fn stages(self) -> Stages {
        self.setting().stages()
    }
}

fn family_of(format: &str) -> Family {
    match format {
        "k3_xtml" => KIMI_K3,
        "hermes" => HERMES,
        "qwen3_coder" => QWEN3_CODER,
        "glm45" => GLM,
        "deepseek_v3" | "deepseek_v31" | "deepseek_dsml" => DEEPSEEK,
        "minimax_m2" => MINIMAX,
        "harmony" => HARMONY,
        other => panic!("{other}"),
    }
}

#[test]
fn every_vector_at_every_cut() {
    for vector in VECTORS
        .lines()
        .skip(1)
        .map(|line| -> Value { serde_json::from_str(line).unwrap() })
    {
        let stages = family_of(vector["format"].as_str().unwrap()).stages();
        let raw = vector["raw"].as_str().unwrap();
        let outcome = every_cut(&[Piece::Content(raw)], |cut| stages.run(cut, "stop"));
        let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
        for block in &outcome.blocks {
            match block[0].as_str() {
                "tool" => {
                    let arguments: Value = serde_json::from_str(&block[2]).unwrap();
                    calls.push(json!([block[1], arguments]));
                }
                "text" => text.push_str(&block[1]),
                _ => thinking.push_str(&block[1]),
            }
        }
        let has_calls = !calls.is_empty();
        let expect = &vector["expect"];
        assert_eq!(text, expect["text"], "{vector}");
        assert_eq!(thinking, expect["thinking"], "{vector}");
        assert_eq!(Value::from(calls), expect["calls"], "{vector}");
        let stop = if has_calls { "tool_use" } else { "end_turn" };
        assert_eq!(outcome.stop, Some(stop), "{vector}");
        assert_eq!(outcome.failure, None, "{vector}");
    }
}

/// One reply's content at every cut, `-` as the finish reason standing for `stop`.
#[track_caller]
pub(super) fn check(family: Family, content: &str, finish: &str, expected: &str) {
    let stages = family.stages();
    let outcome = every_cut(&[Piece::Content(content)], |cut| stages.run(cut, finish));
    assert_eq!(line(&outcome), expected, "{family:?} {content}");
}

#[track_caller]
pub(super) fn check_all(family: Family, cases: &[(&str, &str)]) {
    for (content, expected) in cases {
        check(family, content, "stop", expected);
    }
}

/// What is not a call of the family stays as it stands.
#[track_caller]
pub(super) fn stays(family: Family, texts: &[&str]) {
    for text in texts {
        check(family, text, "stop", &format!("text {text} > end_turn"));
    }
}

#[test]
fn without_tools_there_are_no_calls_but_channels() {
    let check = |family: Family, content: &str, expected: &str| {
        let stages = family.setting().without_calls().stages();
        let outcome = every_cut(&[Piece::Content(content)], |cut| stages.run(cut, "stop"));
        assert_eq!(line(&outcome), expected, "{family:?} {content}");
    };
    for (family, call) in [
        (
            HERMES,
            "<tool_call>{\"name\":\"ls\",\"arguments\":{}}</tool_call>",
        ),
        (GLM, "<tool_call>ls</tool_call>"),
        (
            DEEPSEEK,
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{}<｜tool▁call▁end｜>",
        ),
        (MINIMAX, "<invoke name=\"ls\"></invoke>"),
        (
            KIMI_K3,
            "<|open|>call tool=\"ls\"<|sep|><|close|>call<|sep|>",
        ),
        (HARMONY, "<|channel|>commentary to=functions.ls<|message|>"),
    ] {
        check(family, call, &format!("text {call} > end_turn"));
    }
    check(
        HARMONY,
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
        "think a | text b > end_turn",
    );
    check(
        KIMI_K3,
        "<|open|>think<|sep|>a<|close|>think<|sep|>b",
        "think a | text b > end_turn",
    );
}

#[test]
fn the_reasoning_channel_is_read_too() {
    let reasoning = "so <tool_call>{\"name\":\"ls\",\"arguments\":{}}</tool_call>";
    let stages = HERMES.stages();
    let outcome = every_cut(&[Piece::Reasoning(reasoning)], |cut| {
        stages.run(cut, "stop")
    });
    assert_eq!(line(&outcome), "think so | call ls {} > tool_use");
}
