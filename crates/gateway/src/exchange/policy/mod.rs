//! What follows an attempt: policies that answer the one question of the attempt loop.
//!
//! Every policy sees every outcome and answers [`Next`]; the first that wants to go on wins, and if none does the
//! exchange ends with what there is. A policy owns its own bound; the loop has one over all of them.

pub(crate) mod accuracy;
mod ensure_tool_call;
pub(crate) mod failover;
mod foreign_thinking;
mod mend;
mod prepare;
mod repair;
mod repeat;
mod schema;
mod validate_tool_calls;

use lingate_config as config;
use lingate_quirk::{Repair, Settings};
use lingate_wire::turn::{Message, Reply};

use super::asked::Asked;
use super::attempt::Failed;
use super::upstream::Upstream;
use crate::relay::chain::Tally;
use ensure_tool_call::EnsureToolCall;
use failover::{Choice, Failover};
use foreign_thinking::ForeignThinking;
use repair::Repairs;
use repeat::Repeats;
use validate_tool_calls::ValidateToolCalls;

pub(crate) use prepare::{Demands, police};
pub(crate) use schema::{Judge, Judgement, Schemas};

/// What became of an attempt.
pub(crate) enum Outcome<'a> {
    /// It failed before the client got anything of it.
    Failed {
        failed: &'a Failed,
        asked: &'a Asked,
        upstream: &'a Upstream<'a>,
    },
    /// Its reply is complete: as the client would return it, and what was noticed of it.
    Ended { reply: &'a Reply, tally: &'a Tally },
}

/// What follows.
pub(crate) enum Next {
    /// The exchange ends with this outcome.
    Finish,
    /// Once more, with nothing of this attempt kept.
    Retry(Patch),
    /// Another attempt continues what this one said.
    Continue(Patch),
}

/// What the next attempt does differently; everything else is made anew from the client's request.
#[derive(Debug, Clone)]
pub(crate) enum Patch {
    /// Nothing: a chance fault.
    Repeat,
    /// Another key or target, for the reason given.
    Ask {
        reason: &'static str,
        choice: Choice,
    },
    /// A quirk's repair.
    Repair(Repair),
    /// Thinking that another upstream signed is left out.
    LeaveOutForeignThinking,
    /// The conversation goes on behind the client's request.
    Append {
        reason: &'static str,
        messages: Vec<Message>,
    },
}

impl Patch {
    /// Why there is another attempt, for the record.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Repair(repair) => repair.name(),
            Self::LeaveOutForeignThinking => "foreign-thinking",
            Self::Ask { reason, .. } | Self::Append { reason, .. } => reason,
        }
    }
}

/// Answers the loop's question.
trait Policy {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next;
}

/// All policies of one exchange.
pub(crate) struct Policies {
    foreign_thinking: ForeignThinking,
    repairs: Repairs,
    validate_tool_calls: Option<ValidateToolCalls>,
    ensure_tool_call: Option<EnsureToolCall>,
    repeats: Repeats,
    pub failover: Failover,
}

impl Policies {
    /// The policies for one exchange.
    pub(crate) fn of(demands: Demands, failover: Failover) -> Self {
        let asks_again = demands.validate_tool_calls == config::ValidateToolCalls::Retry;
        Self {
            foreign_thinking: ForeignThinking,
            repairs: Repairs::default(),
            validate_tool_calls: asks_again.then(ValidateToolCalls::default),
            ensure_tool_call: demands.ensure_tool_call.map(EnsureToolCall::new),
            repeats: Repeats::default(),
            failover,
        }
    }

    /// What follows an outcome. The order matters where two would go on: a repair beats a mere repeat, which keeps the
    /// prompt cache and so beats another target.
    pub(crate) fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        if let Outcome::Failed { failed, .. } = outcome {
            self.failover.attempt_failed(&failed.failure);
        }
        let policies: [Option<&mut dyn Policy>; 4] = [
            Some(&mut self.foreign_thinking),
            Some(&mut self.repairs),
            self.validate_tool_calls.as_mut().map(|policy| policy as _),
            self.ensure_tool_call.as_mut().map(|policy| policy as _),
        ];
        for policy in policies.into_iter().flatten() {
            match policy.next(outcome) {
                Next::Finish => {}
                next @ (Next::Retry(_) | Next::Continue(_)) => return next,
            }
        }
        match self.repeats.next(outcome) {
            next @ (Next::Retry(_) | Next::Continue(_)) if self.failover.may_repeat() => {
                return next;
            }
            Next::Retry(_) | Next::Continue(_) | Next::Finish => {}
        }
        let next = self.failover.next(outcome);
        if let Next::Retry(Patch::Ask { .. }) = next {
            // What one upstream needed says nothing about another.
            self.repairs = Repairs::default();
        }
        next
    }
}

/// What the next attempt is made from, besides the client's request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Which of the candidates is asked, with which of its provider's keys.
    pub choice: Choice,
    /// Repairs that were found necessary, each once.
    pub repairs: Vec<Repair>,
    /// The upstream refused thinking that it did not sign.
    pub leaves_out_foreign_thinking: bool,
    /// What was said and answered behind the client's request.
    pub appended: Vec<Message>,
}

impl Plan {
    /// Takes a policy's change over.
    pub(crate) fn apply(&mut self, patch: Patch) {
        match patch {
            Patch::Repeat => {}
            Patch::Ask { choice, .. } => self.ask(choice),
            Patch::Repair(repair) => self.repairs.push(repair),
            Patch::LeaveOutForeignThinking => self.leaves_out_foreign_thinking = true,
            Patch::Append { messages, .. } => self.appended.extend(messages),
        }
    }

    /// Asks somebody else, or the same one with another key.
    pub(crate) fn ask(&mut self, choice: Choice) {
        if choice.candidate != self.choice.candidate {
            self.repairs.clear();
            self.leaves_out_foreign_thinking = false;
        }
        self.choice = choice;
    }

    /// An upstream's settings with the repairs of this exchange.
    pub(crate) fn settings(&self, mut settings: Settings) -> Settings {
        for repair in &self.repairs {
            repair.patch(&mut settings);
        }
        settings
    }
}
