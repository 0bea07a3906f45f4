//! Tool names that a host refuses, made fit on the way up and given back in the reply.
//!
//! A name is fit or not by itself, and the fit one is made of nothing but the name, so that a request with more tools
//! or a longer history spells the earlier ones the same. Nothing is remembered between requests: what to give back is in
//! the attempt's [`State`]. The rules of the hosts are here; `rename` makes names, `restore` gives them back.

mod rename;
mod restore;

use lingate_wire::Wire;
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Node, Params, Tool, ToolChoice, Turn};

pub(crate) use self::rename::Renamed;
use self::rename::Rules;
pub(crate) use self::restore::Restore;
use super::KIMI_GROUPS;
use crate::edit;
use crate::kimi::is_kimi;
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

/// Kimi models: a letter first, and nothing that their call markers end at.
pub(crate) const KIMI_TOOL_NAMES: Quirk = Quirk {
    name: "kimi-tool-names",
    groups: KIMI_GROUPS,
    summary: "Names have to begin with a letter and hold at most 64 of `A-Z a-z 0-9 _ -`; a dot or a colon would also \
              end the name inside the model's own markers. Names are fitted, and given back in the reply. Moonshot's \
              own tools (`$web_search`) keep theirs.",
    scope: "Kimi models",
    evidence: &[
        Evidence {
            source: "400 `Invalid request: function name is invalid, must start with a letter and can contain \
                     letters, numbers, underscores, and dashes` (MoonshotAI/kimi-cli issues 1773, 2531)",
            date: "2026-08-05",
        },
        Evidence {
            source: "openclaw/openclaw issue 79179",
            date: "2026-11",
        },
    ],
    applies: is_kimi,
    request: Some(|turn, params, state| rename(turn, params, state, Rules::KIMI)),
    ..Quirk::EMPTY
};

/// OpenAI's rule, which most Chat hosts have copied.
pub(crate) const TOOL_NAMES: Quirk = Quirk {
    name: "tool-names",
    groups: &[
        "openai",
        "openrouter",
        "groq",
        "deepseek",
        "mimo",
        "zai",
        "minimax",
        "together",
        "fireworks",
        "cerebras",
    ],
    summary: "Names may hold at most 64 of `A-Z a-z 0-9 _ -`; clients of other wires have longer ones \
              (`mcp__server__tool`) and ones with dots. Names are fitted, and given back in the reply.",
    evidence: &[
        Evidence {
            source: "400 `Invalid 'tools[0].function.name': string does not match pattern. Expected a string that \
                     matches the pattern '^[a-zA-Z0-9_-]+$'` (OpenAI)",
            date: "2026-01",
        },
        Evidence {
            source: "api-docs.deepseek.com, chat completion: `maximum length of 64`",
            date: "2026-11",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, params, state| rename(turn, params, state, Rules::OPENAI)),
    ..Quirk::EMPTY
};

/// Gemini behind OpenAI's wire.
pub(crate) const GEMINI_TOOL_NAMES: Quirk = Quirk {
    name: "gemini-tool-names",
    groups: &["gemini-chat"],
    summary: "Names have to begin with a letter or `_` and hold at most 64 characters. Names are fitted, and given back \
              in the reply.",
    evidence: &[Evidence {
        source: "400 `Invalid function name. Must start with a letter or an underscore.` (Gemini API)",
        date: "2025-11",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, params, state| rename(turn, params, state, Rules::GEMINI)),
    ..Quirk::EMPTY
};

/// Anthropic's rule.
pub(crate) const ANTHROPIC_TOOL_NAMES: Quirk = Quirk {
    name: "anthropic-tool-names",
    groups: &["anthropic"],
    summary: "Names may hold at most 128 of `A-Z a-z 0-9 _ -`. Names of other wires are fitted, and given back in the \
              reply.",
    evidence: &[Evidence {
        source: "400 `tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`",
        date: "2025-08",
    }],
    wire: Wire::Anthropic,
    matters_to_translated_only: true,
    request: Some(|turn, params, state| rename(turn, params, state, Rules::ANTHROPIC)),
    ..Quirk::EMPTY
};

/// Makes every name in the request fit: of tools, in the choice, in the history.
fn rename(turn: &mut Turn, params: &mut Params, state: &mut State, rules: Rules) -> bool {
    let renamed = rules.fit_all(&names(turn, params));
    if renamed.is_empty() {
        return false;
    }
    for tool in &mut turn.tools {
        let Some(new) = renamed.fitted(tool.name()) else {
            continue;
        };
        if let Tool::Function { name, .. } | Tool::Freeform { name, .. } = tool.edit() {
            *name = new;
        }
    }
    let chosen = match &mut params.tool_choice {
        Some(ToolChoice::Tool(name)) => std::slice::from_mut(name),
        Some(ToolChoice::Among { names, .. }) => names.as_mut_slice(),
        Some(ToolChoice::Auto | ToolChoice::Required | ToolChoice::None) | None => &mut [],
    };
    for name in chosen {
        if let Some(new) = renamed.fitted(name) {
            *name = new;
        }
    }
    edit::replace_blocks(turn, &|block| renamed.block(block));
    state.renamed.extend(renamed);
    true
}

/// Every name that the request holds, but for those of tools that the provider runs.
fn names(turn: &Turn, params: &Params) -> Vec<Text> {
    let mut names: Vec<Text> = Vec::new();
    for tool in &turn.tools {
        if let Tool::Function { name, .. } | Tool::Freeform { name, .. } = &**tool {
            names.push(name.clone());
        }
    }
    match &params.tool_choice {
        Some(ToolChoice::Tool(name)) => names.push(name.clone()),
        Some(ToolChoice::Among { names: among, .. }) => names.extend(among.iter().cloned()),
        Some(ToolChoice::Auto | ToolChoice::Required | ToolChoice::None) | None => {}
    }
    for message in &turn.messages {
        of_blocks(&message.blocks, &mut names);
    }
    names
}

fn of_blocks(blocks: &[Node<Block>], names: &mut Vec<Text>) {
    for block in blocks {
        match &**block {
            Block::ToolUse(call) => names.push(call.name.clone()),
            Block::ToolReference { name } => names.push(name.clone()),
            Block::ToolResult(result) => of_blocks(&result.content, names),
            Block::Text { .. }
            | Block::Thinking(_)
            | Block::Image(_)
            | Block::Media(_)
            | Block::Document(_)
            | Block::SearchResult(_)
            | Block::ServerTool(_)
            | Block::Refusal(_)
            | Block::Foreign(_) => {}
        }
    }
}
