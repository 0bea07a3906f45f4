//! What a request says about the conversation so far, on any wire.

use serde_json::Value;

use crate::Received;
use crate::wire::Wire;

/// A request's tools and messages.
pub(crate) struct Conversation {
    /// Names of the tools that are offered.
    pub(crate) tools: Vec<String>,
    messages: Vec<Message>,
}

/// The conversation after the message that names the scenario.
pub(crate) struct Past {
    /// Answers of the model.
    pub(crate) answers: usize,
    /// Its calls.
    pub(crate) calls: usize,
    /// The texts of their results.
    pub(crate) results: Vec<String>,
}

#[derive(PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    Other,
}

struct Message {
    role: Role,
    text: String,
    calls: usize,
    results: Vec<String>,
}

impl Conversation {
    pub(crate) fn read(request: &Received) -> Conversation {
        let body = request.json();
        let tools = list(&body["tools"]).iter();
        let (tools, messages): (Vec<String>, Vec<Message>) = match request.wire() {
            Wire::Chat => (
                tools.filter_map(|tool| name(&tool["function"])).collect(),
                list(&body["messages"]).iter().map(Message::read).collect(),
            ),
            Wire::Anthropic => (
                tools.filter_map(name).collect(),
                list(&body["messages"]).iter().map(Message::read).collect(),
            ),
            Wire::Responses => (
                tools.filter_map(name).collect(),
                Message::of_input(&body["input"]),
            ),
            Wire::Gemini => (
                tools
                    .flat_map(|tool| list(&tool["functionDeclarations"]))
                    .filter_map(name)
                    .collect(),
                list(&body["contents"])
                    .iter()
                    .map(Message::of_content)
                    .collect(),
            ),
        };
        Conversation { tools, messages }
    }

    /// What came after the user's first message that contains `marker`.
    pub(crate) fn after(&self, marker: &str) -> Option<Past> {
        let start = self
            .messages
            .iter()
            .position(|message| message.role == Role::User && message.text.contains(marker))?;
        let past = &self.messages[start..];
        // Consecutive assistant messages are one answer that was sent back in parts.
        let answers = past
            .windows(2)
            .filter(|pair| pair[0].role != Role::Assistant && pair[1].role == Role::Assistant)
            .count();
        Some(Past {
            answers,
            calls: past.iter().map(|message| message.calls).sum(),
            results: past
                .iter()
                .flat_map(|message| message.results.clone())
                .collect(),
        })
    }
}

impl Message {
    /// A message of the Chat or the Anthropic wire.
    fn read(message: &Value) -> Message {
        let blocks = list(&message["content"]);
        let of_type = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
        let results = match message["role"].as_str() {
            Some("tool") => vec![text_of(&message["content"])],
            _ => of_type("tool_result")
                .map(|block| text_of(&block["content"]))
                .collect(),
        };
        Message {
            role: Role::of(&message["role"]),
            text: text_of(&message["content"]),
            calls: list(&message["tool_calls"]).len() + of_type("tool_use").count(),
            results,
        }
    }

    /// The input of the Responses wire: items, or what the user says.
    fn of_input(input: &Value) -> Vec<Message> {
        match input {
            Value::String(said) => vec![Message::of_item(
                &serde_json::json!({"role": "user", "content": said}),
            )],
            items => list(items).iter().map(Message::of_item).collect(),
        }
    }

    /// An item of the Responses wire.
    fn of_item(item: &Value) -> Message {
        let (role, calls, results) = match item["type"].as_str() {
            Some("function_call" | "custom_tool_call") => (Role::Assistant, 1, Vec::new()),
            Some("reasoning") => (Role::Assistant, 0, Vec::new()),
            Some("function_call_output" | "custom_tool_call_output") => {
                (Role::Other, 0, vec![text_of(&item["output"])])
            }
            _ => (Role::of(&item["role"]), 0, Vec::new()),
        };
        Message {
            role,
            text: text_of(&item["content"]),
            calls,
            results,
        }
    }

    /// A content of the Gemini wire.
    fn of_content(content: &Value) -> Message {
        let parts = list(&content["parts"]);
        let responses = parts.iter().filter_map(|part| part.get("functionResponse"));
        let said = parts.iter().filter(|part| part["thought"] != true);
        Message {
            role: Role::of(&content["role"]),
            text: said
                .filter_map(|part| part["text"].as_str())
                .collect::<Vec<_>>()
                .join("\n"),
            calls: parts
                .iter()
                .filter(|part| part.get("functionCall").is_some())
                .count(),
            results: responses
                .map(|response| {
                    let said = &response["response"];
                    // As Google's SDKs and the frameworks on them word it.
                    let known = ["output", "result", "content"].map(|key| said[key].as_str());
                    let text = known.into_iter().flatten().next();
                    text.map_or_else(|| said.to_string(), str::to_owned)
                })
                .collect(),
        }
    }
}

impl Role {
    fn of(role: &Value) -> Role {
        match role.as_str() {
            Some("user") => Role::User,
            Some("assistant" | "model") => Role::Assistant,
            _ => Role::Other,
        }
    }
}

/// The text of a content, as one string or as text blocks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        _ => list(content)
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn name(tool: &Value) -> Option<String> {
    tool["name"].as_str().map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
