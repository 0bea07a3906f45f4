//! `[models.NAME]` and `[[rules]]`.

use std::collections::BTreeMap;

use lingate_price::Rates;
use lingate_quirk::{InstructionMode, MaxTokensField, ReasoningHistory, Thinking};
use lingate_route::{Class, Return, Strategy};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Modality, ToolFormat, ValidateToolCalls};
use crate::value::PriceText;

/// A name clients may ask for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelEntry {
    /// Shown in pickers.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// What serves it, in order of preference.
    pub(crate) targets: Vec<TargetEntry>,
    /// How one of the targets is chosen. The per-request ones lose prompt caches.
    #[serde(default)]
    pub(crate) strategy: Strategy,
    /// When a session goes back to a preferred target that is well again.
    #[serde(default, rename = "return")]
    pub(crate) return_to: Return,
    /// Context window in tokens, or `auto` to ask the server; the smallest target's if left out.
    #[serde(default)]
    pub(crate) context: Option<ContextEntry>,
    /// Output limit in tokens.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) max_output: Option<u64>,
    /// What the model reads; what the targets' facts say if left out.
    #[serde(default)]
    pub(crate) input: Option<Vec<Modality>>,
    /// What becomes of images for a text-only model: `omit`, or `route:MODEL`.
    #[serde(default)]
    pub(crate) images: Option<String>,
    /// Whether the model is asked to think.
    #[serde(default)]
    pub(crate) thinking: Thinking,
    /// What becomes of assistant turns whose reasoning is missing.
    #[serde(default)]
    pub(crate) reasoning_history: ReasoningHistory,
    /// Model to use when the context does not fit.
    #[serde(default)]
    pub(crate) overflow: String,
    /// Whether an answer without a tool call is asked for again.
    #[serde(default)]
    pub(crate) ensure_tool_call: bool,
    /// Most attempts that are made to get a call, the first included; `ENSURE_TOOL_CALL_MAX_ATTEMPTS` or 3 if left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5))]
    pub(crate) ensure_tool_call_max_attempts: Option<u32>,
    /// What becomes of calls that do not fit the tool's schema.
    #[serde(default)]
    pub(crate) validate_tool_calls: ValidateToolCalls,
    /// US dollars per million tokens; overrides the price table.
    #[serde(default)]
    pub(crate) price: Option<PriceEntry>,
    /// The field that carries the output limit on the Chat wire.
    #[serde(default)]
    pub(crate) max_tokens_field: MaxTokensField,
    /// How tools are described to the model.
    #[serde(default)]
    pub(crate) tool_format: ToolFormat,
    /// Globs of the tools the model is told about; the others are left out.
    #[serde(default = "every_tool")]
    pub(crate) tools_allowed: Vec<String>,
    /// Text for the system prompt, the same in every request.
    #[serde(default)]
    pub(crate) instruction: String,
    /// Where the instruction goes.
    #[serde(default)]
    pub(crate) instruction_mode: InstructionMode,
    /// Keeps only this many of the last turns; 0 keeps all. A turn is what the user says and all the model does about
    /// it. In a longer session every turn changes how the prompt begins, so that prompt caches no longer help.
    #[serde(default)]
    pub(crate) max_turns: u32,
    /// `client`, `omit`, or a number.
    #[serde(default)]
    pub(crate) temperature: TemperatureEntry,
}

fn every_tool() -> Vec<String> {
    vec!["*".to_owned()]
}

/// `provider/model`, or a table with more.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum TargetEntry {
    /// `provider/model`; a provider's id has no slash, the rest is the model.
    Name(String),
    /// With settings of its own.
    Table(TargetTable),
}

/// A target with settings of its own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetTable {
    /// `provider/model`.
    pub(crate) to: String,
    /// Share under the weighted strategies; one below 1 counts as 1.
    #[serde(default = "one")]
    pub(crate) weight: i64,
    /// Context window in tokens at this target.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) context: Option<u64>,
    /// Added to requests to this target.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// Merged into request bodies to this target.
    #[serde(default)]
    pub(crate) body: serde_json::Map<String, serde_json::Value>,
}

const fn one() -> i64 {
    1
}

/// A window in tokens, or `auto`.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(untagged)]
pub(crate) enum ContextEntry {
    /// Tokens.
    Tokens(#[schemars(range(min = 1))] u64),
    /// Asked from the server.
    Word(ContextWord),
}

/// Asked from the server.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContextWord {
    /// Asked from the server.
    Auto,
}

/// `client`, `omit`, or a number.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(untagged)]
pub(crate) enum TemperatureEntry {
    /// Always this.
    Number(#[schemars(range(min = 0, max = 2))] f64),
    /// As the client asks, or never.
    Word(TemperatureWord),
}

/// As the client asks, or never.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TemperatureWord {
    /// As the client asks.
    Client,
    /// Left out.
    Omit,
}

impl Default for TemperatureEntry {
    fn default() -> Self {
        Self::Word(TemperatureWord::Client)
    }
}

/// US dollars per million tokens.
#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceEntry {
    /// Input that no cache served.
    pub(crate) input: PriceText,
    /// Output.
    pub(crate) output: PriceText,
    /// Input read from the cache; the input price if left out.
    #[serde(default)]
    pub(crate) cache_read: Option<PriceText>,
    /// Input written to the cache; the input price if left out.
    #[serde(default)]
    pub(crate) cache_write: Option<PriceText>,
}

impl PriceEntry {
    /// The same with what was left out.
    pub(crate) fn rates(&self) -> Rates {
        let input = self.input.0;
        let or_input = |price: Option<PriceText>| price.map_or(input, |price| price.0);
        Rates {
            cache_read: or_input(self.cache_read),
            cache_write_5m: or_input(self.cache_write),
            cache_write_1h: or_input(self.cache_write),
            ..Rates::flat(input, self.output.0)
        }
    }
}

/// A rule.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleEntry {
    /// All of these must hold.
    pub(crate) when: WhenEntry,
    /// A model, `provider/model`, `provider/*` or an alias.
    #[serde(rename = "use")]
    pub(crate) to: String,
}

/// Conditions of a rule.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WhenEntry {
    /// What the client uses the request for.
    pub(crate) class: Option<Class>,
    /// Glob on the asked name.
    pub(crate) model: Option<String>,
    /// More estimated input tokens than this.
    pub(crate) tokens_over: Option<u64>,
    /// Glob on the declared tools.
    pub(crate) tool: Option<String>,
    /// Whether there is an image.
    pub(crate) image: Option<bool>,
    /// Whether thinking is asked for.
    pub(crate) thinking: Option<bool>,
    /// Globs on request headers.
    pub(crate) header: BTreeMap<String, String>,
    /// The profile of the request's path.
    pub(crate) profile: Option<String>,
}
