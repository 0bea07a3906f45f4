//! What resolving a name answers: the candidates and the way there, or why there are none.

use std::fmt;
use std::sync::Arc;

/// What serves a request, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// How the asked name led there; never empty, the first is the reason.
    pub steps: Vec<Step>,
    /// In order of preference; never empty.
    pub candidates: Vec<Candidate>,
}

/// One upstream model that may serve the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The provider's id.
    pub provider: Arc<str>,
    /// The model's name there.
    pub model: Arc<str>,
    /// Share under the weighted strategies.
    pub weight: u32,
    /// The configured target it comes from; none for `provider/model`.
    pub target: Option<TargetRef>,
}

/// Names one target of one configured model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetRef {
    /// The profile that holds the model, none for the global ones.
    pub profile: Option<String>,
    /// The model's name.
    pub model: Arc<str>,
    /// The target's place in the model's list.
    pub index: usize,
}

/// One step from the asked name to its candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A rule matched, counted from 1.
    Rule {
        /// Its place in the file, from 1.
        number: usize,
        /// What it uses.
        to: String,
    },
    /// The class is auxiliary, or the name `claude-haiku-*`.
    Small {
        /// The small model.
        to: String,
    },
    /// It holds images that nobody so far reads.
    Images {
        /// The model of `images = "route:MODEL"`.
        to: String,
    },
    /// It does not fit anybody's context so far.
    Overflow {
        /// The model of `overflow`.
        to: String,
    },
    /// The name is a configured model's.
    Model {
        /// Its name.
        name: Arc<str>,
    },
    /// The name says provider and model.
    Direct {
        /// The provider's id.
        provider: Arc<str>,
    },
    /// An alias matched.
    Alias {
        /// Its left side.
        pattern: String,
        /// What the name stands for.
        to: String,
    },
    /// Nothing else matched.
    Default {
        /// The default.
        to: String,
    },
}

/// Nothing serves the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unresolved {
    /// The name as asked.
    pub asked: String,
    /// Why.
    pub cause: Cause,
    /// Names that the client may have meant, the best first.
    pub nearest: Vec<String>,
}

/// Why nothing serves a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No model, provider or alias of that name, and no default.
    Unknown,
    /// The providers that would serve it are disabled.
    Disabled,
    /// A rule, alias or default leads to this name, which nothing serves.
    DeadEnd(String),
    /// Aliases lead back to this name.
    Loop(String),
}

impl Resolution {
    /// The configured model that serves the request, if one does.
    #[must_use]
    pub fn model_name(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Model { name } => Some(&**name),
            Step::Rule { .. }
            | Step::Small { .. }
            | Step::Images { .. }
            | Step::Overflow { .. }
            | Step::Direct { .. }
            | Step::Alias { .. }
            | Step::Default { .. } => None,
        })
    }

    /// The steps as one line: ``alias `claude-*` -> kimi, model `kimi` ``.
    #[must_use]
    pub fn why(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(Step::to_string).collect();
        steps.join(", ")
    }
}

impl Step {
    /// The name that it leads on to; none for the last step of a way.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        match self {
            Self::Rule { to, .. }
            | Self::Small { to }
            | Self::Images { to }
            | Self::Overflow { to }
            | Self::Alias { to, .. }
            | Self::Default { to } => Some(to),
            Self::Model { .. } | Self::Direct { .. } => None,
        }
    }

    /// The word for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rule { .. } => "rule",
            Self::Small { .. } => "small",
            Self::Images { .. } => "images",
            Self::Overflow { .. } => "overflow",
            Self::Model { .. } => "model",
            Self::Direct { .. } => "direct",
            Self::Alias { .. } => "alias",
            Self::Default { .. } => "default",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { number, to } => write!(f, "rule {number} -> {to}"),
            Self::Small { to } => write!(f, "small -> {to}"),
            Self::Images { to } => write!(f, "images -> {to}"),
            Self::Overflow { to } => write!(f, "overflow -> {to}"),
            Self::Model { name } => write!(f, "model `{name}`"),
            Self::Direct { provider } => write!(f, "provider `{provider}`"),
            Self::Alias { pattern, to } => write!(f, "alias `{pattern}` -> {to}"),
            Self::Default { to } => write!(f, "default -> {to}"),
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        match &self.cause {
            Cause::Unknown => write!(f, "no model `{asked}`")?,
            Cause::Disabled => write!(f, "every provider of model `{asked}` is disabled")?,
            Cause::DeadEnd(name) => {
                write!(f, "model `{asked}` leads to `{name}`, which nothing serves")?
            }
            Cause::Loop(name) => write!(
                f,
                "model `{asked}` leads to `{name}` and back through aliases"
            )?,
        }
        match self.nearest.as_slice() {
            [] => Ok(()),
            [one] => write!(f, ": did you mean `{one}`?"),
            [rest @ .., last] => write!(f, ": did you mean `{}` or `{last}`?", rest.join("`, `")),
        }
    }
}
