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
