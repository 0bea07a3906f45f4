//! What quirks know about the attempt they work on, and what they leave for the encoder.

use std::sync::Arc;

use lingate_wire::chat::Dialect;

use crate::changes::Change;
use crate::fix::tool_names::Renamed;
use crate::quirk::Target;
use crate::settings::Settings;
use crate::text::Asked;

/// One attempt's state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// How the request is to be spelled on the Chat wire.
    pub dialect: Dialect,
    /// The model's settings.
    pub settings: Settings,
    /// The model's name at the provider.
    pub model: String,
    /// The output limit that the request is made with.
    pub max_tokens: Option<u64>,
    /// Names of the quirks that changed something: those of a retry, then the others in the order of the list.
    pub hits: Vec<&'static str>,
    /// What was left out before the encoder could see it, by its path in the client's document.
    pub losses: Vec<String>,
    /// What quirks changed, place by place; none where nobody asked for it.
    pub changes: Option<Vec<Change>>,
    /// Tools that the upstream knows by other names.
    pub(crate) renamed: Renamed,
    /// What the reply answers, for stages that read text.
    pub(crate) asked: Arc<Asked>,
}

impl State {
    /// The state before any quirk.
    #[must_use]
    pub fn new(target: &Target<'_>, settings: Settings) -> Self {
        Self {
            dialect: Dialect::default(),
            model: target.model.to_owned(),
            max_tokens: None,
            hits: settings.repaired_by.clone(),
            settings,
            losses: Vec::new(),
            changes: None,
            renamed: Renamed::default(),
            asked: Arc::default(),
        }
    }

    /// Has quirks tell what they change, for a record.
    #[must_use]
    pub fn telling(mut self) -> Self {
        self.changes = Some(Vec::new());
        self
    }

    /// Whether the reply may name tools otherwise than the client does.
    #[must_use]
    pub fn has_renamed_tools(&self) -> bool {
        !self.renamed.is_empty()
    }
}
