//! An exchange as lists show it: our members, and beside them those that an older proxy's dashboard reads.

use lingate_store::Exchange;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// An exchange of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Item {
    #[serde(flatten)]
    pub exchange: Exchange,
    #[serde(flatten)]
    pub compatible: Compatible,
}

/// Other names of the same, and what follows from it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Compatible {
    /// The row's number, as `number`: what `/api/livestore/pull` pages by.
    pub numeric_id: i64,
    /// The id.
    pub request_id: String,
    /// When the request was accepted: RFC 3339, as `time`.
    pub timestamp: String,
    /// The method of the request.
    pub method: &'static str,
    /// The path, as `path`.
    pub url: String,
    /// The status that was sent, as `status`.
    pub status_code: Option<u16>,
    /// What was asked for: `messages`, `chat`, `responses`, `generate_content` or `count_tokens`.
    pub operation: Option<&'static str>,
    /// The client's wire, as `client_wire`.
    pub client_format: Option<&'static str>,
    /// The provider's wire, as `upstream_wire`.
    pub provider_format: Option<&'static str>,
    /// Milliseconds to the last byte, as `duration_ms`.
    pub latency_ms: Option<u64>,
    /// JSON in a text: `finish_reason`, `error` and `preview` of what went well, `error_type` and `error_message` of what
    /// did not; null while it runs.
    pub summary: Option<String>,
}

impl From<Exchange> for Item {
    fn from(exchange: Exchange) -> Self {
        let compatible = Compatible {
            numeric_id: exchange.number,
            request_id: exchange.id.to_string(),
            timestamp: timestamp(&exchange),
            method: "POST",
            url: exchange.path.clone(),
            status_code: exchange.status,
            operation: operation(&exchange),
            client_format: exchange.client_wire.map(lingate_wire::Wire::name),
            provider_format: exchange.upstream_wire.map(lingate_wire::Wire::name),
            latency_ms: exchange.duration_ms,
            summary: summary(&exchange),
        };
        Self {
            exchange,
            compatible,
        }
    }
}

/// To the millisecond, always with all three digits: such texts sort as their times do.
pub(crate) fn timestamp(exchange: &Exchange) -> String {
    format!("{:.3}", exchange.time)
}

fn operation(exchange: &Exchange) -> Option<&'static str> {
    use lingate_wire::Wire;
    if exchange.path.ends_with("/count_tokens") || exchange.path.ends_with(":countTokens") {
        return Some("count_tokens");
    }
    Some(match exchange.client_wire? {
        Wire::Anthropic => "messages",
        Wire::Chat => "chat",
        Wire::Responses => "responses",
        Wire::Gemini => "generate_content",
    })
}

/// What became of an exchange, as JSON in a text.
pub(crate) fn summary(exchange: &Exchange) -> Option<String> {
    let end = exchange.end?;
    let document = if exchange.went_well() {
        json!({
            "finish_reason": exchange.stop,
            "error": exchange.error,
            "preview": exchange.preview,
        })
    } else {
        let message = exchange.error.as_deref().unwrap_or_default();
        json!({
            "error_type": exchange.error_kind.as_deref().unwrap_or(end.name()),
            "error_message": message.chars().take(500).collect::<String>(),
        })
    };
    Some(document.to_string())
}
