//! Choices of tools that a host does not know, said so that it understands.
//!
//! What is left of a choice is what the host can enforce; the rest is said in words, in a user message of its own at the
//! very end. Earlier messages keep their bytes, and the next request, which has no such message, finds its prefix in the
//! prompt cache. `settle` holds how; the hosts are here.

mod settle;

use lingate_wire::Wire;
use lingate_wire::turn::ThinkingMode;

use self::settle::{Known, allow_only, settle, stop_thinking};
use crate::kimi::Kimi;
use crate::model::Claude;
use crate::quirk::{Evidence, Quirk};

/// Moonshot: `required` on K3 only, a named tool nowhere.
pub(crate) const MOONSHOT_TOOL_CHOICE: Quirk = Quirk {
    name: "moonshot-tool-choice",
    groups: &["moonshot"],
    summary: "K3 knows `auto`, `none` and `required`, earlier models only the first two, and a named tool is an error \
              while the model thinks. A call that is asked for by name is made the only tool there is; what `required` \
              cannot say, a last user message says.",
    evidence: &[
        Evidence {
            source: "platform.kimi.ai/docs/api/models-overview, tool_choice",
            date: "2026-11",
        },
        Evidence {
            source: "400 `tool_choice 'specified' is incompatible with thinking enabled` (enricoros/big-AGI issue 1161)",
            date: "2026-07-17",
        },
    ],
    request: Some(|turn, params, state| {
        let known = Known {
            none: true,
            required: Kimi::matches(&state.model, Kimi::is_k3),
            named: false,
        };
        settle(turn, params, state, known)
    }),
    ..Quirk::EMPTY
};

/// GLM.
pub(crate) const TOOL_CHOICE_AUTO_ONLY: Quirk = Quirk {
    name: "tool-choice-auto-only",
    groups: &["zai"],
    summary: "The host knows `auto` only. A call that is asked for by name is made the only tool there is, and a last \
              user message asks for it; where no tool may be called, none is declared.",
    evidence: &[Evidence {
        source: "docs.z.ai, chat completions, tool_choice",
        date: "2026-11",
    }],
    request: Some(|turn, params, state| settle(turn, params, state, Known::NOTHING)),
    ..Quirk::EMPTY
};

/// Ollama, which reads no choice at all.
pub(crate) const OLLAMA_TOOL_CHOICE: Quirk = Quirk {
    name: "ollama-tool-choice",
    groups: &["ollama"],
    summary: "The host does not read `tool_choice`. It is said as to a host that knows `auto` only.",
    evidence: &[Evidence {
        source: "docs.ollama.com, OpenAI compatibility: `tool_choice` is not among the supported fields",
        date: "2026-11",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, params, state| settle(turn, params, state, Known::NOTHING)),
    ..Quirk::EMPTY
};

/// llama.cpp reads words, and takes an object for `auto`.
pub(crate) const TOOL_CHOICE_WORDS_ONLY: Quirk = Quirk {
    name: "tool-choice-words-only",
    groups: &["llama-cpp"],
    summary: "The host knows `auto`, `none` and `required`, and no tool by its name. A tool that is asked for by name is \
              made the only one there is, and required.",
    evidence: &[Evidence {
        source: "llama.cpp, common/chat.cpp, common_chat_tool_choice_parse_oaicompat",
        date: "2026-11",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, params, state| {
        let known = Known {
            none: true,
            required: true,
            named: false,
        };
        settle(turn, params, state, known)
    }),
    ..Quirk::EMPTY
};

/// Hosts that cannot be told to choose among some of the tools.
pub(crate) const ALLOWED_TOOLS: Quirk = Quirk {
    name: "allowed-tools",
    groups: &[
        "openrouter",
        "groq",
        "deepseek",
        "mimo",
        "zai",
        "minimax",
        "together",
        "fireworks",
        "cerebras",
        "vllm",
        "llama-cpp",
        "ollama",
        "moonshot",
        "kimi-k2",
        "kimi-k2-implicit",
        "gemini-chat",
    ],
    summary: "`allowed_tools` is OpenAI's own. Where only some of the tools may be called, only those are declared.",
    evidence: &[Evidence {
        source: "types of the official SDKs (openai-python 3.52); no other host documents it",
        date: "2026-11",
    }],
    matters_to_translated_only: true,
    request: Some(|turn, params, _| allow_only(turn, params)),
    ..Quirk::EMPTY
};

/// The same on the Anthropic wire, which has no such choice.
pub(crate) const ANTHROPIC_ALLOWED_TOOLS: Quirk = Quirk {
    name: "anthropic-allowed-tools",
    groups: &["anthropic"],
    summary: "This API chooses among all tools or asks for one. Where only some may be called, only those are declared.",
    evidence: &[Evidence {
        source: "types of the official SDKs, tool_choice",
        date: "2026-11",
    }],
    wire: Wire::Anthropic,
    matters_to_translated_only: true,
    request: Some(|turn, params, _| allow_only(turn, params)),
    ..Quirk::EMPTY
};

/// DeepSeek: no forced call while it thinks, and it thinks unless it is told not to.
pub(crate) const DEEPSEEK_FORCED_CALL: Quirk = Quirk {
    name: "deepseek-forced-call",
    groups: &["deepseek"],
    summary: "A forced tool call is an error while the model thinks, which it does unless told otherwise. Thinking is \
              turned off for the one request: without it the call is really forced.",
    scope: "DeepSeek V4",
    evidence: &[
        Evidence {
            source: "400 `Thinking mode does not support this tool_choice` (deepseek-ai/DeepSeek-V3 issue 1376)",
            date: "2026-08-21",
        },
        Evidence {
            source: "BerriAI/litellm pull 37470",
            date: "2026-08-19",
        },
    ],
    matters_to_translated_only: true,
    request: Some(|turn, params, _| stop_thinking(turn, params)),
    ..Quirk::EMPTY
};

/// Claude: no forced call while it thinks.
pub(crate) const CLAUDE_FORCED_CALL: Quirk = Quirk {
    name: "claude-forced-call",
    groups: &["anthropic"],
    summary: "A forced tool call is an error while the model thinks. Thinking is turned off for the one request of a \
              client of another wire, whose own API has both together.",
    scope: "Claude models that can be told not to think",
    evidence: &[Evidence {
        source: "400 `Thinking may not be enabled when tool_choice forces tool use.`",
        date: "2025-06",
    }],
    wire: Wire::Anthropic,
    applies: |target| !Claude::of(target.model).is_some_and(Claude::always_thinks),
    matters_to_translated_only: true,
    request: Some(|turn, params, _| {
        let thinks = params.thinking.is_some_and(ThinkingMode::is_on) || params.effort.is_some();
        thinks && turn.origin != Wire::Anthropic && stop_thinking(turn, params)
    }),
    ..Quirk::EMPTY
};
