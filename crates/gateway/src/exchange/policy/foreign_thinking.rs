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
/// passthrough, where no token can be told from another. The wordings are the APIs' own (seen to 2026-10).
fn refuses_foreign_thinking(failure: &Failure, upstream: &Upstream<'_>) -> bool {
    if upstream.refuses_foreign_thinking || failure.kind != FailureKind::InvalidRequest {
        return false;
    }
    let message = failure.message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match upstream.wire {
        Wire::Anthropic => {
            message.contains("thinking")
                && says(&[
                    "signature",
                    "invalid `data`",
                    "cannot be modified",
                    "must start with a thinking block",
                ])
        }
        Wire::Responses => says(&["encrypted content", "encrypted_content"]),
        Wire::Gemini => says(&["thought signature", "thought_signature", "thoughtsignature"]),
        Wire::Chat => false,
    }
}
