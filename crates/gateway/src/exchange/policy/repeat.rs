//! The same once more: a reply without content or with a broken call is a chance fault of the model.

use lingate_wire::turn::FailureKind;

use super::{Next, Outcome, Patch, Policy};

/// Most attempts that only repeat.
const MOST_REPEATS: u32 = 1;

/// How often it was tried.
#[derive(Default)]
pub(super) struct Repeats(u32);

impl Policy for Repeats {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        let Outcome::Failed { failed, .. } = outcome else {
            return Next::Finish;
        };
        let is_chance = matches!(
            failed.failure.kind,
            FailureKind::EmptyReply | FailureKind::BrokenToolCall
        );
        if !is_chance || self.0 >= MOST_REPEATS {
            return Next::Finish;
        }
        self.0 += 1;
        Next::Retry(Patch::Repeat)
    }
}
