//! What a generation of the configuration makes of the models that were asked: worked out once for each, not for every
//! exchange.

use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::{Equivalent, HashMap};
use lingate_route::Candidate;
use lingate_wire::Wire;

use super::upstream::Traits;

/// Names may come from clients, so their number is bounded: so many newer ones, and as many older ones.
const MOST: usize = 512;

/// Those of one generation.
#[derive(Default)]
pub(crate) struct Upstreams(RwLock<Held>);

/// What was asked for of late. Names that a client makes up push each other out, and not those that are asked for between.
#[derive(Default)]
struct Held {
    newer: HashMap<Known, Arc<Traits>>,
    /// The newer ones from before there were too many; one that is asked for is a newer one again.
    older: HashMap<Known, Arc<Traits>>,
}

/// A candidate on one of its provider's wires.
#[derive(PartialEq, Eq, Hash)]
struct Known {
    candidate: Candidate,
    wire: Wire,
}

/// The same, borrowed: it hashes alike.
#[derive(Hash)]
struct Asked<'a> {
    candidate: &'a Candidate,
    wire: Wire,
}

impl Equivalent<Known> for Asked<'_> {
    fn equivalent(&self, known: &Known) -> bool {
        self.wire == known.wire && *self.candidate == known.candidate
    }
}

impl Upstreams {
    /// Those of a candidate that is asked on `wire`; the first time they are made.
    pub(super) fn traits(
        &self,
        candidate: &Candidate,
        wire: Wire,
        make: impl FnOnce() -> Traits,
    ) -> Arc<Traits> {
        let Self(all) = self;
        let asked = Asked { candidate, wire };
        let held = all.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(traits) = held.newer.get(&asked) {
            return Arc::clone(traits);
        }
        let older = held.older.get(&asked).map(Arc::clone);
        drop(held);
        let traits = older.unwrap_or_else(|| Arc::new(make()));
        let known = Known {
            candidate: candidate.clone(),
            wire,
        };
        let mut held = all.write().unwrap_or_else(PoisonError::into_inner);
        held.keep(known, Arc::clone(&traits));
        traits
    }
}

impl Held {
    fn keep(&mut self, known: Known, traits: Arc<Traits>) {
        if self.newer.len() >= MOST {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(known, traits);
    }
}

#[cfg(test)]
mod tests {
    use lingate_quirk::{Settings, Target, select};
    use lingate_route::TargetRef;

    use super::*;
    use crate::upstream::client::Way;

    fn candidate(provider: &str, model: &str, index: Option<usize>) -> Candidate {
        Candidate {
            provider: provider.into(),
            model: model.into(),
            weight: 1,
            target: index.map(|index| TargetRef {
                profile: None,
                model: "m".into(),
                index,
            }),
        }
    }

    /// Whether it was made now.
    fn is_new(upstreams: &Upstreams, candidate: &Candidate, wire: Wire) -> bool {
        let mut is_new = false;
        let model = candidate.model.clone();
        let traits = upstreams.traits(candidate, wire, || {
            is_new = true;
            let target = Target {
                provider: "p",
                host: "",
                model: &model,
                wire,
            };
            Traits {
                selection: Arc::new(select(&[], &target)),
                model: model.to_string(),
                host: String::new(),
                way: Way::plain(None),
                settings: Settings::default(),
                host_field: None,
                shown: Vec::new(),
            }
        });
        assert_eq!(*traits.model, *candidate.model);
        is_new
    }

    #[test]
    fn each_is_made_once() {
        let upstreams = Upstreams::default();
        let cases = [
            (candidate("p", "m", None), Wire::Chat),
            (candidate("p", "m", None), Wire::Anthropic),
            (candidate("p", "n", None), Wire::Chat),
            (candidate("q", "m", None), Wire::Chat),
            // A model's settings are its own, though it is the same model.
            (candidate("p", "m", Some(0)), Wire::Chat),
            (candidate("p", "m", Some(1)), Wire::Chat),
        ];
        for expected in [true, false] {
            for (candidate, wire) in &cases {
                let found = is_new(&upstreams, candidate, *wire);
                assert_eq!(found, expected, "{candidate:?} {wire:?}");
            }
        }
    }

    #[test]
    fn names_of_clients_do_not_pile_up() {
        let upstreams = Upstreams::default();
        let asked = |name: String| is_new(&upstreams, &candidate("p", &name, None), Wire::Chat);
        assert!(asked("in use".to_owned()));
        for n in 0..5 * MOST {
            assert!(asked(format!("made-up-{n}")));
            // Others ask for it now and then.
            assert!(n % 100 > 0 || !asked("in use".to_owned()), "after {n}");
        }
        let held = upstreams.0.read().unwrap();
        assert!(held.newer.len() <= MOST && held.older.len() <= MOST);
        drop(held);
        assert!(!asked(format!("made-up-{}", 5 * MOST - 1)), "the newest");
        assert!(asked("made-up-0".to_owned()), "the oldest");
    }
}
