//! What a generation of the configuration makes of the models that were asked: worked out once for each, not for every
//! exchange.

use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::{Equivalent, HashMap};
use lingate_route::Candidate;
use lingate_wire::Wire;

use super::upstream::Traits;

/// Names may come from clients, so their number is bounded.
const MOST: usize = 1024;

/// Those of one generation.
#[derive(Default)]
pub(crate) struct Upstreams(RwLock<HashMap<Known, Arc<Traits>>>);

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
        if let Some(traits) = all
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&asked)
        {
            return Arc::clone(traits);
        }
        let traits = Arc::new(make());
        let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        let known = Known {
            candidate: candidate.clone(),
            wire,
        };
        all.insert(known, Arc::clone(&traits));
        traits
    }
}

#[cfg(test)]
mod tests {
    use lingate_quirk::{Settings, Target, select};
    use lingate_route::TargetRef;

    use super::*;

    fn candidate(provider: &str, model: &str, index: Option<usize>) -> Candidate {
        Candidate {
            provider: provider.to_owned(),
            model: model.to_owned(),
            weight: 1,
            target: index.map(|index| TargetRef {
                profile: None,
                model: "m".to_owned(),
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
                model: model.clone(),
                host: String::new(),
                settings: Settings::default(),
            }
        });
        assert_eq!(traits.model, candidate.model);
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
        for n in 0..3 * MOST {
            is_new(
                &upstreams,
                &candidate("p", &format!("m{n}"), None),
                Wire::Chat,
            );
        }
        assert!(upstreams.0.read().unwrap().len() <= MOST);
        let last = candidate("p", &format!("m{}", 3 * MOST - 1), None);
        assert!(
            !is_new(&upstreams, &last, Wire::Chat),
            "the newest is known"
        );
    }
}
