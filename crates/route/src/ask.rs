//! What a request looks like to the router.

use serde::Deserialize;

/// The facts of one request that routing may look at.
pub struct Ask<'a> {
    /// The model's name as the client sent it.
    pub model: &'a str,
    /// The profile of the request's path, if any.
    pub profile: Option<&'a str>,
    /// What the client says the request is for; worked out where somebody looks at it.
    pub class: &'a dyn Fn() -> Class,
    /// Looks up a request header by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Whether the request holds an image.
    pub image: bool,
    /// Whether the request asks the model to think.
    pub thinking: bool,
    /// Estimated input tokens.
    pub input_tokens: u64,
    /// The declared tools' names, server tools by their type.
    pub tools: &'a [&'a str],
}

impl<'a> Ask<'a> {
    /// A plain request for `model`: no profile, no headers, no tools.
    #[must_use]
    pub fn plain(model: &'a str) -> Self {
        Self {
            model,
            profile: None,
            class: &|| Class::Main,
            header: &|_| None,
            image: false,
            thinking: false,
            input_tokens: 0,
            tools: &[],
        }
    }
}

/// What a coding agent uses a request for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The conversation with the user.
    #[default]
    Main,
    /// A subagent's conversation.
    Subagent,
    /// Titles, summaries and other background work.
    Auxiliary,
}

impl Class {
    /// The name used in the configuration and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Subagent => "subagent",
            Self::Auxiliary => "auxiliary",
        }
    }
}
