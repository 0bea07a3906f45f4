//! How providers say that a conversation does not fit the model's context window.
//!
//! Claude Code and Codex compact a conversation only when they recognise this one failure, so every wire decodes it to
//! [`FailureKind::ContextOverflow`], with the two numbers where the provider tells them.

mod room;

pub use room::room_for_output;

use crate::turn::FailureKind;
use room::{input_and_maximum, room};

/// Reads an error's code (or type) and message; `None` if it is about something else.
pub(crate) fn recognised(code: &str, message: &str) -> Option<FailureKind> {
    let message = message.to_ascii_lowercase();
    let told = input_and_maximum(&message);
    if told.and_then(room).is_some() || told.is_none() && is_output_limit(&message) {
        return None;
    }
    let wording = WORDINGS
        .iter()
        .find(|wording| message.contains(wording.phrase));
    if wording.is_none() && !CODES.contains(&code) {
        return None;
    }
    let number = |anchor: fn(&Wording) -> &'static str| number_behind(&message, anchor(wording?));
    let maximum = number(|wording| wording.maximum);
    Some(FailureKind::ContextOverflow {
        // A prompt that fits and leaves no room for a reply is no number to compare with the limit.
        tokens: number(|wording| wording.tokens).filter(|tokens| Some(*tokens) > maximum),
        maximum,
    })
}

/// Codes and types that say it without a known wording.
const CODES: &[&str] = &[
    "context_length_exceeded",
    "context_window_exceeded",
    "exceed_context_size_error",
    "prompt_too_long",
    // MiniMax and Z.ai number their errors.
    "1039",
    "1261",
];

/// One wording, in lower case.
struct Wording {
    /// What it is recognised by.
    phrase: &'static str,
    /// What stands before the request's token count; empty where it is not told.
    tokens: &'static str,
    /// What stands before the model's limit; empty where it is not told.
    maximum: &'static str,
}

const fn wording(phrase: &'static str, tokens: &'static str, maximum: &'static str) -> Wording {
    Wording {
        phrase,
        tokens,
        maximum,
    }
}

/// More specific phrases come first: the first that occurs decides where the numbers are.
const WORDINGS: &[Wording] = &[
    // Fireworks.
    wording(
        "model maximum context length:",
        "prompt is too long",
        "model maximum context length:",
    ),
    // Mistral.
    wording(
        "too large for model with",
        "prompt contains",
        "too large for model with",
    ),
    // Anthropic.
    wording("prompt is too long:", "prompt is too long:", "tokens >"),
    wording("exceed context limit:", "exceed context limit:", ">"),
    wording("prompt_too_long", "", ""),
    // OpenAI and the many hosts that copied its wording: what follows "however" differs.
    wording(
        "however, your messages resulted in",
        "resulted in",
        "maximum context length is",
    ),
    wording(
        "however, your prompt contains",
        "your prompt contains",
        "maximum context length is",
    ),
    wording(
        "however, you requested",
        "you requested",
        "maximum context length is",
    ),
    wording(
        "however, your request has",
        "your request has",
        "maximum context length is",
    ),
    wording(
        "and your request has",
        "your request has",
        "maximum context length is",
    ),
    wording(
        "however, the model's context length is",
        "you passed",
        "the model's context length is only",
    ),
    wording(
        "you requested a total of",
        "you requested a total of",
        "maximum context length of",
    ),
    wording(
        "maximum prompt length is",
        "the request contains",
        "maximum prompt length is",
    ),
    wording("maximum context length", "", "maximum context length is"),
    wording("exceeds the context window", "", ""),
    // SGLang.
    wording(
        "is longer than the model's context length",
        "the input",
        "the model's context length",
    ),
    // llama.cpp and LM Studio.
    wording(
        "exceeds the available context size",
        "request",
        "the available context size",
    ),
    wording(
        "tokens when context the overflows",
        "trying to keep the first",
        "context length of only",
    ),
    wording("greater than the context length", "", ""),
    // Ollama.
    wording("exceeds the context length", "", ""),
    wording(
        "exceeds maximum context length",
        "",
        "maximum context length",
    ),
    // Moonshot.
    wording(
        "exceeded model token limit",
        "requested:",
        "exceeded model token limit:",
    ),
    // Gemini.
    wording("input token count", "input token count", "tokens allowed"),
    // GitHub Copilot.
    wording(
        "prompt token count of",
        "prompt token count of",
        "exceeds the limit of",
    ),
    // Together.
    wording(
        "`inputs` tokens + `max_new_tokens` must be",
        "given:",
        "must be <=",
    ),
    // Cohere.
    wording(
        "number of tokens in the prompt cannot exceed",
        "received",
        "cannot exceed",
    ),
    // Alibaba.
    wording(
        "range of input length should be",
        "",
        "range of input length should be [1,",
    ),
    // Amazon Bedrock.
    wording("input token length too long", "", ""),
    wording("input is too long for requested model", "", ""),
    // Z.ai, MiniMax, Groq.
    wording("prompt exceeds max length", "", ""),
    wording("context window exceeds limit", "", ""),
    wording("reduce the length of the messages", "", ""),
    wording("prompt is too long", "", ""),
];

/// An output limit that does not fit is another fault: compacting the conversation would not mend it.
fn is_output_limit(message: &str) -> bool {
    (message.contains("max_tokens") || message.contains("max_completion_tokens"))
        && message.contains("is too large")
}

/// The whole number behind `anchor`, over at most a few words such as "about" or an opening bracket.
fn number_behind(message: &str, anchor: &str) -> Option<u64> {
    const MAX_GAP: usize = 12;
    if anchor.is_empty() {
        return None;
    }
    let (_, behind) = message.split_once(anchor)?;
    let start = behind
        .find(|c: char| c.is_ascii_digit())
        .filter(|gap| *gap <= MAX_GAP)?;
    let digits: String = behind
        .get(start..)?
        .chars()
        .take_while(|c| c.is_ascii_digit() || matches!(c, ',' | '_'))
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, tokens: Option<u64>, maximum: Option<u64>) {
        assert_eq!(
            recognised("", message),
            Some(FailureKind::ContextOverflow { tokens, maximum }),
            "{message}"
        );
    }

    #[test]
    fn wordings_with_both_numbers() {
        for (message, tokens, maximum) in [
            (
                "prompt is too long: 215000 tokens > 200000 maximum",
                215_000,
                200_000,
            ),
            (
                "input length and `max_tokens` exceed context limit: 201000 + 21333 > 200000, decrease input",
                201_000,
                200_000,
            ),
            (
                "'max_tokens' is too large: 1000. This model's maximum context length is 32768 tokens and your request has 40000 input tokens",
                40_000,
                32_768,
            ),
            (
                "The prompt is too long: 140000, model maximum context length: 131071",
                140_000,
                131_071,
            ),
            (
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.",
                130_001,
                128_000,
            ),
            (
                "This model's maximum context length is 4096 tokens. However, you requested 9058 tokens (9010 in the messages, 48 in the completion).",
                9058,
                4096,
            ),
            (
                "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens",
                140_000,
                131_072,
            ),
            (
                "This model's maximum context length is 8192 tokens. However, your prompt contains at least 8193 input tokens, which exceeds",
                8193,
                8192,
            ),
            (
                "You passed 9001 input tokens and requested 48 output tokens. However, the model's context length is only 2048 tokens",
                9001,
                2048,
            ),
            (
                "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9000 tokens",
                9000,
                8192,
            ),
            (
                "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
                150_000,
                131_072,
            ),
            (
                "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
                9000,
                8192,
            ),
            (
                "request (9010 tokens) exceeds the available context size (8192 tokens), try increasing it",
                9010,
                8192,
            ),
            (
                "Trying to keep the first 10000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
                10_000,
                4096,
            ),
            (
                "Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)",
                140_000,
                131_072,
            ),
            (
                "The input token count (1,200,000) exceeds the maximum number of tokens allowed (1048576).",
                1_200_000,
                1_048_576,
            ),
            (
                "prompt token count of 130000 exceeds the limit of 128000",
                130_000,
                128_000,
            ),
            (
                "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
                40_000,
                32_768,
            ),
            (
                "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
                5000,
                4097,
            ),
            (
                "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000",
                5000,
                4081,
            ),
        ] {
            check(message, Some(tokens), Some(maximum));
        }
    }

    #[test]
    fn wordings_with_one_number_or_none() {
        check(
            "Your request exceeded model token limit: 262144",
            None,
            Some(262_144),
        );
        check(
            "Range of input length should be [1, 30720]",
            None,
            Some(30_720),
        );
        for message in [
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "Input is too long for requested model.",
            "Input token length too long",
            "capability_rejected: prompt_too_long",
            "Prompt exceeds max length",
            "Please reduce the length of the messages or completion.",
            "the input length exceeds the context length",
        ] {
            check(message, None, None);
        }
    }

    #[test]
    fn codes_count_without_a_wording_and_other_faults_do_not() {
        let overflow = Some(FailureKind::ContextOverflow {
            tokens: None,
            maximum: None,
        });
        assert_eq!(recognised("context_length_exceeded", "no"), overflow);
        assert_eq!(recognised("1261", ""), overflow);
        for message in [
            "",
            "max_tokens is too large: 100000. This model's maximum context length is 8192 tokens and your request has 20 input tokens",
            "the image is too large",
            "tool_choice is not supported",
        ] {
            assert_eq!(
                recognised("invalid_request_error", message),
                None,
                "{message}"
            );
        }
    }
}
