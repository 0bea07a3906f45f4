//! Qwen3-Coder: its vectors, and what they leave open.

use serde_json::{Value, json};

use super::kimi_k2::line;
use super::{Piece, Setting, Stages, every_cut};
use crate::translate::Upstream;

const VECTORS: &str = include_str!("../../../testdata/other.jsonl");

fn stages() -> Stages {
    let head: Value = serde_json::from_str(VECTORS.lines().next().unwrap()).unwrap();
    Setting::new(
        Upstream::new(&["qwen3-coder"], "qwen3-coder"),
        &head["tools"],
    )
    .stages()
}

#[test]
fn every_vector_at_every_cut() {
    let stages = stages();
    let vectors = VECTORS
        .lines()
        .skip(1)
        .map(|line| -> Value { serde_json::from_str(line).unwrap() });
    let mut n_vectors = 0;
    for vector in vectors.filter(|vector| vector["format"] == "qwen3_coder") {
        n_vectors += 1;
        let raw = vector["raw"].as_str().unwrap();
        let outcome = every_cut(&[Piece::Content(raw)], |cut| stages.run(cut, "stop"));
        let mut text = String::new();
        let mut calls = Vec::new();
        for block in &outcome.blocks {
            match block[0].as_str() {
                "tool" => calls.push(json!([
                    block[1],
                    serde_json::from_str::<Value>(&block[2]).unwrap()
                ])),
                _ => text.push_str(&block[1]),
            }
        }
        assert_eq!(text, vector["expect"]["text"], "{vector}");
        assert_eq!(Value::from(calls), vector["expect"]["calls"], "{vector}");
    }
    assert_eq!(n_vectors, 4);
}

#[track_caller]
fn check(content: &str, finish: &str, expected: &str) {
    let stages = stages();
    let outcome = every_cut(&[Piece::Content(content)], |cut| stages.run(cut, finish));
    assert_eq!(line(&outcome), expected, "{content}");
}

#[test]
fn text_around_calls_stays() {
    check(
        "A <tool_call><function=Write><parameter=path>test.txt</parameter><parameter=content>Hello World!</parameter></function></tool_call> B",
        "stop",
        r#"text A | call Write {"path":"test.txt","content":"Hello World!"} | text B > tool_use"#,
    );
    for prose in [
        "Use <tool_call> for it",
        "<tool_call>\n",
        "<function=",
        "<function=a b c",
        "a <function=>",
        "a < b </p>",
        "`<function=x`",
    ] {
        check(prose, "stop", &format!("text {prose} > end_turn"));
    }
}

#[test]
fn what_is_missing() {
    let good = r#"call Write {"path":"a","content":"b"} > tool_use"#;
    check(
        "<tool_call><function=Write><parameter=path>a<parameter=content>b</function></tool_call>",
        "stop",
        good,
    );
    check(
        "<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nb\n</parameter>\n</function>",
        "stop",
        good,
    );
    check(
        "<tool_call><function=Write><parameter=path>a</parameter><parameter=content>b</parameter></tool_call>",
        "stop",
        good,
    );
    check(
        "<tool_call><function=Write><parameter=path>a</parameter><parameter=content>b</parameter></function>",
        "stop",
        good,
    );
}

#[test]
fn half_a_call_ends_normally_only_by_the_limit() {
    let half = "x <function=Write><parameter=path>a</parameter><parameter=content>b";
    check(
        half,
        "length",
        r#"text x | call Write {"path":"a","content":"b > max_tokens"#,
    );
    check(
        half,
        "stop",
        r#"text x | call Write {"path":"a","content":"b > BrokenToolCall"#,
    );
}
