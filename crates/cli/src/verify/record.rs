//! One result, as it is written and read again: a line of JSON with the names that the K2 Vendor Verifier uses for what it
//! has too.

use std::time::Duration;

use lingate_gateway::{Seen, SeenCall, Unanswered, Verified};
use serde::{Deserialize, Serialize};

use super::cases::Case;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) data_index: usize,
    pub(super) case: String,
    /// Who was asked, as `provider/model`.
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) status: Status,
    /// Of the view that counts.
    pub(super) finish_reason: Option<String>,
    /// Of the view that counts; only with the finish reason `tool_calls`.
    pub(super) tool_calls_valid: Option<bool>,
    pub(super) last_run_at: String,
    pub(super) duration_ms: u64,
    /// To the first content of a stream.
    pub(super) ttft_ms: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) hash: String,
    pub(super) question: String,
    /// Quirks that had something to do.
    #[serde(default)]
    pub(super) quirks: Vec<String>,
    /// The reply as the provider sent it.
    pub(super) raw: Option<View>,
    /// The reply as a client of the gateway gets it.
    pub(super) repaired: Option<View>,
    pub(super) error: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// There is a reply.
    Success,
    /// There is none.
    Failed,
}

/// One way to see a reply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) finish_reason: Option<String>,
    pub(super) tool_calls_valid: Option<bool>,
    pub(super) empty: bool,
    /// What a client gets an error for.
    pub(super) broken: Option<String>,
    /// Special tokens of models in its text and thinking.
    pub(super) leaked: Vec<String>,
    pub(super) thinking: bool,
    pub(super) text: String,
    pub(super) tool_calls: Vec<Call>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    name: String,
    arguments: String,
    complaint: Option<String>,
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Error {
    pub(super) status: Option<u16>,
    pub(super) kind: String,
    pub(super) message: String,
}

/// Which view counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Raw,
    Repaired,
}

impl Record {
    /// The result of a case.
    pub(super) fn of(
        case: &Case,
        model: String,
        at: String,
        result: Result<Verified, Unanswered>,
        side: Side,
    ) -> Self {
        let mut record = Self {
            data_index: case.index,
            case: case.name.clone(),
            model,
            stream: case.is_stream,
            status: Status::Failed,
            finish_reason: None,
            tool_calls_valid: None,
            last_run_at: at,
            duration_ms: 0,
            ttft_ms: None,
            output_tokens: None,
            hash: case.hash.clone(),
            question: case.question.clone(),
            quirks: Vec::new(),
            raw: None,
            repaired: None,
            error: None,
        };
        match result {
            Err(unanswered) => {
                record.duration_ms = millis(unanswered.duration);
                record.error = Some(Error {
                    status: unanswered.status,
                    kind: unanswered.kind.to_owned(),
                    message: unanswered.message,
                });
            }
            Ok(verified) => {
                record.status = Status::Success;
                record.duration_ms = millis(verified.duration);
                record.ttft_ms = verified.first_content.map(millis);
                record.output_tokens = verified.output_tokens;
                record.quirks = verified.quirks.into_iter().map(str::to_owned).collect();
                record.raw = Some(verified.raw.into());
                record.repaired = Some(verified.repaired.into());
                record.count(side);
            }
        }
        record
    }

    /// Puts the words of the view that counts in front, also in a result that was made with another one.
    pub(super) fn count(&mut self, side: Side) {
        if let Some(view) = self.view(side).cloned() {
            self.finish_reason = view.finish_reason;
            self.tool_calls_valid = view.tool_calls_valid;
        }
    }

    /// A view of the reply, if there is one.
    pub(super) fn view(&self, side: Side) -> Option<&View> {
        match side {
            Side::Raw => self.raw.as_ref(),
            Side::Repaired => self.repaired.as_ref(),
        }
    }
}

impl View {
    /// Whether it wants tools to be run.
    pub(super) fn triggers(&self) -> bool {
        self.tool_calls_valid.is_some()
    }
}

impl From<Seen> for View {
    fn from(seen: Seen) -> Self {
        Self {
            finish_reason: seen.finish.map(str::to_owned),
            tool_calls_valid: seen.is_valid(),
            empty: seen.is_empty(),
            broken: seen.fault,
            leaked: seen.leaked,
            thinking: seen.has_thinking,
            text: seen.text,
            tool_calls: seen.calls.into_iter().map(Call::from).collect(),
        }
    }
}

impl From<SeenCall> for Call {
    fn from(call: SeenCall) -> Self {
        Self {
            name: call.name,
            arguments: call.arguments,
            complaint: call.complaint,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
