//! What was copied of an upstream's own stream, for an encoder that takes over in the middle of it.
//!
//! Events of this wire are numbered, name the reply and its items, and tell some things twice. What is written behind a
//! copy goes on with the numbers and names of the copy, and repeats nothing that was told.

use std::collections::VecDeque;

use crate::json::{Text, Value, scan_reply};

/// What a client was told in copied events.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// The reply's id and, where it was told, its time.
    pub(super) reply: Option<(Text, Option<u64>)>,
    /// The number of the event behind the last copied one.
    next_number: Option<u64>,
    /// Items that were added and whose block has not opened: id and place.
    added: VecDeque<(Text, u64)>,
    /// Events that come once for an item and have come for the newest.
    told: Vec<String>,
}

impl Followed {
    /// Takes frames of the upstream's stream; tells whether the client saw one, if they were `copied`.
    pub(super) fn frames(&mut self, frames: &[u8], is_copied: bool) -> bool {
        let mut has_told = false;
        for line in frames.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let data = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii);
            let text = data.and_then(|data| std::str::from_utf8(data).ok());
            if let Some(doc) = text.and_then(|text| scan_reply(&text.into(), &[]).ok()) {
                self.frame(doc.root(), is_copied);
                has_told |= is_copied;
            }
        }
        has_told
    }

    fn frame(&mut self, event: Value<'_>, is_copied: bool) {
        let reply = event.get("response");
        if let Some(id) = reply.and_then(|reply| reply.get("id")?.text()) {
            let created = reply.and_then(|reply| reply.get("created_at")?.u64());
            self.reply = Some((id, created));
        }
        if !is_copied {
            return;
        }
        let number = event.get("sequence_number").and_then(Value::u64);
        self.next_number = number.map(|number| number + 1).or(self.next_number);
        let kind = event.get("type").and_then(Value::str).unwrap_or_default();
        match &*kind {
            "response.output_item.added" => {
                let id = event.get("item").and_then(|item| item.get("id")?.text());
                let index = event.get("output_index").and_then(Value::u64);
                self.told.clear();
                self.added.extend(id.zip(index));
            }
            kind if kind.ends_with("part.added") || kind.ends_with(".done") => {
                self.told.push(kind.to_owned());
            }
            _ => {}
        }
    }

    /// The number that the next event has behind what was copied; none if it was written anew, too.
    pub(super) fn take_number(&mut self) -> Option<u64> {
        self.next_number.take()
    }

    /// A block opens: the item that was added for it, if the client knows of one.
    pub(super) fn take_item(&mut self) -> Option<(Text, u64)> {
        let item = self.added.pop_front();
        if item.is_none() {
            self.told.clear();
        }
        item
    }

    /// Whether this event, which comes once for an item, has come for the newest.
    pub(super) fn has_told(&self, kind: &str) -> bool {
        self.told.iter().any(|told| told == kind)
    }
}
