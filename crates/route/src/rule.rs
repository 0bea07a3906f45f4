//! Rules: conditions on a request, and what it is sent to.

use crate::ask::{Ask, Class};
use crate::glob::glob_matches;

/// The first rule whose conditions all hold decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All of these must hold; a rule without conditions always matches.
    pub when: When,
    /// A model's name, `provider/model`, `provider/*`, or an alias.
    pub to: String,
}

/// Conditions of a rule; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    /// The request's class.
    pub class: Option<Class>,
    /// A glob on the asked name.
    pub model: Option<String>,
    /// More estimated input tokens than this.
    pub tokens_over: Option<u64>,
    /// A glob that some declared tool matches.
    pub tool: Option<String>,
    /// Whether there is an image.
    pub image: Option<bool>,
    /// Whether thinking is asked for.
    pub thinking: Option<bool>,
    /// Globs on request headers, by lower-case name; all must match, a missing header matches none.
    pub headers: Vec<(String, String)>,
    /// The profile of the request's path.
    pub profile: Option<String>,
}

/// What rules look at that has to be worked out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looks {
    /// At the number of input tokens.
    pub tokens: bool,
    /// At the declared tools.
    pub tools: bool,
    /// At whether there is an image.
    pub image: bool,
}

impl Looks {
    /// What any of these rules looks at.
    #[must_use]
    pub fn of(rules: &[Rule]) -> Self {
        let any = |looks: fn(&When) -> bool| rules.iter().any(|rule| looks(&rule.when));
        Self {
            tokens: any(|when| when.tokens_over.is_some()),
            tools: any(|when| when.tool.is_some()),
            image: any(|when| when.image.is_some()),
        }
    }
}

impl When {
    /// Whether every condition holds.
    #[must_use]
    pub fn matches(&self, ask: &Ask<'_>) -> bool {
        let Self {
            class,
            model,
            tokens_over,
            tool,
            image,
            thinking,
            headers,
            profile,
        } = self;
        class.is_none_or(|class| class == (ask.class)())
            && model
                .as_ref()
                .is_none_or(|glob| glob_matches(glob, ask.model))
            && tokens_over.is_none_or(|limit| ask.input_tokens > limit)
            && tool
                .as_ref()
                .is_none_or(|glob| ask.tools.iter().any(|tool| glob_matches(glob, tool)))
            && image.is_none_or(|image| image == ask.image)
            && thinking.is_none_or(|thinking| thinking == ask.thinking)
            && headers.iter().all(|(name, glob)| {
                (ask.header)(name).is_some_and(|value| glob_matches(glob, value))
            })
            && profile
                .as_ref()
                .is_none_or(|profile| Some(profile.as_str()) == ask.profile)
    }
}
