//! A provider as resolved: what a request needs to reach it, nothing left to look up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderMap, HeaderName, Uri};
use lingate_quirk::CacheHints;
use lingate_wire::Wire;

use crate::preset::{ModelFacts, Preset};
use crate::proxy::Proxy;
use crate::secret::Secret;
use crate::settings::{AnthropicApi, Auth, Billing, HttpVersion, Pool};

/// What the names of query members that are credentials have in them.
const SECRET_MEMBERS: [&str; 7] = ["auth", "code", "key", "pass", "secret", "sig", "token"];

/// The id of the built-in provider, and of its one model.
pub const DEMO: &str = "demo";

/// One provider. Holds secrets: has no `Debug`.
pub struct Provider {
    /// Its id; holds no slash.
    pub id: String,
    /// What stands behind it.
    pub kind: Kind,
    /// The preset it started from.
    pub preset: Option<&'static Preset>,
    /// Its name as people write it.
    pub display_name: String,
    /// Whether it is used.
    pub enabled: bool,
    /// The wires it speaks, the preferred one first; never empty.
    pub speaks: Vec<Wire>,
    /// How the key is sent.
    pub auth: Auth,
    /// Its keys, in order of preference; empty if it needs none or gets the caller's.
    pub keys: Vec<KeyRef>,
    /// Which of the keys is used.
    pub pool: Pool,
    /// How its tokens are paid for, whatever the key; else [`Provider::billing`] tells.
    pub(crate) billing: Option<Billing>,
    /// Requests at a time.
    pub concurrency: Option<u32>,
    /// The proxy in front of it: its own, or the environment's.
    pub proxy: Option<Arc<Proxy>>,
    /// A PEM file of the certificate authorities that count for it, in place of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Quirks and groups of quirks.
    pub quirks: Vec<String>,
    /// Time limits of one attempt.
    pub timeouts: Timeouts,
    /// Whether `failover.deadline` holds for it; a local model may think as long as it needs.
    pub has_deadline: bool,
    /// How it is probed while it is idle; none if it is not.
    pub health: Option<Health>,
    /// HTTP version towards it.
    pub http: HttpVersion,
    /// What becomes of `cache_control` on a foreign wire; none leaves it to the host's quirks.
    pub cache_hints: Option<CacheHints>,
    /// How it is asked on the Anthropic wire.
    pub anthropic_api: AnthropicApi,
    /// The betas of the Anthropic API that go there, without their dates; none means all.
    pub betas: Option<Vec<String>>,
    /// The header that names a session to it.
    pub session_header: Option<HeaderName>,
    /// Appended to every model's name; empty for none.
    pub model_suffix: String,
    /// Added to every request; values are marked sensitive.
    pub headers: HeaderMap,
    /// Merged into every request body.
    pub body: serde_json::Map<String, serde_json::Value>,
    pub(crate) endpoints: BTreeMap<Wire, Uri>,
    pub(crate) models_url: Option<Uri>,
    pub(crate) hosts: Vec<(String, u16)>,
}

/// What stands behind a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A server elsewhere.
    Upstream,
    /// The gateway's own scripted conversation; has no URL and no key.
    Demo,
}

/// One key of a provider. Holds a secret: has no `Debug`.
#[derive(Clone)]
pub struct KeyRef {
    /// The key.
    pub secret: Secret,
    /// Where it came from, for messages: `environment variable NAME`, `lingate.toml:12`.
    pub origin: String,
    /// How logs and metrics call it: `provider#1`.
    pub label: String,
    /// Tells it from other keys, whatever its place: 64 bits of a hash of the provider and the key.
    pub id: u64,
}

/// Time limits of one attempt; none means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included.
    pub connect: Duration,
    /// To the response's headers.
    pub headers: Option<Duration>,
    /// To the first content.
    pub first_content: Option<Duration>,
    /// Between two pieces of the answer.
    pub idle: Option<Duration>,
}

/// The probe of an idle provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Time between probes.
    pub interval: Duration,
    /// What is asked for; the list of models if left out.
    pub path: Option<String>,
}

impl Provider {
    /// Where requests of `wire` go; none if it does not speak it.
    ///
    /// On the Gemini wire this is the model list, which `/{model}:{method}` is appended to.
    #[must_use]
    pub fn endpoint(&self, wire: Wire) -> Option<&Uri> {
        self.endpoints.get(&wire)
    }

    /// What stands in its addresses for a credential, as it stands there: the values of `?key=...` and the like.
    pub fn address_secrets(&self) -> impl Iterator<Item = &str> {
        let queries = self.endpoints.values().chain(&self.models_url);
        let members = queries
            .filter_map(Uri::query)
            .flat_map(|query| query.split('&'));
        members.filter_map(|member| {
            let (name, value) = member.split_once('=')?;
            let name = name.to_ascii_lowercase();
            let is_secret = SECRET_MEMBERS.iter().any(|word| name.contains(word));
            is_secret.then_some(value)
        })
    }

    /// An address of it as it may be shown: what it is sent for a credential is `***`.
    #[must_use]
    pub fn shown(&self, address: &Uri) -> String {
        let mut text = address.to_string();
        for secret in self.address_secrets().filter(|secret| !secret.is_empty()) {
            text = text.replace(&format!("={secret}"), "=***");
        }
        text
    }

    /// Where it lists its models.
    #[must_use]
    pub fn models_url(&self) -> Option<&Uri> {
        self.models_url.as_ref()
    }

    /// What a probe asks for; none if there is nothing to ask for.
    #[must_use]
    pub fn health_url(&self) -> Option<Uri> {
        let Some(path) = self.health.as_ref().and_then(|health| health.path.as_ref()) else {
            return self.models_url.clone();
        };
        let base = self.endpoints.values().next()?;
        let path = path.trim_start_matches('/');
        format!("{}://{}/{path}", base.scheme_str()?, base.authority()?)
            .parse()
            .ok()
    }

    /// The wire a client's request goes on: its own if the provider speaks it, else the first it speaks.
    #[must_use]
    pub fn wire_for(&self, client: Wire) -> Wire {
        if self.speaks.contains(&client) {
            return client;
        }
        self.speaks.first().copied().unwrap_or(client)
    }

    /// A model's name as it is sent there.
    #[must_use]
    pub fn sent_model(&self, model: &str) -> String {
        let mark = self.model_suffix.chars().next();
        let last = model.rsplit('/').next().unwrap_or(model);
        // `name:variant` has an ending of its own.
        if mark.is_some_and(|mark| last.contains(mark)) {
            return model.to_owned();
        }
        format!("{model}{}", self.model_suffix)
    }

    /// What its preset knows about a model of this name.
    #[must_use]
    pub fn model_facts(&self, model: &str) -> Option<&'static ModelFacts> {
        let mut facts = self.preset?.models();
        facts
            .find(|(name, _)| *name == model)
            .map(|(_, facts)| facts)
    }

    /// How a request that shows this credential is paid for: as configured, else as the preset knows of its keys.
    #[must_use]
    pub fn billing(&self, credential: Option<&str>) -> Billing {
        let is_subscribers = |key: &str| {
            let prefixes = self.preset.map(|preset| &*preset.subscription_keys);
            let mut prefixes = prefixes.unwrap_or_default().iter();
            prefixes.any(|prefix| key.starts_with(prefix.as_str()))
        };
        match self.billing {
            Some(billing) => billing,
            None if credential.is_some_and(is_subscribers) => Billing::Subscription,
            None => Billing::Metered,
        }
    }

    /// Whether it is on this machine or a private network.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.kind == Kind::Demo
            || (!self.hosts.is_empty() && self.hosts.iter().all(|(host, _)| is_private(host)))
    }

    /// Whether something that is asked of it goes over TLS.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        let mut urls = self.endpoints.values().chain(&self.models_url);
        // Google's tokens come over TLS, whatever stands in for the rest.
        self.auth == Auth::Gcp
            || urls.any(|url| url.scheme() == Some(&Scheme::HTTPS))
            || self.proxy.as_ref().is_some_and(|proxy| proxy.uses_tls())
    }

    /// Hosts and ports its requests go to.
    #[must_use]
    pub fn hosts(&self) -> &[(String, u16)] {
        &self.hosts
    }
}

/// Loopback, private and link-local addresses, and the names that stand for such.
pub(crate) fn is_private(host: &str) -> bool {
    use std::net::IpAddr;
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_unspecified()
        }
        Err(_) => {
            !host.contains('.')
                || [".localhost", ".local", ".internal"]
                    .iter()
                    .any(|end| host.ends_with(end))
        }
    }
}

/// Whether a host, by name or address, is the machine itself.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    use std::net::IpAddr;
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}
