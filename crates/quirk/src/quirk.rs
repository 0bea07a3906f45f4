//! What a quirk is: a static description with hooks.

use lingate_wire::Wire;
use lingate_wire::chat::Dialect;
use lingate_wire::stage::Stage;
use lingate_wire::turn::{Event, Failure, Params, Turn};

use crate::fix::forced_call::FORCED_CALL_RETRY;
use crate::fix::mandatory_reasoning::MANDATORY_REASONING;
use crate::fix::output_limit_retry::OUTPUT_LIMIT_RETRY;
use crate::fix::reasoning_history::REASONING_HISTORY;
use crate::settings::{ReasoningHistory, Settings, Thinking};
use crate::state::State;

/// A stage that changes the events of a reply.
pub type EventStage = Box<dyn Stage<In = Event, Out = Event>>;

/// Finds the reply that a failure holds.
pub type Recover = fn(&Failure, &Target<'_>, &State) -> Option<Vec<Event>>;

/// One thing that a model or a host gets wrong or words its own way, and what is done about it.
#[derive(Debug)]
pub struct Quirk {
    /// Its name in configuration, headers and records.
    pub name: &'static str,
    /// The groups it belongs to; a provider that declares one of them gets it for the models it is meant for.
    pub groups: &'static [&'static str],
    /// What is wrong and what is done, in one or two sentences.
    pub summary: &'static str,
    /// For which models, in words; `applies` is the same in code.
    pub scope: &'static str,
    /// Where it was seen.
    pub evidence: &'static [Evidence],
    /// The upstream wire it is about.
    pub wire: Wire,
    /// Whether a group brings it to this upstream. Not asked when a provider declares the quirk by its own name.
    pub applies: fn(&Target<'_>) -> bool,
    /// Whether clients of the upstream's own wire keep to the rule by themselves. Then it is no reason to look into what
    /// could pass byte for byte; what is translated for another reason gets it all the same.
    pub matters_to_translated_only: bool,
    /// How the host words the Chat wire. It decides only how a translation is spelled, so it is no reason to
    /// translate.
    pub spelling: Option<fn(&mut Dialect, &Target<'_>)>,
    /// Changes a request, through [`lingate_wire::turn::Node::edit`] and only where it must; tells whether it did.
    pub request: Option<fn(&mut Turn, &mut Params, &mut State) -> bool>,
    /// Changes the events of a reply.
    pub stage: Option<fn(&State) -> EventStage>,
    /// What one retry should do differently after this failure.
    pub on_failure: Option<fn(&Failure, &State) -> Option<Repair>>,
    /// The reply that a failure holds after all.
    pub recover: Option<Recover>,
}

impl Quirk {
    /// A description without groups and hooks, to be completed with struct update syntax.
    pub(crate) const EMPTY: Self = Self {
        name: "",
        groups: &[],
        summary: "",
        scope: "every model",
        evidence: &[],
        wire: Wire::Chat,
        applies: |_| true,
        matters_to_translated_only: false,
        spelling: None,
        request: None,
        stage: None,
        on_failure: None,
        recover: None,
    };
}

/// Where a quirk was seen, and when it was reported or last read there. Facts about models and hosts age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// A page, an issue or an error message.
    pub source: &'static str,
    /// `YYYY-MM` or `YYYY-MM-DD`.
    pub date: &'static str,
}

/// The upstream that quirks are selected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The provider's id in the configuration.
    pub provider: &'a str,
    /// The host of its address, without port.
    pub host: &'a str,
    /// The model's name at the provider.
    pub model: &'a str,
    /// The wire spoken to it.
    pub wire: Wire,
}

impl Target<'_> {
    /// Whether its host is one of these domains, or a part of one: whole labels, so that look-alikes do not match.
    pub(crate) fn is_at(&self, domains: &[&str]) -> bool {
        let is_at = |domain: &&str| {
            self.host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        domains.iter().any(is_at)
    }
}

/// What an attempt changes for its one repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Assistant turns without reasoning get a placeholder.
    ReasoningPlaceholder,
    /// The output limit goes down to this many tokens: no more has room behind the request.
    OutputLimit(u64),
    /// The output limit goes down to this many tokens: the model makes no more.
    ModelOutputLimit(u64),
    /// The model is asked to think after all.
    Thinking,
    /// The model is asked not to think.
    NoThinking,
}

impl Repair {
    /// The settings the retry is made with, starting anew from the client's request.
    pub fn patch(self, settings: &mut Settings) {
        match self {
            Self::ReasoningPlaceholder => {
                settings.reasoning_history = ReasoningHistory::Placeholder
            }
            Self::OutputLimit(tokens) | Self::ModelOutputLimit(tokens) => {
                settings.max_output = Some(tokens);
            }
            Self::Thinking => settings.thinking = Thinking::On,
            Self::NoThinking => settings.thinking = Thinking::Off,
        }
        if !settings.repaired_by.contains(&self.name()) {
            settings.repaired_by.push(self.name());
        }
    }

    /// What the next attempt does differently, for people.
    #[must_use]
    pub fn done(self) -> String {
        match self {
            Self::ReasoningPlaceholder => {
                "asks again with a placeholder for reasoning that is missing".to_owned()
            }
            Self::OutputLimit(tokens) | Self::ModelOutputLimit(tokens) => {
                format!("asks again for at most {tokens} output tokens")
            }
            Self::Thinking => "asks again with thinking".to_owned(),
            Self::NoThinking => "asks again without thinking".to_owned(),
        }
    }

    /// The name of the quirk that asks for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReasoningPlaceholder => REASONING_HISTORY.name,
            Self::OutputLimit(_) | Self::ModelOutputLimit(_) => OUTPUT_LIMIT_RETRY.name,
            Self::Thinking => MANDATORY_REASONING.name,
            Self::NoThinking => FORCED_CALL_RETRY.name,
        }
    }
}
