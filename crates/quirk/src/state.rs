//! What quirks know about the attempt they work on, and what they leave for the encoder.

use lingate_wire::chat::Dialect;

use crate::quirk::Target;
use crate::settings::Settings;

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
    /// Names of the quirks that changed something, in the order of the list.
    pub hits: Vec<&'static str>,
}

impl State {
    /// The state before any quirk.
    #[must_use]
    pub fn new(target: &Target<'_>, settings: Settings) -> Self {
        Self {
            dialect: Dialect::default(),
            settings,
            model: target.model.to_owned(),
            max_tokens: None,
            hits: Vec::new(),
        }
    }
}
