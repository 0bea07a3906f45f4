//! How providers say that the conversation fits the context window, but not together with the output asked for.
//!
//! Less output mends it, so that it is no overflow: the request can be made again with the room that is left.

use super::number_behind;

/// Tokens that are left for the reply, by an error message that says input and asked output together do not fit the
/// context window; `None` if it says something else, or nothing worth asking for is left.
#[must_use]
pub fn room_for_output(message: &str) -> Option<u64> {
    room(input_and_maximum(&message.to_ascii_lowercase())?)
}

/// Room below this is none: a conversation that has come so far must be compacted.
const LEAST_ROOM: u64 = 256;

pub(super) fn room((input, maximum): (u64, u64)) -> Option<u64> {
    maximum
        .checked_sub(input)
        .filter(|room| *room >= LEAST_ROOM)
}

/// The input's tokens and the window's, where a message tells the input from the output.
pub(super) fn input_and_maximum(message: &str) -> Option<(u64, u64)> {
    INPUTS.iter().find_map(|told| {
        let input = match told.input {
            Place::Behind(words) => number_behind(message, words),
            Place::Before(words) => number_before(message, words),
            Place::AllBut(total, words) => {
                number_behind(message, total)?.checked_sub(number_before(message, words)?)
            }
        };
        Some((input?, number_behind(message, told.maximum)?))
    })
}

/// Where the input's count stands in one wording, and what stands before the limit.
struct Input {
    input: Place,
    maximum: &'static str,
}

enum Place {
    Behind(&'static str),
    Before(&'static str),
    /// The total behind the first words less the output before the second.
    AllBut(&'static str, &'static str),
}

const WINDOW: &str = "maximum context length is";

const INPUTS: &[Input] = &[
    // OpenAI and its copies.
    Input {
        input: Place::Before(" in the messages"),
        maximum: WINDOW,
    },
    Input {
        input: Place::Before(" in your prompt"),
        maximum: WINDOW,
    },
    // OpenRouter counts text and tools apart.
    Input {
        input: Place::AllBut("you requested", " in the output"),
        maximum: WINDOW,
    },
    // vLLM, by version.
    Input {
        input: Place::Behind("your request has"),
        maximum: WINDOW,
    },
    Input {
        input: Place::Behind("your prompt contains"),
        maximum: WINDOW,
    },
    Input {
        input: Place::Behind("you passed"),
        maximum: "the model's context length is only",
    },
    // SGLang.
    Input {
        input: Place::Before(" tokens from the input messages"),
        maximum: "maximum context length of",
    },
    // Together.
    Input {
        input: Place::Before(" `inputs` tokens and"),
        maximum: "must be <=",
    },
    // Anthropic.
    Input {
        input: Place::Behind("exceed context limit:"),
        maximum: ">",
    },
];

/// The whole number right in front of `anchor`.
fn number_before(message: &str, anchor: &str) -> Option<u64> {
    let (before, _) = message.split_once(anchor)?;
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, ',' | '_');
    let digits: String = before
        .get(before.trim_end_matches(is_digit).len()..)?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overflow::recognised;
    use crate::turn::FailureKind;

    const fn overflow(tokens: Option<u64>) -> Option<FailureKind> {
        Some(FailureKind::ContextOverflow {
            tokens,
            maximum: Some(8192),
        })
    }

    #[test]
    fn an_input_that_fits_is_no_overflow() {
        for (message, room) in [
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 128000. This model's maximum context length is 32768 tokens and your request has 13000 input tokens (128000 > 32768 - 13000). (parameter=max_tokens, value=128000)",
                19_768,
            ),
            (
                "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (8000 in the messages, 32000 in the completion). Please reduce the length of the messages or completion.",
                24_768,
            ),
            (
                "This endpoint's maximum context length is 131072 tokens. However, you requested about 140,000 tokens (99,000 of text input, 1000 of tool input, 40,000 in the output).",
                31_072,
            ),
            (
                "This model's maximum context length is 32768 tokens. However, you requested 128000 output tokens and your prompt contains at least 13000 input tokens, for a total of at least 141000 tokens.",
                19_768,
            ),
            (
                "You passed 1001 input tokens and requested 2048 output tokens. However, the model's context length is only 2048 tokens",
                1047,
            ),
            (
                "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9000 tokens: 1000 tokens from the input messages and 8000 tokens for the completion.",
                7192,
            ),
            (
                "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 97 `inputs` tokens and 5000 `max_new_tokens`",
                4000,
            ),
            (
                "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000, decrease input",
                10_000,
            ),
        ] {
            assert_eq!(room_for_output(message), Some(room), "{message}");
            assert_eq!(
                recognised("context_length_exceeded", message),
                None,
                "{message}"
            );
        }
        let full = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion).";
        assert_eq!(room_for_output(full), None);
        assert_eq!(recognised("", full), overflow(Some(9000)));
        assert_eq!(
            recognised(
                "",
                "'max_tokens' is too large: 1000. This model's maximum context length is 8192 tokens and your request has 8100 input tokens"
            ),
            overflow(None)
        );
    }
}
