//! What a stream of this wire may look like, as strictly as the strictest client reads it.
//!
//! The oracle of tests and fuzzing for everything that is emitted; never applied to what hosts send. It holds that every
//! response has one candidate whose parts are each of one kind, that a call's arguments are an object and its token
//! base64 (Python clients refuse others), that no comment or named event stands between them, and that a reply ends in one
//! `finishReason` with its usage, or in an error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use bytestring::ByteString;

use super::Framing;
use crate::json::{Kind, Value, scan};
use crate::sse::SseParser;

/// The first thing that is wrong with a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

type Checked = Result<(), Violation>;

/// Members of a part that say what it is.
const KINDS: [&str; 6] = [
    "text",
    "functionCall",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
];

/// Words for an end.
const FINISHES: [&str; 3] = ["STOP", "MAX_TOKENS", "SAFETY"];

/// Follows one stream.
#[derive(Debug)]
pub struct Acceptor {
    framing: Framing,
    body: Vec<u8>,
    responses: Responses,
}

impl Acceptor {
    /// An acceptor of one stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            body: Vec::new(),
            responses: Responses::default(),
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// A comment, which the SDKs of 2025 wait behind forever.
    pub fn feed(&mut self, bytes: &[u8]) -> Checked {
        self.body.extend_from_slice(bytes);
        let mut lines = self.body.split(|byte| *byte == b'\n');
        require(
            self.framing == Framing::Array || !lines.any(|line| line.starts_with(b":")),
            || "a comment stands in the stream".to_owned(),
        )
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// The first violation in it.
    pub fn finish(&mut self) -> Checked {
        let body = std::mem::take(&mut self.body);
        match self.framing {
            Framing::Sse => self.events(&body)?,
            Framing::Array => self.array(&body)?,
        }
        require(self.responses.is_over, || {
            "the stream ends without a finish reason or an error".to_owned()
        })
    }

    fn events(&mut self, body: &[u8]) -> Checked {
        require(body.ends_with(b"\n\n"), || {
            "the stream does not end in a blank line".to_owned()
        })?;
        let mut parser = SseParser::new();
        let mut frames = Vec::new();
        parser
            .push(Bytes::copy_from_slice(body), &mut frames)
            .map_err(|error| Violation(error.to_string()))?;
        for frame in frames {
            require(frame.event.is_none(), || "an event has a name".to_owned())?;
            let doc = scan(&frame.data).map_err(|error| Violation(error.to_string()))?;
            self.responses.response(doc.root())?;
        }
        Ok(())
    }

    fn array(&mut self, body: &[u8]) -> Checked {
        let body = ByteString::try_from(Bytes::copy_from_slice(body))
            .map_err(|error| Violation(error.to_string()))?;
        let doc = scan(&body).map_err(|error| Violation(error.to_string()))?;
        require(doc.root().kind() == Kind::Array, || {
            "the body is not an array".to_owned()
        })?;
        doc.root()
            .items()
            .try_for_each(|item| self.responses.response(item))
    }
}

/// Judges the body of a reply that is not streamed.
///
/// # Errors
/// The first violation in it.
pub fn accept_response(body: &[u8]) -> Checked {
    let body = ByteString::try_from(Bytes::copy_from_slice(body))
        .map_err(|error| Violation(error.to_string()))?;
    let doc = scan(&body).map_err(|error| Violation(error.to_string()))?;
    let mut responses = Responses::default();
    responses.response(doc.root())?;
    require(responses.is_over, || "the reply has no end".to_owned())
}

#[derive(Debug, Default)]
struct Responses {
    /// `modelVersion` and `responseId` of the first.
    head: Option<[String; 2]>,
    call_ids: Vec<String>,
    is_over: bool,
}

impl Responses {
    fn response(&mut self, root: Value<'_>) -> Checked {
        require(!self.is_over, || {
            format!("something follows the end: {}", root.raw())
        })?;
        if let Some(error) = root.get("error") {
            self.is_over = true;
            return error_object(error);
        }
        let head = ["modelVersion", "responseId"].map(|key| {
            root.get(key)
                .and_then(Value::str)
                .unwrap_or_default()
                .into_owned()
        });
        require(head.iter().all(|value| !value.is_empty()), || {
            format!(
                "a response lacks modelVersion or responseId: {}",
                root.raw()
            )
        })?;
        let first = self.head.get_or_insert_with(|| head.clone());
        require(*first == head, || {
            "modelVersion or responseId changes".to_owned()
        })?;
        let candidates: Vec<Value<'_>> = root
            .get("candidates")
            .into_iter()
            .flat_map(Value::items)
            .collect();
        let [candidate] = candidates.as_slice() else {
            return Err(Violation("a response has not one candidate".to_owned()));
        };
        self.candidate(*candidate)?;
        let has_usage = root.get("usageMetadata").is_some();
        require(has_usage == self.is_over, || {
            "usage stands elsewhere than at the end".to_owned()
        })?;
        root.get("usageMetadata").map_or(Ok(()), usage)
    }

    fn candidate(&mut self, candidate: Value<'_>) -> Checked {
        let content = candidate.get("content");
        let is_model = content
            .and_then(|content| content.get("role"))
            .is_some_and(|role| role.is_str("model"));
        require(is_model, || "a content's role is not `model`".to_owned())?;
        let parts: Vec<Value<'_>> = content
            .and_then(|content| content.get("parts"))
            .into_iter()
            .flat_map(Value::items)
            .collect();
        require(!parts.is_empty(), || "a content has no parts".to_owned())?;
        parts.into_iter().try_for_each(|part| self.part(part))?;
        if let Some(reason) = candidate.get("finishReason") {
            self.is_over = true;
            require(FINISHES.iter().any(|word| reason.is_str(word)), || {
                format!("a finish reason is unknown: {}", reason.raw())
            })?;
        }
        Ok(())
    }

    fn part(&mut self, part: Value<'_>) -> Checked {
        let kinds = KINDS.iter().filter(|kind| part.get(kind).is_some()).count();
        require(kinds == 1, || {
            format!("a part is not of one kind: {}", part.raw())
        })?;
        if let Some(token) = part.get("thoughtSignature") {
            let is_base64 = token
                .str()
                .is_some_and(|token| STANDARD.decode(token.as_bytes()).is_ok());
            require(is_base64, || {
                format!("a token is not base64: {}", token.raw())
            })?;
        }
        let Some(call) = part.get("functionCall") else {
            return Ok(());
        };
        let text = |key: &str| {
            call.get(key)
                .and_then(Value::str)
                .unwrap_or_default()
                .into_owned()
        };
        require(!text("name").is_empty(), || "a call has no name".to_owned())?;
        let is_object = call
            .get("args")
            .is_some_and(|args| args.kind() == Kind::Object);
        require(is_object, || {
            "a call's arguments are not an object".to_owned()
        })?;
        let id = text("id");
        require(!id.is_empty() && !self.call_ids.contains(&id), || {
            format!("a call's id is empty or taken: `{id}`")
        })?;
        self.call_ids.push(id);
        Ok(())
    }
}

fn usage(usage: Value<'_>) -> Checked {
    let count = |key: &str| usage.get(key).and_then(Value::u64);
    let sum = count("promptTokenCount")
        .zip(count("candidatesTokenCount"))
        .map(|(prompt, candidates)| {
            prompt
                .saturating_add(candidates)
                .saturating_add(count("thoughtsTokenCount").unwrap_or(0))
        });
    require(sum.is_some() && sum == count("totalTokenCount"), || {
        format!("the usage does not add up: {}", usage.raw())
    })
}

fn error_object(error: Value<'_>) -> Checked {
    let is_whole = error
        .get("code")
        .and_then(Value::u64)
        .is_some_and(|code| code >= 400)
        && error.get("message").and_then(Value::str).is_some()
        && error.get("status").and_then(Value::str).is_some();
    require(is_whole, || {
        format!("an error lacks code, message or status: {}", error.raw())
    })
}

fn require(holds: bool, complaint: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Violation(complaint()))
    }
}
