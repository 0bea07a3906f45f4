//! A host that refuses an output limit says which it takes, or what its context window has left.

use lingate_wire::room_for_output;
use lingate_wire::turn::{Failure, FailureKind};

use crate::quirk::{Evidence, Quirk, Repair};
use crate::state::State;

/// Asks again with the limit the host named.
///
/// Any host may: what it says decides, also where no provider declares this.
pub(crate) const OUTPUT_LIMIT_RETRY: Quirk = Quirk {
    name: "output-limit-retry",
    groups: &[
        "moonshot",
        "kimi-k2",
        "kimi-k2-implicit",
        "openai",
        "openrouter",
        "groq",
        "deepseek",
        "zai",
        "minimax",
        "together",
        "fireworks",
        "vllm",
    ],
    summary: "Clients ask for more output than some hosts allow. The answer names the most that is allowed, and the \
              request is made again with it, once. What the model can make is remembered, what one request has room for is not.",
    evidence: &[Evidence {
        source: "400 `max_tokens must be less than or equal to 16384` (Groq), `supports at most 16384 completion \
                 tokens` (OpenAI), `the valid range of max_tokens is [1, 8192]` (DeepSeek), `max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens` (Anthropic), \
                 `the supported range is from 1 (inclusive) to 8193 (exclusive)` (Gemini), `maximum context length is \
                 32768 tokens and your request has 13000 input tokens` (vLLM)",
        date: "2026-11",
    }],
    on_failure: Some(repair),
    ..Quirk::EMPTY
};

/// Words in front of the number.
const NAMES_THE_MOST: &[&str] = &[
    "at most ",
    "less than or equal to ",
    "<= ",
    "[1, ",
    "maximum value for ",
    "between 1 and ",
    "exceeds the model limit of ",
    "exceeds the maximum of ",
    "cannot exceed ",
    "cannot be greater than ",
    "must not exceed ",
    // Anthropic: `max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens`.
    " > ",
    // Gemini, the only one that names the first that is too many.
    BEYOND,
];

const BEYOND: &str = "(inclusive) to ";

/// What to ask for instead, if it is less than what was asked for.
pub(crate) fn repair(failure: &Failure, state: &State) -> Option<Repair> {
    if failure.kind != FailureKind::InvalidRequest {
        return None;
    }
    let is_news = |most: u64| state.max_tokens.is_some_and(|sent| most < sent);
    match room_for_output(&failure.message) {
        Some(room) => is_news(room).then_some(Repair::OutputLimit(room)),
        None => {
            let most = allowed(&failure.message)?;
            is_news(most).then_some(Repair::ModelOutputLimit(most))
        }
    }
}

/// The most output tokens that an error message allows.
fn allowed(message: &str) -> Option<u64> {
    let message = message.to_ascii_lowercase();
    if ![
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "max_new_tokens",
        "maxoutputtokens",
        "maximum tokens",
    ]
    .iter()
    .any(|field| message.contains(field))
    {
        return None;
    }
    NAMES_THE_MOST.iter().find_map(|words| {
        let (_, behind) = message.split_once(words)?;
        let number = behind.trim_start_matches(['`', '\'', '"', ' ']);
        let digits: String = number
            .chars()
            .take_while(|letter| letter.is_ascii_digit() || *letter == ',')
            .filter(char::is_ascii_digit)
            .collect();
        let named: u64 = digits.parse().ok()?;
        let most = named.saturating_sub(u64::from(*words == BEYOND));
        (most > 0).then_some(most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: Option<u64>) {
        assert_eq!(allowed(message), expected, "{message}");
    }

    #[test]
    fn the_number_is_read_from_every_known_wording() {
        check(
            "`max_tokens` must be less than or equal to `16384`, the maximum value for `max_tokens`",
            Some(16384),
        );
        check(
            "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
            Some(16384),
        );
        check(
            "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
            Some(8192),
        );
        check("max_completion_tokens should be <= 32,768", Some(32768));
        check(
            "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for claude-x",
            Some(64000),
        );
        check(
            "Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from \
             1 (inclusive) to 8193 (exclusive)",
            Some(8192),
        );
        check(
            "The maximum tokens you requested exceeds the model limit of 4096.",
            Some(4096),
        );
        check("Range of max_tokens should be [1, 16384]", Some(16384));
        check("max_tokens must be between 1 and 98304", Some(98304));
        check("messages must have at most 100 items", None);
        check("max_tokens must be positive", None);
        check("max_tokens: at most 0", None);
    }
}
