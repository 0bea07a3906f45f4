//! Claude Code's requests as a Chat host is sent them: bodies and losses, for review.

use bytestring::ByteString;
use lingate_wire::{anthropic, chat};
use serde_json::{Value, json};

use crate::chat_chain::{fixture, fixtures, lines, translated};

/// The last request of each recorded session.
#[test]
fn recorded_sessions() {
    for (name, text) in fixtures("chat/claude-code") {
        let (body, losses) = translated(text.lines().last().unwrap(), &chat::Dialect::default());
        insta::assert_snapshot!(name, review(&body, &losses));
    }
}

/// One session for a host that takes everything there is.
#[test]
fn a_host_that_takes_everything() {
    let dialect = chat::Dialect {
        max_tokens: chat::MaxTokens::MaxCompletionTokens,
        thinking: chat::ThinkingStyle::Reasoning,
        reasoning: chat::ReasoningField::ReasoningDetails,
        cache: chat::CacheSpelling::CacheControl,
        has_cache_key: true,
        has_strict: true,
        has_top_k: true,
        ..chat::Dialect::default()
    };
    let text = fixture("chat/claude-code/steps.jsonl");
    let (body, losses) = translated(text.lines().last().unwrap(), &dialect);
    insta::assert_snapshot!(review(&body, &losses));
}

/// A message or tool a line, so that a change is a line in review.
fn review(body: &str, losses: &[String]) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let mut out = String::new();
    for (key, value) in body.as_object().unwrap() {
        match value
            .as_array()
            .filter(|_| key == "messages" || key == "tools")
        {
            Some(items) => {
                out.push_str(&format!("{key}:\n"));
                items
                    .iter()
                    .for_each(|item| out.push_str(&format!("  {item}\n")));
            }
            None => out.push_str(&format!("{key}: {value}\n")),
        }
    }
    out.push_str("losses:\n");
    losses
        .iter()
        .for_each(|loss| out.push_str(&format!("  {loss}\n")));
    out
}

/// The request vectors. Their ids are recounted for one model family, which is a quirk's work: here the client's stand.
#[test]
fn request_vectors() {
    for vector in lines("vectors/req.jsonl") {
        let id = vector["id"].as_str().unwrap();
        let mut request = vector["anthropic"].clone();
        request["model"] = json!("m");
        request["max_tokens"] = json!(1);
        let dialect = chat::Dialect {
            // Q03 is about the placeholder; the other vectors are of hosts that ask for none.
            missing_reasoning: (id == "Q03").then_some(" "),
            ..chat::Dialect::default()
        };
        let (body, _) = translated(&request.to_string(), &dialect);
        let body: Value = serde_json::from_str(&body).unwrap();
        let expected = with_client_ids(vector["openai_messages"].clone(), &request["messages"]);
        assert_eq!(body["messages"], expected, "{id} {}", vector["note"]);
    }
}

/// Puts the client's ids back, call by call in order.
fn with_client_ids(messages: Value, client: &Value) -> Value {
    let parts = |message: &Value| message["content"].as_array().cloned().unwrap_or_default();
    let own: Vec<Value> = client
        .as_array()
        .unwrap()
        .iter()
        .flat_map(parts)
        .filter(|part| part["type"] == "tool_use")
        .map(|part| part["id"].clone())
        .collect();
    let calls = |message: &Value| {
        message["tool_calls"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let theirs: Vec<Value> = messages
        .as_array()
        .unwrap()
        .iter()
        .flat_map(calls)
        .map(|call| call["id"].clone())
        .collect();
    let mut text = messages.to_string();
    for (own, theirs) in own.iter().zip(&theirs) {
        text = text.replace(&theirs.to_string(), &own.to_string());
    }
    serde_json::from_str(&text).unwrap()
}

/// Nothing is left when only a provider's own tools were declared.
#[test]
fn hosted_tools_alone_cannot_be_served() {
    let unservable = |body: &str| {
        let doc = anthropic::scan_request(&ByteString::from(body)).unwrap();
        chat::unservable_tools(&anthropic::decode_request(&doc).unwrap().turn)
            .map(|tool| (tool.name.to_string(), tool.is_run_by_client))
    };
    assert_eq!(
        unservable(fixture("chat/claude-code/websearch.jsonl").trim()),
        Some(("web_search".to_owned(), false))
    );
    for (kind, name) in [
        ("text_editor_20250728", "str_replace_based_edit_tool"),
        ("bash_20250124", "bash"),
        ("memory_20250818", "memory"),
        ("computer_20250124", "computer"),
    ] {
        let body = format!(
            r#"{{"model":"m","max_tokens":1,"messages":[],"tools":[{{"type":"{kind}","name":"{name}"}}]}}"#
        );
        assert_eq!(unservable(&body), Some((name.to_owned(), true)));
    }
    assert_eq!(
        unservable(
            fixture("chat/claude-code/steps.jsonl")
                .lines()
                .next()
                .unwrap()
        ),
        None
    );
    assert_eq!(
        unservable(r#"{"model":"m","max_tokens":1,"messages":[]}"#),
        None
    );
}
