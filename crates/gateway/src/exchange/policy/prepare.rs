//! What policies do to an attempt before it is sent: to the decoded request, and to the chain of its reply.

use std::sync::Arc;

use lingate_config::{ModelSettings, ValidateToolCalls};
use lingate_wire::Decoded;
use lingate_wire::turn::EmptyReply;

use super::{Judge, Plan, Schemas, ensure_tool_call};
use crate::relay::check::CheckStage;
use crate::relay::policing::PolicyStage;

/// What the configuration asks of a model's replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Demands {
    /// A tool call, within this many attempts.
    pub ensure_tool_call: Option<u32>,
    /// Calls that fit the tool's schema.
    pub validate_tool_calls: ValidateToolCalls,
}

impl Demands {
    /// The demands of a configured model.
    pub(crate) fn of(model: Option<&ModelSettings>) -> Self {
        model.map_or_else(Self::default, |model| Self {
            ensure_tool_call: model.ensure_tool_call,
            validate_tool_calls: model.validate_tool_calls,
        })
    }
}

/// A policed attempt.
pub(crate) struct Policed {
    /// Stages for the reply, in the order in which events pass them.
    pub stages: Vec<Box<dyn PolicyStage>>,
    /// Who judges a reply without content.
    pub empty_reply: EmptyReply,
}

/// Makes the decoded client request what the policies want to send, and gives the stages that read the reply for them.
pub(crate) fn police(
    decoded: &mut Decoded,
    demands: Demands,
    plan: &Plan,
    schemas: &Arc<Schemas>,
) -> Policed {
    let mut policed = Policed {
        stages: Vec::new(),
        empty_reply: EmptyReply::Fault,
    };
    if demands.ensure_tool_call.is_some() && ensure_tool_call::concerns(decoded) {
        policed
            .stages
            .push(Box::new(ensure_tool_call::stage(decoded, plan)));
        policed.empty_reply = EmptyReply::Pass;
        ensure_tool_call::insist(decoded);
    }
    if demands.validate_tool_calls != ValidateToolCalls::Off && !decoded.turn.tools.is_empty() {
        let judge = Judge::new(Arc::clone(schemas), &decoded.turn);
        let asks_again = demands.validate_tool_calls == ValidateToolCalls::Retry;
        policed
            .stages
            .push(Box::new(CheckStage::new(judge, asks_again)));
    }
    let appended = plan.appended.iter().cloned().map(Into::into);
    decoded.turn.messages.extend(appended);
    policed
}
