//! Classes of failure: what can help, and what it says about the upstream.

use super::breaker::Verdict;

/// What went wrong with an attempt, as finely as failover tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The request is at fault; every upstream would say so.
    Request,
    /// Nothing was sent, or nothing that says anything: a fault of the gateway, or the client left.
    Ours,
    /// No connection.
    Unreachable,
    /// Nobody answers an attempt to connect, not even with a refusal.
    Unanswered,
    /// A 5xx, or an error where the answer should be.
    Server,
    /// The host says that it is overloaded.
    Overloaded,
    /// A named limit on its silence passed.
    Timeout,
    /// A success that is none: a web page, no JSON, another wire.
    Malformed,
    /// The connection ended before the reply did.
    Cut,
    /// A reply without content.
    Empty,
    /// A tool call that cannot be read: the model's, by chance.
    BrokenCall,
    /// 408 or 409: something else is in the way for the moment.
    Contention,
    /// Too many requests or tokens for now.
    RateLimit,
    /// No money or quota is left.
    Quota,
    /// The key is refused.
    Credential,
    /// The key may not do this.
    Forbidden,
    /// No such model, or no such path.
    Missing,
}

/// What can help after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: the client is told.
    None,
    /// Another target.
    Target,
    /// Another key of the same provider, and else another target.
    Key,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 17] = [
        Self::Request,
        Self::Ours,
        Self::Unreachable,
        Self::Unanswered,
        Self::Server,
        Self::Overloaded,
        Self::Timeout,
        Self::Malformed,
        Self::Cut,
        Self::Empty,
        Self::BrokenCall,
        Self::Contention,
        Self::RateLimit,
        Self::Quota,
        Self::Credential,
        Self::Forbidden,
        Self::Missing,
    ];

    /// The word for records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Ours => "gateway",
            Self::Unreachable => "unreachable",
            Self::Unanswered => "no-connection",
            Self::Server => "server-error",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::Cut => "cut",
            Self::Empty => "empty",
            Self::BrokenCall => "broken-call",
            Self::Contention => "contention",
            Self::RateLimit => "rate-limit",
            Self::Quota => "quota",
            Self::Credential => "credential",
            Self::Forbidden => "forbidden",
            Self::Missing => "missing",
        }
    }

    /// The fault of this [`Self::name`].
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// What can help.
    #[must_use]
    pub const fn remedy(self) -> Remedy {
        match self {
            Self::Request | Self::Ours => Remedy::None,
            Self::Unreachable
            | Self::Unanswered
            | Self::Server
            | Self::Overloaded
            | Self::Timeout
            | Self::Malformed
            | Self::Cut
            | Self::Empty
            | Self::BrokenCall
            | Self::Contention
            | Self::Missing => Remedy::Target,
            Self::RateLimit | Self::Quota | Self::Credential | Self::Forbidden => Remedy::Key,
        }
    }

    /// What it says to the target's breaker. A host that refuses a request is alive; a client that left says nothing.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Ours => Verdict::Neutral,
            Self::Request
            | Self::RateLimit
            | Self::Quota
            | Self::Credential
            | Self::Forbidden
            | Self::Missing => Verdict::Alive,
            Self::BrokenCall | Self::Contention => Verdict::Weak,
            Self::Unanswered => Verdict::Gone,
            Self::Unreachable
            | Self::Server
            | Self::Overloaded
            | Self::Timeout
            | Self::Malformed
            | Self::Cut
            | Self::Empty => Verdict::Failure,
        }
    }

    /// Whether asking again before the limit is over is pointless, so that the client is told without asking.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::RateLimit | Self::Quota)
    }
}
