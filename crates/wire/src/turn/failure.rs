//! What went wrong with an exchange, in terms every wire can say.

/// A failure of an upstream, or one of our own.
///
/// One place per wire turns it into a status and a body (`error.rs`) or into an error event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// For people: what was wrong and, where known, how to fix it.
    pub message: String,
    /// The status the upstream sent, if it sent one.
    pub upstream_status: Option<u16>,
    /// Whole seconds until trying again can help.
    pub retry_after: Option<u64>,
    /// Whether the client may try again by itself; `None` leaves it to the status.
    pub should_retry: Option<bool>,
    /// What the model wrote, where the host could not read it and sends it along (`failed_generation`).
    pub generation: Option<Box<str>>,
}

/// Kinds of failure, as finely as clients and routing tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request is at fault.
    InvalidRequest,
    /// The caller's credential is missing or wrong.
    Authentication,
    /// The caller may not do this.
    Permission,
    /// No money or quota is left.
    Billing,
    /// A budget that the user set for the gateway is spent: nobody was asked.
    Budget,
    /// The conversation goes in circles, and the user wants that stopped: nobody was asked.
    Loop,
    /// No such model.
    NotFound,
    /// No such path.
    UnknownPath,
    /// The path does not know this method.
    MethodNotAllowed,
    /// The body is not of a type that is read here.
    UnsupportedMediaType,
    /// The request was meant for another host.
    MisdirectedRequest,
    /// The request contradicts something under way.
    Conflict,
    /// The caller did not finish its request in time.
    RequestTimeout,
    /// The body is too large.
    TooLarge,
    /// There are too many header lines, or too long ones.
    HeadTooLarge,
    /// The conversation does not fit the model's context window.
    ContextOverflow {
        /// Tokens of the request, where told.
        tokens: Option<u64>,
        /// Tokens the model takes, where told.
        maximum: Option<u64>,
    },
    /// Too many requests or tokens for now.
    RateLimit,
    /// The provider is overloaded.
    Overloaded,
    /// A time limit passed.
    Timeout,
    /// The provider, or the way to it, failed.
    Server,
    /// *Our* credential was refused by the provider: nothing the caller can log in to.
    UpstreamCredential,
    /// The reply was cut off.
    Truncated,
    /// The reply is not what its wire allows.
    Malformed,
    /// The reply has no content.
    EmptyReply,
    /// A tool call's arguments are incomplete or not JSON.
    BrokenToolCall,
}

impl FailureKind {
    /// The name used in records and filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::Billing => "billing",
            Self::Budget => "budget",
            Self::Loop => "loop",
            Self::NotFound => "not_found",
            Self::UnknownPath => "unknown_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::MisdirectedRequest => "misdirected_request",
            Self::Conflict => "conflict",
            Self::RequestTimeout => "request_timeout",
            Self::TooLarge => "too_large",
            Self::HeadTooLarge => "head_too_large",
            Self::ContextOverflow { .. } => "context_overflow",
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::UpstreamCredential => "upstream_credential",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::EmptyReply => "empty_reply",
            Self::BrokenToolCall => "broken_tool_call",
        }
    }
}

impl Failure {
    /// A failure with nothing but a kind and a message.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            upstream_status: None,
            retry_after: None,
            should_retry: None,
            generation: None,
        }
    }

    /// The same, with the upstream's status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.upstream_status = Some(status);
        self
    }
}
