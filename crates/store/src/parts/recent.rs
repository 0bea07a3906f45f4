//! The requests seen last, to compare the next ones with.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::record::{Alike, BodyKind};

use super::keyed::{Keyed, Same};
use super::manifest::Span;

/// How many are kept at hand.
const BODIES: usize = 64;

/// How large all of them are together, at most.
const BYTES: usize = 16 << 20;

/// A body, and where it was put.
pub(crate) struct Seen {
    pub keyed: Keyed,
    pub spans: Vec<Span>,
}

/// Bodies by conversation and kind, the newest last. Bounded; without them the same is stored, at more cost.
#[derive(Default)]
pub(crate) struct Recent {
    bodies: VecDeque<(Option<String>, BodyKind, Seen)>,
    bytes: usize,
}

impl Recent {
    /// The body that these bytes are most like, and in how much: the last of their kind in the conversation, what they
    /// were made of, or the last of their kind in another conversation, which begins alike.
    pub(crate) fn closest(
        &self,
        session: Option<&str>,
        kind: BodyKind,
        bytes: &[u8],
        alike: Option<Alike>,
    ) -> Option<(&Seen, Same)> {
        let of = |session: Option<&str>, kind| {
            let newest = self.bodies.iter().rev();
            newest
                .filter(move |(its_session, its_kind, _)| {
                    *its_kind == kind && (session.is_none() || its_session.as_deref() == session)
                })
                .map(|(.., seen)| seen)
                .next()
        };
        let candidates = [(session, kind), (session, counterpart(kind)), (None, kind)];
        let mut best: Option<(&Seen, Same)> = None;
        for (session, kind) in candidates {
            let Some(seen) = of(session, kind) else {
                continue;
            };
            let same = Same::of(bytes, alike, &seen.keyed);
            if best.is_none_or(|(_, best)| best.bytes() < same.bytes()) {
                best = Some((seen, same));
            }
            if same.bytes() >= bytes.len() / 4 * 3 {
                break;
            }
        }
        best
    }

    /// The body that this is a slice of.
    pub(crate) fn holding(&self, slice: &Bytes) -> Option<&Seen> {
        let mut newest = self.bodies.iter().rev().map(|(.., seen)| seen);
        newest.find(|seen| seen.keyed.place(slice).is_some())
    }

    /// Keeps a body at hand, instead of those before it in its conversation. One whose exchange still runs stays: what is
    /// sent on may be slices of it.
    pub(crate) fn add(&mut self, session: Option<&str>, kind: BodyKind, seen: Seen) {
        let is_older = |(of, its_kind, seen): &(Option<String>, BodyKind, Seen)| {
            *its_kind == kind && of.as_deref() == session && !seen.keyed.is_in_use()
        };
        while let Some(older) = self.bodies.iter().position(is_older) {
            self.forget(older);
        }
        self.bytes += seen.keyed.len();
        self.bodies
            .push_back((session.map(str::to_owned), kind, seen));
        while self.bodies.len() > BODIES || self.bytes > BYTES {
            self.forget(0);
        }
    }

    fn forget(&mut self, at: usize) {
        if let Some((.., seen)) = self.bodies.remove(at) {
            self.bytes -= seen.keyed.len();
        }
    }
}

/// What bodies of a kind are made of, or what is made of them.
const fn counterpart(kind: BodyKind) -> BodyKind {
    match kind {
        BodyKind::ClientRequest => BodyKind::ProviderRequest,
        BodyKind::ProviderRequest => BodyKind::ClientRequest,
        BodyKind::ProviderResponse => BodyKind::ClientResponse,
        BodyKind::ClientResponse => BodyKind::ProviderResponse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: BodyKind = BodyKind::ClientRequest;
    const SENT: BodyKind = BodyKind::ProviderRequest;
    const CAME: BodyKind = BodyKind::ProviderResponse;

    fn body(text: &str) -> Seen {
        let bytes = text.as_bytes().to_vec();
        Seen {
            keyed: Keyed::new(bytes.into(), &crate::Mask::default()),
            spans: Vec::new(),
        }
    }

    /// Length of the body that is closest to a text; 0 if there is none.
    fn closest(recent: &Recent, session: Option<&str>, kind: BodyKind, text: &str) -> usize {
        let found = recent.closest(session, kind, text.as_bytes(), None);
        found.map_or(0, |(seen, _)| seen.keyed.len())
    }

    #[test]
    fn of_the_conversation_of_the_exchange_or_of_the_kind() {
        let mut recent = Recent::default();
        recent.add(Some("a"), ASKED, body("a1"));
        recent.add(Some("a"), SENT, body("a12"));
        recent.add(Some("b"), ASKED, body("b123"));
        recent.add(Some("a"), ASKED, body("a123456789"));
        assert_eq!(closest(&recent, Some("a"), ASKED, "a1234"), 10);
        assert_eq!(closest(&recent, Some("a"), SENT, "a12"), 3);
        assert_eq!(
            closest(&recent, Some("a"), SENT, "a123456789"),
            10,
            "as it came"
        );
        assert_eq!(closest(&recent, Some("b"), ASKED, "b1"), 4);
        assert_eq!(closest(&recent, Some("c"), ASKED, "b1"), 10, "the last one");
        assert_eq!(closest(&recent, None, ASKED, "a"), 10);
        assert_eq!(closest(&recent, Some("a"), CAME, "a"), 0);
    }

    #[test]
    fn what_an_exchange_still_holds_stays() {
        let mut recent = Recent::default();
        let held = |number: usize| Bytes::from(vec![b'x'; 100 + number]);
        let mut add = |bytes: &Bytes| {
            let keyed = Keyed::new(bytes.clone(), &crate::Mask::default());
            let spans = Vec::new();
            recent.add(Some("a"), ASKED, Seen { keyed, spans });
        };
        let running = [0, 1].map(held);
        running.iter().for_each(&mut add);
        let last = held(2);
        add(&last);
        for bytes in &running {
            let found = recent.holding(&bytes.slice(9..50));
            assert_eq!(found.map(|seen| seen.keyed.len()), Some(bytes.len()));
        }
        assert!(recent.holding(&held(0)).is_none(), "equal is not the same");
        drop(running);
        recent.add(Some("a"), ASKED, body("next"));
        assert_eq!(recent.bodies.len(), 2, "the last one is held, the next new");
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let mut recent = Recent::default();
        let large = "x".repeat(3 << 20);
        for number in 0..100 {
            recent.add(Some(&number.to_string()), ASKED, body(&large));
            recent.add(Some(&number.to_string()), SENT, body("x"));
            assert!(recent.bytes <= BYTES && recent.bodies.len() <= BODIES);
        }
        let held = recent.bodies.iter().map(|(.., seen)| seen.keyed.len());
        assert_eq!(held.sum::<usize>(), recent.bytes);
        recent.add(None, CAME, body(&"x".repeat(BYTES + 1)));
        assert_eq!(closest(&recent, None, CAME, "x"), 0, "too large");
    }
}
