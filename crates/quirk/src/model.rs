//! What the names of models that are known in many sizes and ages say: family, variant and version.
//!
//! Kimi's are in `kimi`, because they have more spellings than these.

/// A version of two numbers, compared as such.
pub(crate) type Version = (u32, u32);

/// A model of OpenAI's, as its own API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenAi {
    /// `o1`, `o3-mini`, `o4-mini`
    O,
    /// `gpt-5` and later that think.
    Gpt(Version),
    /// `gpt-5-pro`, which thinks hard and in no other way.
    Pro(Version),
    /// Those that do not think: `gpt-4o`, `gpt-5-chat-latest`.
    Plain,
}

impl OpenAi {
    /// Reads a model's name; `None` for one that tells nothing.
    pub(crate) fn of(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or_default();
        if let Some(rest) = name.strip_prefix("gpt-") {
            let (version, variant) = leading_version(rest)?;
            return Some(if version < (5, 0) || variant.contains("chat") {
                Self::Plain
            } else if variant.contains("pro") {
                Self::Pro(version)
            } else {
                Self::Gpt(version)
            });
        }
        let mut letters = name.strip_prefix('o')?.chars();
        letters
            .next()
            .is_some_and(|digit| digit.is_ascii_digit())
            .then_some(Self::O)
    }
}

/// A Claude model, as Anthropic's API names it: `claude-opus-4-7`, `claude-3-5-sonnet-20241022`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claude {
    pub(crate) version: Version,
    /// Opus and the families above it.
    pub(crate) is_large: bool,
}

impl Claude {
    /// Reads a model's name; `None` if it is not Claude's or tells no version.
    pub(crate) fn of(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or_default();
        let name = name.split(['[', '@', ':']).next().unwrap_or_default();
        let rest = name.strip_prefix("claude-")?;
        let mut numbers = rest.split(['-', '.']).filter_map(|part| {
            // More digits are a date.
            part.parse::<u32>().ok().filter(|_| part.len() <= 2)
        });
        let major = numbers.next()?;
        Some(Self {
            version: (major, numbers.next().unwrap_or(0)),
            is_large: ["opus", "fable", "mythos"]
                .iter()
                .any(|family| rest.contains(family)),
        })
    }

    /// After 4.6: no sampling parameters, and no budgets for thinking.
    pub(crate) fn is_adaptive_only(self) -> bool {
        self.version > (4, 6)
    }

    /// Models that cannot be told not to think.
    pub(crate) fn always_thinks(self) -> bool {
        self.is_large && self.version >= (5, 1)
    }
}

/// The version of a model of GLM's: `glm-4.7-flash`, `zai-org/GLM-5.2`.
pub(crate) fn glm(model: &str) -> Option<Version> {
    let model = model.to_ascii_lowercase();
    let name = model.rsplit('/').next().unwrap_or_default();
    let (version, _) = leading_version(name.strip_prefix("glm-")?)?;
    Some(version)
}

/// The version of a model of MiniMax's: `MiniMax-M2.7-highspeed`.
pub(crate) fn minimax(model: &str) -> Option<Version> {
    let model = model.to_ascii_lowercase();
    let name = model.rsplit('/').next().unwrap_or_default();
    let (version, _) = leading_version(name.strip_prefix("minimax-m")?)?;
    Some(version)
}

/// How a model of Qwen's writes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QwenCalls {
    /// As JSON: Qwen 2.5 and 3.
    Json,
    /// As `<function=NAME>`: the coders of Qwen 3, and all from 3.5 on.
    Elements,
    /// The name does not tell: `qwen-plus`.
    Either,
}

/// How a model writes calls, if it is one of Qwen's.
pub(crate) fn qwen_calls(model: &str) -> Option<QwenCalls> {
    let model = model.to_ascii_lowercase();
    let name = model.rsplit('/').next().unwrap_or_default();
    let (_, rest) = name.split_once("qwen")?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    if name.contains("deepseek") {
        return None;
    }
    Some(match leading_version(rest) {
        // A size (`qwen-72b`) is no version.
        Some((version, _)) if version >= (10, 0) => QwenCalls::Either,
        None => QwenCalls::Either,
        Some((version, _)) if version >= (3, 5) => QwenCalls::Elements,
        Some(((3, _), variant)) if variant.contains("coder") => QwenCalls::Elements,
        Some(_) => QwenCalls::Json,
    })
}

/// Whether the prompt of a model ends in `<think>`, so that what it writes begins inside its thoughts.
pub(crate) fn opens_in_thoughts(model: &str) -> bool {
    let lower = model.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let is_r1 = ["deepseek-r1", "r1-distill", "r1-1776"]
        .iter()
        .any(|part| name.contains(part));
    let is_thinking_qwen = name.contains("qwen") && name.contains("thinking");
    let is_late_qwen = qwen_calls(model) == Some(QwenCalls::Elements) && !name.contains("coder");
    is_r1
        || name.starts_with("qwq")
        || is_thinking_qwen
        || is_late_qwen
        || glm(model) >= Some((4, 7))
        || minimax(model).is_some_and(|version| ((2, 0)..(3, 0)).contains(&version))
}

/// `5.6-sol` is version 5.6 and variant `-sol`; `4o` is 4.0 and `o`.
fn leading_version(text: &str) -> Option<(Version, &str)> {
    let (major, rest) = leading_number(text)?;
    match rest.strip_prefix('.').and_then(leading_number) {
        Some((minor, rest)) => Some(((major, minor), rest)),
        None => Some(((major, 0), rest)),
    }
}

fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qwen_writes_calls_in_two_ways() {
        let check = |model: &str, expected: Option<QwenCalls>| {
            assert_eq!(qwen_calls(model), expected, "{model}");
        };
        check("qwen2.5-7b-instruct", Some(QwenCalls::Json));
        check("Qwen/Qwen3-30B-A3B", Some(QwenCalls::Json));
        check("qwen3:8b", Some(QwenCalls::Json));
        check("Qwen/Qwen3-Coder-Next", Some(QwenCalls::Elements));
        check("qwen3-coder:30b", Some(QwenCalls::Elements));
        check("Qwen/Qwen3.5-397B-A17B", Some(QwenCalls::Elements));
        check("qwen-plus", Some(QwenCalls::Either));
        check("qwen-72b", Some(QwenCalls::Either));
        check("deepseek-r1-distill-qwen-32b", None);
        check("kimi-k2", None);
    }

    #[test]
    fn some_prompts_end_inside_thoughts() {
        let check = |model: &str, expected: bool| {
            assert_eq!(opens_in_thoughts(model), expected, "{model}");
        };
        check("deepseek-ai/DeepSeek-R1-0528", true);
        check("deepseek-r1-distill-qwen-32b", true);
        check("perplexity/r1-1776", true);
        check("deepseek-ai/DeepSeek-V3.1", false);
        check("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", true);
        check("qwen-3-235b-a22b-thinking-2507", true);
        check("Qwen/QwQ-32B", true);
        check("Qwen/Qwen3.5-35B-A3B", true);
        check("Qwen/Qwen3-235B-A22B-Instruct-2507", false);
        check("Qwen/Qwen3-32B", false);
        check("Qwen/Qwen3-Coder-Next", false);
        check("zai-org/GLM-4.7-Flash", true);
        check("glm-5.2", true);
        check("zai-org/GLM-4.6", false);
        check("MiniMaxAI/MiniMax-M2.1", true);
        check("MiniMax-M3", false);
        check("kimi-k2-thinking", false);
        check("gpt-oss-120b", false);
    }

    #[test]
    fn openais_names_are_read() {
        for (name, expected) in [
            ("o1", Some(OpenAi::O)),
            ("o4-mini-2025-04-16", Some(OpenAi::O)),
            ("gpt-4o", Some(OpenAi::Plain)),
            ("gpt-4.1-mini", Some(OpenAi::Plain)),
            ("gpt-3.5-turbo", Some(OpenAi::Plain)),
            ("gpt-5", Some(OpenAi::Gpt((5, 0)))),
            ("gpt-5-nano-2025-08-07", Some(OpenAi::Gpt((5, 0)))),
            ("gpt-5-chat-latest", Some(OpenAi::Plain)),
            ("gpt-5.6-sol", Some(OpenAi::Gpt((5, 6)))),
            ("openai/gpt-6-luna", Some(OpenAi::Gpt((6, 0)))),
            ("gpt-5.2-pro", Some(OpenAi::Pro((5, 2)))),
            ("gpt-oss-120b", None),
            ("omni-moderation", None),
            ("ollama", None),
            ("kimi-k2.6", None),
            ("", None),
        ] {
            assert_eq!(OpenAi::of(name), expected, "{name}");
        }
    }

    #[test]
    fn versions_of_other_families_are_read() {
        for (name, expected) in [
            ("glm-4.7", Some((4, 7))),
            ("zai-org/GLM-5", Some((5, 0))),
            ("glm-4.5-air", Some((4, 5))),
            ("chatglm3", None),
        ] {
            assert_eq!(glm(name), expected, "{name}");
        }
        for (name, expected) in [
            ("MiniMax-M3", Some((3, 0))),
            ("MiniMax-M2.7-highspeed", Some((2, 7))),
            ("minimax/minimax-m2.5", Some((2, 5))),
            ("abab6.5", None),
        ] {
            assert_eq!(minimax(name), expected, "{name}");
        }
    }

    #[test]
    fn claudes_names_are_read() {
        for (name, version, is_large) in [
            ("claude-opus-4-7", (4, 7), true),
            ("claude-opus-4-20250514", (4, 0), true),
            ("claude-3-5-sonnet-20241022", (3, 5), false),
            ("claude-sonnet-5-5", (5, 5), false),
            ("anthropic/claude-sonnet-4.6", (4, 6), false),
            ("claude-fable-5-1[1m]", (5, 1), true),
            ("claude-haiku-4-5@20251001", (4, 5), false),
        ] {
            assert_eq!(
                Claude::of(name),
                Some(Claude { version, is_large }),
                "{name}"
            );
        }
        for name in ["claude-latest", "kimi-k2.6", "opus-5", ""] {
            assert_eq!(Claude::of(name), None, "{name}");
        }
    }
}
