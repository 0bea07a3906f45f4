//! What a stream of this wire may look like, as strictly as the strictest client reads it.
//!
//! The oracle of tests, fuzzing and debug builds for everything that is emitted; never applied to what hosts send. Beyond
//! the order of chunks it holds that all carry one id, that calls are numbered from zero and grow one after the other,
//! that a call's arguments are one JSON object unless the token limit cut them, and that `finish_reason` fits the calls.

use bytes::Bytes;

use crate::json::{Doc, Kind, Value, scan, scan_reply};
use crate::sse::{Frame, SseParser};

/// The first thing that is wrong with a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Follows one stream.
#[derive(Debug, Default)]
pub struct Acceptor {
    parser: SseParser,
    place: Place,
    /// `id`, `object`, `created` and `model` of the first chunk, as received.
    head: Option<[String; 4]>,
    calls: Vec<Call>,
    /// The call is a `function_call`.
    is_function: bool,
    tail: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    BeforeRole,
    InReply,
    BehindFinish,
    BehindUsage,
    Ended,
}

#[derive(Debug)]
struct Call {
    id: String,
    is_freeform: bool,
    input: String,
}

type Checked = Result<(), Violation>;

impl Acceptor {
    /// An acceptor of one stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// The first violation in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Checked {
        let mut frames = Vec::new();
        let parsed = self.parser.push(Bytes::copy_from_slice(bytes), &mut frames);
        parsed.map_err(|error| Violation(error.to_string()))?;
        for frame in &frames {
            self.frame(frame)?;
        }
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(2);
        self.tail.drain(..surplus);
        Ok(())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// It does not end in `[DONE]` or an error, or without a blank line.
    pub fn finish(&self) -> Checked {
        require(self.place == Place::Ended, || {
            "the stream ends without `[DONE]` or an error".to_owned()
        })?;
        require(self.tail == b"\n\n", || {
            "the stream does not end in a blank line".to_owned()
        })
    }

    fn frame(&mut self, frame: &Frame) -> Checked {
        require(frame.event.is_none(), || "an event has a name".to_owned())?;
        require(self.place != Place::Ended, || {
            format!("something follows the end: {}", frame.data)
        })?;
        if &*frame.data == "[DONE]" {
            let is_finished = matches!(self.place, Place::BehindFinish | Place::BehindUsage);
            self.place = Place::Ended;
            return require(is_finished, || {
                "`[DONE]` without a finish reason".to_owned()
            });
        }
        let doc = scan(&frame.data).map_err(|error| Violation(error.to_string()))?;
        if let Some(error) = doc.root().get("error") {
            self.place = Place::Ended;
            return error_object(error);
        }
        self.chunk(&doc)
    }

    fn chunk(&mut self, doc: &Doc) -> Checked {
        let root = doc.root();
        let head = ["id", "object", "created", "model"].map(|key| {
            root.get(key)
                .map(|value| value.raw().to_owned())
                .unwrap_or_default()
        });
        require(head.iter().all(|value| !value.is_empty()), || {
            format!("a chunk lacks id, object, created or model: {}", root.raw())
        })?;
        require(
            root.get("object")
                .is_some_and(|object| object.is_str("chat.completion.chunk")),
            || "an object is not a chunk".to_owned(),
        )?;
        let first = self.head.get_or_insert_with(|| head.clone());
        require(*first == head, || {
            format!("the head of a chunk changes: {}", root.raw())
        })?;
        let choices = root
            .get("choices")
            .filter(|choices| choices.kind() == Kind::Array);
        let choices: Vec<Value<'_>> = require_some(choices, "a chunk has no choices")?
            .items()
            .collect();
        match choices.as_slice() {
            [] => self.usage(root),
            [choice] => self.choice(*choice),
            _ => Err(Violation("a chunk has several choices".to_owned())),
        }
    }

    fn usage(&mut self, root: Value<'_>) -> Checked {
        require(self.place == Place::BehindFinish, || {
            "usage does not stand behind the finish reason".to_owned()
        })?;
        self.place = Place::BehindUsage;
        let usage = require_some(root.get("usage"), "a chunk without choices has no usage")?;
        for key in ["prompt_tokens", "completion_tokens", "total_tokens"] {
            require_some(usage.get(key).and_then(Value::u64), "usage lacks a count")?;
        }
        Ok(())
    }

    fn choice(&mut self, choice: Value<'_>) -> Checked {
        require(choice.get("index").and_then(Value::u64) == Some(0), || {
            "a choice is not number 0".to_owned()
        })?;
        let delta = require_some(
            choice
                .get("delta")
                .filter(|delta| delta.kind() == Kind::Object),
            "a choice has no delta",
        )?;
        let has_role = delta
            .get("role")
            .is_some_and(|role| role.is_str("assistant"));
        match self.place {
            Place::BeforeRole => {
                require(has_role, || {
                    "the first delta does not say the role".to_owned()
                })?;
                self.place = Place::InReply;
            }
            Place::InReply => require(delta.get("role").is_none(), || {
                "the role is said twice".to_owned()
            })?,
            Place::BehindFinish | Place::BehindUsage | Place::Ended => {
                return Err(Violation("a choice follows the finish reason".to_owned()));
            }
        }
        self.delta(delta)?;
        let finish = require_some(choice.get("finish_reason"), "a choice has no finish_reason")?;
        match finish.str() {
            None => require(finish.is_null(), || "a finish reason is no word".to_owned()),
            Some(word) => self.finished(&word),
        }
    }

    fn delta(&mut self, delta: Value<'_>) -> Checked {
        for (key, value) in delta.members() {
            match &*key {
                "role" => {}
                "content" | "refusal" | "reasoning_content" => {
                    require(value.kind() == Kind::String, || {
                        format!("{key} is no string")
                    })?;
                }
                "reasoning_details" | "images" => {
                    require(value.kind() == Kind::Array, || format!("{key} is no list"))?
                }
                "function_call" => self.function(value)?,
                "tool_calls" => {
                    for call in value.items() {
                        self.call(call)?;
                    }
                }
                other => {
                    return Err(Violation(format!(
                        "a delta has a member that no client knows: {other}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn call(&mut self, call: Value<'_>) -> Checked {
        let index = require_some(
            call.get("index").and_then(Value::u64),
            "a call has no index",
        )?;
        let n_calls = self.calls.len() as u64;
        let is_freeform = call.get("custom").is_some();
        let (body, input) = if is_freeform {
            ("custom", "input")
        } else {
            ("function", "arguments")
        };
        let body = require_some(call.get(body), "a call has no function")?;
        if index == n_calls {
            let id = call
                .get("id")
                .and_then(Value::str)
                .unwrap_or_default()
                .into_owned();
            require(!id.is_empty(), || "a call begins without an id".to_owned())?;
            require(self.calls.iter().all(|other| other.id != id), || {
                format!("two calls have the id {id}")
            })?;
            require(
                body.get("name")
                    .and_then(Value::str)
                    .is_some_and(|name| !name.is_empty()),
                || format!("call {id} begins without a name"),
            )?;
            require(call.get("type").is_some(), || {
                format!("call {id} begins without a type")
            })?;
            self.calls.push(Call {
                id,
                is_freeform,
                input: String::new(),
            });
        } else {
            require(index + 1 == n_calls, || {
                format!("call number {index} is not the open one")
            })?;
            require(
                call.get("id").is_none() && body.get("name").is_none(),
                || "a call's id or name is repeated".to_owned(),
            )?;
        }
        let piece = require_some(
            body.get(input).and_then(Value::str),
            "a piece of a call has no arguments",
        )?;
        if let Some(open) = self.calls.last_mut() {
            open.input.push_str(&piece);
        }
        Ok(())
    }

    /// The call of a client that knows no `tool_calls`: without an index and an id, and the only one.
    fn function(&mut self, call: Value<'_>) -> Checked {
        let is_first = self.calls.is_empty();
        require(is_first || self.is_function, || {
            "a function call stands beside tool calls".to_owned()
        })?;
        require(call.get("name").is_some() == is_first, || {
            "a function call does not have its name in its first piece only".to_owned()
        })?;
        let piece = require_some(
            call.get("arguments").and_then(Value::str),
            "a piece of a function call has no arguments",
        )?;
        if is_first {
            self.is_function = true;
            self.calls.push(Call {
                id: "function_call".to_owned(),
                is_freeform: false,
                input: String::new(),
            });
        }
        if let Some(open) = self.calls.last_mut() {
            open.input.push_str(&piece);
        }
        Ok(())
    }

    /// Every call's arguments are complete.
    fn whole_arguments(&self) -> Checked {
        self.calls
            .iter()
            .filter(|call| !call.is_freeform)
            .try_for_each(|call| {
                let is_object = scan_reply(&call.input.as_str().into(), &[])
                    .is_ok_and(|doc| doc.root().kind() == Kind::Object);
                require(is_object, || {
                    format!(
                        "the arguments of call {} are not an object: {}",
                        call.id, call.input
                    )
                })
            })
    }

    fn finished(&mut self, word: &str) -> Checked {
        self.place = Place::BehindFinish;
        let fits = match word {
            "stop" => self.calls.is_empty(),
            "tool_calls" => !self.calls.is_empty() && !self.is_function,
            "function_call" => self.is_function,
            "length" => return Ok(()),
            "content_filter" => true,
            _ => false,
        };
        require(fits, || {
            format!(
                "finish_reason `{word}` does not fit {} calls",
                self.calls.len()
            )
        })?;
        self.whole_arguments()
    }
}

fn error_object(error: Value<'_>) -> Checked {
    for key in ["message", "type"] {
        require_some(
            error.get(key).and_then(Value::str),
            "an error lacks its message or type",
        )?;
    }
    Ok(())
}

fn require(holds: bool, violation: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Violation(violation()))
    }
}

fn require_some<T>(value: Option<T>, violation: &str) -> Result<T, Violation> {
    value.ok_or_else(|| Violation(violation.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = r#"{"role":"assistant","content":""}"#;

    /// Deltas of a stream; a word is a finish reason, text in brackets a line of its own.
    fn stream(steps: &[&str]) -> String {
        let head = r#""id":"c","object":"chat.completion.chunk","created":1,"model":"m""#;
        let chunk = |delta: &str, finish: &str| {
            format!(
                "data: {{{head},\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
            )
        };
        let step = |step: &&str| match step.chars().next() {
            Some('{') if step.contains("\"error\"") => format!("data: {step}\n\n"),
            Some('{') => chunk(step, "null"),
            Some('[') => format!("data: {step}\n\n"),
            Some('+') => format!("data: {{{head},\"choices\":[],{}}}\n\n", &step[1..]),
            _ => chunk("{}", &format!("\"{step}\"")),
        };
        steps.iter().map(step).collect()
    }

    fn check(steps: &[&str], violation: Option<&str>) {
        let mut acceptor = Acceptor::new();
        let found = acceptor
            .feed(stream(steps).as_bytes())
            .and_then(|()| acceptor.finish());
        match (found, violation) {
            (Ok(()), None) => {}
            (Err(Violation(found)), Some(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?} is not {expected:?} for {steps:?}"),
        }
    }

    #[test]
    fn what_is_allowed() {
        check(&[ROLE, r#"{"content":"x"}"#, "stop", "[DONE]"], None);
        check(
            &[
                ROLE,
                "length",
                r#"+"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}"#,
                "[DONE]",
            ],
            None,
        );
        let begin = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#;
        let grow = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#;
        check(&[ROLE, begin, grow, "tool_calls", "[DONE]"], None);
        check(&[ROLE, begin, "length", "[DONE]"], None);
        check(&[ROLE, r#"{"error":{"message":"m","type":"t"}}"#], None);
        let old = r#"{"function_call":{"name":"f","arguments":"{"}}"#;
        let more = r#"{"function_call":{"arguments":"}"}}"#;
        check(&[ROLE, old, more, "function_call", "[DONE]"], None);
        check(&[ROLE, old, more, "tool_calls"], Some("does not fit"));
        check(&[ROLE, begin, "function_call"], Some("does not fit"));
        check(&[ROLE, old, old], Some("its first piece only"));
        check(&[ROLE, begin, more], Some("beside tool calls"));
    }

    #[test]
    fn what_is_not() {
        let begin = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]}"#;
        let again = r#"{"tool_calls":[{"index":1,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#;
        let whole = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
        check(&[], Some("without `[DONE]`"));
        check(&[ROLE, "stop"], Some("without `[DONE]`"));
        check(&[ROLE, "[DONE]"], Some("without a finish reason"));
        check(&[r#"{"content":"x"}"#], Some("does not say the role"));
        check(&[ROLE, ROLE], Some("said twice"));
        check(
            &[ROLE, "stop", r#"{"content":"x"}"#],
            Some("follows the finish reason"),
        );
        check(&[ROLE, "stop", "[DONE]", "[DONE]"], Some("follows the end"));
        check(&[ROLE, "tool_calls"], Some("does not fit 0 calls"));
        check(&[ROLE, whole, "stop"], Some("does not fit 1 calls"));
        check(&[ROLE, begin, "tool_calls"], Some("are not an object"));
        check(&[ROLE, whole, again], Some("two calls have the id"));
        check(&[ROLE, r#"{"thinking":"x"}"#], Some("no client knows"));
        check(&[ROLE, r#"+"usage":{}"#], Some("behind the finish reason"));
        check(
            &[ROLE, r#"{"error":{"message":"m","type":"t"}}"#, "[DONE]"],
            Some("follows the end"),
        );
    }
}
