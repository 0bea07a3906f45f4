//! The client's message: what the attempts of an exchange say, one after the other, as one reply.
//!
//! Behind every chain and in front of the encoder, and unlike both it outlives an attempt. Without a policy that may go
//! on, it passes everything. With one it keeps back the end of the reply (and, where calls are judged together, all from
//! the first call on), so that another attempt can continue what the client has: slots run on, the reply starts and ends
//! once, and its usage is the last attempt's input and the sum of the output. Pure: no IO, no clock.

use lingate_wire::json::Text;
use lingate_wire::turn::{Delta, Event, Opening, Reply, Slot, Usage, fold};

/// What stands between the texts of two attempts, for wires that join them.
const BREAK: Text = Text::from_static("\n\n");
/// Most bytes of an attempt's reply that are kept for the one after it; a longer reply is the last.
const MOST_SAID: usize = 4 * 1024 * 1024;

/// What is kept back until it is known whether another attempt continues the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Holding {
    /// Nothing: there is no going on.
    #[default]
    Nothing,
    /// Why the reply ends, and that it does.
    End,
    /// Everything from the first tool call on.
    Calls,
}

/// The client's message; see the module's text.
#[derive(Debug, Default)]
pub(crate) struct Message {
    holding: Holding,
    has_started: bool,
    next_slot: u32,
    open: Option<Shown>,
    /// Some text is out, and the text of another attempt is about to follow it.
    needs_break: bool,
    has_text: bool,
    /// What this attempt said last and the client has not seen.
    held: Vec<Event>,
    /// The same of the attempt before, until this one has come to its end.
    fallback: Vec<Event>,
    /// All that this attempt said.
    said: Vec<Event>,
    said_bytes: usize,
    usage: Usage,
    /// What the attempts before this one put out.
    spent: Usage,
}

/// The block that is open towards the client.
#[derive(Debug)]
struct Shown {
    from: Slot,
    slot: Slot,
    is_call: bool,
    /// A break is due before its first text.
    needs_break: bool,
}

impl Message {
    /// An attempt's reply begins to arrive.
    pub(crate) fn begin(&mut self, holding: Holding) {
        self.holding = self.holding.max(holding);
    }

    /// Whether its end is kept back.
    pub(crate) fn is_held(&self) -> bool {
        self.holding != Holding::Nothing
    }

    /// Whether another attempt may continue it.
    pub(crate) fn may_go_on(&self) -> bool {
        self.is_held() && self.said_bytes <= MOST_SAID
    }

    /// Whether the client has got, or is about to get, any block.
    pub(crate) fn has_content(&self) -> bool {
        self.next_slot > 0
            || self
                .held
                .iter()
                .any(|event| matches!(event, Event::Open { .. }))
    }

    /// Takes sequenced events of the attempt; leaves what may go out now.
    pub(crate) fn pass(&mut self, events: &mut Vec<Event>) {
        if !self.is_held() {
            return;
        }
        for event in std::mem::take(events) {
            self.keep(&event);
            let is_call = matches!(
                event,
                Event::Open {
                    block: Opening::ToolUse { .. },
                    ..
                }
            );
            let is_end = matches!(event, Event::Usage(_) | Event::Stop(_) | Event::Done);
            if is_end || !self.held.is_empty() || (is_call && self.holding == Holding::Calls) {
                self.held.push(event);
            } else {
                self.show(event, events);
            }
        }
    }

    /// What this attempt said, as the client would return it.
    pub(crate) fn said(&self) -> Reply {
        fold(self.said.iter().cloned())
    }

    /// Another attempt is to continue the message.
    pub(crate) fn go_on(&mut self) {
        self.fallback = std::mem::take(&mut self.held);
        self.said.clear();
        self.said_bytes = 0;
        self.spent = self.total();
        self.usage = Usage::default();
        self.needs_break = self.has_text;
    }

    /// The message ends as the attempt said; leaves what was kept back in `out`.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        for event in std::mem::take(&mut self.held) {
            self.show(event, out);
        }
        self.fallback.clear();
    }

    /// An attempt that was to continue the message failed. Ends what the client has as the attempt before meant to, and
    /// tells whether that is possible: half a tool call never ends normally.
    pub(crate) fn cut(&mut self, out: &mut Vec<Event>) -> bool {
        let is_half_call = self.open.as_ref().is_some_and(|open| open.is_call);
        let has_blocks = self.next_slot > 0
            || self
                .fallback
                .iter()
                .any(|event| matches!(event, Event::Open { .. }));
        if self.fallback.is_empty() || is_half_call || !has_blocks {
            return false;
        }
        if let Some(open) = self.open.take() {
            out.push(Event::Close { slot: open.slot });
        }
        self.held.clear();
        self.usage = Usage::default();
        for event in std::mem::take(&mut self.fallback) {
            self.show(event, out);
        }
        true
    }

    /// Passes one event on, in the message's own numbering.
    fn show(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Start(_) if self.has_started => {}
            Event::Start(start) => {
                self.has_started = true;
                out.push(Event::Start(start));
            }
            Event::Open { slot: from, block } => {
                let slot = Slot(self.next_slot);
                self.next_slot += 1;
                let is_text = matches!(block, Opening::Text);
                self.open = Some(Shown {
                    from,
                    slot,
                    is_call: matches!(block, Opening::ToolUse { .. }),
                    needs_break: is_text && std::mem::take(&mut self.needs_break),
                });
                self.has_text |= is_text;
                out.push(Event::Open { slot, block });
            }
            Event::Delta { slot, delta } => {
                let Some(open) = self.open.as_mut().filter(|open| open.from == slot) else {
                    return;
                };
                let slot = open.slot;
                if std::mem::take(&mut open.needs_break) {
                    out.push(Event::Delta {
                        slot,
                        delta: Delta::Text(BREAK),
                    });
                }
                out.push(Event::Delta { slot, delta });
            }
            Event::Close { slot } => {
                if let Some(open) = self.open.take_if(|open| open.from == slot) {
                    out.push(Event::Close { slot: open.slot });
                }
            }
            Event::Usage(_) => out.push(Event::Usage(self.total())),
            Event::Stop(stop) => out.push(Event::Stop(stop)),
            Event::Done => out.push(Event::Done),
            Event::Ping => out.push(Event::Ping),
        }
    }

    fn keep(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.usage.update(&start.usage),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Delta { delta, .. } => {
                self.said_bytes += match delta {
                    Delta::Text(text)
                    | Delta::Thinking(text)
                    | Delta::Input(text)
                    | Delta::Signature(text) => text.wire_len(),
                    Delta::Citation(foreign) | Delta::Foreign(foreign) => foreign.raw.len(),
                };
            }
            Event::Open { .. }
            | Event::Close { .. }
            | Event::Stop(_)
            | Event::Done
            | Event::Ping => {}
        }
        if self.said_bytes <= MOST_SAID && *event != Event::Ping {
            self.said.push(event.clone());
        }
    }

    /// The last attempt's input, and the output of all.
    fn total(&self) -> Usage {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        let mut total = self.spent;
        total.update(&self.usage);
        total.output = sum(self.spent.output, self.usage.output);
        total.reasoning = sum(self.spent.reasoning, self.usage.reasoning);
        total
    }
}

#[cfg(test)]
mod tests {
    use lingate_wire::turn::{Block, Start, Stop, StopReason};

    use super::*;

    fn text(slot: u32, text: &str) -> Vec<Event> {
        let slot = Slot(slot);
        let mut events = vec![Event::Open {
            slot,
            block: Opening::Text,
        }];
        events.extend(text.chars().map(|letter| Event::Delta {
            slot,
            delta: Delta::Text(letter.to_string().into()),
        }));
        events.push(Event::Close { slot });
        events
    }

    fn call(slot: u32, name: &str) -> Vec<Event> {
        let slot = Slot(slot);
        vec![
            Event::Open {
                slot,
                block: Opening::ToolUse {
                    id: "call_1".into(),
                    name: name.into(),
                    namespace: None,
                    is_freeform: false,
                    extra: Vec::new(),
                },
            },
            Event::Delta {
                slot,
                delta: Delta::Input("{}".into()),
            },
            Event::Close { slot },
        ]
    }

    fn reply(blocks: Vec<Vec<Event>>, reason: StopReason, output: u64) -> Vec<Event> {
        let mut events = vec![Event::Start(Start::default())];
        events.extend(blocks.into_iter().flatten());
        let usage = Usage {
            input: Some(output * 10),
            output: Some(output),
            ..Usage::default()
        };
        events.extend([
            Event::Usage(usage),
            Event::Stop(Stop::new(reason)),
            Event::Done,
        ]);
        events
    }

    /// What the client has: blocks by their text or name, why the reply ended, input and output tokens.
    fn shown(events: &[Event]) -> (Vec<String>, Option<StopReason>, Option<u64>, Option<u64>) {
        let mut open = None;
        let mut next = 0;
        for event in events {
            match event {
                Event::Open { slot, .. } => {
                    assert_eq!((open, slot.0), (None, next), "one block after the other");
                    open = Some(*slot);
                    next += 1;
                }
                Event::Delta { slot, .. } => assert_eq!(open, Some(*slot)),
                Event::Close { slot } => assert_eq!(open.take(), Some(*slot)),
                _ => {}
            }
        }
        let is_start = |event: &&Event| matches!(event, Event::Start(_));
        assert_eq!(events.iter().filter(is_start).count(), 1);
        let reply = fold(events.iter().cloned());
        let blocks = reply.blocks.iter().map(|block| match &**block {
            Block::Text { text, .. } => text.to_string(),
            Block::ToolUse(call) => call.name.to_string(),
            other => format!("{other:?}"),
        });
        let stop = reply.stop.map(|stop| stop.reason);
        (
            blocks.collect(),
            stop,
            reply.usage.input,
            reply.usage.output,
        )
    }

    /// Passes a reply on in pieces of `size` events.
    fn pass(message: &mut Message, reply: &[Event], size: usize, out: &mut Vec<Event>) {
        for piece in reply.chunks(size) {
            let mut piece = piece.to_vec();
            message.pass(&mut piece);
            out.append(&mut piece);
        }
    }

    fn begun(holding: Holding) -> Message {
        let mut message = Message::default();
        message.begin(holding);
        message
    }

    #[test]
    fn without_a_policy_everything_passes() {
        let mut message = begun(Holding::Nothing);
        let reply = reply(
            vec![text(0, "Hi."), call(1, "Read")],
            StopReason::ToolUse,
            1,
        );
        let mut out = Vec::new();
        pass(&mut message, &reply, 2, &mut out);
        message.finish(&mut out);
        assert_eq!(out, reply);
        assert!(!message.may_go_on());
    }

    #[test]
    fn attempts_become_one_reply_however_they_are_cut() {
        use StopReason::{EndTurn, ToolUse};
        for size in [1, 2, 3, 5, 64] {
            let mut message = begun(Holding::End);
            let mut out = Vec::new();
            pass(
                &mut message,
                &reply(vec![text(0, "One.")], EndTurn, 3),
                size,
                &mut out,
            );
            assert!(!out.contains(&Event::Done), "the end waits");
            assert_eq!(message.said().blocks.len(), 1);
            message.go_on();
            let second = reply(vec![text(0, "Two."), call(1, "Read")], ToolUse, 4);
            pass(&mut message, &second, size, &mut out);
            message.finish(&mut out);
            let blocks = ["One.", "\n\nTwo.", "Read"].map(str::to_owned).to_vec();
            assert_eq!(shown(&out), (blocks, Some(ToolUse), Some(40), Some(7)));
        }
    }

    #[test]
    fn calls_wait_where_they_are_judged_and_stand_if_nothing_better_comes() {
        use StopReason::ToolUse;
        let first = reply(vec![text(0, "One."), call(1, "Bad")], ToolUse, 3);
        let second = reply(vec![call(0, "Good")], ToolUse, 4);
        for (is_cut, name, output) in [(false, "Good", 7), (true, "Bad", 3)] {
            let mut message = begun(Holding::Calls);
            let mut out = Vec::new();
            pass(&mut message, &first, 1, &mut out);
            assert!(!shown(&out).0.contains(&"Bad".to_owned()));
            assert_eq!(message.said().blocks.len(), 2);
            message.go_on();
            if is_cut {
                pass(&mut message, &second[..3], 1, &mut out);
                assert!(message.cut(&mut out));
            } else {
                pass(&mut message, &second, 1, &mut out);
                message.finish(&mut out);
            }
            let blocks = vec!["One.".to_owned(), name.to_owned()];
            let (got, stop, _, total) = shown(&out);
            assert_eq!((got, stop, total), (blocks, Some(ToolUse), Some(output)));
        }
    }

    #[test]
    fn a_failed_attempt_ends_what_there_is_unless_half_a_call_is_out() {
        use StopReason::{EndTurn, ToolUse};
        let text_first = reply(vec![text(0, "One.")], EndTurn, 3);
        let half_text = reply(vec![text(0, "Two.")], EndTurn, 4);
        let half_call = reply(vec![call(0, "Read")], ToolUse, 4);
        for (second, expected) in [
            (&half_text[..1], Some(vec!["One."])),
            (&half_text[..4], Some(vec!["One.", "\n\nTw"])),
            (&half_call[..2], None),
        ] {
            let mut message = begun(Holding::End);
            let mut out = Vec::new();
            assert!(!message.cut(&mut out), "nothing to end");
            pass(&mut message, &text_first, 1, &mut out);
            message.go_on();
            pass(&mut message, second, 1, &mut out);
            assert_eq!(message.cut(&mut out), expected.is_some());
            if let Some(blocks) = expected {
                let blocks = blocks.into_iter().map(str::to_owned).collect();
                assert_eq!(shown(&out), (blocks, Some(EndTurn), Some(30), Some(3)));
            }
        }
    }

    #[test]
    fn a_reply_beyond_measure_is_the_last() {
        let mut message = begun(Holding::End);
        let long = "x".repeat(MOST_SAID + 1);
        let delta = Event::Delta {
            slot: Slot(0),
            delta: Delta::Text(long.into()),
        };
        message.pass(&mut vec![delta]);
        assert!(!message.may_go_on());
        assert!(message.said().blocks.is_empty());
    }
}
