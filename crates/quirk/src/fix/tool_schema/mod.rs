//! Tool schemas: "Moonshot flavoured JSON Schema" is a subset, and everything outside it is a 400 for the whole request.
//!
//! A schema that is inside the subset keeps its bytes; another one is rewritten to say the same as far as the subset
//! can. `tree` holds a schema with its numbers and strings as they were spelled; `root`, `node`,
//! `union` and `values` hold the rules, `merge` says two schemas as one; `refs` resolves references. `words` is for other
//! hosts, which refuse single words.

mod merge;
mod node;
mod refs;
mod root;
mod tree;
mod union;
mod values;
mod words;

use bytestring::ByteString;
use lingate_wire::turn::{Node, OutputFormat, Params, Tool, Turn};

use self::tree::Json;
pub(crate) use self::words::{
    ANTHROPIC_SCHEMA, CEREBRAS_SCHEMA, FIREWORKS_SCHEMA, GEMINI_SCHEMA, GRAMMAR_SCHEMA,
    GROQ_SCHEMA, OPENAI_SCHEMA, VLLM_SCHEMA,
};
use super::KIMI_GROUPS;
use crate::kimi::{Kimi, is_kimi};
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// Rewrites the schemas of tools.
pub(crate) const TOOL_SCHEMA: Quirk = Quirk {
    name: "tool-schema",
    groups: KIMI_GROUPS,
    summary: "Moonshot validates tool schemas against a subset of JSON Schema and refuses the whole request for one \
              that is outside: a property without `type`, `type` beside `anyOf`, words beside `$ref`, `oneOf`, \
              `pattern`, `format`, a `required` name that is no property. Schemas are rewritten into the subset.",
    scope: "Kimi models",
    evidence: &[
        Evidence {
            source: "github.com/MoonshotAI/walle, docs/mfjs-spec.md and docs/walle.md",
            date: "2026-04-03",
        },
        Evidence {
            source: "400 `tools.function.parameters is not a valid moonshot flavored json schema` \
                     (MoonshotAI/kimi-cli issues 2061, 2531; kimi-code issues 1610, 2661)",
            date: "2026-08-05",
        },
    ],
    applies: is_kimi,
    request: Some(rewrite),
    ..Quirk::EMPTY
};

fn rewrite(turn: &mut Turn, _params: &mut Params, _state: &mut State) -> bool {
    replace_schemas(turn, sanitised)
}

/// Rewrites the schema that a reply is to follow.
pub(crate) const OUTPUT_SCHEMA: Quirk = Quirk {
    name: "output-schema",
    groups: &["moonshot"],
    summary: "The schema of `response_format` is held to the same subset as those of tools.",
    scope: "Kimi K3 and later, which know `json_schema`",
    evidence: &[Evidence {
        source: "github.com/MoonshotAI/walle, docs/mfjs-spec.md",
        date: "2026-04-03",
    }],
    applies: |target| Kimi::matches(target.model, Kimi::is_k3),
    request: Some(rewrite_output),
    ..Quirk::EMPTY
};

fn rewrite_output(_turn: &mut Turn, params: &mut Params, _state: &mut State) -> bool {
    let Some(OutputFormat::JsonSchema { schema, .. }) = &mut params.format else {
        return false;
    };
    // A reply that is no object cannot be made one.
    let is_object = Json::parse(schema).is_some_and(|schema| root::is_object(&schema));
    match sanitised(Some(schema)).filter(|_| is_object) {
        Some(rewritten) => {
            *schema = rewritten;
            true
        }
        None => false,
    }
}

/// Replaces the schemas of the tools for which there is another; whether there is one.
fn replace_schemas(
    turn: &mut Turn,
    other: impl Fn(Option<&ByteString>) -> Option<ByteString>,
) -> bool {
    let replaced = |(at, tool): (usize, &Node<Tool>)| match &**tool {
        Tool::Function { input_schema, .. } => Some((at, other(input_schema.as_ref())?)),
        _ => None,
    };
    let replaced: Vec<_> = turn.tools.iter().enumerate().filter_map(replaced).collect();
    let has_changed = !replaced.is_empty();
    // The list is shared with other requests of the session, and copied when it is changed.
    for (at, schema) in replaced {
        if let Some(Tool::Function { input_schema, .. }) = turn.tools.get_mut(at).map(Node::edit) {
            *input_schema = Some(schema);
        }
    }
    has_changed
}

/// The schema inside the subset; `None` if it is there already, or is not JSON that could be read.
fn sanitised(schema: Option<&ByteString>) -> Option<ByteString> {
    let Some(schema) = schema else {
        return Some(root::empty().to_text());
    };
    let before = Json::parse(schema)?;
    let after = root::sanitise(&before);
    (after != before).then(|| after.to_text())
}

#[cfg(test)]
mod tests;
