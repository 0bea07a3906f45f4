//! The route table: paths to what answers them, and who may ask.

use http::{HeaderMap, Method};
use lingate_wire::Wire;
use lingate_wire::bridge::PathFacts;

use crate::admin::ask::Ask;
use crate::admin::providers::Action;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A model's reply, on a wire.
    Reply(Wire),
    /// A token count, on a wire.
    CountTokens(Wire),
    /// The list of models.
    Models,
    /// One model of the list.
    Model(String),
    /// A client's look whether somebody is there.
    Probe,
    /// Telemetry that old clients loop on unless it is answered.
    EventLogging,
    /// Whether the gateway is well.
    Health,
    /// Whether it takes on new sessions.
    Ready,
    /// Prometheus text.
    Metrics,
    /// Ends the gateway after its sessions.
    Stop,
    /// Held open by a launched client for as long as it lives.
    Lease,
    /// The default model in force, and its switch.
    Default,
    /// The configuration in force, and its reload.
    Reload,
    /// What is asked of the record.
    Api(Ask),
    /// How the providers stand.
    Providers,
    /// What an operator does about one.
    Provider(String, Action),
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody who reaches the listener: says nothing about models, keys or money.
    Open,
    /// Who shows a client key, if there are any.
    Client,
    /// Who knows this process's instance id, which stands in a file only its user can read.
    Owner,
    /// The owner, and who else may administer the gateway.
    Admin,
}

impl Route {
    /// Who may ask.
    pub(crate) const fn access(&self) -> Access {
        match self {
            Self::Reply(_)
            | Self::CountTokens(_)
            | Self::Models
            | Self::Model(_)
            | Self::Metrics => Access::Client,
            Self::Probe | Self::EventLogging | Self::Health | Self::Ready => Access::Open,
            Self::Stop | Self::Lease | Self::Default => Access::Owner,
            Self::Reload | Self::Api(_) | Self::Providers | Self::Provider(..) => Access::Admin,
        }
    }

    /// The methods that it answers.
    pub(crate) const fn methods(&self) -> &'static [Method] {
        match self {
            Self::Reply(_)
            | Self::CountTokens(_)
            | Self::EventLogging
            | Self::Stop
            | Self::Provider(..) => &[Method::POST],
            Self::Models | Self::Model(_) | Self::Probe | Self::Health | Self::Ready => {
                &[Method::GET, Method::HEAD]
            }
            Self::Metrics | Self::Lease | Self::Providers => &[Method::GET],
            Self::Api(ask) => ask.methods(),
            Self::Default | Self::Reload => &[Method::GET, Method::POST],
        }
    }

    /// The wire of what is asked on one.
    const fn wire(&self) -> Option<Wire> {
        match self {
            Self::Reply(wire) | Self::CountTokens(wire) => Some(*wire),
            _ => None,
        }
    }

    /// A bounded name for metrics.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Reply(Wire::Anthropic) => "messages",
            Self::Reply(Wire::Chat) => "chat_completions",
            Self::Reply(Wire::Responses) => "responses",
            Self::Reply(Wire::Gemini) => "generate_content",
            Self::CountTokens(_) => "count_tokens",
            Self::Models | Self::Model(_) => "models",
            Self::Probe => "probe",
            Self::EventLogging => "event_logging",
            Self::Health | Self::Ready => "health",
            Self::Metrics => "metrics",
            Self::Api(_) => "api",
            Self::Stop
            | Self::Lease
            | Self::Default
            | Self::Reload
            | Self::Providers
            | Self::Provider(..) => "control",
        }
    }
}

/// A path, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matched {
    /// What it leads to; `None` for paths nobody knows.
    pub route: Option<Route>,
    /// The profile it stands under.
    pub profile: Option<String>,
    /// The wire whose shape an error takes.
    pub wire: Wire,
    /// What the path says of a request that its body does not.
    pub facts: PathFacts,
}

impl Matched {
    /// The same for who asks: the list of models stands at one path for several wires, and Google's SDKs say who they are.
    pub(crate) fn asked_by(mut self, headers: &HeaderMap) -> Self {
        let is_list = matches!(self.route, Some(Route::Models | Route::Model(_)));
        let mut shown = ["x-goog-api-client", "x-goog-api-key"].iter();
        if is_list && shown.any(|name| headers.contains_key(*name)) {
            self.wire = Wire::Gemini;
        }
        self
    }
}

/// Reads a path (without its query). A first segment counts as a profile if `is_profile` knows it.
pub(crate) fn matched(path: &str, is_profile: impl Fn(&str) -> bool) -> Matched {
    if let Some((route, facts)) = known(path) {
        return Matched {
            wire: route.wire().unwrap_or_else(|| wire_of(path)),
            route: Some(route),
            profile: None,
            facts,
        };
    }
    if let Some((profile, rest)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        && is_profile(profile)
    {
        let rest = format!("/{rest}");
        let (route, facts) = known(&rest)
            .filter(|(route, _)| route.access() == Access::Client)
            .unzip();
        return Matched {
            route,
            profile: Some(profile.to_owned()),
            wire: wire_of(&rest),
            facts: facts.unwrap_or_default(),
        };
    }
    Matched {
        route: None,
        profile: None,
        wire: wire_of(path),
        facts: PathFacts::default(),
    }
}

fn known(path: &str) -> Option<(Route, PathFacts)> {
    gemini(path).or_else(|| Some((plain(path)?, PathFacts::default())))
}

/// `/v1beta/models/{model}:{method}`: the model may hold slashes and colons of its own. Google's SDKs ask under `/v1` by
/// now (3.x for TypeScript, read 2026-11), and under `/v1alpha` for what is new.
fn gemini(path: &str) -> Option<(Route, PathFacts)> {
    let versions = ["/v1beta/models/", "/v1/models/", "/v1alpha/models/"];
    let rest = versions
        .iter()
        .find_map(|version| path.strip_prefix(version))?;
    let (model, method) = rest.rsplit_once(':')?;
    let facts = |stream| PathFacts {
        model: percent_decoded(model).into(),
        stream,
    };
    if model.is_empty() {
        return None;
    }
    Some(match method {
        "generateContent" => (Route::Reply(Wire::Gemini), facts(false)),
        "streamGenerateContent" => (Route::Reply(Wire::Gemini), facts(true)),
        "countTokens" => (Route::CountTokens(Wire::Gemini), facts(false)),
        _ => return None,
    })
}

fn plain(path: &str) -> Option<Route> {
    Some(match path {
        // The SDKs append `/v1/messages` to a base that may already end in `/v1`.
        "/v1/messages" | "/messages" | "/v1/v1/messages" => Route::Reply(Wire::Anthropic),
        "/v1/messages/count_tokens" | "/messages/count_tokens" | "/v1/v1/messages/count_tokens" => {
            Route::CountTokens(Wire::Anthropic)
        }
        "/v1/chat/completions" | "/chat/completions" => Route::Reply(Wire::Chat),
        "/v1/responses" | "/responses" => Route::Reply(Wire::Responses),
        "/v1/models" | "/v1/v1/models" | "/v1beta/models" | "/v1alpha/models" => Route::Models,
        "/" | "/api/hello" => Route::Probe,
        "/api/event_logging/batch" => Route::EventLogging,
        "/health" | "/healthz" => Route::Health,
        "/readyz" => Route::Ready,
        "/metrics" => Route::Metrics,
        "/api/stop" => Route::Stop,
        "/api/lease" => Route::Lease,
        "/api/default" => Route::Default,
        "/api/reload" => Route::Reload,
        "/api/providers" => Route::Providers,
        _ => {
            if let Some(rest) = path.strip_prefix("/api/providers/") {
                let (id, action) = rest.split_once('/')?;
                return Some(Route::Provider(
                    percent_decoded(id),
                    Action::of_name(action)?,
                ));
            }
            if let Some(ask) = Ask::of_path(path) {
                return Some(Route::Api(ask));
            }
            let id = path
                .strip_prefix("/v1/models/")
                .or_else(|| path.strip_prefix("/v1beta/models/"))
                .or_else(|| path.strip_prefix("/v1alpha/models/"))
                .filter(|id| !id.is_empty() && !id.starts_with(':') && !is_method(id))?;
            Route::Model(percent_decoded(id))
        }
    })
}

/// Whether a path ends in a method of Google's, such as `:embedContent`, rather than in a model's id with a colon.
fn is_method(path: &str) -> bool {
    path.rsplit_once(':').is_some_and(|(_, method)| {
        ["Content", "Contents", "Tokens"]
            .iter()
            .any(|object| method.ends_with(object))
    })
}

/// Whose error shape a client of this path will be able to read.
fn wire_of(path: &str) -> Wire {
    if path.starts_with("/api/") {
        // Names within such a path are not ours.
        Wire::Anthropic
    } else if path.contains("/chat/") || path.contains("/completions") {
        Wire::Chat
    } else if path.ends_with("/responses") || path.contains("/responses/") {
        Wire::Responses
    } else if path.contains("/v1beta")
        || path.contains("/v1alpha")
        || path.contains("/models/") && is_method(path)
    {
        Wire::Gemini
    } else {
        Wire::Anthropic
    }
}

/// Model ids hold slashes and brackets, which some clients encode.
pub(crate) fn percent_decoded(id: &str) -> String {
    let mut out = Vec::with_capacity(id.len());
    let mut rest = id.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let decoded = (byte == b'%')
            .then(|| {
                std::str::from_utf8(tail.get(..2)?)
                    .ok()
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            })
            .flatten();
        match decoded {
            Some(value) => {
                out.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| id.to_owned())
}

#[cfg(test)]
impl Route {
    /// One of each kind.
    pub(crate) fn every_kind() -> Vec<Self> {
        use lingate_store::BodyKind;
        vec![
            Route::Reply(Wire::Anthropic),
            Route::Reply(Wire::Chat),
            Route::Reply(Wire::Responses),
            Route::Reply(Wire::Gemini),
            Route::CountTokens(Wire::Anthropic),
            Route::CountTokens(Wire::Gemini),
            Route::Models,
            Route::Model("m".into()),
            Route::Probe,
            Route::EventLogging,
            Route::Health,
            Route::Ready,
            Route::Metrics,
            Route::Stop,
            Route::Lease,
            Route::Default,
            Route::Reload,
            Route::Api(Ask::Logs),
            Route::Api(Ask::Log("019a".into())),
            Route::Api(Ask::Summary("019a".into())),
            Route::Api(Ask::Blob("019a".into(), BodyKind::ClientResponse)),
            Route::Api(Ask::Search),
            Route::Api(Ask::Values),
            Route::Api(Ask::Sessions),
            Route::Api(Ask::Session("019a".into())),
            Route::Api(Ask::Stats),
            Route::Api(Ask::Tail),
            Route::Api(Ask::Pull),
            Route::Api(Ask::Record),
            Route::Api(Ask::Document),
            Route::Providers,
            Route::Provider("a b".into(), Action::Drain),
            Route::Provider("a b".into(), Action::Enable),
            Route::Provider("a b".into(), Action::Probe),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Option<Route> {
        matched(path, |name| name == "team").route
    }

    #[test]
    fn every_documented_path_has_its_route() {
        for path in [
            "/v1/messages",
            "/messages",
            "/v1/v1/messages",
            "/team/v1/messages",
        ] {
            assert_eq!(route(path), Some(Route::Reply(Wire::Anthropic)), "{path}");
        }
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/team/v1/chat/completions",
        ] {
            assert_eq!(route(path), Some(Route::Reply(Wire::Chat)), "{path}");
        }
        for path in ["/v1/responses", "/responses", "/team/v1/responses"] {
            assert_eq!(route(path), Some(Route::Reply(Wire::Responses)), "{path}");
        }
        for path in ["/", "/api/hello"] {
            assert_eq!(route(path), Some(Route::Probe), "{path}");
        }
        for path in ["/health", "/healthz"] {
            assert_eq!(route(path), Some(Route::Health), "{path}");
        }
        assert_eq!(
            route("/v1/models/anthropic%2Fkimi-k3%5B1m%5D"),
            Some(Route::Model("anthropic/kimi-k3[1m]".into()))
        );
        assert_eq!(
            route("/team/v1/models/anthropic/kimi"),
            Some(Route::Model("anthropic/kimi".into()))
        );
    }

    /// A new variant does not compile without a path here; `tests/it/routes.rs` asks them all who is served.
    #[test]
    fn every_variant_has_a_path_and_a_class() {
        let path = |route: &Route| match route {
            Route::Reply(Wire::Anthropic) => ("/v1/messages", Access::Client),
            Route::Reply(Wire::Chat) => ("/v1/chat/completions", Access::Client),
            Route::Reply(Wire::Responses) => ("/v1/responses", Access::Client),
            Route::Reply(Wire::Gemini) => ("/v1beta/models/m:generateContent", Access::Client),
            Route::CountTokens(Wire::Gemini) => ("/v1beta/models/m:countTokens", Access::Client),
            Route::CountTokens(_) => ("/v1/messages/count_tokens", Access::Client),
            Route::Models => ("/v1/models", Access::Client),
            Route::Model(_) => ("/v1/models/m", Access::Client),
            Route::Probe => ("/", Access::Open),
            Route::EventLogging => ("/api/event_logging/batch", Access::Open),
            Route::Health => ("/health", Access::Open),
            Route::Ready => ("/readyz", Access::Open),
            Route::Metrics => ("/metrics", Access::Client),
            Route::Stop => ("/api/stop", Access::Owner),
            Route::Lease => ("/api/lease", Access::Owner),
            Route::Default => ("/api/default", Access::Owner),
            Route::Reload => ("/api/reload", Access::Admin),
            Route::Api(Ask::Logs) => ("/api/logs", Access::Admin),
            Route::Api(Ask::Log(_)) => ("/api/logs/019a", Access::Admin),
            Route::Api(Ask::Summary(_)) => ("/api/logs/019a/summary", Access::Admin),
            Route::Api(Ask::Blob(..)) => ("/api/logs/019a/blobs/response", Access::Admin),
            Route::Api(Ask::Search) => ("/api/logs/search", Access::Admin),
            Route::Api(Ask::Values) => ("/api/logs/values", Access::Admin),
            Route::Api(Ask::Sessions) => ("/api/sessions", Access::Admin),
            Route::Api(Ask::Session(_)) => ("/api/sessions/019a", Access::Admin),
            Route::Api(Ask::Stats) => ("/api/stats", Access::Admin),
            Route::Api(Ask::Tail) => ("/api/tail", Access::Admin),
            Route::Api(Ask::Pull) => ("/api/livestore/pull", Access::Admin),
            Route::Api(Ask::Record) => ("/api/record", Access::Admin),
            Route::Api(Ask::Document) => ("/api/openapi.json", Access::Admin),
            Route::Providers => ("/api/providers", Access::Admin),
            Route::Provider(_, Action::Drain) => ("/api/providers/a%20b/drain", Access::Admin),
            Route::Provider(_, Action::Enable) => ("/api/providers/a%20b/enable", Access::Admin),
            Route::Provider(_, Action::Probe) => ("/api/providers/a%20b/probe", Access::Admin),
        };
        for variant in Route::every_kind() {
            let (path, access) = path(&variant);
            assert_eq!(variant.access(), access, "{path}");
            assert_eq!(route(path), Some(variant), "{path}");
        }
    }

    #[test]
    fn a_gemini_path_names_the_model_and_the_method() {
        for (path, model, stream) in [
            ("/v1beta/models/kimi:generateContent", "kimi", false),
            ("/v1beta/models/kimi:streamGenerateContent", "kimi", true),
            (
                "/team/v1beta/models/a%2Fb:free:streamGenerateContent",
                "a/b:free",
                true,
            ),
            ("/v1beta/models/a/b:countTokens", "a/b", false),
            ("/v1/models/kimi:generateContent", "kimi", false),
            ("/v1alpha/models/a:b:streamGenerateContent", "a:b", true),
        ] {
            let found = matched(path, |name| name == "team");
            assert_eq!(found.wire, Wire::Gemini, "{path}");
            assert!(
                matches!(
                    found.route,
                    Some(Route::Reply(Wire::Gemini) | Route::CountTokens(Wire::Gemini))
                ),
                "{path}"
            );
            assert_eq!(found.facts.model, *model, "{path}");
            assert_eq!(found.facts.stream, stream, "{path}");
        }
        for path in [
            "/v1beta/models/:generateContent",
            "/v1/models/kimi:embedContent",
            "/v1beta/models/kimi:batchEmbedContents",
            "/other/v1beta/models/kimi:generateContent",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn a_profile_leads_to_inference_only_and_must_exist() {
        assert_eq!(
            matched("/team/v1/messages", |n| n == "team")
                .profile
                .as_deref(),
            Some("team")
        );
        for path in [
            "/other/v1/messages",
            "/team/health",
            "/team/api/stop",
            "/nothing",
            "/v1/models/",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn errors_take_the_shape_of_the_paths_wire() {
        let wire = |path| matched(path, |_| false).wire;
        assert_eq!(wire("/v1/messages/batches"), Wire::Anthropic);
        assert_eq!(wire("/v1/responses"), Wire::Responses);
        assert_eq!(wire("/v1/responses/resp_1/cancel"), Wire::Responses);
        assert_eq!(wire("/v1beta/models/x:generateContent"), Wire::Gemini);
        assert_eq!(wire("/v1/models/x:embedContent"), Wire::Gemini);
        assert_eq!(wire("/v1/models/x:free"), Wire::Anthropic);
    }

    #[test]
    fn the_list_is_for_who_asks() {
        for (path, name, expected) in [
            ("/v1/models", "x-goog-api-key", Wire::Gemini),
            ("/v1/models/m:free", "x-goog-api-client", Wire::Gemini),
            ("/v1/models", "authorization", Wire::Anthropic),
            ("/v1/messages", "x-goog-api-key", Wire::Anthropic),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, http::HeaderValue::from_static("x"));
            let found = matched(path, |_| false).asked_by(&headers);
            assert_eq!(found.wire, expected, "{path} with {name}");
        }
    }
}
