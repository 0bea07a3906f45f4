//! What is asked of a provider, as far as it tells which answer belongs to it.

use lingate_wire::Wire;
use serde_json::Value;

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A reply.
    Reply(Wire),
    /// How many tokens a request has.
    Count(Wire),
}

impl Endpoint {
    /// Of a path without its query, wherever the API's root is.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (_, name) = path.rsplit_once('/')?;
        let method = name.rsplit_once(':').map(|(_, method)| method);
        Some(match (name, method) {
            (_, Some("generateContent" | "streamGenerateContent")) => Self::Reply(Wire::Gemini),
            (_, Some("countTokens")) => Self::Count(Wire::Gemini),
            (_, Some("rawPredict" | "streamRawPredict")) => Self::Reply(Wire::Anthropic),
            ("messages", _) => Self::Reply(Wire::Anthropic),
            ("count_tokens", _) => Self::Count(Wire::Anthropic),
            ("completions", _) => Self::Reply(Wire::Chat),
            ("responses", _) => Self::Reply(Wire::Responses),
            ("input_tokens", _) => Self::Count(Wire::Responses),
            _ => return None,
        })
    }

    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::Reply(wire) | Self::Count(wire) => wire,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) streams: bool,
    /// Messages of the conversation: its place in the session.
    pub(super) messages: usize,
    pub(super) tools: usize,
    /// Whether the stream is to be server-sent events (Gemini has another form).
    pub(super) is_sse: bool,
    /// Whether a Chat client wants usage on its stream.
    pub(super) sends_usage: bool,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// `None` if no wire has such a path.
    pub(super) fn new(path: &str, query: &str, body: Vec<u8>) -> Option<Self> {
        let endpoint = Endpoint::of(path)?;
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let length = |name: &str| json.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        let in_path = path
            .rsplit_once('/')
            .and_then(|(_, name)| name.rsplit_once(':'));
        let model = match in_path {
            Some((model, _)) => model,
            None => json
                .get("model")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        };
        let said = json.get("stream").and_then(Value::as_bool).unwrap_or(false);
        let usage = json.pointer("/stream_options/include_usage");
        Some(Self {
            endpoint,
            model: model.to_owned(),
            streams: said || in_path.is_some_and(|(_, method)| method.starts_with("stream")),
            messages: ["messages", "input", "contents"]
                .iter()
                .map(|name| length(name))
                .sum(),
            tools: length("tools"),
            is_sse: query.split('&').any(|pair| pair == "alt=sse"),
            sends_usage: usage.and_then(Value::as_bool).unwrap_or(false),
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_every_wire() {
        use Endpoint::{Count, Reply};
        for (path, expected) in [
            ("/v1/messages", Some(Reply(Wire::Anthropic))),
            (
                "/anthropic/v1/messages/count_tokens",
                Some(Count(Wire::Anthropic)),
            ),
            ("/v1/chat/completions", Some(Reply(Wire::Chat))),
            ("/v1/responses", Some(Reply(Wire::Responses))),
            ("/v1/responses/input_tokens", Some(Count(Wire::Responses))),
            (
                "/v1beta/models/g-1:streamGenerateContent",
                Some(Reply(Wire::Gemini)),
            ),
            ("/v1beta/models/g-1:countTokens", Some(Count(Wire::Gemini))),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/c:streamRawPredict",
                Some(Reply(Wire::Anthropic)),
            ),
            ("/v1/models", None),
            ("", None),
        ] {
            assert_eq!(Endpoint::of(path), expected, "{path}");
        }
    }

    #[test]
    fn what_tells_requests_apart() {
        let body = br#"{"model":"m","stream":true,"messages":[{},{}],"tools":[{}]}"#.to_vec();
        let asked = Asked::new("/v1/chat/completions", "", body).unwrap();
        assert_eq!(
            (&*asked.model, asked.streams, asked.messages, asked.tools),
            ("m", true, 2, 1)
        );
        let asked = Asked::new(
            "/v1beta/models/g-1:streamGenerateContent",
            "alt=sse",
            b"{\"contents\":[{}]}".to_vec(),
        );
        let asked = asked.unwrap();
        assert_eq!(
            (&*asked.model, asked.streams, asked.messages, asked.is_sse),
            ("g-1", true, 1, true)
        );
        assert!(
            !Asked::new("/v1/messages", "", b"no json".to_vec())
                .unwrap()
                .streams
        );
    }
}
