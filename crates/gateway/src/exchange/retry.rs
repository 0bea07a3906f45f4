//! What follows a failed attempt: the same upstream once more, differently or not, or the end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lingate_quirk::{Repair, Settings};
use lingate_wire::Wire;
use lingate_wire::turn::{Failure, FailureKind};

use super::asked::Asked;
use super::attempt::Failed;
use super::moved::Moved;
use super::upstream::Upstream;
use crate::lane::translate::leaves_thinking_out;
use crate::relay::answer::Answer;

/// Most attempts that only repeat: a reply without content or with a broken call is a chance fault of the model.
const MOST_REPEATS: u32 = 1;
/// Model names may come from clients, so their number is bounded.
const MOST_LEARNT: usize = 1024;

/// What a failed attempt leads to.
pub(crate) enum Next {
    /// Once more.
    Retry,
    /// The exchange ends with this.
    Finish(Result<Answer, Failure>),
}

/// What one exchange has tried again already: each repair once, a repeat once.
#[derive(Default)]
pub(crate) struct Retries {
    repaired: Vec<Repair>,
    repeats: u32,
}

impl Retries {
    /// Decides; a repair changes the settings that the next attempt is made with.
    pub(crate) fn next(
        &mut self,
        failed: Failed,
        asked: &Asked,
        upstream: &mut Upstream<'_>,
        settings: &mut Settings,
    ) -> Next {
        if refuses_foreign_thinking(&failed.failure, upstream)
            && asked
                .decoded()
                .is_ok_and(|decoded| leaves_thinking_out(decoded))
        {
            upstream.refuses_foreign_thinking = true;
            return Next::Retry;
        }
        if let Some(repair) = failed.repair
            && !self
                .repaired
                .iter()
                .any(|done| done.name() == repair.name())
        {
            repair.patch(settings);
            self.repaired.push(repair);
            return Next::Retry;
        }
        let is_chance = matches!(
            failed.failure.kind,
            FailureKind::EmptyReply | FailureKind::BrokenToolCall
        );
        if is_chance && self.repeats < MOST_REPEATS {
            self.repeats += 1;
            return Next::Retry;
        }
        Next::Finish(match failed.verbatim {
            Some(whole) => Ok(Answer::Refused(whole, failed.failure)),
            None => Err(failed.failure),
        })
    }
}

/// Whether an upstream refuses thinking that it did not sign, or misses it: the session was served elsewhere before, by
/// passthrough, where no token can be told from another. The wordings are the Anthropic API's (seen to 2026-10).
fn refuses_foreign_thinking(failure: &Failure, upstream: &Upstream<'_>) -> bool {
    let message = failure.message.to_ascii_lowercase();
    upstream.wire == Wire::Anthropic
        && !upstream.refuses_foreign_thinking
        && failure.kind == FailureKind::InvalidRequest
        && message.contains("thinking")
        && [
            "signature",
            "invalid `data`",
            "cannot be modified",
            "must start with a thinking block",
        ]
        .iter()
        .any(|words| message.contains(words))
}

/// Repairs that an upstream turned out to need, so that not every request of a session pays for a refusal first, and the
/// history keeps its bytes.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// Conversations that go on here without the thinking of another upstream.
    pub moved: Moved,
    repairs: Mutex<HashMap<(String, String), Vec<Repair>>>,
}

impl Learnt {
    /// The settings for an upstream, with what was learnt of it.
    pub(crate) fn settings(&self, upstream: &Upstream<'_>) -> Settings {
        let mut settings = upstream.settings.clone();
        let learnt = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        for repair in learnt.get(&key(upstream)).into_iter().flatten() {
            repair.patch(&mut settings);
        }
        settings
    }

    /// An attempt succeeded after these repairs.
    pub(crate) fn keep(&self, asked: &Asked, upstream: &Upstream<'_>, retries: &Retries) {
        if upstream.refuses_foreign_thinking {
            self.moved.note(asked, upstream);
        }
        let lasting = || {
            retries
                .repaired
                .iter()
                .filter(|repair| is_lasting(**repair))
        };
        if lasting().next().is_none() {
            return;
        }
        let mut learnt = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt.len() >= MOST_LEARNT {
            learnt.clear();
        }
        learnt.entry(key(upstream)).or_default().extend(lasting());
    }
}

/// Whether a repair is about the upstream, not about the one request.
const fn is_lasting(repair: Repair) -> bool {
    match repair {
        Repair::ReasoningPlaceholder | Repair::Thinking => true,
        Repair::OutputLimit(_) => false,
    }
}

fn key(upstream: &Upstream<'_>) -> (String, String) {
    (upstream.provider.id.clone(), upstream.model.clone())
}
