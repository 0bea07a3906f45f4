//! `/api/providers`: how the providers stand, and what an operator does about them.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use jiff::Timestamp;
use lingate_config::Provider;
use lingate_route::health::{Cooldown, Draw, KeyReport, Standing, TargetReport};
use lingate_wire::turn::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::front::respond::{self, Body};
use crate::shared::Shared;
use crate::upstream::probing::{self, Probed};
use crate::{clock, ids};

/// What is done to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing new is sent there; what runs goes on.
    Drain,
    /// It is used again, with nothing held against it.
    Enable,
    /// It is probed now.
    Probe,
}

impl Action {
    /// The action of this word.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "drain" => Self::Drain,
            "enable" => Self::Enable,
            "probe" => Self::Probe,
            _ => return None,
        })
    }
}

/// `GET /api/providers`
pub(crate) fn list(shared: &Shared) -> Response<Body> {
    let providers = shared.config.providers.iter();
    let providers: Vec<Value> = providers.map(|own| document(shared, own)).collect();
    let body = json!({
        "providers": providers,
        // How well tool calls fitted.
        "models": shared.accuracy.snapshot(),
        "queues": shared.queues.snapshot(),
    });
    respond::json(StatusCode::OK, body.to_string())
}

/// `POST /api/providers/{id}/{action}`: the provider as it stands then.
pub(crate) async fn act(
    shared: &Arc<Shared>,
    id: &str,
    action: Action,
) -> Result<Response<Body>, Failure> {
    let provider = shared.config.provider(id).ok_or_else(|| {
        Failure::new(
            FailureKind::NotFound,
            format!("no provider `{id}`: `lingate providers` lists what there is"),
        )
    })?;
    match action {
        Action::Drain => {
            shared.health.drain(id, true);
            tracing::info!(provider.id = id, "taken out: nothing new is sent there");
        }
        Action::Enable if !provider.enabled => {
            return Err(Failure::new(
                FailureKind::InvalidRequest,
                format!("provider `{id}` is off in the configuration (`providers.{id}.enabled`)"),
            ));
        }
        Action::Enable => {
            shared.health.drain(id, false);
            tracing::info!(
                provider.id = id,
                "taken back in, with nothing held against it"
            );
        }
        Action::Probe => {
            let seed = ids::exchange().as_u64_pair().1;
            drop(probing::probe(shared, id, Draw::new(seed)).await);
        }
    }
    let body = document(shared, provider).to_string();
    Ok(respond::json(StatusCode::OK, body))
}

/// A provider as it stands.
fn document(shared: &Shared, provider: &Provider) -> Value {
    let id = provider.id.as_str();
    let (targets, now) = shared.health.targets();
    let (keys, _) = shared.health.keys_of(id);
    let clock = Clock {
        now,
        wall: clock::wall(),
    };
    let targets: Vec<TargetReport> = targets
        .into_iter()
        .filter(|own| own.provider == id)
        .collect();
    let is_drained = shared.health.is_drained(id);
    let key = |(index, own): (usize, &lingate_config::KeyRef)| {
        let report = keys.iter().find(|report| report.key == own.id);
        clock.key(index, &own.label, report)
    };
    json!({
        "id": id,
        "name": provider.display_name,
        "state": state(provider, is_drained, &targets, &keys),
        "enabled": provider.enabled,
        "drained": is_drained,
        "in_flight": targets.iter().map(|own| own.in_flight).sum::<u32>(),
        "keys": provider.keys.iter().enumerate().map(key).collect::<Vec<_>>(),
        "targets": targets.iter().map(|own| clock.target(own)).collect::<Vec<_>>(),
        "probes": shared.probes.of(id).iter().map(probed).collect::<Vec<_>>(),
    })
}

/// The worst of what is known, in a word.
fn state(
    provider: &Provider,
    is_drained: bool,
    targets: &[TargetReport],
    keys: &[KeyReport],
) -> &'static str {
    let is_out = |own: &&TargetReport| own.missing.is_some() || own.standing != Standing::Ready;
    let n_out = targets.iter().filter(is_out).count();
    let own_keys = provider.keys.iter();
    let n_bad = own_keys
        .filter(|own| {
            keys.iter()
                .any(|key| key.key == own.id && key.account.is_some())
        })
        .count();
    let is_limited = keys.iter().any(|key| !key.models.is_empty());
    if !provider.enabled {
        "disabled"
    } else if is_drained {
        "drained"
    } else if (n_out > 0 && n_out == targets.len()) || (n_bad > 0 && n_bad == provider.keys.len()) {
        "down"
    } else if n_out > 0 || n_bad > 0 || is_limited {
        "degraded"
    } else {
        "ok"
    }
}

/// Moments of the board as people read them.
struct Clock {
    now: Duration,
    wall: Timestamp,
}

impl Clock {
    fn key(&self, index: usize, label: &str, report: Option<&KeyReport>) -> Value {
        let account = report.and_then(|own| own.account.as_ref());
        let models = report.map_or(&[][..], |own| &own.models);
        let models = models.iter().filter(|(model, _)| !model.is_empty());
        let models = models.map(|(model, own)| {
            json!({ "model": model, "reason": own.fault.name(), "until": self.end(own) })
        });
        json!({
            "index": index + 1,
            "label": label,
            "state": if account.is_some() { "out" } else { "ok" },
            "reason": account.map(|own| own.fault.name()),
            "until": account.map(|own| self.end(own)),
            "in_flight": report.map_or(0, |own| own.in_flight),
            "limits": models.collect::<Vec<_>>(),
        })
    }

    fn target(&self, own: &TargetReport) -> Value {
        let (state, reason, until) = match (&own.missing, own.standing) {
            (Some(missing), _) => ("out", Some("missing"), Some(missing.until)),
            (None, Standing::Open(until)) => ("out", Some("breaker open"), Some(until)),
            (None, Standing::Probe) => ("probation", Some("breaker half open"), None),
            (None, Standing::Ready) => ("ok", None, None),
        };
        let last = own.last.map(|ago| {
            json!({
                "at": self.at(self.now.saturating_sub(ago)),
                "outcome": own.last_fault.map_or("served", |fault| fault.name()),
            })
        });
        json!({
            "model": own.model,
            "state": state,
            "reason": reason,
            "until": until.map(|until| self.at(until)),
            "in_flight": own.in_flight,
            "ttft_p50_ms": own.ttft.map(|ttft| u64::try_from(ttft.as_millis()).unwrap_or(u64::MAX)),
            "last": last,
        })
    }

    fn end(&self, cooldown: &Cooldown) -> String {
        self.at(cooldown.until)
    }

    /// RFC 3339, to the second.
    fn at(&self, moment: Duration) -> String {
        let at = if moment >= self.now {
            self.wall.checked_add(moment.saturating_sub(self.now))
        } else {
            self.wall.checked_sub(self.now.saturating_sub(moment))
        };
        format!("{:.0}", at.unwrap_or(self.wall))
    }
}

fn probed(own: &Probed) -> Value {
    json!({
        "at": format!("{:.0}", own.at),
        "key": own.key,
        "verdict": own.verdict.name(),
        "status": own.status,
        "words": own.words,
    })
}
