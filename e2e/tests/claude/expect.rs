//! What holds for every request that a foreign provider gets on behalf of Claude Code.

use std::sync::Arc;

use lingate_e2e::Provider;
use lingate_testkit::{Agent, Received, Upstream, complaints};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Asserts that a strict provider of the Chat wire would have taken every request, and that the scripted model was
/// never asked for the impossible. Returns the requests.
pub(crate) fn sound(upstream: &Upstream, agent: &Agent) -> Vec<Received> {
    let requests = upstream.requests();
    assert!(!requests.is_empty(), "the provider was never asked");
    for request in &requests {
        assert_eq!(request.path(), "/v1/chat/completions");
        assert_eq!(
            request.header("authorization"),
            format!("Bearer {}", Provider::KEY),
            "request {}",
            request.n
        );
        let complaints = complaints(request);
        assert!(
            complaints.is_empty(),
            "request {}: {complaints:#?}\n{}",
            request.n,
            request.text()
        );
    }
    assert_eq!(agent.faults(), [""; 0]);
    requests
}

/// Runs sessions, two at a time, all of them to their end; fails if one did.
pub(crate) async fn all<S>(sessions: impl IntoIterator<Item = S>)
where
    S: Future + Send + 'static,
    S::Output: Send + 'static,
{
    let seats = Arc::new(Semaphore::new(2));
    let mut running = JoinSet::new();
    for session in sessions {
        let seats = Arc::clone(&seats);
        running.spawn(async move {
            let _seat = seats.acquire_owned().await;
            session.await
        });
    }
    let mut failed = Vec::new();
    while let Some(ended) = running.join_next().await {
        failed.extend(ended.err().map(|error| error.to_string()));
    }
    assert!(failed.is_empty(), "see above: {failed:?}");
}

/// The requests of the conversation that contains `marker`.
pub(crate) fn conversation<'a>(requests: &'a [Received], marker: &str) -> Vec<&'a Received> {
    requests
        .iter()
        .filter(|request| {
            texts(request, "user")
                .iter()
                .any(|text| text.contains(marker))
        })
        .collect()
}

/// Asserts that every request repeats the messages of the one before byte by byte: the provider's prompt cache
/// depends on it.
pub(crate) fn prefix_is_stable(conversation: &[&Received]) {
    for pair in conversation.windows(2) {
        let (earlier, later) = (raw_messages(pair[0]), raw_messages(pair[1]));
        assert!(
            earlier.len() < later.len(),
            "request {} is no continuation of {}",
            pair[1].n,
            pair[0].n
        );
        for (n, (before, after)) in earlier.iter().zip(&later).enumerate() {
            assert_eq!(
                before.get(),
                after.get(),
                "message {n} differs between requests {} and {}",
                pair[0].n,
                pair[1].n
            );
        }
    }
}

/// Text of all messages of a role, in order.
pub(crate) fn texts(request: &Received, role: &str) -> Vec<String> {
    let body = request.json();
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .filter(|message| message["role"] == role)
        .map(|message| text(&message["content"]))
        .collect()
}

/// Names of the tools that the provider was offered.
pub(crate) fn tools(request: &Received) -> Vec<String> {
    let body = request.json();
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    tools
        .iter()
        .filter_map(|tool| Some(tool["function"]["name"].as_str()?.to_owned()))
        .collect()
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        _ => content
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .collect(),
    }
}

fn raw_messages(request: &Received) -> Vec<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Body {
        messages: Vec<Box<RawValue>>,
    }
    let body: Body = serde_json::from_slice(&request.body).expect("a sound request has messages");
    body.messages
}
