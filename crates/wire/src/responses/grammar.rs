//! Judges streams of this wire: a strict acceptor, against which everything that is emitted is tested.
//!
//! Numbers count from 0 without gaps. `response.created` and `in_progress` come first, then items one behind the other
//! (0, 1, 2, ...), each added, grown in its parts and done; what is told at the end of a part or item is what its deltas
//! added up to. The last event is the response, and its output is the items that were done. Nothing follows it.

use bytes::Bytes;

use crate::json::{Doc, Kind, Value, scan_reply};
use crate::sse::SseParser;

/// Reads a whole stream.
///
/// # Errors
/// The first thing that is wrong, in words.
pub fn check(stream: &[u8]) -> Result<(), String> {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    let push = parser.push(Bytes::copy_from_slice(stream), &mut frames);
    push.and_then(|()| parser.finish(&mut frames))
        .map_err(|error| error.to_string())?;
    let mut acceptor = Acceptor::default();
    for frame in frames {
        let doc =
            scan_reply(&frame.data, &[]).map_err(|error| format!("{error} in {}", frame.data))?;
        acceptor
            .event(frame.event.as_deref(), &doc)
            .map_err(|error| format!("{error}, at {}", frame.data))?;
    }
    match acceptor.place {
        Place::Over => Ok(()),
        _ => Err("the stream has no last event".to_owned()),
    }
}

#[derive(Debug, Default)]
struct Acceptor {
    next_number: u64,
    place: Place,
    item: Option<Open>,
    /// The items that are done, as they were told.
    done: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Created,
    Under,
    Over,
}

/// The item that grows.
#[derive(Debug)]
struct Open {
    id: String,
    kind: String,
    /// Whether a part of it is open; a message's and a summary's.
    has_part: bool,
    /// Whether one was: a message has one, reasoning may have one.
    had_part: bool,
    said: String,
    is_told: bool,
}

impl Acceptor {
    fn event(&mut self, name: Option<&str>, doc: &Doc) -> Result<(), String> {
        let event = doc.root();
        let kind = string(event, "type")?;
        ensure(name == Some(&*kind), "the event's name is not its type")?;
        ensure(
            event.get("sequence_number").and_then(Value::u64) == Some(self.next_number),
            "the number does not follow",
        )?;
        self.next_number += 1;
        let kind = kind.strip_prefix("response.").ok_or("an unknown event")?;
        match (&self.place, kind) {
            (Place::Start, "created") => {
                self.response(event, "in_progress")?;
                self.place = Place::Created;
            }
            (Place::Created | Place::Under, "in_progress") => {
                self.response(event, "in_progress")?;
                self.place = Place::Under;
            }
            (Place::Under, "completed" | "incomplete") => self.last(event, kind)?,
            (Place::Under, "failed") => {
                let response = self.response(event, "failed")?;
                let error = response.get("error").ok_or("no error")?;
                string(error, "code")?;
                string(error, "message")?;
                self.place = Place::Over;
            }
            (Place::Under, "output_item.added") => self.added(event)?,
            (Place::Under, "output_item.done") => self.item_done(event)?,
            (Place::Under, kind) => self.part(kind, event)?,
            (Place::Start | Place::Created | Place::Over, _) => {
                return Err("not the place for this event".to_owned());
            }
        }
        Ok(())
    }

    fn response<'d>(&self, event: Value<'d>, status: &str) -> Result<Value<'d>, String> {
        let response = event.get("response").ok_or("no response")?;
        ensure(string(response, "status")? == status, "the wrong status")?;
        ensure(string(response, "object")? == "response", "no response")?;
        for key in ["id", "model"] {
            string(response, key)?;
        }
        ensure(
            response.get("created_at").and_then(Value::u64).is_some(),
            "no time",
        )?;
        Ok(response)
    }

    fn last(&mut self, event: Value<'_>, kind: &str) -> Result<(), String> {
        ensure(self.item.is_none(), "an item is not done")?;
        let response = self.response(event, kind)?;
        let usage = response.get("usage").ok_or("no usage")?;
        let count = |key: &str| usage.get(key).and_then(Value::u64).ok_or("no count");
        ensure(
            count("input_tokens")? + count("output_tokens")? == count("total_tokens")?,
            "the counts do not add up",
        )?;
        let reason = response
            .get("incomplete_details")
            .and_then(|details| details.get("reason"));
        ensure(
            reason.is_some() == (kind == "incomplete"),
            "no reason, or one too many",
        )?;
        let output = response.get("output").ok_or("no output")?;
        let output: Vec<String> = output.items().map(|item| item.raw().to_owned()).collect();
        ensure(output == self.done, "the output is not what was done")?;
        self.place = Place::Over;
        Ok(())
    }

    fn added(&mut self, event: Value<'_>) -> Result<(), String> {
        ensure(self.item.is_none(), "the item before is not done")?;
        self.at_index(event)?;
        let item = event.get("item").ok_or("no item")?;
        let kind = string(item, "type")?;
        let is_empty = match &*kind {
            "message" => is_empty_list(item, "content"),
            "reasoning" => is_empty_list(item, "summary"),
            "function_call" => item.get("arguments").is_some_and(|text| text.is_str("")),
            "custom_tool_call" => item.get("input").is_some_and(|text| text.is_str("")),
            _ => true,
        };
        ensure(is_empty, "the item is not empty when it begins")?;
        self.item = Some(Open {
            id: string(item, "id")?,
            kind,
            has_part: false,
            had_part: false,
            said: String::new(),
            is_told: false,
        });
        Ok(())
    }

    fn item_done(&mut self, event: Value<'_>) -> Result<(), String> {
        self.at_index(event)?;
        let open = self.item.take().ok_or("no item is open")?;
        let item = event.get("item").ok_or("no item")?;
        ensure(string(item, "id")? == open.id, "another item's id")?;
        ensure(string(item, "type")? == open.kind, "another item's type")?;
        ensure(!open.has_part, "a part is not done")?;
        let part = |list: &str| item.get(list)?.items().next();
        let text = |part: Option<Value<'_>>| {
            let part = part?;
            let text = part.get("text").or_else(|| part.get("refusal"))?;
            text.str().map(|text| text.into_owned())
        };
        let told = match &*open.kind {
            "message" => {
                ensure(open.had_part, "a message without a part")?;
                text(part("content"))
            }
            "reasoning" => Some(text(part("summary")).unwrap_or_default()),
            "function_call" | "custom_tool_call" => {
                ensure(open.is_told, "the call's end was not told")?;
                for key in ["call_id", "name", "status"] {
                    string(item, key)?;
                }
                item.get("arguments")
                    .or_else(|| item.get("input"))
                    .and_then(Value::str)
                    .map(|text| text.into_owned())
            }
            _ => Some(open.said.clone()),
        };
        let is_no_argument = open.kind == "function_call" && open.said.is_empty();
        ensure(
            told.as_deref() == Some(if is_no_argument { "{}" } else { &open.said }),
            "the item is not what its deltas add up to",
        )?;
        self.done.push(item.raw().to_owned());
        Ok(())
    }

    fn part(&mut self, kind: &str, event: Value<'_>) -> Result<(), String> {
        self.at_index(event)?;
        let open = self.item.as_mut().ok_or("no item is open")?;
        ensure(string(event, "item_id")? == open.id, "another item's id")?;
        let expected = match kind.split_once('.').map_or(kind, |(group, _)| group) {
            "content_part" | "output_text" | "refusal" => ("message", Some("content_index")),
            "reasoning_summary_part" | "reasoning_summary_text" => {
                ("reasoning", Some("summary_index"))
            }
            "function_call_arguments" => ("function_call", None),
            "custom_tool_call_input" => ("custom_tool_call", None),
            _ => return Err("an unknown event".to_owned()),
        };
        ensure(open.kind == expected.0, "not an event of this item")?;
        if let Some(index) = expected.1 {
            ensure(
                event.get(index).and_then(Value::u64) == Some(0),
                "the wrong index",
            )?;
            let is_begin = kind.ends_with("part.added");
            ensure(open.has_part != is_begin, "the part is not open, or is")?;
            ensure(!(is_begin && open.had_part), "a second part")?;
            open.had_part |= is_begin;
            open.has_part = !kind.ends_with("part.done");
        }
        match kind.rsplit_once('.').map_or("", |(_, step)| step) {
            "delta" => {
                ensure(!open.is_told, "a delta behind the end")?;
                let delta = string(event, "delta")?;
                ensure(!delta.is_empty(), "an empty delta")?;
                open.said.push_str(&delta);
            }
            "done" if !kind.contains("part.") => {
                ensure(!open.is_told, "the end is told twice")?;
                let whole = ["text", "refusal", "arguments", "input"]
                    .into_iter()
                    .find_map(|key| event.get(key)?.str())
                    .ok_or("nothing is told")?;
                let is_no_argument = open.kind == "function_call" && open.said.is_empty();
                ensure(
                    whole == if is_no_argument { "{}" } else { &open.said },
                    "the end is not what the deltas add up to",
                )?;
                open.is_told = true;
            }
            "done" => ensure(open.is_told, "a part is done before its text")?,
            _ => {}
        }
        Ok(())
    }

    /// Whether an event is about the item that comes next or is open.
    fn at_index(&self, event: Value<'_>) -> Result<(), String> {
        ensure(
            event.get("output_index").and_then(Value::u64) == Some(self.done.len() as u64),
            "the wrong output index",
        )
    }
}

fn is_empty_list(item: Value<'_>, key: &str) -> bool {
    item.get(key)
        .is_some_and(|list| list.kind() == Kind::Array && list.items().next().is_none())
}

fn string(value: Value<'_>, key: &str) -> Result<String, String> {
    match value.get(key).and_then(Value::str) {
        Some(text) => Ok(text.into_owned()),
        None => Err(format!("`{key}` is not a string")),
    }
}

fn ensure(is_so: bool, message: &str) -> Result<(), String> {
    if is_so {
        Ok(())
    } else {
        Err(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: [&str; 8] = [
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","created_at":1,"status":"in_progress","model":"m"}}"#,
        r#"{"type":"response.in_progress","sequence_number":1,"response":{"id":"r","object":"response","created_at":1,"status":"in_progress","model":"m"}}"#,
        r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"f","type":"function_call","status":"in_progress","call_id":"c","name":"n","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","sequence_number":3,"item_id":"f","output_index":0,"delta":"{\"x\":"}"#,
        r#"{"type":"response.function_call_arguments.delta","sequence_number":4,"item_id":"f","output_index":0,"delta":"1}"}"#,
        r#"{"type":"response.function_call_arguments.done","sequence_number":5,"item_id":"f","output_index":0,"arguments":"{\"x\":1}","name":"n"}"#,
        r#"{"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":{"id":"f","type":"function_call","status":"completed","call_id":"c","name":"n","arguments":"{\"x\":1}"}}"#,
        r#"{"type":"response.completed","sequence_number":7,"response":{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","incomplete_details":null,"output":[{"id":"f","type":"function_call","status":"completed","call_id":"c","name":"n","arguments":"{\"x\":1}"}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}"#,
    ];

    fn judged(events: &[String]) -> Result<(), String> {
        let mut stream = String::new();
        for (number, event) in events.iter().enumerate() {
            let mut event: serde_json::Value = serde_json::from_str(event).unwrap();
            event["sequence_number"] = number.into();
            let name = event["type"].as_str().unwrap();
            stream.push_str(&format!("event: {name}\ndata: {event}\n\n"));
        }
        check(stream.as_bytes())
    }

    #[test]
    fn a_stream_by_the_book_is_accepted() {
        assert_eq!(judged(&STREAM.map(str::to_owned)), Ok(()));
    }

    #[test]
    fn no_event_can_be_left_out_or_told_twice() {
        for (at, event) in STREAM.iter().enumerate() {
            let mut without = STREAM.map(str::to_owned).to_vec();
            without.remove(at);
            assert!(judged(&without).is_err(), "without {event}");
            let mut twice = STREAM.map(str::to_owned).to_vec();
            twice.insert(at, (*event).to_owned());
            // Saying once more that it is under way is allowed.
            assert_eq!(judged(&twice).is_ok(), at == 1, "twice {event}");
        }
    }

    #[test]
    fn what_is_told_must_agree() {
        for (at, from, to) in [
            (0, "in_progress\",\"model", "completed\",\"model"),
            (2, r#""arguments":"""#, r#""arguments":"{}""#),
            (3, r#""item_id":"f""#, r#""item_id":"g""#),
            (4, r#""output_index":0"#, r#""output_index":1"#),
            (4, r#""delta":"1}""#, r#""delta":"""#),
            (5, r#"\"x\":1"#, r#"\"x\":2"#),
            (6, r#"\"x\":1"#, r#"\"x\":2"#),
            (6, r#""id":"f""#, r#""id":"g""#),
            (7, r#""total_tokens":3"#, r#""total_tokens":4"#),
            (7, r#""output":[{"id":"f""#, r#""output":[{"id":"g""#),
            (7, "null", r#"{"reason":"max_output_tokens"}"#),
        ] {
            let mut events = STREAM.map(str::to_owned);
            assert!(events[at].contains(from), "{from}");
            events[at] = events[at].replacen(from, to, 1);
            assert!(judged(&events).is_err(), "{from} to {to}");
        }
        let unnamed = format!("data: {}\n\n", STREAM[0]);
        assert!(check(unnamed.as_bytes()).is_err());
        assert!(check(b"data: [DONE]\n\n").is_err());
    }
}
