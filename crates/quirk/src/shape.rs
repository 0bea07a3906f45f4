//! What the settings alone do to a request, whatever the model.

use lingate_wire::chat::{CacheSpelling, MaxTokens};
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Effort, Node, Params, ThinkingMode, Turn};

use crate::edit;
use crate::settings::{
    CacheHints, MaxTokensField, ReasoningHistory, Settings, Temperature, Thinking,
};
use crate::spelling::BLANK_REASONING;
use crate::state::State;

/// What stands in for a picture that the model cannot see.
const OMITTED_IMAGE: &str = "[image omitted: this model reads text only]";

/// Applies the settings; where they say nothing, the client's wish or the host's spelling stays.
pub(crate) fn apply(turn: &mut Turn, params: &mut Params, state: &mut State) {
    spell(state);
    if state.settings.omits_images {
        omit_images(turn, state);
    }
    let settings = &state.settings;
    sample(params, settings);
    think(params, settings);
    if let (Some(asked), Some(most)) = (params.max_tokens, settings.max_output) {
        params.max_tokens = Some(asked.min(most));
    }
}

fn omit_images(turn: &mut Turn, state: &mut State) {
    for (at, message) in turn.messages.iter().enumerate() {
        note_images(&message.blocks, &format!("messages[{at}]"), state);
    }
    edit::replace_blocks(turn, &|block| {
        matches!(block, Block::Image(_)).then(|| Block::text(Text::from_static(OMITTED_IMAGE)))
    });
}

fn note_images(blocks: &[Node<Block>], path: &str, state: &mut State) {
    for (at, block) in blocks.iter().enumerate() {
        match &**block {
            Block::Image(_) => state.losses.push(format!("{path}.content[{at}]")),
            Block::ToolResult(result) => {
                note_images(&result.content, &format!("{path}.content[{at}]"), state);
            }
            _ => {}
        }
    }
}

fn spell(state: &mut State) {
    let dialect = &mut state.dialect;
    match state.settings.max_tokens_field {
        MaxTokensField::Auto => {}
        MaxTokensField::MaxTokens => dialect.max_tokens = MaxTokens::MaxTokens,
        MaxTokensField::MaxCompletionTokens => dialect.max_tokens = MaxTokens::MaxCompletionTokens,
        MaxTokensField::Both => dialect.max_tokens = MaxTokens::Both,
    }
    match state.settings.cache_hints {
        None => {}
        Some(CacheHints::None) => dialect.cache = CacheSpelling::None,
        Some(CacheHints::Openai) => dialect.cache = CacheSpelling::Breakpoint,
        Some(CacheHints::Anthropic) => dialect.cache = CacheSpelling::CacheControl,
    }
    match state.settings.reasoning_history {
        ReasoningHistory::Auto => {}
        ReasoningHistory::Omit | ReasoningHistory::PlaceholderOn400 => {
            dialect.missing_reasoning = None
        }
        ReasoningHistory::Placeholder => dialect.missing_reasoning = Some(BLANK_REASONING),
    }
}

fn sample(params: &mut Params, settings: &Settings) {
    match settings.temperature {
        Temperature::Client => {}
        Temperature::Omit => params.temperature = None,
        // JSON has no infinity; the configuration refuses it too.
        Temperature::Fixed(value) if !value.is_finite() => {}
        Temperature::Fixed(value) => params.temperature = Some(value.to_string().into()),
    }
}

fn think(params: &mut Params, settings: &Settings) {
    match settings.thinking {
        Thinking::Auto => {}
        Thinking::On => {
            if !params.thinking.is_some_and(ThinkingMode::is_on) {
                params.thinking = Some(ThinkingMode::Enabled {
                    budget_tokens: None,
                });
            }
            if params.effort == Some(Effort::None) {
                params.effort = None;
            }
        }
        Thinking::Off => {
            params.thinking = Some(ThinkingMode::Disabled);
            params.effort = None;
        }
    }
}
