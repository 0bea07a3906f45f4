//! What an answer says, read out of a body of any wire.

use std::borrow::Cow;

use bytestring::ByteString;
use lingate_wire::sse::SseParser;
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{Block, EmptyReply, Event, Reply, Sequencer, ToolInput, fold};
use lingate_wire::{Wire, bridge};

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Answer {
    /// What the model said.
    pub(crate) text: String,
    /// What it thought.
    pub(crate) thoughts: String,
    /// The tools it called.
    pub(crate) calls: Vec<Call>,
    /// Why it stopped, in the hub's words.
    pub(crate) stop: Option<&'static str>,
    /// Why there is none, or not all of it.
    pub(crate) failure: Option<String>,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON text, or free text.
    pub(crate) input: String,
}

/// Reads a body, streamed or whole. Total: what cannot be read is a failure with all that came before it.
pub(crate) fn read(wire: Wire, body: &[u8]) -> Answer {
    let text = Cow::from(
        body.utf8_chunks()
            .map(|chunk| chunk.valid())
            .collect::<String>(),
    );
    if is_stream(&text) {
        return stream(wire, body);
    }
    match bridge::decode_response(wire, &ByteString::from(text.as_ref())) {
        Ok(events) => said(&fold(events), None),
        Err(failure) => Answer {
            failure: Some(failure.message),
            ..Answer::default()
        },
    }
}

/// Whether a body is a stream of server-sent events.
pub(crate) fn is_stream(text: &str) -> bool {
    let begin = text.trim_start_matches(['\u{feff}', '\r', '\n', ' ']);
    ["data:", "event:", "id:", "retry:", ":"]
        .iter()
        .any(|field| begin.starts_with(field))
}

fn stream(wire: Wire, body: &[u8]) -> Answer {
    let mut frames = Vec::new();
    let mut parser = SseParser::new();
    let parsed = parser
        .push(lingate_store::Bytes::copy_from_slice(body), &mut frames)
        .and_then(|()| parser.finish(&mut frames));
    let mut decoder = bridge::stream_decoder(wire);
    let mut sink = Sink::new();
    for frame in frames {
        if !sink.has_fault() {
            decoder.on(frame, &mut sink);
        }
    }
    if !sink.has_fault() {
        decoder.end(End::Clean, &mut sink);
    }
    let failure = sink.take_fault().map(|failure| failure.message);
    let failure = failure.or(parsed.err().map(|error| error.to_string()));
    said(&fold(sequenced(sink.items)), failure)
}

/// In the order that can be put together; what is open at a fault is closed.
fn sequenced(events: Vec<Event>) -> Vec<Event> {
    let mut sequencer = Sequencer::new(EmptyReply::Pass);
    let mut sink = Sink::new();
    for event in events {
        sequencer.on(event, &mut sink);
    }
    sequencer.end(End::Truncated, &mut sink);
    sink.items
}

fn said(reply: &Reply, failure: Option<String>) -> Answer {
    let mut answer = Answer {
        stop: reply.stop.as_ref().map(|stop| stop.reason.name()),
        failure,
        ..Answer::default()
    };
    for block in &reply.blocks {
        match &**block {
            Block::Text { text, .. } | Block::Refusal(text) => answer.text.push_str(&text.decode()),
            Block::Thinking(thinking) => answer.thoughts.push_str(&thinking.text.decode()),
            Block::ToolUse(call) => answer.calls.push(Call {
                id: call.id.decode().into_owned(),
                name: call.name.decode().into_owned(),
                input: match &call.input {
                    ToolInput::Json(json) => json.to_string(),
                    ToolInput::Freeform(text) => text.decode().into_owned(),
                },
            }),
            Block::ToolResult(_)
            | Block::Image(_)
            | Block::Media(_)
            | Block::Document(_)
            | Block::ToolReference { .. }
            | Block::SearchResult(_)
            | Block::ServerTool(_)
            | Block::Foreign(_) => {}
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = concat!(
        "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n",
        "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\n",
        "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"Bash\",\"arguments\":\"{\\\"a\\\":1}\"}}]}}]}\n\n",
    );
    const END: &str = "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";

    #[test]
    fn streams_and_whole_replies() {
        let whole = read(Wire::Chat, format!("{CHAT}{END}").as_bytes());
        let call = Call {
            id: "c1".to_owned(),
            name: "Bash".to_owned(),
            input: "{\"a\":1}".to_owned(),
        };
        assert_eq!(whole.text, "Hello");
        assert_eq!(whole.calls, [call]);
        assert_eq!((whole.stop, whole.failure), (Some("tool_use"), None));
        let message = r#"{"type":"message","role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"s"},
            {"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{}}"#;
        let message = read(Wire::Anthropic, message.as_bytes());
        assert_eq!((&*message.thoughts, &*message.text), ("Hm", "Hi"));
        assert_eq!(message.stop, Some("end_turn"));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let cut = read(Wire::Chat, CHAT.as_bytes());
        assert_eq!((&*cut.text, cut.stop), ("Hello", None));
        assert!(read(Wire::Chat, b"<html>").failure.is_some());
        assert!(read(Wire::Chat, b"").failure.is_some());
        let error = b"data: {\"error\":{\"message\":\"The engine died\"}}\n\n";
        let failure = read(Wire::Chat, error).failure.unwrap();
        assert!(failure.contains("The engine died"), "{failure}");
    }
}
