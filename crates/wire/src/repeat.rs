//! Deltas that differ from the one before by nothing but their text: nearly all events of a stream.

use crate::json::{Refrain, Text};
use crate::sse::Frame;
use crate::stage::Sink;
use crate::turn::{Delta, Event, Slot};

/// The last delta that a decoder read, and what stood around its text.
///
/// A frame with the same bytes around another text means the same with another text, as long as the decoder is in the
/// state it was in. So it asks here before it reads, and shows what it made of every frame that it did read: whatever is
/// not one delta alone makes this forget.
#[derive(Debug, Default)]
pub(crate) struct Repeat {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    name: Option<String>,
    refrain: Refrain,
    slot: Slot,
    delta: fn(Text) -> Delta,
}

impl Repeat {
    /// What a frame means that repeats the last one.
    pub(crate) fn event(&self, frame: &Frame) -> Option<Event> {
        let last = self.last.as_ref()?;
        if frame.event.as_deref() != last.name.as_deref() {
            return None;
        }
        let delta = (last.delta)(last.refrain.text(&frame.data)?);
        Some(Event::Delta {
            slot: last.slot,
            delta,
        })
    }

    /// Learns from a frame that was read, and from what it left in the sink behind the first `before` items.
    pub(crate) fn learn(&mut self, frame: &Frame, before: usize, sink: &Sink<Event>) {
        self.last = None;
        let Some([Event::Delta { slot, delta }]) = sink.items.get(before..) else {
            return;
        };
        let (text, delta): (_, fn(Text) -> Delta) = match delta {
            Delta::Text(text) => (text, Delta::Text),
            Delta::Thinking(text) => (text, Delta::Thinking),
            Delta::Input(text) => (text, Delta::Input),
            Delta::Signature(_) | Delta::Citation(_) | Delta::Foreign(_) => return,
        };
        if sink.notes.is_empty() && !sink.has_fault() {
            self.last = Refrain::of(&frame.data, text).map(|refrain| Last {
                name: frame.event.as_deref().map(str::to_owned),
                refrain,
                slot: *slot,
                delta,
            });
        }
    }

    /// Forgets the last delta.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use crate::Wire;
    use crate::bridge::stream_decoder;
    use crate::sse::Frame;
    use crate::stage::{Note, Sink};
    use crate::turn::Event;

    /// What a decoder makes of events, each with `padding(nth)` spaces behind it.
    fn decoded(
        wire: Wire,
        events: &[(&str, &str)],
        padding: fn(usize) -> usize,
    ) -> (Vec<Event>, Vec<Note>, bool) {
        let mut decoder = stream_decoder(wire);
        let mut sink = Sink::new();
        let (mut items, mut notes) = (Vec::new(), Vec::new());
        for (nth, (name, data)) in events.iter().enumerate() {
            let data = format!("{data}{}", " ".repeat(padding(nth)));
            let event = (!name.is_empty()).then(|| ByteString::from(*name));
            let data = data.into();
            decoder.on(Frame { event, data }, &mut sink);
            items.append(&mut sink.items);
            notes.append(&mut sink.notes);
        }
        (items, notes, sink.has_fault())
    }

    /// Repeated or not, events mean the same: with another number of spaces behind it, none is like the one before.
    #[track_caller]
    fn check(wire: Wire, events: &[(&str, &str)]) {
        let repeated = decoded(wire, events, |_| 0);
        assert_eq!(repeated, decoded(wire, events, |nth| nth % 2));
        assert!(!repeated.0.is_empty());
    }

    #[test]
    fn anthropic_events_mean_the_same_repeated_or_not() {
        let open = |index: u32, block: &str| {
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
        };
        let delta = |index: u32, kind: &str, member: &str, text: &str| {
            format!(
                r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":"{text}"}}}}"#
            )
        };
        let close = |index: u32| format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
        let mut events = Vec::new();
        let text = [
            "a", "b", r"\n", "", r"\u0041", r"\ud800", "c", "c", r#"x"}"#,
        ];
        let server_tool = r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#;
        for (index, block, kind, member) in [
            (0, r#"{"type":"text","text":""}"#, "text_delta", "text"),
            (
                1,
                r#"{"type":"thinking","thinking":""}"#,
                "thinking_delta",
                "thinking",
            ),
            (1, "null", "signature_delta", "signature"),
            (
                2,
                r#"{"type":"tool_use","id":"i","name":"n","input":{}}"#,
                "input_json_delta",
                "partial_json",
            ),
            (
                3,
                r#"{"type":"tool_use","id":"i","name":"n","input":{"a":1}}"#,
                "input_json_delta",
                "partial_json",
            ),
            (4, server_tool, "input_json_delta", "partial_json"),
        ] {
            events.push(open(index, block));
            events.extend(text.iter().map(|text| delta(index, kind, member, text)));
            events.push(r#"{"type":"ping"}"#.to_owned());
            events.extend(text.iter().map(|text| delta(index, kind, member, text)));
            events.push(close(index));
            events.push(delta(index, kind, member, "late"));
            events.push(delta(index, kind, member, "later"));
        }
        events.push(r#"{"type":"message_stop"}"#.to_owned());
        events.push(delta(0, "text_delta", "text", "behind the end"));
        let unnamed: Vec<(&str, &str)> = events.iter().map(|data| ("", &**data)).collect();
        check(Wire::Anthropic, &unnamed);
        let named: Vec<(&str, &str)> = events.iter().map(|data| ("message", &**data)).collect();
        check(Wire::Anthropic, &named);
        let error = [&unnamed[..3], &[("error", unnamed[3].1), ("error", "text")]].concat();
        check(Wire::Anthropic, &error);
    }

    #[test]
    fn chat_chunks_mean_the_same_repeated_or_not() {
        let chunk = |rest: &str, delta: &str| {
            format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta}{rest}}}],"usage":null}}"#)
        };
        let mut events = Vec::new();
        for rest in ["", r#","finish_reason":null"#, r#","logprobs":{"a":1}"#] {
            for delta in [
                r#"{"content":"@"}"#,
                r#"{"reasoning_content":"@"}"#,
                r#"{"reasoning":"@","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
                r#"{"refusal":"@"}"#,
                r#"{"content":[{"type":"text","text":"@"}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"i","function":{"name":"n","arguments":"@"}}]}"#,
                r#"{"content":"@","tool_calls":[{"index":1,"function":{"arguments":"x"}}]}"#,
                r#"{"content":"@","annotations":[{"a":1}]}"#,
            ] {
                for text in ["a", "b", r"\n", "", "c", "c", r"\x"] {
                    events.push(chunk(rest, &delta.replace('@', text)));
                }
            }
        }
        events.push(chunk(r#","finish_reason":"stop""#, r#"{"content":"a"}"#));
        events.push(chunk(r#","finish_reason":"stop""#, r#"{"content":"b"}"#));
        events.push("[DONE]".to_owned());
        events.push(chunk("", r#"{"content":"behind the end"}"#));
        let unnamed: Vec<(&str, &str)> = events.iter().map(|data| ("", &**data)).collect();
        check(Wire::Chat, &unnamed);
        let error = [&unnamed[..3], &[("error", unnamed[3].1)]].concat();
        check(Wire::Chat, &error);
    }
}
