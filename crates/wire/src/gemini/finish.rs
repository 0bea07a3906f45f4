//! Why a reply ends, as this wire says it (values of 2026-11).

use crate::turn::{Failure, FailureKind, Stop, StopReason};

/// What a `finishReason` means.
#[derive(Debug)]
pub(super) enum Finish {
    /// The reply ends.
    Stop(Stop),
    /// The same, but the word is not one we know.
    Unknown(Stop),
    /// The reply is not one that a client can use.
    Failed(Failure),
}

/// Reads a `finishReason` and what `finishMessage` adds.
pub(super) fn read(reason: &str, message: Option<&str>) -> Finish {
    let stop = |reason| Finish::Stop(Stop::new(reason));
    let failed = |what: &str| {
        let said = message
            .map(|message| format!(": {message}"))
            .unwrap_or_default();
        Finish::Failed(Failure::new(
            FailureKind::BrokenToolCall,
            format!("the upstream's model {what} ({reason}){said}"),
        ))
    };
    match reason {
        "STOP" => stop(StopReason::EndTurn),
        "MAX_TOKENS" => stop(StopReason::MaxTokens),
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => stop(StopReason::Refusal),
        "MALFORMED_FUNCTION_CALL" => failed("wrote a tool call that cannot be read"),
        "UNEXPECTED_TOOL_CALL" => failed("called a tool that was not declared"),
        "TOO_MANY_TOOL_CALLS" => failed("called more tools than it may"),
        "MISSING_THOUGHT_SIGNATURE" => Finish::Failed(Failure::new(
            FailureKind::InvalidRequest,
            "the upstream misses a thought signature in the conversation",
        )),
        "MALFORMED_RESPONSE" => Finish::Failed(Failure::new(
            FailureKind::Malformed,
            "the upstream's model wrote an answer that cannot be read (MALFORMED_RESPONSE)",
        )),
        // Neither an end nor a limit: what was said may be half of it.
        "OTHER" | "FINISH_REASON_UNSPECIFIED" | "IMAGE_OTHER" => Finish::Failed(Failure::new(
            FailureKind::Truncated,
            format!("the upstream's model stopped without saying why ({reason})"),
        )),
        "CONTINUATION" => stop(StopReason::PauseTurn),
        _ => Finish::Unknown(Stop::new(StopReason::EndTurn)),
    }
}

/// The word for a stop reason. Calls are an ordinary stop on this wire.
pub(super) const fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn
        | StopReason::ToolUse
        | StopReason::StopSequence
        | StopReason::PauseTurn
        | StopReason::Compaction => "STOP",
        StopReason::MaxTokens | StopReason::ContextWindow => "MAX_TOKENS",
        StopReason::Refusal => "SAFETY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: &str, expected: &str) {
        let found = match read(reason, None) {
            Finish::Stop(stop) => format!("{:?}", stop.reason),
            Finish::Unknown(stop) => format!("unknown {:?}", stop.reason),
            Finish::Failed(failure) => format!("failed {:?}", failure.kind),
        };
        assert_eq!(found, expected, "{reason}");
    }

    #[test]
    fn every_word_of_the_api() {
        for refusal in [
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
        ] {
            check(refusal, "Refusal");
        }
        check("STOP", "EndTurn");
        check("MAX_TOKENS", "MaxTokens");
        check("CONTINUATION", "PauseTurn");
        check("MALFORMED_FUNCTION_CALL", "failed BrokenToolCall");
        check("UNEXPECTED_TOOL_CALL", "failed BrokenToolCall");
        check("TOO_MANY_TOOL_CALLS", "failed BrokenToolCall");
        check("MALFORMED_RESPONSE", "failed Malformed");
        check("MISSING_THOUGHT_SIGNATURE", "failed InvalidRequest");
        check("OTHER", "failed Truncated");
        check("A_NEW_WORD", "unknown EndTurn");
        check("FINISH_REASON_UNSPECIFIED", "failed Truncated");
    }

    #[test]
    fn what_the_upstream_adds_is_told() {
        let Finish::Failed(failure) = read("MALFORMED_FUNCTION_CALL", Some("call:f{")) else {
            panic!("a fault is expected");
        };
        assert_eq!(
            failure.message,
            "the upstream's model wrote a tool call that cannot be read (MALFORMED_FUNCTION_CALL): call:f{"
        );
    }

    #[test]
    fn every_stop_reason_has_a_word() {
        for (reason, expected) in [
            (StopReason::EndTurn, "STOP"),
            (StopReason::ToolUse, "STOP"),
            (StopReason::StopSequence, "STOP"),
            (StopReason::PauseTurn, "STOP"),
            (StopReason::Compaction, "STOP"),
            (StopReason::MaxTokens, "MAX_TOKENS"),
            (StopReason::ContextWindow, "MAX_TOKENS"),
            (StopReason::Refusal, "SAFETY"),
        ] {
            assert_eq!(word(reason), expected, "{reason:?}");
        }
    }
}
