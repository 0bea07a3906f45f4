//! The built-in demo: a scripted upstream on the Chat wire, for trying lingate without a key.
//!
//! It is no model and reaches no network: it greets, has the client's own tools write a small file and read it back, and
//! says what to do next. Which step comes next follows from the history in the request alone, so nothing is kept
//! between requests. Every answer says that it is a demo, or carries the word where there is no room for a sentence.

use serde_json::Value;

mod conversation;
mod directory;
mod schema;
mod script;
mod speech;
mod tools;

pub(crate) use speech::Step;

/// Answers one Chat Completions request.
///
/// A streamed reply comes as the stream's events with the pause that goes before each; any other as a single step that
/// holds the whole JSON body. Total: a body that is not a Chat request is answered like a conversation without tools.
pub(crate) fn reply(request: &[u8]) -> Vec<Step> {
    let body = serde_json::from_slice(request).unwrap_or(Value::Null);
    let answer = script::answer(&body);
    speech::steps(&body, request.len(), answer)
}

#[cfg(test)]
mod tests;
