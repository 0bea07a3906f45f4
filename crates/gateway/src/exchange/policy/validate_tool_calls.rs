//! `validate_tool_calls = "retry"`: calls that do not fit their tool's schema, and cannot be mended, are asked for once
//! more, with what is wrong as their result.
//!
//! All calls of the reply wait for its end: a client that has begun to run one of them cannot be given another set. If
//! the second reply fails, the client gets the first one's calls, which its own tools will refuse.

use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Message, Reply, Role, StopReason, ToolResult};

use super::{Next, Outcome, Patch, Policy};
use crate::relay::policing::JudgedCall;

/// The policy of one exchange.
#[derive(Default)]
pub(super) struct ValidateToolCalls {
    has_asked: bool,
}

impl Policy for ValidateToolCalls {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        let Outcome::Ended { reply, tally } = outcome else {
            return Next::Finish;
        };
        let calls = &tally.findings.calls;
        let is_wrong = calls.iter().any(|call| call.complaint.is_some());
        if self.has_asked || !is_wrong || tally.stop != Some(StopReason::ToolUse) {
            return Next::Finish;
        }
        self.has_asked = true;
        Next::Continue(Patch::Append {
            reason: "invalid-arguments",
            messages: told(reply, calls),
        })
    }
}

/// The reply as the client would return it, and what is wrong with its calls as their results.
fn told(reply: &Reply, judged: &[JudgedCall]) -> Vec<Message> {
    let mut judged = judged.iter();
    let results = reply.blocks.iter().filter_map(|block| {
        let Block::ToolUse(call) = &**block else {
            return None;
        };
        let name = call.name.decode();
        // Calls of tools without a schema were not judged.
        let complaint = judged
            .clone()
            .position(|judged| judged.name == name)
            .and_then(|at| judged.nth(at)?.complaint.as_deref());
        let text = match complaint {
            Some(complaint) => format!(
                "`{name}` was not run, because its arguments do not fit its schema: {complaint}. Call it again with \
                 arguments that do."
            ),
            None => format!(
                "`{name}` was not run, because another call of this reply does not fit its tool's schema. Call it \
                 again along with that one."
            ),
        };
        let result = Block::ToolResult(ToolResult {
            tool_use_id: call.id.clone(),
            content: vec![Block::text(Text::from(text)).into()],
            is_error: true,
            cache: None,
        });
        Some(result.into())
    });
    let message = |role, blocks: Vec<_>| Message {
        role,
        blocks: blocks.into(),
        extra: Vec::new(),
    };
    let results = results.collect();
    vec![
        message(Role::Assistant, reply.blocks.clone()),
        message(Role::User, results),
    ]
}
