//! A session that was served elsewhere before: an upstream that refuses the other one's signatures is asked without them.

use lingate_wire::Wire;
use lingate_wire::turn::{Failure, FailureKind};

use super::super::upstream::Upstream;
use super::{Next, Outcome, Patch, Policy};
use crate::lane::translate::leaves_thinking_out;

/// Leaves foreign thinking out, once: an upstream that is already asked without it is not asked again.
pub(super) struct ForeignThinking;

impl Policy for ForeignThinking {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        match outcome {
            Outcome::Failed {
                failed,
                asked,
                upstream,
            } if refuses_foreign_thinking(&failed.failure, upstream)
                && asked.decoded().is_ok_and(leaves_thinking_out) =>
            {
                Next::Retry(Patch::LeaveOutForeignThinking)
            }
            Outcome::Failed { .. } | Outcome::Ended { .. } => Next::Finish,
        }
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
