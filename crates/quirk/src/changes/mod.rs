//! What quirks changed in a request, told for the record: where, how it read, and how it reads now.
//!
//! Somebody has to ask for it ([`State::telling`](crate::State::telling)): it costs one copy of the conversation's
//! structure (its texts are shared) and a comparison for every quirk that changed something. Without that nothing is
//! copied or compared. Places are written as in losses, with the names of the Anthropic wire's members, whatever the
//! wires: `messages[3].content[0].id`, `tools[2].input_schema`, `temperature`.

mod compare;
mod excerpt;
mod render;

use lingate_wire::turn::{Params, Turn};

use compare::Comparison;
pub use excerpt::{MOST_SHOWN, excerpts};

/// Most places that are told of one quirk in one request; the rest is counted.
const MOST_PLACES: usize = 4;

/// One thing that a quirk changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The quirk's name.
    pub quirk: &'static str,
    /// Where: a path in the request, or how many more places there are.
    pub place: String,
    /// How it read, around the first difference, at most [`MOST_SHOWN`] bytes; none where there was nothing.
    pub before: Option<String>,
    /// How it reads now; none where there is nothing any more.
    pub after: Option<String>,
}

/// A request as it was when it was last looked at.
pub(crate) struct Watch {
    turn: Turn,
    params: Params,
}

impl Watch {
    /// Looks at a request that nothing has changed yet.
    pub(crate) fn of(turn: &Turn, params: &Params) -> Self {
        Self {
            turn: turn.clone(),
            params: params.clone(),
        }
    }

    /// A quirk has changed something: tells what, and looks from there on.
    pub(crate) fn changed(
        &mut self,
        quirk: &'static str,
        turn: &Turn,
        params: &Params,
        changes: &mut Vec<Change>,
    ) {
        let mut comparison = Comparison::new(quirk, MOST_PLACES);
        comparison.turns(&self.turn, turn);
        comparison.params(&self.params, params);
        changes.extend(comparison.told());
        refresh(&mut self.turn.system, &turn.system);
        refresh(&mut self.turn.messages, &turn.messages);
        refresh(&mut self.turn.tools, &turn.tools);
        self.turn.cache = turn.cache;
        self.params.clone_from(params);
    }
}

/// Takes over what differs.
fn refresh<T: Clone + PartialEq>(old: &mut Vec<T>, new: &[T]) {
    if old.len() != new.len() {
        *old = new.to_vec();
        return;
    }
    for (old, new) in old.iter_mut().zip(new) {
        if old != new {
            old.clone_from(new);
        }
    }
}
