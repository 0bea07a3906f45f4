//! Who may serve a request: candidates of the route, resolved to provider, model, key, wire and address.

use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Uri};
use lingate_config::{
    AnthropicApi, Auth, Config, KeyRef, Kind, Modality, ModelSettings, Provider, TargetSettings,
    ToolFormat, ValidateToolCalls,
};
use lingate_quirk::{Repair, Selection, Settings, Target, select};
use lingate_route::{Ask, Candidate, Cause, Looks, Resolution, Table, Unresolved, resolve};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;
use lingate_wire::gemini::Framing;
use lingate_wire::turn::{Failure, FailureKind, SealKey, Tool};

use super::asked::Asked;
use super::policy::Demands;
use super::upstreams::Upstreams;
use crate::explain::Reason;
use crate::lane::estimate;
use crate::upstream::auth::{self, UnfitKey};
use crate::upstream::blame::{Blame, Ours};
use crate::upstream::client::Way;

/// One provider, model and key, as resolved for one attempt.
#[derive(Clone)]
pub(crate) struct Upstream<'c> {
    pub provider: &'c Provider,
    pub key: Option<&'c KeyRef>,
    pub wire: Wire,
    /// Where requests go; `None` for the built-in demo.
    pub url: Option<&'c Uri>,
    /// What all requests to it have in common; reached as if it were its own.
    traits: Arc<Traits>,
    pub target: Option<&'c TargetSettings>,
    /// What is asked of the model's replies.
    pub demands: Demands,
    /// It refused a token in the history that another provider made: such thinking is left out from now on.
    pub refuses_foreign_thinking: bool,
}

/// What a configuration makes of one model on one wire: the same for every request.
pub(crate) struct Traits {
    /// As it is sent there.
    pub model: String,
    pub host: String,
    /// How it is connected to.
    pub way: Way,
    pub settings: Settings,
    pub selection: Arc<Selection>,
    /// As a head of HTTP/1 names its host, where it is certain that it is one: in plain text nobody agrees upon HTTP/2.
    pub host_field: Option<HeaderValue>,
    /// What it is shown of ours with each of its keys, or with none where it has none.
    pub shown: Vec<Shown>,
}

/// What an upstream is shown of ours with one of its keys. Holds secrets: has no `Debug`.
pub(crate) struct Shown {
    /// For judging its failures.
    ours: Arc<Ours>,
    /// The headers that show the key; none where they depend on the request, or the key fits into no header.
    credential: Option<HeaderMap>,
    /// What wraps tokens for it.
    seal: SealKey,
}

impl Deref for Upstream<'_> {
    type Target = Traits;

    fn deref(&self) -> &Traits {
        &self.traits
    }
}

impl<'c> Upstream<'c> {
    /// Resolves a candidate for a client of `wire`.
    pub(crate) fn of(
        config: &'c Config,
        candidate: &Candidate,
        client: Wire,
    ) -> Result<Self, Failure> {
        Self::known(config, candidate, client, &Upstreams::default())
    }

    /// The same, with what is known of it already.
    pub(crate) fn known(
        config: &'c Config,
        candidate: &Candidate,
        client: Wire,
        upstreams: &Upstreams,
    ) -> Result<Self, Failure> {
        let provider = config
            .provider(&candidate.provider)
            .ok_or_else(|| gone(&candidate.provider))?;
        let wire = provider.wire_for(client);
        let url = match provider.kind {
            Kind::Demo => None,
            Kind::Upstream => Some(provider.endpoint(wire).ok_or_else(|| gone(&provider.id))?),
        };
        let own = config.model_settings(candidate);
        let traits = upstreams.traits(candidate, wire, || {
            let host = url.and_then(Uri::host).unwrap_or_default().to_owned();
            let selection = select(
                &provider.quirks,
                &Target {
                    provider: &provider.id,
                    host: &host,
                    model: &candidate.model,
                    wire,
                },
            );
            let model = provider.sent_model(&candidate.model);
            Traits {
                settings: settings(provider, own, &candidate.model),
                host,
                selection: Arc::new(selection),
                way: Way::of(provider),
                host_field: url.and_then(host_field),
                shown: shown(provider, &model, wire),
                model,
            }
        });
        Ok(Self {
            target: config.target_settings(candidate),
            demands: Demands::of(own),
            key: provider.keys.first(),
            provider,
            wire,
            url,
            traits,
            refuses_foreign_thinking: false,
        })
    }

    /// The lane of a request to this upstream.
    pub(crate) fn lane(&self, asked: &Asked) -> Lane {
        // A Gemini stream that is one array cannot carry keep-alives or an error at its end: it is written anew.
        let is_array = asked.options.framing == Framing::Array;
        if self.refuses_foreign_thinking || is_array {
            return Lane::Translate;
        }
        self.lane_for(asked.wire, asked.has_seal, asked.peek.has_tools)
    }

    /// The lane of any request of a client's wire.
    pub(crate) fn lane_for(&self, client: Wire, has_seal: bool, has_tools: bool) -> Lane {
        let looks_inside = self.reasons(client, has_seal, has_tools).next().is_some();
        Lane::of(client, self.wire, looks_inside)
    }

    /// Everything that keeps a request of `client` from passing byte for byte.
    pub(crate) fn reasons(
        &self,
        client: Wire,
        has_seal: bool,
        has_tools: bool,
    ) -> impl Iterator<Item = Reason> {
        let ensures_call = has_tools && self.demands.ensure_tool_call.is_some();
        let validates = has_tools && self.demands.validate_tool_calls != ValidateToolCalls::Off;
        let target_body = self.target.is_some_and(|target| !target.body.is_empty());
        [
            (client != self.wire, Reason::OtherWire),
            (has_seal, Reason::Seal),
            (self.selection.has_repairs(), Reason::Repairs),
            (self.settings.shape_requests(), Reason::ModelSettings),
            (
                !self.provider.body.is_empty() || self.has_model_in_path(),
                Reason::ProviderBody,
            ),
            (target_body, Reason::TargetBody),
            (ensures_call, Reason::EnsureToolCall),
            (validates, Reason::ValidateToolCalls),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
    }

    /// Whether requests of the Anthropic wire go without the model, which stands in their path.
    pub(crate) fn has_model_in_path(&self) -> bool {
        self.wire == Wire::Anthropic && self.provider.anthropic_api == AnthropicApi::RawPredict
    }

    /// Its settings after these repairs.
    pub(crate) fn settings_with(&self, repairs: &[Repair]) -> Settings {
        let mut settings = self.settings.clone();
        for repair in repairs {
            repair.patch(&mut settings);
        }
        settings
    }

    /// The same, showing another key.
    pub(crate) fn showing<'k>(&self, key: &'k KeyRef) -> Upstream<'k>
    where
        'c: 'k,
    {
        Upstream {
            key: Some(key),
            ..self.clone()
        }
    }

    /// A request that goes out to it. It names the host itself where it can: the client library would put the name together
    /// for each request.
    pub(crate) fn addressed<B>(&self, mut request: Request<B>) -> Request<B> {
        if let Some(host) = &self.host_field {
            request.headers_mut().insert(HOST, host.clone());
        }
        request
    }

    /// Judges its failures, for a client that sent these headers.
    pub(crate) fn blame(&self, client: &HeaderMap) -> Blame {
        match self.shown() {
            Some(shown) => Blame::of(Arc::clone(&shown.ours), client),
            None => Blame::new(self.provider, self.key, client),
        }
    }

    /// Sets the headers that show its key, or the credential of a client that sent these headers.
    ///
    /// # Errors
    /// If the key fits into no header.
    pub(crate) fn show_key(
        &self,
        headers: &mut HeaderMap,
        client: &HeaderMap,
    ) -> Result<(), UnfitKey> {
        let ready = self.shown().and_then(|shown| shown.credential.as_ref());
        let Some(ready) = ready else {
            let key = self.key.map(|key| &key.secret);
            return auth::apply(headers, self.provider.auth, key, client, self.wire);
        };
        for (name, value) in ready {
            headers.insert(name, value.clone());
        }
        Ok(())
    }

    /// What is held ready of its key; none of what a key was exchanged for.
    fn shown(&self) -> Option<&Shown> {
        let keys = &self.provider.keys;
        let place = match self.key {
            None => keys.is_empty().then_some(0),
            Some(key) => keys.iter().position(|own| ptr::eq(own, key)),
        };
        self.traits.shown.get(place?)
    }

    /// What wraps its tokens for clients.
    pub(crate) fn seal(&self) -> SealKey {
        match self.shown() {
            Some(shown) => shown.seal.clone(),
            None => SealKey::new(&self.provider.id, self.account(), &self.model),
        }
    }

    /// Tells accounts of one provider apart, without the key.
    pub(crate) fn account(&self) -> &str {
        account(self.key)
    }
}

fn account(key: Option<&KeyRef>) -> &str {
    key.map_or("", |key| &key.label)
}

/// Candidates for a request, in order, and the way to them.
pub(crate) fn resolution(routes: &Table, asked: &Asked) -> Result<Resolution, Failure> {
    let model = asked.peek.model.decode();
    let looks = Looks::of(&routes.rules);
    let tools = if looks.tools {
        tool_names(asked)
    } else {
        Vec::new()
    };
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    let ask = Ask {
        model: &model,
        profile: asked.profile.as_deref(),
        class: &|| asked.class(),
        header: &|name| asked.header(name),
        image: looks.image && asked.has_image(),
        thinking: asked.peek.has_thinking,
        input_tokens: if looks.tokens {
            asked.decoded().map_or(0, estimate::input_tokens)
        } else {
            0
        },
        tools: &tools,
    };
    resolve(routes, &ask).map_err(|error| unknown_model(&error))
}

/// The host of an address in plain text, with its port where that is not the usual one (RFC 9110, 7.2).
fn host_field(url: &Uri) -> Option<HeaderValue> {
    let host = url.host().filter(|_| url.scheme_str() == Some("http"))?;
    let port = url.port_u16().filter(|port| *port != 80);
    let named = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::try_from(named).ok()
}

/// What a provider is shown of ours with each of its keys, for a model as it is sent there.
fn shown(provider: &Provider, model: &str, wire: Wire) -> Vec<Shown> {
    let keys = provider.keys.iter().map(Some);
    let none = provider.keys.is_empty().then_some(None);
    let shown = keys.chain(none).map(|key| Shown {
        ours: Arc::new(Ours::of(provider, key)),
        credential: credential(provider, key, wire),
        seal: SealKey::new(&provider.id, account(key), model),
    });
    shown.collect()
}

/// The headers that show a key, where they are the same for every request.
fn credential(provider: &Provider, key: Option<&KeyRef>, wire: Wire) -> Option<HeaderMap> {
    let auth = provider.auth;
    if matches!(auth, Auth::Client | Auth::Gcp) {
        return None;
    }
    let mut headers = HeaderMap::new();
    let key = key.map(|key| &key.secret);
    let shown = auth::apply(&mut headers, auth, key, &HeaderMap::new(), wire);
    shown.ok().map(|()| headers)
}

fn tool_names(asked: &Asked) -> Vec<String> {
    let Ok(decoded) = asked.decoded() else {
        return Vec::new();
    };
    let names = decoded.turn.tools.iter().map(|tool| match &**tool {
        Tool::Hosted { kind, .. } => kind.to_string(),
        tool @ (Tool::Function { .. } | Tool::Freeform { .. }) => tool.name().to_string(),
    });
    names.collect()
}

/// What the file and the dated facts say about a model.
fn settings(provider: &Provider, model: Option<&ModelSettings>, name: &str) -> Settings {
    let facts = provider.model_facts(name);
    let own = ModelSettings::default();
    let settings = model.unwrap_or(&own);
    let input = settings.input.as_deref().or_else(|| {
        facts
            .map(|facts| &*facts.input)
            .filter(|input| !input.is_empty())
    });
    Settings {
        reasoning_history: settings.reasoning_history,
        thinking: settings.thinking,
        temperature: settings.temperature,
        max_tokens_field: settings.max_tokens_field,
        cache_hints: provider.cache_hints,
        max_output: settings
            .max_output
            .or_else(|| facts.and_then(|facts| facts.max_output)),
        // With `images = "route:MODEL"` it gets such a request only if that model cannot be asked.
        omits_images: input.is_some_and(|input| !input.contains(&Modality::Image)),
        instruction: settings.instruction.clone(),
        tools_allowed: if settings.tools_allowed.iter().any(|glob| glob == "*") {
            Vec::new()
        } else {
            settings.tools_allowed.clone()
        },
        has_tools_in_prompt: settings.tool_format == ToolFormat::Xml,
        max_turns: settings.max_turns,
        repaired_by: Vec::new(),
    }
}

fn unknown_model(error: &Unresolved) -> Failure {
    let mut message = match &error.cause {
        Cause::Unknown => format!("model: {} is not configured", error.asked),
        Cause::Disabled => format!(
            "model: {} is served by disabled providers only",
            error.asked
        ),
        Cause::DeadEnd(name) => format!(
            "model: {} leads to `{name}`, which nothing serves",
            error.asked
        ),
        Cause::Loop(name) => format!("model: {} leads in circles through `{name}`", error.asked),
    };
    if !error.nearest.is_empty() {
        message.push_str("; did you mean ");
        message.push_str(&error.nearest.join(", "));
        message.push('?');
    }
    message.push_str(" (`lingate models` lists what there is)");
    Failure::new(FailureKind::NotFound, message)
}

fn gone(provider: &str) -> Failure {
    Failure::new(
        FailureKind::Server,
        format!("provider `{provider}` has no address for this request"),
    )
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    /// Headers of a request with the provider's key at `place`, and as they are made without anything held ready.
    fn shown_headers(auth: &str, wire: &str, key: &str, place: usize) -> [Option<HeaderMap>; 2] {
        let mut text = format!(
            "[providers.p]\nbase_url = \"http://h.example\"\nspeaks = [\"{wire}\"]\nauth = \"{auth}\"\n"
        );
        if auth != "client" {
            text += &format!("api_keys = [\"{key}\", \"second-key\"]\n");
        }
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, &text, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{auth}: {problems}"));
        let candidate = Candidate {
            provider: "p".into(),
            model: "m".into(),
            weight: 1,
            target: None,
        };
        let mut upstream = Upstream::of(&config, &candidate, Wire::Chat).unwrap();
        upstream.key = upstream.provider.keys.get(place);
        let seal = SealKey::new("p", upstream.account(), "m");
        assert_eq!(upstream.seal(), seal, "{auth} {place}");
        let client = HeaderMap::from_iter([(HOST, HeaderValue::from_static("a client's"))]);
        let mut ready = HeaderMap::new();
        let shows = upstream.show_key(&mut ready, &client);
        let (auth, key) = (upstream.provider.auth, upstream.key.map(|key| &key.secret));
        let mut made = HeaderMap::new();
        let applied = auth::apply(&mut made, auth, key, &client, upstream.wire);
        [shows.ok().map(|()| ready), applied.ok().map(|()| made)]
    }

    #[test]
    fn a_key_that_is_held_ready_is_shown_as_any_other() {
        for auth in ["bearer", "x-api-key", "both", "client"] {
            for wire in ["anthropic", "chat", "responses", "gemini"] {
                for (key, place) in [("first-key", 0), ("first-key", 1), ("first-key", 2)] {
                    let [ready, made] = shown_headers(auth, wire, key, place);
                    assert_eq!(ready, made, "{auth} {wire} {place}");
                    let is_any = auth != "client" && place < 2;
                    let n_shown = ready.map_or(0, |headers| headers.len());
                    assert_eq!(n_shown > 0, is_any, "{auth} {wire} {place}");
                }
                let [ready, made] = shown_headers(auth, wire, "line\\nbreak", 0);
                assert_eq!(ready, made, "{auth} {wire}: fits into no header");
                assert_eq!(ready.is_some(), auth == "client");
            }
        }
    }

    #[test]
    fn hosts_are_named_where_the_head_is_one_of_http1() {
        for (url, expected) in [
            ("http://h.example/v1", Some("h.example")),
            ("http://h.example:80/v1", Some("h.example")),
            ("http://h.example:8080", Some("h.example:8080")),
            ("http://u:p@[::1]:443/v1", Some("[::1]:443")),
            ("https://h.example/v1", None),
        ] {
            let field = host_field(&url.parse().unwrap());
            let expected = expected.map(HeaderValue::from_static);
            assert_eq!(field, expected, "{url}");
        }
    }
}
