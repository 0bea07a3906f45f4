//! A stream that breaks with what the model wrote in its error: the calls that are read there follow what came before.
//!
//! Hosts that read calls themselves (Groq's `tool_use_failed`) send text as it comes and refuse the call at its end. What
//! they send along is the whole generation, so what the client has already is left out of it; where the two do not fit
//! together, the failure stays one. Pure: no IO, no clock.

use lingate_quirk::{Selection, State};
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Delta, Event, Failure, Opening, Slot, Thinking, fold, replay};

/// Most bytes of text and of thoughts that are remembered; behind more nothing is salvaged.
const MOST_SAID: usize = 256 * 1024;
/// Characters of a generation that tell where it begins.
const BEGINNING: usize = 8;

/// Follows what a decoder reads, to know what a generation repeats.
pub(crate) struct Salvage {
    selection: Selection,
    state: State,
    text: String,
    thoughts: String,
    open: Vec<Slot>,
    /// Numbers of blocks from here on are free.
    free: u32,
    has_begun: bool,
    /// A call came, or more than is remembered: a generation would repeat it.
    is_lost: bool,
}

impl Salvage {
    /// For one reply, by the quirks of its upstream; none where no quirk reads failures.
    pub(crate) fn of(selection: &Selection, state: &State) -> Option<Self> {
        let mut quirks = selection.quirks();
        quirks.any(|quirk| quirk.recover.is_some()).then(|| Self {
            selection: selection.clone(),
            state: state.clone(),
            text: String::new(),
            thoughts: String::new(),
            open: Vec::new(),
            free: 0,
            has_begun: false,
            is_lost: false,
        })
    }

    /// The decoder has read this.
    pub(crate) fn came(&mut self, event: &Event) {
        if self.is_lost {
            return;
        }
        match event {
            Event::Start(_) => self.has_begun = true,
            Event::Open { slot, block } => {
                self.open.push(*slot);
                self.free = self.free.max(slot.0.saturating_add(1));
                self.is_lost |= !matches!(block, Opening::Text | Opening::Thinking);
            }
            Event::Close { slot } => self.open.retain(|open| open != slot),
            Event::Delta { delta, .. } => match delta {
                Delta::Text(text) => self.text.push_str(&text.decode()),
                Delta::Thinking(text) => self.thoughts.push_str(&text.decode()),
                _ => self.is_lost = true,
            },
            Event::Usage(_) | Event::Stop(_) | Event::Done | Event::Ping => {}
        }
        self.is_lost |= self.text.len() + self.thoughts.len() > MOST_SAID;
    }

    /// What follows in place of the failure, and the quirk that read it.
    pub(crate) fn rest(&self, failure: &Failure) -> Option<(Vec<Event>, &'static str)> {
        if self.is_lost {
            return None;
        }
        let (events, quirk) = self.selection.recovered(failure, &self.state)?;
        let generation = failure.generation.as_deref().unwrap_or_default();
        Some((self.behind_what_came(events, generation)?, quirk))
    }

    /// A reply without what was said of it; `None` if it is another.
    fn behind_what_came(&self, events: Vec<Event>, generation: &str) -> Option<Vec<Event>> {
        let mut reply = fold(events);
        let (mut text, mut thoughts) = (self.text.trim_start(), self.thoughts.trim_start());
        let mut fits = true;
        let repeats_text = (reply.blocks.iter()).any(|block| matches!(**block, Block::Text { .. }));
        reply.blocks.retain_mut(|block| match block.edit() {
            Block::Text { text: said, .. } => {
                match behind(&mut text, said) {
                    Some(rest) => *said = rest,
                    None => fits = false,
                }
                !said.is_empty()
            }
            Block::Thinking(Thinking { text: said, .. }) => {
                // Thoughts that differ are a second account of them, and say nothing about the text.
                if let Some(rest) = behind(&mut thoughts, said) {
                    *said = rest;
                }
                !said.is_empty()
            }
            _ => true,
        });
        // A generation may be the call alone. Else what only the client has is another reply, or the beginning of the call.
        let is_call_alone = !repeats_text && !has_begun(text, generation.trim_start());
        if !fits || !(text.trim().is_empty() || is_call_alone) {
            return None;
        }
        let mut rest = replay(&reply);
        if self.has_begun {
            rest.retain(|event| !matches!(event, Event::Start(_)));
        }
        for event in &mut rest {
            if let Event::Open { slot, .. } | Event::Delta { slot, .. } | Event::Close { slot } =
                event
            {
                slot.0 = slot.0.saturating_add(self.free);
            }
        }
        let closed = self.open.iter().map(|&slot| Event::Close { slot });
        let at = usize::from(!self.has_begun);
        rest.splice(at..at, closed);
        Some(rest)
    }
}

/// A text of a generation without what came of it already, which is taken off `came`; `None` if it says something else.
fn behind(came: &mut &str, said: &Text) -> Option<Text> {
    let decoded = said.decode();
    let whole = decoded.trim_start();
    if came.is_empty() {
        return Some(said.clone());
    }
    let rest = match (
        whole.strip_prefix(*came),
        whole.strip_prefix(came.trim_end()),
    ) {
        (Some(rest), _) => rest,
        // White space came that was dropped beside the call.
        (None, Some(rest)) => rest.trim_start(),
        (None, None) => {
            *came = came.strip_prefix(whole.trim_end())?.trim_start();
            return Some(Text::default());
        }
    };
    *came = "";
    Some(Text::from(rest.to_owned()))
}

/// Whether a text holds the beginning of a generation, be it cut off at the end.
fn has_begun(text: &str, generation: &str) -> bool {
    let beginning: String = generation.chars().take(BEGINNING).collect();
    let mut beginnings = beginning.char_indices().map(|(at, _)| at).skip(1);
    text.contains(&beginning)
        || beginnings.any(|end| text.ends_with(beginning.get(..end).unwrap_or_default()))
}
