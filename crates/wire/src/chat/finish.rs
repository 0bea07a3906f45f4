//! Why a reply ends, as the Chat wire says it.

use crate::json::Value;
use crate::turn::{Failure, FailureKind, Stop, StopReason};

/// What a `finish_reason` means.
pub(super) enum Finish {
    /// The reply ends.
    Stop(Stop),
    /// The same, but the word is not one we know.
    Unknown(Stop),
    /// The reply is not complete, and the host says so.
    Failed(Failure),
}

/// Reads the end of a choice that has this `finish_reason`; `None` while it goes on.
pub(super) fn decode(reason: Value<'_>, choice: Value<'_>) -> Option<Finish> {
    let word = reason.str()?;
    let stop = |reason| Finish::Stop(Stop::new(reason));
    let failed = |kind, message: &str| Finish::Failed(Failure::new(kind, message));
    Some(match &*word {
        "" => return None,
        "stop" | "eos" | "eos_token" | "end_turn" => Finish::Stop(matched_sequence(choice)),
        "stop_sequence" => stop(StopReason::StopSequence),
        "length" | "max_tokens" | "max_output_tokens" => stop(StopReason::MaxTokens),
        "model_length" | "model_context_window_exceeded" => stop(StopReason::ContextWindow),
        "tool_calls" | "function_call" | "tool_use" => stop(StopReason::ToolUse),
        "content_filter" | "sensitive" | "safety" | "refusal" => stop(StopReason::Refusal),
        "error" | "network_error" => failed(
            FailureKind::Server,
            "the upstream failed while it was answering",
        ),
        "insufficient_system_resource" => failed(
            FailureKind::Overloaded,
            "the upstream ran out of capacity while it was answering",
        ),
        "abort" | "cancelled" => {
            failed(FailureKind::Truncated, "the upstream broke its answer off")
        }
        _ => Finish::Unknown(Stop::new(StopReason::EndTurn)),
    })
}

/// Some hosts say beside `finish_reason` which stop sequence was met: a string, where a number is a token.
fn matched_sequence(choice: Value<'_>) -> Stop {
    let told = choice.pick(["stop_reason", "matched_stop"]);
    let sequence = told.into_iter().flatten().find_map(Value::text);
    Stop {
        reason: if sequence.is_some() {
            StopReason::StopSequence
        } else {
            StopReason::EndTurn
        },
        sequence,
        details: None,
    }
}

/// What a reply holds, as far as it decides the word for its end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Holds {
    /// The refusal's own words: the wire calls such a reply's end a stop.
    pub(super) refusal: bool,
    /// Calls: agents do not run them unless the word says that there are any.
    pub(super) calls: bool,
}

/// The word for a stop reason.
pub(super) const fn encode(reason: StopReason, holds: Holds) -> &'static str {
    match reason {
        StopReason::MaxTokens | StopReason::ContextWindow => "length",
        StopReason::Refusal if holds.refusal && !holds.calls => "stop",
        StopReason::Refusal => "content_filter",
        _ if holds.calls => "tool_calls",
        StopReason::EndTurn
        | StopReason::ToolUse
        | StopReason::StopSequence
        | StopReason::PauseTurn
        | StopReason::Compaction => "stop",
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;
    use crate::json::scan;

    fn check(choice: &str, expected: &str) {
        let doc = scan(&ByteString::from(choice)).unwrap();
        let reason = doc.root().get("finish_reason");
        let found = match reason.and_then(|reason| decode(reason, doc.root())) {
            None => "goes on".to_owned(),
            Some(Finish::Stop(stop)) => match stop.sequence {
                Some(sequence) => format!("{:?} {sequence}", stop.reason),
                None => format!("{:?}", stop.reason),
            },
            Some(Finish::Unknown(stop)) => format!("unknown {:?}", stop.reason),
            Some(Finish::Failed(failure)) => format!("failed {:?}", failure.kind),
        };
        assert_eq!(found, expected, "{choice}");
    }

    #[test]
    fn every_word_seen_in_the_field() {
        check(r#"{}"#, "goes on");
        check(r#"{"finish_reason":null}"#, "goes on");
        check(r#"{"finish_reason":""}"#, "goes on");
        check(r#"{"finish_reason":"stop","stop_reason":null}"#, "EndTurn");
        check(
            r#"{"finish_reason":"stop","stop_reason":128009}"#,
            "EndTurn",
        );
        check(
            r#"{"finish_reason":"stop","stop_reason":"END"}"#,
            "StopSequence END",
        );
        check(
            r#"{"finish_reason":"stop","matched_stop":"END"}"#,
            "StopSequence END",
        );
        check(r#"{"finish_reason":"length"}"#, "MaxTokens");
        check(r#"{"finish_reason":"function_call"}"#, "ToolUse");
        check(r#"{"finish_reason":"content_filter"}"#, "Refusal");
        check(r#"{"finish_reason":"error"}"#, "failed Server");
        check(r#"{"finish_reason":"abort"}"#, "failed Truncated");
        check(
            r#"{"finish_reason":"insufficient_system_resource"}"#,
            "failed Overloaded",
        );
        check(r#"{"finish_reason":"new_word"}"#, "unknown EndTurn");
    }

    #[test]
    fn every_stop_reason_has_a_word() {
        /// Words for: nothing special, a refusal's words, calls.
        fn check(reason: StopReason, words: [&str; 3]) {
            let holds = |refusal, calls| Holds { refusal, calls };
            let found = [holds(false, false), holds(true, false), holds(false, true)]
                .map(|holds| encode(reason, holds));
            assert_eq!(found, words, "{reason:?}");
        }
        check(StopReason::EndTurn, ["stop", "stop", "tool_calls"]);
        check(StopReason::MaxTokens, ["length"; 3]);
        check(StopReason::StopSequence, ["stop", "stop", "tool_calls"]);
        check(StopReason::ToolUse, ["stop", "stop", "tool_calls"]);
        check(StopReason::PauseTurn, ["stop", "stop", "tool_calls"]);
        check(
            StopReason::Refusal,
            ["content_filter", "stop", "content_filter"],
        );
        check(StopReason::ContextWindow, ["length"; 3]);
        check(StopReason::Compaction, ["stop", "stop", "tool_calls"]);
    }
}
