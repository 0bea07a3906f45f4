//! The routing table: everything the configuration says about names, already validated.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::alias::Alias;
use crate::resolution::{Candidate, TargetRef};
use crate::rule::Rule;

/// Names and what serves them. The default is empty: every name is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Every configured provider, so that `provider/model` can be told from a name with a slash in it.
    pub providers: Vec<Provider>,
    /// First match wins, before anything else is looked at.
    pub rules: Vec<Rule>,
    /// What serves requests without a profile, and what a profile falls back to.
    pub global: Scope,
    /// Entries of `/{profile}/v1/...`, seen only by requests under that profile.
    pub profiles: BTreeMap<String, Scope>,
    /// The current ids of the Claude models and their facts, listed where a route serves such names.
    pub claude: Vec<KnownModel>,
    /// Facts about upstream models, by provider id.
    pub known: BTreeMap<String, Vec<KnownModel>>,
}

impl Table {
    /// The configured model that a candidate comes from.
    #[must_use]
    pub fn model(&self, target: &TargetRef) -> Option<&Model> {
        let scope = match &target.profile {
            None => &self.global,
            Some(profile) => self.profiles.get(profile)?,
        };
        scope.models.iter().find(|model| model.name == target.model)
    }

    /// A candidate's context window in tokens: its target's, its model's, or what is known of it.
    #[must_use]
    pub fn context(&self, candidate: &Candidate) -> Option<u64> {
        let configured = candidate.target.as_ref().and_then(|target| {
            let model = self.model(target)?;
            let own = model.targets.get(target.index)?.context;
            own.or(model.context)
        });
        configured.or_else(|| {
            let known = self.known.get(&*candidate.provider)?;
            let own = known.iter().find(|known| known.id == *candidate.model);
            own?.context
        })
    }
}

/// Models, aliases and defaults of one profile, or of no profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// In the order they are listed to clients.
    pub models: Vec<Model>,
    /// Exact beats longest literal beats `*`.
    pub aliases: Vec<Alias>,
    /// What an unknown name gets: a model name, `provider/model`, or `provider/*`, which keeps the asked name.
    pub default: Option<String>,
    /// What `claude-haiku-*` and requests of class auxiliary get.
    pub small: Option<String>,
}

/// A provider as far as routing cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id; holds no slash.
    pub id: Arc<str>,
    /// A disabled provider's targets are skipped.
    pub enabled: bool,
}

/// A name that clients may ask for, and its targets in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name clients ask for.
    pub name: Arc<str>,
    /// Shown in pickers; the name itself if left out.
    pub display_name: Option<String>,
    /// In order of preference.
    pub targets: Vec<Target>,
    /// How one of the targets is chosen.
    pub strategy: Strategy,
    /// When a session goes back to a preferred target that is well again.
    pub return_to: Return,
    /// Context window in tokens, if configured; otherwise the smallest of the targets' facts counts.
    pub context: Option<u64>,
    /// Output limit in tokens, if configured.
    pub max_output: Option<u64>,
}

/// One upstream model of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider's id.
    pub provider: Arc<str>,
    /// The model's name at that provider; may hold slashes.
    pub model: Arc<str>,
    /// Share under the weighted strategies, at least 1.
    pub weight: u32,
    /// Context window in tokens at this target, if configured.
    pub context: Option<u64>,
}

/// What is known about a model, from a preset's dated facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownModel {
    /// The model's name at its provider.
    pub id: String,
    /// Its published name.
    pub display_name: Option<String>,
    /// Context window in tokens.
    pub context: Option<u64>,
    /// Output limit in tokens.
    pub max_output: Option<u64>,
    /// Whether it can think before it answers; unknown counts as no.
    pub thinks: bool,
    /// Whether it reads pictures; unknown counts as no.
    pub has_images: bool,
}

/// How one of a model's targets is chosen (`strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// In order; a session stays where it is until that fails.
    #[default]
    Ordered,
    /// Sessions spread by load and latency, then stay.
    Spread,
    /// Per request: always the first healthy one.
    First,
    /// Per request: in turn.
    RoundRobin,
    /// Per request: by chance.
    Random,
    /// Per request: by chance, in proportion to the weights.
    WeightedRandom,
    /// Per request: the quickest lately.
    LeastLatency,
}

impl Strategy {
    /// Whether requests of one session may go to different targets, which loses the upstream's prompt cache.
    #[must_use]
    pub const fn is_per_request(self) -> bool {
        match self {
            Self::Ordered | Self::Spread => false,
            Self::First
            | Self::RoundRobin
            | Self::Random
            | Self::WeightedRandom
            | Self::LeastLatency => true,
        }
    }
}

/// When a session goes back to a preferred target (`return`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Return {
    /// Running sessions stay; new ones start at the preferred target.
    #[default]
    NextSession,
    /// At once, at the cost of the prompt cache.
    Now,
}
