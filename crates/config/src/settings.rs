//! Choices of the file, as closed enums.

pub use lingate_route::health::Pool;
use schemars::JsonSchema;
use serde::Deserialize;

/// How a provider is shown its key (`auth`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    XApiKey,
    /// Both headers, for hosts where it depends on the wire.
    Both,
    /// `Authorization: Bearer TOKEN`, with an access token that a Google Cloud credential is exchanged for. `api_key` is
    /// the credential: a file's path, or what stands in it.
    Gcp,
    /// No credential.
    None,
    /// The caller's own credential, to this provider only and never on failover.
    Client,
}

/// How a provider's tokens are paid for (`billing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    /// By the token, at the list price.
    Metered,
    /// By a subscription: the list price is only what it would have been.
    Subscription,
}

/// How a provider is asked on the Anthropic wire (`anthropic_api`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnthropicApi {
    /// `POST .../v1/messages`, with the model in the body.
    #[default]
    Messages,
    /// `POST .../models/MODEL:rawPredict` and `:streamRawPredict`, without the model in the body.
    RawPredict,
}

/// HTTP version towards a provider (`http`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum HttpVersion {
    /// HTTP/2 where the host offers it.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/1.1 only.
    #[serde(rename = "1")]
    One,
}

/// What a model reads (`input`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// Documents, such as PDF.
    Document,
    /// Audio.
    Audio,
    /// Video.
    Video,
}

/// What becomes of tool calls that do not fit the tool's schema (`validate_tool_calls`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidateToolCalls {
    /// They pass.
    #[default]
    Off,
    /// What can be mended safely is mended.
    Repair,
    /// The answer is asked for again.
    Retry,
}

/// How tools are described to a model (`tool_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolFormat {
    /// As the wire does it.
    #[default]
    Native,
    /// In the prompt; calls are read from the text.
    Xml,
}

/// Which bodies the record keeps (`record.bodies`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bodies {
    /// All.
    #[default]
    Full,
    /// Those of failed requests.
    Errors,
    /// None, but a row for each request.
    Metadata,
    /// No record at all.
    Off,
}

/// How much is logged (`log.level`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// What someone should look at.
    Warn,
    /// One line a request, one a failed or skipped attempt.
    #[default]
    Info,
    /// What the gateway decides.
    Debug,
    /// Everything.
    Trace,
}

/// The form of the log (`log.format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
