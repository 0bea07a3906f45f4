//! Hosts that admit coding agents they know, by their `User-Agent`, and what their refusal of a client means.
//!
//! The client's own name goes upstream, never another's (`headers.rs`): so a refused client is told so in words it can
//! act on, and neither key nor host is thought the worse of.

use http::HeaderMap;
use http::header::USER_AGENT;
use lingate_config::Provider;
use lingate_wire::turn::{Failure, FailureKind};

/// Longest part of a client's name that is told.
const LONGEST: usize = 100;

/// The failure as it is told, if the provider refused the client and not its key: a 403 in words that its preset knows.
pub(crate) fn refusal(
    provider: &Provider,
    client: &HeaderMap,
    failure: &Failure,
) -> Option<Failure> {
    let said = failure.message.to_lowercase();
    let known = &provider.preset?.agent_refusals;
    let is_refusal = known.iter().any(|words| said.contains(words.as_str()));
    if failure.upstream_status != Some(403) || !is_refusal {
        return None;
    }
    let agent = client
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .map_or_else(
            || "it sent no User-Agent".to_owned(),
            |agent| {
                let agent: String = agent.chars().take(LONGEST).collect();
                format!("its User-Agent is `{agent}`")
            },
        );
    let message = format!(
        "provider `{}` admits coding agents that it knows, and refuses this client ({agent}, which is passed on as it \
         came): use such an agent, or another provider",
        provider.id
    );
    Some(Failure::new(FailureKind::Permission, message).with_status(403))
}
