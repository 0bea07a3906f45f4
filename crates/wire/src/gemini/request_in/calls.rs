//! Ids of calls, which this wire may leave out: then a call is known by its place, and a result belongs to the first call
//! of its name that has none yet.

use crate::json::Text;

/// The calls of a conversation so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    n_calls: usize,
    n_orphans: usize,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    id: Text,
    name: Text,
}

impl Calls {
    /// Takes a call and gives its id: its own, or one derived from its place in the conversation.
    pub(super) fn called(&mut self, id: Option<Text>, name: &Text) -> Text {
        let place = self.n_calls;
        self.n_calls += 1;
        let id = id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("call_{place}").into());
        self.open.push(Open {
            id: id.clone(),
            name: name.clone(),
        });
        id
    }

    /// Takes a result and gives the id of the call it answers.
    pub(super) fn answered(&mut self, id: Option<Text>, name: &Text) -> Text {
        let id = id.filter(|id| !id.is_empty());
        let by_id = |open: &Open| id.as_ref().is_some_and(|id| *id == open.id);
        let at = self
            .open
            .iter()
            .position(by_id)
            .or_else(|| self.open.iter().position(|open| open.name == *name));
        if let Some(at) = at {
            return self.open.remove(at).id;
        }
        id.unwrap_or_else(|| {
            self.n_orphans += 1;
            format!("result_{}", self.n_orphans - 1).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls and results as words: `f` or `f=id`; a result begins with `>`.
    #[track_caller]
    fn check(steps: &str, expected: &str) {
        let mut calls = Calls::default();
        let ids: Vec<String> = steps
            .split_whitespace()
            .map(|step| {
                let (is_result, step) = match step.strip_prefix('>') {
                    Some(step) => (true, step),
                    None => (false, step),
                };
                let (name, id) = match step.split_once('=') {
                    Some((name, id)) => (name, Some(id.into())),
                    None => (step, None),
                };
                let id = if is_result {
                    calls.answered(id, &name.into())
                } else {
                    calls.called(id, &name.into())
                };
                id.to_string()
            })
            .collect();
        assert_eq!(ids.join(" "), expected, "{steps}");
    }

    #[test]
    fn results_find_their_calls() {
        check("f >f g >g", "call_0 call_0 call_1 call_1");
        check("f f >f >f", "call_0 call_1 call_0 call_1");
        check("f g >g >f", "call_0 call_1 call_1 call_0");
        check("f=a f=b >f=b >f", "a b b a");
        check("f >f=x", "call_0 call_0");
        check(">f >g=y f", "result_0 y call_0");
    }
}
