//! Probes of idle providers: a small request on the gateway's own account, which costs nothing.
//!
//! Who has requests is not probed, for those say more. A failure counts like one of a request; a success is only told: a
//! list of models is no completion, and ends neither a breaker's time nor a key's. What a probe means is [`verdict`]'s
//! question alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lingate_config::{Auth, KeyRef, Kind, Provider};
use lingate_route::health::{Draw, Fault};
use tokio::time::Instant;

use crate::generations::Generations;
use crate::probe::{ProbeAnswer, ProbeError, Prober};
use crate::shared::Shared;
use crate::{clock, ids};

/// Time between two looks at whose turn it is; shorter where intervals are.
const LOOK: Duration = Duration::from_secs(1);
/// Added by chance to an interval, as a share of it, so that many gateways do not probe at once.
const JITTER: f64 = 0.2;

/// What a probe says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answers, and takes the key.
    Well,
    /// It refuses the key.
    Credential,
    /// It refuses what the key may not do, or a client it does not know: nothing about requests.
    Refused,
    /// There is nothing at this path: nothing about requests.
    Unsupported,
    /// It wants fewer requests.
    RateLimited,
    /// A web page answers: the address is not that of an API.
    Misconfigured,
    /// It fails.
    Failing,
    /// It cannot be reached.
    Unreachable,
}

/// A probe, as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Probed {
    /// When it ended.
    pub at: Timestamp,
    /// The key that was shown, by its label.
    pub key: Option<String>,
    pub verdict: Verdict,
    /// The answer's status.
    pub status: Option<u16>,
    /// What the provider, or the network, says of it.
    pub words: String,
}

/// The last probes, by provider.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<HashMap<String, Vec<Probed>>>);

impl Probes {
    /// The last ones of a provider, one for each key.
    pub(crate) fn of(&self, provider: &str) -> Vec<Probed> {
        let probes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        probes.get(provider).cloned().unwrap_or_default()
    }

    fn keep(&self, provider: &str, probed: Vec<Probed>) {
        let mut probes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        probes.insert(provider.to_owned(), probed);
    }
}

/// Probes who has been idle for as long as their `health.interval`, until the gateway is stopping.
pub(crate) async fn probe_idle(generations: Arc<Generations>) {
    let mut due: HashMap<String, Instant> = HashMap::new();
    let mut draw = Draw::new(ids::exchange().as_u64_pair().1);
    let stopping = generations.process.stopping.clone();
    let mut told = generations.told();
    loop {
        let shared = generations.current();
        let probed = shared.config.providers.iter().filter_map(|provider| {
            let is_probed = provider.enabled && provider.kind == Kind::Upstream;
            let interval = provider.health.as_ref()?.interval;
            is_probed.then_some((provider, interval))
        });
        let (mut look, now) = (None::<Duration>, clock::now());
        for (provider, interval) in probed {
            look = Some(look.unwrap_or(LOOK).min(interval / 4));
            let next = now + interval.mul_f64(1.0 + JITTER * draw.unit());
            let due = due.entry(provider.id.clone()).or_insert(next);
            // A reload may have shortened the interval.
            *due = (*due).min(now + interval.mul_f64(1.0 + JITTER));
            if *due > now {
                continue;
            }
            *due = next;
            let idle = shared.health.idle_for(&provider.id);
            let is_idle = idle.is_none_or(|idle| idle >= interval);
            if is_idle && !shared.health.is_drained(&provider.id) {
                let (shared, id) = (Arc::clone(&shared), provider.id.clone());
                let draw = Draw::new(draw.bits());
                let stopping = stopping.clone();
                shared.tasks.clone().spawn(async move {
                    tokio::select! {
                        () = stopping.cancelled() => {}
                        _told = probe(&shared, &id, draw) => {}
                    }
                });
            }
        }
        let wait = async {
            match look {
                Some(look) => tokio::time::sleep(look).await,
                // Nobody is probed: only another configuration changes that.
                None => drop(told.changed().await),
            }
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = wait => {}
        }
    }
}

/// Probes a provider now, with every one of its keys.
pub(crate) async fn probe(shared: &Shared, id: &str, mut draw: Draw) -> Vec<Probed> {
    let Some(provider) = shared.config.provider(id) else {
        return Vec::new();
    };
    let prober = Prober::over(shared.clients.clone());
    let before = shared.probes.of(id);
    let (mut probed, mut fault) = (Vec::new(), None);
    let keys: Vec<Option<&KeyRef>> = match provider.keys.as_slice() {
        [] => vec![None],
        keys => keys.iter().map(Some).collect(),
    };
    for key in keys {
        let answer = match provider.health_url() {
            Some(url) => prober.ask(provider, &url, key).await,
            None => Err(ProbeError::NoAddress),
        };
        let verdict = verdict(provider, &answer);
        match (verdict, key) {
            (Verdict::Credential, Some(key)) => {
                let health = &shared.health;
                health.probed_key(id, key.id, Fault::Credential, &mut draw);
            }
            (Verdict::Failing, _) => fault = Some(Fault::Server),
            (Verdict::Unreachable, _) => fault = Some(Fault::Unreachable),
            _ => {}
        }
        let own = Probed {
            at: clock::wall(),
            key: key.map(|key| key.label.clone()),
            verdict,
            status: answer.as_ref().ok().map(|answer| answer.status),
            words: match answer {
                Ok(answer) => answer.words,
                Err(error) => error.to_string(),
            },
        };
        let is_known = before
            .iter()
            .any(|last| last.key == own.key && last.verdict == verdict);
        let is_fine = matches!(
            verdict,
            Verdict::Well | Verdict::Unsupported | Verdict::Refused
        );
        if !is_fine && !is_known {
            tracing::warn!(
                provider.id = id,
                provider.key = own.key,
                "a probe found it {}: {}",
                verdict.name(),
                own.words
            );
        }
        probed.push(own);
        // What cannot be reached with one key cannot be with another.
        if verdict == Verdict::Unreachable {
            break;
        }
    }
    // One probe is one failure, with however many keys it was made.
    if let Some(fault) = fault {
        let models = models(shared, id);
        shared.health.probed(id, &models, fault, &mut draw);
    }
    shared.probes.keep(id, probed.clone());
    probed
}

/// The provider's models that the configuration leads to.
fn models<'s>(shared: &'s Shared, id: &str) -> Vec<&'s str> {
    let routes = &shared.config.routes;
    let scopes = std::iter::once(&routes.global).chain(routes.profiles.values());
    let targets = scopes.flat_map(|scope| scope.models.iter().flat_map(|model| &model.targets));
    let mut models: Vec<&str> = targets
        .filter(|target| *target.provider == *id)
        .map(|target| &*target.model)
        .collect();
    models.sort_unstable();
    models.dedup();
    models
}

/// What an answer means.
fn verdict(provider: &Provider, answer: &Result<ProbeAnswer, ProbeError>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(ProbeError::NoAddress | ProbeError::Request(_)) => return Verdict::Unsupported,
        Err(
            ProbeError::Dns { .. }
            | ProbeError::Refused(_)
            | ProbeError::Connect(_)
            | ProbeError::Untrusted(_)
            | ProbeError::Tls(_)
            | ProbeError::Silent(_),
        ) => return Verdict::Unreachable,
        Err(ProbeError::Broken(_)) => return Verdict::Failing,
    };
    match answer.status {
        // The caller's own credential is not ours to show.
        401 | 403 if provider.auth == Auth::Client => Verdict::Refused,
        401 => Verdict::Credential,
        403 if is_about_something_else(provider, &answer.words) => Verdict::Refused,
        403 => Verdict::Credential,
        429 => Verdict::RateLimited,
        500.. => Verdict::Failing,
        _ if answer.is_page => Verdict::Misconfigured,
        400..=499 => Verdict::Unsupported,
        _ => Verdict::Well,
    }
}

/// Whether a 403 is about the client, which is not the one that will ask, or about the list alone: a key may be good for
/// completions and for nothing else.
fn is_about_something_else(provider: &Provider, words: &str) -> bool {
    let words = words.to_lowercase();
    let agents = provider.preset.map(|preset| &preset.agent_refusals);
    let is_agent = agents.is_some_and(|known| known.iter().any(|own| words.contains(own.as_str())));
    is_agent
        || ["scope", "permission"]
            .iter()
            .any(|own| words.contains(own))
}

impl Verdict {
    /// The word for people and records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Credential => "bad-credential",
            Self::Refused => "refused",
            Self::Unsupported => "unsupported",
            Self::RateLimited => "rate-limited",
            Self::Misconfigured => "misconfigured",
            Self::Failing => "failing",
            Self::Unreachable => "unreachable",
        }
    }
}

#[cfg(test)]
mod tests {
    use lingate_config::{Config, FixedEnvironment, LoadOptions};

    use super::*;

    const FILE: &str = r#"
        [providers.up]
        base_url = "http://127.0.0.1:1"
        api_key = "sk-secret"
        [providers.theirs]
        base_url = "http://127.0.0.1:2"
        auth = "client"
    "#;

    #[track_caller]
    fn check(provider: &str, status: u16, is_page: bool, words: &str, expected: Verdict) {
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, FILE, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let answer = ProbeAnswer {
            status,
            ahead: None,
            is_page,
            models: None,
            words: words.to_owned(),
        };
        let provider = config.provider(provider).unwrap();
        assert_eq!(verdict(provider, &Ok(answer)), expected, "{status} {words}");
    }

    #[test]
    fn every_kind_of_answer() {
        check("up", 200, false, "", Verdict::Well);
        check("up", 200, true, "", Verdict::Misconfigured);
        check("up", 301, true, "", Verdict::Misconfigured);
        check("up", 401, false, "invalid key", Verdict::Credential);
        check("up", 401, true, "", Verdict::Credential);
        check("up", 403, false, "forbidden", Verdict::Credential);
        check(
            "up",
            403,
            false,
            "Missing scopes: api.model.read",
            Verdict::Refused,
        );
        check("up", 404, false, "", Verdict::Unsupported);
        check("up", 404, true, "", Verdict::Misconfigured);
        check("up", 405, false, "", Verdict::Unsupported);
        check("up", 429, false, "", Verdict::RateLimited);
        check("up", 500, true, "", Verdict::Failing);
        check("up", 529, false, "", Verdict::Failing);
        check("theirs", 401, false, "", Verdict::Refused);
        check("theirs", 403, false, "", Verdict::Refused);
        check("theirs", 200, false, "", Verdict::Well);
    }

    #[test]
    fn a_refused_agent_is_no_verdict_on_a_key() {
        let environment = FixedEnvironment::new([]);
        let file = "[providers.kimi-coding]\napi_key = \"sk-secret\"";
        let Ok(config) = Config::from_text(None, file, &LoadOptions::default(), &environment)
        else {
            panic!("it has a preset");
        };
        let provider = config.provider("kimi-coding").unwrap();
        let known = provider.preset.unwrap().agent_refusals.first().unwrap();
        let answer = |words: &str| ProbeAnswer {
            status: 403,
            ahead: None,
            is_page: false,
            models: None,
            words: words.to_owned(),
        };
        assert_eq!(verdict(provider, &Ok(answer(known))), Verdict::Refused);
        assert_eq!(verdict(provider, &Ok(answer("no"))), Verdict::Credential);
    }
}
