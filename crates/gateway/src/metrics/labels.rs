//! Labels: enums and configured names, never what a client or an upstream sent.

use prometheus_client::encoding::EncodeLabelSet;

/// One exchange, as it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub client_wire: &'static str,
    pub upstream_wire: &'static str,
    pub lane: &'static str,
    pub provider: String,
    /// `2xx`, `4xx`, `5xx`, `aborted` (the client left) or `broken` (after the commit).
    pub outcome: &'static str,
}

/// One try of one upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct AttemptLabels {
    pub provider: String,
    pub outcome: &'static str,
}

/// Another key or target, after a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FailoverLabels {
    /// The class of the failure.
    pub reason: &'static str,
}

/// A step from an asked name to its candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StepLabels {
    /// `rule`, `small`, `images`, `overflow`, `model`, `direct`, `alias` or `default`.
    pub step: &'static str,
}

/// A target that a request is kept from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct UnfitLabels {
    pub provider: String,
    /// `images`, `documents`, `tool` or `context`.
    pub reason: &'static str,
}

/// Where only so many requests may be at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct GateLabels {
    /// `provider` or `key`, for a client's.
    pub gate: &'static str,
    /// As configured.
    pub name: String,
}

/// A request that got no place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusalLabels {
    pub gate: &'static str,
    pub name: String,
    /// `full`, or `timeout` when it has waited.
    pub reason: &'static str,
}

/// Where a measurement belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ProviderLabels {
    pub provider: String,
}

/// Tokens of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TokenLabels {
    pub provider: String,
    pub kind: &'static str,
}

/// A repair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct QuirkLabels {
    pub quirk: String,
    pub provider: String,
}

/// Something odd in a reply that was dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CaseLabels {
    /// One of the names that stages give to such cases.
    pub case: &'static str,
}

/// A tool call that was held against its tool's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ToolCallLabels {
    pub provider: String,
    /// `yes`, `repaired` (mended before the client got it) or `no`.
    pub valid: &'static str,
}

/// An attempt to put another configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReloadLabels {
    /// `applied`, `unchanged` or `refused`.
    pub outcome: &'static str,
}

/// A budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BudgetLabels {
    /// `day`, `session`, `key_day` or `key_session`.
    pub budget: &'static str,
    /// The client key's name; empty for everybody's.
    pub key: String,
}

/// A budget, and how far it is spent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct BudgetLevelLabels {
    pub budget: &'static str,
    pub key: String,
    /// 70, 90 or 100 percent.
    pub level: u32,
}

/// A conversation that goes in circles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LoopLabels {
    /// `warned` or `stopped`.
    pub action: &'static str,
}

/// A request that is no exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    pub route: &'static str,
}

/// A target of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TargetLabels {
    pub provider: String,
    /// As the provider knows it.
    pub model: String,
}

/// A failed try of an upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FailureLabels {
    pub provider: String,
    /// The class of the failure.
    pub reason: &'static str,
}

/// An error that a client was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ErrorLabels {
    pub client_wire: &'static str,
    /// The class of the failure.
    pub kind: &'static str,
}

/// Why a reply ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StopLabels {
    pub provider: String,
    /// In the hub's words.
    pub reason: &'static str,
}
