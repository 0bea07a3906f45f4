//! Tool-call ids as the client sees them: fit for every client, and never twice in one session.

use std::collections::HashSet;

use super::event::{Event, Opening};
use crate::json::Text;
use crate::stage::{End, Sink, Stage};

/// Longest id that is handed through.
const MAX_LENGTH: usize = 64;

/// Gives every call of a reply an id that fits `^[A-Za-z0-9_-]{1,64}$` and is new in the session.
///
/// The upstream's id is kept where it fits; else one is minted from the exchange's id and the call's ordinal, so that a
/// record replays to the same bytes. Two calls with one id would be one call to Claude Code.
#[derive(Debug)]
pub struct ToolIdStage {
    /// Ids of the request, until the first call of the reply asks for them.
    history: Vec<Text>,
    taken: HashSet<String>,
    /// The exchange's id.
    exchange: String,
    minted: u32,
}

impl ToolIdStage {
    /// A stage for one reply. `exchange` is the exchange's id; `history` are the call ids of the request.
    pub fn new(exchange: &str, history: Vec<Text>) -> Self {
        Self {
            history,
            taken: HashSet::new(),
            exchange: exchange.to_owned(),
            minted: 0,
        }
    }

    /// The random part of the exchange's id.
    fn seed(&self) -> String {
        let mut letters: Vec<char> = self.exchange.chars().collect();
        letters.retain(char::is_ascii_alphanumeric);
        let random = letters.iter().skip(letters.len().saturating_sub(22));
        random.collect()
    }

    fn client_id(&mut self, upstream: &Text) -> Text {
        let history = std::mem::take(&mut self.history);
        let history = history.iter().map(|id| id.decode().into_owned());
        self.taken.extend(history);
        let native = upstream.decode();
        if is_fit(&native) && self.taken.insert(native.clone().into_owned()) {
            return upstream.clone();
        }
        loop {
            let id = format!("toolu_{}{:02}", self.seed(), self.minted);
            self.minted += 1;
            if self.taken.insert(id.clone()) {
                return id.into();
            }
        }
    }
}

fn is_fit(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl Stage for ToolIdStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Open {
                slot,
                block:
                    Opening::ToolUse {
                        id,
                        name,
                        namespace,
                        is_freeform,
                        extra,
                    },
            } => {
                let id = self.client_id(&id);
                sink.event(Event::Open {
                    slot,
                    block: Opening::ToolUse {
                        id,
                        name,
                        namespace,
                        is_freeform,
                        extra,
                    },
                });
            }
            other => sink.event(other),
        }
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        !event.opens_call()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fit_and_new_ids_pass_and_others_are_minted() {
        let mut stage = ToolIdStage::new(
            "0193a1b2-c3d4-7abc-8def-0123456789ab",
            vec!["call_1".into()],
        );
        let mut id = |upstream: &str| stage.client_id(&upstream.into()).to_string();
        assert_eq!(id("call_0"), "call_0");
        assert_eq!(
            id("call_0"),
            "toolu_d47abc8def0123456789ab00",
            "twice in one reply"
        );
        assert_eq!(
            id("call_1"),
            "toolu_d47abc8def0123456789ab01",
            "in the history already"
        );
        assert_eq!(id("functions.ls:0"), "toolu_d47abc8def0123456789ab02");
        assert_eq!(id(""), "toolu_d47abc8def0123456789ab03");
        assert_eq!(id(&"x".repeat(65)), "toolu_d47abc8def0123456789ab04");
    }
}
