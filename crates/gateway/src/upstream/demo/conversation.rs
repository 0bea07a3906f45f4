//! How far the script has come, read from a request's history.

use serde_json::Value;

use super::directory;

/// The file the demo writes: also how it knows its own calls again, whatever ids and names they went through.
pub(super) const FILE_NAME: &str = "lingate-demo.md";

/// Stands in every closing text: a history that has it is over with the script.
pub(super) const CLOSING: &str = "That was lingate's built-in demo";

/// Stands in the file, and so in the arguments of the call that writes it but not of the one that reads it.
pub(super) const FILE_HEADING: &str = "# lingate demo";

/// What a request's history tells.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The client's working directory, where a message names it.
    pub(super) directory: Option<String>,
    /// What became of the call that writes the file.
    pub(super) written: Option<Outcome>,
    /// What became of the call that reads it.
    pub(super) read: Option<Outcome>,
    /// Whether the closing text has been said.
    pub(super) is_over: bool,
    /// Tool calls so far, anybody's: numbers the next one.
    pub(super) n_calls: usize,
    /// Whether a title for the conversation is asked for.
    pub(super) wants_title: bool,
}

/// What a tool call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It worked.
    Done,
    /// It did not; what the client said.
    Failed(String),
}

impl Conversation {
    /// Reads a Chat request.
    pub(super) fn of(body: &Value) -> Self {
        let mut conversation = Self::default();
        for message in items(body, "messages") {
            let text = text_of(message);
            match message.get("role").and_then(Value::as_str) {
                Some("assistant") => {
                    conversation.is_over |= text.contains(CLOSING);
                    for call in items(message, "tool_calls") {
                        conversation.take_call(call, body);
                    }
                }
                Some("tool") => {}
                _ => {
                    conversation.wants_title |= asks_for_title(&text);
                    if conversation.directory.is_none() {
                        conversation.directory = directory::named_in(&text);
                    }
                }
            }
        }
        conversation
    }

    fn take_call(&mut self, call: &Value, body: &Value) {
        self.n_calls += 1;
        let arguments = call
            .pointer("/function/arguments")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !arguments.contains(FILE_NAME) {
            return;
        }
        let outcome = Some(outcome_of(call, body));
        if arguments.contains(FILE_HEADING) {
            self.written = outcome;
        } else {
            self.read = outcome;
        }
    }
}

/// The result that answers `call`. A failure is known by how clients word one: the Chat wire has no flag for it.
fn outcome_of(call: &Value, body: &Value) -> Outcome {
    let id = call.get("id");
    let result =
        items(body, "messages").find(|message| id.is_some() && message.get("tool_call_id") == id);
    let Some(text) = result.map(text_of) else {
        return Outcome::Failed("there is no result".to_owned());
    };
    let start = text
        .trim_start_matches("<system>")
        .trim_start()
        .to_ascii_lowercase();
    if start.starts_with("error")
        || start.starts_with("<tool_use_error>")
        || start.starts_with("failed")
    {
        Outcome::Failed(text)
    } else {
        Outcome::Done
    }
}

fn asks_for_title(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("title")
        && ["generate", "write a title", "title generator"]
            .iter()
            .any(|word| text.contains(word))
}

/// A message's text: a string, or the text parts of a list.
fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
