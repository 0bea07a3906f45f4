//! The request vectors: what a Kimi upstream must be sent.

use lingate_quirk::{ReasoningHistory, Settings};
use serde_json::Value;

use crate::translate::Upstream;

const VECTORS: &str = include_str!("../../testdata/requests.jsonl");

fn check(upstream: &Upstream) {
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let id = vector["id"].as_str().unwrap();
        // Q03 is about the policy; the other vectors hold under every policy.
        let upstream = upstream.clone().with(Settings {
            reasoning_history: if id == "Q03" {
                ReasoningHistory::Placeholder
            } else {
                ReasoningHistory::Auto
            },
            ..Settings::default()
        });
        let sent = upstream.send(&vector["anthropic"]).json();
        assert_eq!(
            sent["messages"], vector["openai_messages"],
            "{id}: {} at {}",
            vector["note"], upstream.model
        );
    }
}

#[test]
fn moonshot_is_sent_what_the_vectors_say() {
    check(&Upstream::moonshot());
}

#[test]
fn other_hosts_of_kimi_are_sent_what_the_vectors_say() {
    check(&Upstream::third_party());
    check(&Upstream::new(&["kimi-k2-implicit"], "kimi-k2.6"));
}

#[test]
fn without_the_placeholder_policy_missing_reasoning_is_left_out() {
    let q03 = VECTORS
        .lines()
        .find(|line| line.contains(r#""id": "Q03""#))
        .unwrap();
    let vector: Value = serde_json::from_str(q03).unwrap();
    let sent = Upstream::moonshot().send(&vector["anthropic"]).json();
    assert_eq!(sent["messages"][1].get("reasoning_content"), None);
}

#[test]
fn the_placeholder_comes_even_if_the_client_says_nothing_about_thinking() {
    let request = serde_json::json!({ "messages": [
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "ls", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": "ok" }] },
    ] });
    for upstream in [
        Upstream::new(&["deepseek"], "deepseek-v4-pro"),
        Upstream::moonshot().with(Settings {
            reasoning_history: ReasoningHistory::Placeholder,
            ..Settings::default()
        }),
    ] {
        let sent = upstream.send(&request).json();
        assert_eq!(sent["messages"][1]["reasoning_content"], " ", "{sent}");
    }
}
