//! Why a reply ends, in and out.

use crate::json::{Value, Writer};
use crate::turn::{Stop, StopReason};

/// Reads `stop_reason`, `stop_sequence` and `stop_details` of a message or a `message_delta`; `None` while it goes on.
///
/// A reason that is not known here ends the turn: the sequencer makes `tool_use` of it if there are calls.
pub(super) fn read(value: Value<'_>) -> Option<Stop> {
    let reason = value.get("stop_reason")?.str()?;
    Some(Stop {
        reason: ALL
            .into_iter()
            .find(|known| name(*known) == reason)
            .unwrap_or(StopReason::EndTurn),
        sequence: value.get("stop_sequence").and_then(Value::text),
        details: value
            .get("stop_details")
            .filter(|details| !details.is_null())
            .map(Value::to_raw),
    })
}

/// Writes the three members into the object that is open. Without a stop the reply is still under way.
pub(super) fn write(json: &mut Writer, stop: Option<&Stop>) {
    match stop {
        Some(stop) => json.frame(r#""stop_reason":"#).str(name(stop.reason)),
        None => json.frame(r#""stop_reason":null"#),
    };
    match stop.and_then(|stop| stop.sequence.as_ref()) {
        Some(sequence) => json.frame(r#""stop_sequence":"#).text(sequence),
        None => json.frame(r#""stop_sequence":null"#),
    };
    if let Some(details) = stop.and_then(|stop| stop.details.as_ref()) {
        json.key("stop_details").raw(details);
    }
}

/// The wire's name of a reason.
pub(super) const fn name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn => "end_turn",
        StopReason::MaxTokens => "max_tokens",
        StopReason::StopSequence => "stop_sequence",
        StopReason::ToolUse => "tool_use",
        StopReason::PauseTurn => "pause_turn",
        StopReason::Refusal => "refusal",
        StopReason::ContextWindow => "model_context_window_exceeded",
        StopReason::Compaction => "compaction",
    }
}

/// Every reason, in the order the API documents them.
pub(super) const ALL: [StopReason; 8] = [
    StopReason::EndTurn,
    StopReason::MaxTokens,
    StopReason::StopSequence,
    StopReason::ToolUse,
    StopReason::PauseTurn,
    StopReason::Refusal,
    StopReason::ContextWindow,
    StopReason::Compaction,
];
