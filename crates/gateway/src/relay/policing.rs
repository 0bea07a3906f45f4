//! Stages that policies of the exchange put into the chain, and what they notice.
//!
//! Such a stage stands behind the quirks and before ids, seals and the sequencer: it sees calls as the model meant them,
//! and what it makes of them is put in order like everything else. It decides nothing about the exchange: it reports, and
//! the attempt loop asks the policy.

use lingate_wire::stage::Stage;
use lingate_wire::turn::Event;

use super::message::Holding;

/// A stage that tells what it noticed.
pub(crate) trait PolicyStage: Stage<In = Event, Out = Event> {
    /// What the client's message has to keep back for its policy.
    fn keeps_back(&self) -> Holding;

    /// Adds what it noticed, once the reply is complete.
    fn report(&self, findings: &mut Findings);
}

/// What was noticed of one complete reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// Of the end of the model's work; `None` if nobody insists on one.
    pub finish: Option<Finish>,
    /// Every judged call, in order.
    pub calls: Vec<JudgedCall>,
}

/// How a reply ended where tool calls are insisted on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finish {
    /// Calls that are for the client.
    pub n_calls: u32,
    /// The call that says the work is done, if it came.
    pub done: Option<Done>,
    /// The client has got an answer since its user spoke last, be it the call's own.
    pub has_answer: bool,
}

/// The call that says the work is done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// What the model called it.
    pub name: String,
    /// Its arguments, as they came.
    pub input: String,
}

/// A call and what the tool's schema says to it.
#[derive(Debug, Clone)]
pub(crate) struct JudgedCall {
    /// The tool's name.
    pub name: String,
    /// What is wrong with them still.
    pub complaint: Option<String>,
    /// They had to be repaired, or could not be.
    pub was_invalid: bool,
}
