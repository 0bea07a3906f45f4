//! Calls that wait for their results.
//!
//! Results mostly come in the calls' order, so that the next one is looked for near the front; only where it is not
//! there, an index of all ids is made. A conversation of a hundred thousand calls costs no more for each of them than
//! one of ten.

use std::collections::{HashMap, VecDeque};

use crate::json::Text;

/// How many open calls are looked at before an index is worth its making.
const NEAR: usize = 16;

/// The calls of a turn in their order, each taken once.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    /// By position; none where the result came.
    calls: Vec<Option<Text>>,
    /// Before this position every result came.
    first: usize,
    n_open: usize,
    /// Positions by id, also of calls that have been taken since.
    index: Option<HashMap<String, VecDeque<usize>>>,
    /// Ids that were compared, for the tests.
    #[cfg(test)]
    compared: usize,
}

impl Unanswered {
    /// Adds a call behind the others.
    pub(crate) fn push(&mut self, id: Text) {
        if let Some(index) = &mut self.index {
            let positions = index.entry(id.decode().into_owned()).or_default();
            positions.push_back(self.calls.len());
        }
        self.calls.push(Some(id));
        self.n_open += 1;
    }

    /// Whether every call has its result.
    pub(crate) const fn is_empty(&self) -> bool {
        self.n_open == 0
    }

    /// Whether a call with this id is open.
    pub(crate) fn holds(&mut self, id: &Text) -> bool {
        self.find(id).is_some()
    }

    /// Takes the first open call with this id; its position among all that were pushed, if there is one.
    pub(crate) fn take(&mut self, id: &Text) -> Option<usize> {
        let at = self.find(id)?;
        self.calls.get_mut(at)?.take()?;
        self.n_open -= 1;
        while matches!(self.calls.get(self.first), Some(None)) {
            self.first += 1;
        }
        Some(at)
    }

    /// Takes all that are open, in their order, and forgets the rest.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Text> {
        (self.first, self.n_open, self.index) = (0, 0, None);
        self.calls.drain(..).flatten()
    }

    fn find(&mut self, id: &Text) -> Option<usize> {
        self.near(id).or_else(|| self.anywhere(id))
    }

    fn near(&mut self, id: &Text) -> Option<usize> {
        let near = self.calls.iter().enumerate().skip(self.first).take(NEAR);
        #[cfg(test)]
        {
            self.compared += NEAR;
        }
        near.filter(|(_, call)| call.as_ref() == Some(id))
            .map(|(at, _)| at)
            .next()
    }

    fn anywhere(&mut self, id: &Text) -> Option<usize> {
        if self.calls.len() <= self.first + NEAR {
            return None;
        }
        let calls = &self.calls;
        #[cfg(test)]
        if self.index.is_none() {
            self.compared += calls.len();
        }
        let index = self.index.get_or_insert_with(|| {
            let mut index: HashMap<String, VecDeque<usize>> = HashMap::new();
            for (at, call) in calls.iter().enumerate() {
                if let Some(call) = call {
                    let positions = index.entry(call.decode().into_owned()).or_default();
                    positions.push_back(at);
                }
            }
            index
        });
        let positions = index.get_mut(&*id.decode())?;
        // What was found near the front stands here still.
        loop {
            let at = *positions.front()?;
            if matches!(calls.get(at), Some(Some(_))) {
                return Some(at);
            }
            positions.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: impl IntoIterator<Item = usize>) -> Vec<Text> {
        ids.into_iter()
            .map(|id| Text::from(format!("call_{id}")))
            .collect()
    }

    fn of(calls: &[Text]) -> Unanswered {
        let mut unanswered = Unanswered::default();
        for call in calls {
            unanswered.push(call.clone());
        }
        unanswered
    }

    #[test]
    fn each_is_taken_once_wherever_it_stands() {
        for n in [1, NEAR, NEAR + 1, 100] {
            let calls = ids(0..n);
            let orders: [Vec<usize>; 3] = [
                (0..n).collect(),
                (0..n).rev().collect(),
                (0..n).map(|at| (at * 37 + 5) % n).collect(),
            ];
            for order in orders {
                let mut unanswered = of(&calls);
                let mut taken = vec![false; n];
                for at in order {
                    let was_taken = std::mem::replace(&mut taken[at], true);
                    assert_eq!(unanswered.holds(&calls[at]), !was_taken);
                    let expected = (!was_taken).then_some(at);
                    assert_eq!(unanswered.take(&calls[at]), expected, "{at} of {n}");
                    assert_eq!(unanswered.take(&"call_x".into()), None);
                }
                let left: Vec<Text> = unanswered.drain().collect();
                let expected = (0..n).filter(|at| !taken[*at]);
                assert_eq!(left, ids(expected), "{n}");
                assert!(unanswered.is_empty());
            }
        }
    }

    #[test]
    fn equal_ids_are_taken_in_their_order() {
        for n in [3, 40] {
            let calls = vec![Text::from("same"); n];
            let mut unanswered = of(&calls);
            let taken: Vec<_> = (0..n).map_while(|_| unanswered.take(&calls[0])).collect();
            assert_eq!(taken, (0..n).collect::<Vec<_>>());
            assert_eq!(unanswered.take(&calls[0]), None);
            // What comes later is known to an index that was made before.
            unanswered.push("same".into());
            assert_eq!(unanswered.take(&calls[0]), Some(n));
            assert!(unanswered.is_empty());
        }
    }

    #[test]
    fn many_calls_cost_no_more_for_each() {
        let compared = |n: usize| {
            let calls = ids(0..n);
            let mut unanswered = of(&calls);
            for call in calls.iter().rev() {
                unanswered.take(call);
            }
            unanswered.compared / n
        };
        assert!(compared(20_000) <= compared(200) + 1);
    }
}
