//! A recorded stream as its events: where each stands, when it was there, and what it says in short.

use std::ops::Range;

use lingate_store::Arrival;
use serde_json::Value;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// The attempt it came in, 0 for the client's.
    pub(super) attempt: u16,
    /// Its bytes in the body.
    pub(super) range: Range<usize>,
    /// Microseconds from accept to its last byte, where that is known.
    pub(super) at_us: Option<u64>,
    /// What it is, in short.
    pub(super) label: String,
    /// The model's words in it; empty if there are none.
    pub(super) said: String,
    /// All of it, on one line.
    pub(super) raw: String,
}

/// Cuts a body into its events.
pub(super) fn events(attempt: u16, body: &[u8], arrivals: &[Arrival]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut lines: Vec<&[u8]> = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        let line = line.trim_ascii_end();
        if !line.is_empty() {
            lines.push(line);
        } else if !lines.is_empty() {
            events.push(event(
                attempt,
                start..at,
                &std::mem::take(&mut lines),
                arrivals,
            ));
            start = at;
        } else {
            start = at;
        }
    }
    if !lines.is_empty() {
        events.push(event(attempt, start..at, &lines, arrivals));
    }
    events
}

fn event(attempt: u16, range: Range<usize>, lines: &[&[u8]], arrivals: &[Arrival]) -> Event {
    let lines: Vec<String> = lines.iter().map(|line| text(line)).collect();
    let field = |name: &str| {
        let values = lines.iter().filter_map(|line| line.strip_prefix(name));
        values.map(str::trim_start).collect::<Vec<_>>().join("\n")
    };
    let (name, data) = (field("event:"), field("data:"));
    let json: Value = serde_json::from_str(&data).unwrap_or_default();
    let said = said(&json);
    let end = range.end as u64;
    let arrival = arrivals.iter().find(|arrival| arrival.end >= end);
    Event {
        attempt,
        at_us: arrival.or(arrivals.last()).map(|arrival| arrival.at_us),
        label: label(&name, &data, &json, &said, lines.first()),
        said,
        raw: lines.join(" "),
        range,
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()
}

/// Where each wire has the model's words in an event.
const WORDS: [&str; 11] = [
    "/delta/text",
    "/delta/thinking",
    "/delta/partial_json",
    "/choices/0/delta/reasoning_content",
    "/choices/0/delta/reasoning",
    "/choices/0/delta/content",
    "/choices/0/delta/tool_calls/0/function/arguments",
    "/delta",
    "/candidates/0/content/parts/0/text",
    "/candidates/0/content/parts/0/functionCall/args",
    "/choices/0/text",
];

fn said(json: &Value) -> String {
    let words = WORDS.iter().filter_map(|place| match json.pointer(place)? {
        Value::String(text) => Some(text.clone()),
        Value::Object(_) if place.ends_with("args") => json.pointer(place).map(Value::to_string),
        _ => None,
    });
    words.collect()
}

/// Where each wire names a tool, says why it stops, and what is wrong.
const FACTS: [&str; 12] = [
    "/content_block/name",
    "/choices/0/delta/tool_calls/0/function/name",
    "/item/name",
    "/candidates/0/content/parts/0/functionCall/name",
    "/delta/stop_reason",
    "/choices/0/finish_reason",
    "/response/status",
    "/candidates/0/finishReason",
    "/error/message",
    "/error/type",
    "/response/error/message",
    "/content_block/type",
];

fn label(name: &str, data: &str, json: &Value, said: &str, first: Option<&String>) -> String {
    if json.is_null() {
        let whole = if data.is_empty() {
            first.map_or("", String::as_str)
        } else {
            data
        };
        return whole.to_owned();
    }
    let kind = json
        .get("type")
        .and_then(Value::as_str)
        .filter(|_| name.is_empty());
    let kind = kind.unwrap_or(name);
    let mut parts: Vec<String> = Vec::new();
    if !kind.is_empty() {
        parts.push(kind.to_owned());
    }
    let facts = FACTS
        .iter()
        .filter_map(|place| json.pointer(place)?.as_str());
    parts.extend(facts.map(str::to_owned));
    if !said.is_empty() {
        parts.push(format!("{said:?}"));
    }
    let usage = [
        "/usage",
        "/message/usage",
        "/response/usage",
        "/usageMetadata",
    ];
    if usage
        .iter()
        .any(|place| json.pointer(place).is_some_and(Value::is_object))
    {
        parts.push("usage".to_owned());
    }
    match parts.is_empty() {
        true => data.to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &[(&str, &str)]) {
        let found = events(0, body.as_bytes(), &[]);
        let found: Vec<_> = found
            .iter()
            .map(|event| (&*event.label, &*event.said))
            .collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn events_of_every_wire_in_short() {
        check(
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
            &[("content_block_delta \"Hi\"", "Hi")],
        );
        check(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\r\n\r\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"x\":1}}\n\ndata: [DONE]\n\n",
            &[("\"Hi\"", "Hi"), ("stop usage", ""), ("[DONE]", "")],
        );
        check(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"Bash\",\"arguments\":\"{\"}}]}}]}\n\n",
            &[("Bash \"{\"", "{")],
        );
        check(
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n",
            &[("response.output_text.delta \"Hi\"", "Hi")],
        );
        check(
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]},\"finishReason\":\"STOP\"}]}\n\n",
            &[("STOP \"Hi\"", "Hi")],
        );
        check(
            ": keep-alive\n\n\n\ndata: half",
            &[(": keep-alive", ""), ("half", "")],
        );
        check("data: {\"x\":1}\n\n", &[("{\"x\":1}", "")]);
        check("", &[]);
    }

    #[test]
    fn places_and_times() {
        let arrivals = [(4, 10), (20, 30)].map(|(end, at_us)| Arrival { end, at_us });
        let found = events(2, b"data: 1\n\ndata: 2\n\ndata: 3", &arrivals);
        let found: Vec<_> = found
            .iter()
            .map(|event| (event.range.clone(), event.at_us))
            .collect();
        assert_eq!(
            found,
            [(0..9, Some(30)), (9..18, Some(30)), (18..25, Some(30))]
        );
    }
}
