//! The bodies seen last, to compare the next ones with.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::record::BodyKind;

use super::keyed::Keyed;

/// How many are kept at hand.
const BODIES: usize = 16;

/// How large all of them are together, at most.
const BYTES: usize = 16 << 20;

/// Bodies by conversation and kind, the newest last. Bounded; without them the same is stored, at more cost.
#[derive(Default)]
pub(crate) struct Recent {
    bodies: VecDeque<(Option<String>, BodyKind, Arc<Keyed>)>,
    bytes: usize,
}

impl Recent {
    /// What a body may be like: the last of its kind in the conversation, and the last of all.
    pub(crate) fn like(&self, session: Option<&str>, kind: BodyKind) -> Vec<Arc<Keyed>> {
        let fits = |(of, its_kind, _): &&(Option<String>, BodyKind, Arc<Keyed>)| {
            of.as_deref() == session && *its_kind == kind
        };
        let turn = self.bodies.iter().rev().find(fits);
        turn.into_iter()
            .chain(self.bodies.back())
            .map(|(.., body)| Arc::clone(body))
            .collect()
    }

    /// Keeps a body at hand, instead of the one before it in its conversation.
    pub(crate) fn add(&mut self, session: Option<&str>, kind: BodyKind, body: Arc<Keyed>) {
        let is_older = |(of, its_kind, _): &(Option<String>, BodyKind, Arc<Keyed>)| {
            of.as_deref() == session && *its_kind == kind
        };
        if let Some(older) = self.bodies.iter().position(is_older) {
            self.forget(older);
        }
        self.bytes += body.len();
        self.bodies
            .push_back((session.map(str::to_owned), kind, body));
        while self.bodies.len() > BODIES || self.bytes > BYTES {
            self.forget(0);
        }
    }

    fn forget(&mut self, at: usize) {
        if let Some((.., body)) = self.bodies.remove(at) {
            self.bytes -= body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_conversation_and_the_last_of_all() {
        let mut recent = Recent::default();
        let body = |length: usize| Arc::new(Keyed::new(vec![b'x'; length].into(), &[]));
        let lengths = |recent: &Recent, session, kind| -> Vec<usize> {
            recent
                .like(session, kind)
                .iter()
                .map(|body| body.len())
                .collect()
        };
        let (asked, sent) = (BodyKind::ClientRequest, BodyKind::ProviderRequest);
        recent.add(Some("a"), asked, body(1));
        recent.add(Some("a"), sent, body(2));
        recent.add(Some("a"), asked, body(3));
        recent.add(None, asked, body(4));
        assert_eq!(lengths(&recent, Some("a"), asked), [3, 4]);
        assert_eq!(lengths(&recent, Some("a"), sent), [2, 4]);
        assert_eq!(lengths(&recent, Some("b"), asked), [4]);
        for number in 0..100 {
            recent.add(Some(&number.to_string()), asked, body(3 << 20));
            assert!(recent.bytes <= BYTES && recent.bodies.len() <= BODIES);
        }
        assert_eq!(
            recent
                .bodies
                .iter()
                .map(|(.., body)| body.len())
                .sum::<usize>(),
            recent.bytes
        );
        recent.add(None, asked, body(BYTES + 1));
        assert_eq!(
            lengths(&recent, None, asked),
            [0; 0],
            "too large for any of it"
        );
    }
}
