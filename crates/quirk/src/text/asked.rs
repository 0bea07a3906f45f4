//! What a reply answers: the tools it may call, as the upstream knows them.

use std::borrow::Cow;

use bytestring::ByteString;
use lingate_wire::Wire;
use lingate_wire::chat::{Dialect, ThinkingStyle};
use lingate_wire::json::{Doc, Value, scan};
use lingate_wire::turn::{Effort, Params, ThinkingMode, Tool, ToolChoice, Turn};

/// What stages that read replies need to know of the request, taken behind all its repairs.
///
/// Schemas are kept as they were sent and read only when a call needs them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Asked {
    tools: Vec<Declared>,
    may_call: bool,
    is_thinking_off: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Declared {
    name: ByteString,
    schema: Option<ByteString>,
}

impl Asked {
    /// Takes what matters out of a request that is ready to be encoded.
    pub(crate) fn of(turn: &Turn, params: &Params, dialect: &Dialect) -> Self {
        let tools: Vec<Declared> = turn
            .tools
            .iter()
            .filter_map(|tool| match &**tool {
                Tool::Function {
                    name, input_schema, ..
                } => Some(Declared {
                    name: name.to_plain(),
                    schema: input_schema.clone(),
                }),
                Tool::Freeform { name, .. } => Some(Declared {
                    name: name.to_plain(),
                    schema: None,
                }),
                Tool::Hosted { .. } => None,
            })
            .collect();
        Self {
            may_call: !tools.is_empty() && params.tool_choice != Some(ToolChoice::None),
            tools,
            is_thinking_off: is_thinking_off(turn, params, dialect),
        }
    }

    /// One declared tool.
    #[cfg(test)]
    pub(crate) fn declaring(name: &'static str, schema: &'static str) -> Self {
        Self {
            tools: vec![Declared {
                name: name.into(),
                schema: Some(schema.into()),
            }],
            may_call: true,
            is_thinking_off: false,
        }
    }

    /// Whether text may be read as calls: tools are declared and not forbidden (R15).
    pub(crate) fn may_call(&self) -> bool {
        self.may_call
    }

    /// Whether the host is told not to think, so that a prompt does not end inside thinking.
    pub(crate) fn is_thinking_off(&self) -> bool {
        self.is_thinking_off
    }

    /// Whether a tool of exactly this name is declared.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name)
    }

    /// The one tool that accepts these arguments by their names: all known, none missing, at least one. `None` if there
    /// is none or more than one, or if they are not a complete object.
    pub(crate) fn accepting(&self, arguments: &str) -> Option<ByteString> {
        let arguments = scan(&ByteString::from(arguments)).ok()?;
        let keys: Vec<Cow<'_, str>> = arguments.root().members().map(|(key, _)| key).collect();
        let mut accepting = self.tools.iter().filter(|tool| tool.accepts(&keys));
        let only = accepting.next()?;
        accepting.next().is_none().then(|| only.name.clone())
    }

    /// The schema of one declared tool's input.
    pub(crate) fn schema(&self, name: &str) -> Option<Doc> {
        let tool = self.tools.iter().find(|tool| tool.name == name)?;
        scan(tool.schema.as_ref()?).ok()
    }
}

impl Declared {
    fn accepts(&self, keys: &[Cow<'_, str>]) -> bool {
        let Some(schema) = self.schema.as_ref().and_then(|schema| scan(schema).ok()) else {
            return false;
        };
        let root = schema.root();
        let is_known = |key: &Cow<'_, str>| {
            root.get("properties")
                .and_then(|properties| properties.get(key))
                .is_some()
        };
        let is_given = |required: Value<'_>| {
            required
                .str()
                .is_none_or(|required| keys.contains(&required))
        };
        !keys.is_empty()
            && keys.iter().all(is_known)
            && root
                .get("required")
                .into_iter()
                .flat_map(Value::items)
                .all(is_given)
    }
}

/// Whether the encoded request switches thinking off, in words or (Anthropic clients) by silence.
fn is_thinking_off(turn: &Turn, params: &Params, dialect: &Dialect) -> bool {
    let has_switch = match dialect.thinking {
        ThinkingStyle::None | ThinkingStyle::Effort | ThinkingStyle::EffortLowHighMax => false,
        ThinkingStyle::Type
        | ThinkingStyle::TypeAndEffort
        | ThinkingStyle::Reasoning
        | ThinkingStyle::TemplateKwargs => true,
    };
    let is_off = match (params.thinking, params.effort) {
        (Some(mode), _) => mode == ThinkingMode::Disabled,
        (None, Some(effort)) => effort == Effort::None,
        (None, None) => turn.origin == Wire::Anthropic,
    };
    has_switch && is_off && !dialect.always_thinks
}
