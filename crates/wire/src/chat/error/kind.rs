//! Which kind of failure an upstream's words and status mean.

use crate::json::{Kind, Value};
use crate::overflow;
use crate::turn::FailureKind;

/// A code or type as a word, whether it came as a string or as a number.
pub(super) fn word(value: Value<'_>) -> String {
    match value.kind() {
        Kind::String => value.str().unwrap_or_default().to_ascii_lowercase(),
        Kind::Number => value.raw().to_owned(),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => String::new(),
    }
}

/// The kind of a failure: what is said outright first, the status last.
pub(super) fn of(status: Option<u16>, code: &str, kind: &str, message: &str) -> FailureKind {
    overflow::recognised(code, message)
        .or_else(|| overflow::recognised(kind, message))
        .or_else(|| of_words(code, kind, message))
        .or_else(|| status.map(of_status))
        .unwrap_or(FailureKind::Server)
}

/// A code or type decides before the message, except that hosts say "permission" also where a plan is used up.
fn of_words(code: &str, kind: &str, message: &str) -> Option<FailureKind> {
    match of_word(code).or_else(|| of_word(kind)) {
        said @ (None | Some(FailureKind::Permission)) => of_phrase(message).or(said),
        said => said,
    }
}

/// Codes and types, in lower case. General words such as `invalid_request_error` come with every status and say nothing
/// that the status does not say better, so they are not here.
const WORDS: &[(&str, FailureKind)] = &[
    ("insufficient_quota", FailureKind::Billing),
    ("insufficient_balance", FailureKind::Billing),
    ("exceeded_current_quota_error", FailureKind::Billing),
    ("billing_error", FailureKind::Billing),
    ("billing_hard_limit_reached", FailureKind::Billing),
    ("arrearage", FailureKind::Billing),
    // Z.ai numbers its errors: no balance, five-hour and weekly quota used up.
    ("1113", FailureKind::Billing),
    ("1308", FailureKind::Billing),
    ("1310", FailureKind::Billing),
    ("rate_limit_exceeded", FailureKind::RateLimit),
    ("rate_limit_error", FailureKind::RateLimit),
    ("rate_limit_reached_error", FailureKind::RateLimit),
    ("too_many_requests", FailureKind::RateLimit),
    ("throttling", FailureKind::RateLimit),
    ("throttling.ratequota", FailureKind::RateLimit),
    ("throttling.allocationquota", FailureKind::RateLimit),
    ("1302", FailureKind::RateLimit),
    ("1303", FailureKind::RateLimit),
    ("engine_overloaded_error", FailureKind::Overloaded),
    ("overloaded_error", FailureKind::Overloaded),
    ("server_overloaded", FailureKind::Overloaded),
    ("capacity_exceeded", FailureKind::Overloaded),
    ("1305", FailureKind::Overloaded),
    ("invalid_api_key", FailureKind::Authentication),
    ("invalid_authentication_error", FailureKind::Authentication),
    ("incorrect_api_key_error", FailureKind::Authentication),
    ("authentication_error", FailureKind::Authentication),
    ("invalidapikey", FailureKind::Authentication),
    ("1000", FailureKind::Authentication),
    ("1001", FailureKind::Authentication),
    ("1002", FailureKind::Authentication),
    ("1003", FailureKind::Authentication),
    ("model_not_found", FailureKind::NotFound),
    ("resource_not_found_error", FailureKind::NotFound),
    ("notfounderror", FailureKind::NotFound),
    ("not_found_error", FailureKind::NotFound),
    ("1211", FailureKind::NotFound),
    ("permission_error", FailureKind::Permission),
    ("permission_denied_error", FailureKind::Permission),
    ("access_terminated_error", FailureKind::Permission),
    ("request_too_large", FailureKind::TooLarge),
    ("timeout_error", FailureKind::Timeout),
    // Groq: the model wrote a call that could not be read. By chance: the same request may succeed the next time.
    ("tool_use_failed", FailureKind::BrokenToolCall),
];

fn of_word(word: &str) -> Option<FailureKind> {
    WORDS
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, kind)| *kind)
}

/// Hosts that give a general code say these in the message.
const PHRASES: &[(&str, FailureKind)] = &[
    ("insufficient balance", FailureKind::Billing),
    ("exceeded your current quota", FailureKind::Billing),
    ("credit balance is too low", FailureKind::Billing),
    ("overdue-payment", FailureKind::Billing),
    // Kimi's plans, with the status 403.
    ("usage limit", FailureKind::Billing),
    ("quota will be refreshed", FailureKind::Billing),
    ("incorrect api key provided", FailureKind::Authentication),
    ("rate limit reached", FailureKind::RateLimit),
];

fn of_phrase(message: &str) -> Option<FailureKind> {
    let message = message.to_ascii_lowercase();
    PHRASES
        .iter()
        .find(|(phrase, _)| message.contains(phrase))
        .map(|(_, kind)| *kind)
}

fn of_status(status: u16) -> FailureKind {
    match status {
        401 => FailureKind::Authentication,
        402 => FailureKind::Billing,
        403 => FailureKind::Permission,
        404 => FailureKind::NotFound,
        405 => FailureKind::MethodNotAllowed,
        408 | 504 | 524 => FailureKind::Timeout,
        409 => FailureKind::Conflict,
        413 => FailureKind::TooLarge,
        415 => FailureKind::UnsupportedMediaType,
        429 => FailureKind::RateLimit,
        // 498 is Groq's "flex capacity exceeded".
        498 | 503 | 529 => FailureKind::Overloaded,
        400..500 => FailureKind::InvalidRequest,
        _ => FailureKind::Server,
    }
}

/// MiniMax says what is wrong in `base_resp`, behind a status of 200 and with numbers of its own.
pub(super) fn of_base_resp(code: &str, message: &str) -> FailureKind {
    match code {
        "1001" => FailureKind::Timeout,
        "1002" => FailureKind::RateLimit,
        "1004" | "2049" => FailureKind::Authentication,
        "1008" => FailureKind::Billing,
        "1026" | "1027" | "2013" => FailureKind::InvalidRequest,
        "1041" => FailureKind::Overloaded,
        _ => overflow::recognised(code, message).unwrap_or(FailureKind::Server),
    }
}
