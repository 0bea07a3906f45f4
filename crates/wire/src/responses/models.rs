//! The list of models in the shape that Codex reads: `GET /v1/models?client_version=...`, and the file that its
//! `model_catalog_json` names (Codex 0.169, 2026-11).
//!
//! Codex takes a listed model's instructions from the list and has none of its own beside them, so that every model
//! needs some.

use crate::json::Writer;
use crate::turn::Effort;

/// What Codex is told of a model.
#[derive(Debug, Clone)]
pub struct CodexModel<'a> {
    /// The name to ask for.
    pub id: &'a str,
    /// The name that pickers show.
    pub name: &'a str,
    /// How many tokens its context window has.
    pub context: Option<u64>,
    /// The efforts it can be asked for, from the least to the most.
    pub efforts: &'a [Effort],
    /// Whether it takes pictures.
    pub has_images: bool,
}

/// What a model without instructions of its own is told to be.
const INSTRUCTIONS: &str = "You are a coding agent at work in the user's terminal, inside their project. Stay with the \
task until it is done. Read the code before you change it. Make changes with the tools you are given, keep them small \
and in the style of what surrounds them, and leave alone what the task does not concern; never undo work that is not \
yours. Check what you did with the project's own tests or commands. Ask only what you cannot find out. When you are \
done, say briefly what you changed, how you checked it, and what is left.";

/// How much of a command's output Codex keeps, in tokens.
const OUTPUT_KEPT: u64 = 10_000;

/// Writes the list. The order of the models is the order of pickers.
#[must_use]
pub fn codex_list(models: &[CodexModel<'_>]) -> Vec<u8> {
    let mut w = Writer::default();
    w.begin_object().key("models").begin_array();
    for (priority, model) in (0..).zip(models) {
        entry(model, priority, &mut w);
    }
    w.end_array().end_object();
    w.into_bytes()
}

fn entry(model: &CodexModel<'_>, priority: u64, w: &mut Writer) {
    w.begin_object();
    w.key("slug").str(model.id);
    w.key("display_name").str(model.name);
    w.key("description").null();
    if let Some(effort) = default_effort(model.efforts) {
        w.key("default_reasoning_level").str(effort.name());
    }
    w.key("supported_reasoning_levels").begin_array();
    for effort in model.efforts {
        w.begin_object().key("effort").str(effort.name());
        w.key("description").str(effort.name()).end_object();
    }
    w.end_array();
    w.key("shell_type").str("unified_exec");
    w.key("visibility").str("list");
    w.key("supported_in_api").bool(true);
    w.key("priority").u64(priority);
    w.key("availability_nux").null();
    w.key("upgrade").null();
    w.key("base_instructions").str(INSTRUCTIONS);
    w.key("supports_reasoning_summaries")
        .bool(!model.efforts.is_empty());
    w.key("support_verbosity").bool(false);
    w.key("default_verbosity").null();
    w.key("apply_patch_tool_type").str("freeform");
    w.key("truncation_policy").begin_object();
    w.key("mode").str("tokens").key("limit").u64(OUTPUT_KEPT);
    w.end_object();
    w.key("supports_parallel_tool_calls").bool(true);
    if let Some(context) = model.context {
        w.key("context_window").u64(context);
        w.key("max_context_window").u64(context);
    }
    w.key("experimental_supported_tools")
        .begin_array()
        .end_array();
    w.key("input_modalities").begin_array().str("text");
    if model.has_images {
        w.str("image");
    }
    w.end_array();
    w.end_object();
}

/// Medium where there is one, else what lies in the middle.
fn default_effort(efforts: &[Effort]) -> Option<Effort> {
    let middle = efforts.get(efforts.len() / 2).copied();
    efforts
        .iter()
        .copied()
        .find(|effort| *effort == Effort::Medium)
        .or(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_that_codex_asks_for_is_there() {
        // Each of these was taken out in turn: Codex refuses the whole list without it.
        const ASKED_FOR: [&str; 12] = [
            "slug",
            "display_name",
            "supported_reasoning_levels",
            "shell_type",
            "visibility",
            "supported_in_api",
            "priority",
            "base_instructions",
            "support_verbosity",
            "truncation_policy",
            "experimental_supported_tools",
            "input_modalities",
        ];
        let models = [
            CodexModel {
                id: "kimi",
                name: "Kimi \"K2\"",
                context: Some(262_144),
                efforts: &[Effort::Low, Effort::Medium, Effort::High],
                has_images: true,
            },
            CodexModel {
                id: "local/llama",
                name: "Llama",
                context: None,
                efforts: &[],
                has_images: false,
            },
        ];
        let list: serde_json::Value = serde_json::from_slice(&codex_list(&models)).unwrap();
        let list = list["models"].as_array().unwrap();
        assert_eq!(list.len(), 2);
        for model in list {
            for key in ASKED_FOR {
                assert!(!model[key].is_null(), "{key} of {model}");
            }
        }
        assert_eq!(list[0]["slug"], "kimi");
        assert_eq!(list[0]["default_reasoning_level"], "medium");
        assert_eq!(list[0]["context_window"], 262_144);
        assert_eq!(list[0]["input_modalities"][1], "image");
        assert_eq!(list[1]["priority"], 1);
        assert!(list[1].get("default_reasoning_level").is_none());
        assert!(list[1].get("context_window").is_none());
    }

    #[test]
    fn the_default_effort_lies_in_the_middle() {
        assert_eq!(default_effort(&Effort::ALL), Some(Effort::Medium));
        assert_eq!(
            default_effort(&[Effort::Low, Effort::High, Effort::Max]),
            Some(Effort::High)
        );
        assert_eq!(default_effort(&[]), None);
    }
}
