//! `[providers.ID]`; presets use the same keys.

use std::collections::BTreeMap;

use lingate_quirk::CacheHints;
use lingate_wire::Wire;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{AnthropicApi, Auth, Billing, HttpVersion, Pool};
use crate::value::{DurationText, LimitText};

/// A provider. What is left out comes from the preset of the same name, if there is one.
#[derive(Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProviderEntry {
    /// The preset to start from; the one of the provider's own name if left out.
    pub(crate) preset: Option<String>,
    /// One URL for every wire, or a table of one per wire. `/v1` and trailing slashes do not matter.
    pub(crate) base_url: Option<BaseUrlEntry>,
    /// What a preset's addresses leave open, such as `project` and `location`.
    pub(crate) variables: BTreeMap<String, String>,
    /// The wires it speaks. A client's own wire is used if listed, else the first. Found from the URL if left out.
    pub(crate) speaks: Option<Vec<WireName>>,
    /// How the key is sent; `client` passes the caller's own credential on, to this provider only.
    pub(crate) auth: Option<Auth>,
    /// The key; with `auth = "gcp"` a credential file's path, or what stands in it.
    pub(crate) api_key: Option<String>,
    /// Several keys.
    pub(crate) api_keys: Option<Vec<String>>,
    /// Which of several keys is used.
    pub(crate) pool: Option<Pool>,
    /// How its tokens are paid for. What a subscription pays for counts against no budget. Told by preset and key if left out.
    pub(crate) billing: Option<Billing>,
    /// Requests at a time; no limit if left out.
    #[schemars(range(min = 1))]
    pub(crate) concurrency: Option<u32>,
    /// Proxy URL: `http`, `https`, `socks5` or `socks5h`. If empty, HTTPS_PROXY and NO_PROXY count, never for loopback.
    pub(crate) proxy: Option<String>,
    /// A PEM file of certificate authorities, in place of the machine's.
    pub(crate) ca_file: Option<String>,
    /// Names from `lingate quirks`; a name may be a group.
    pub(crate) quirks: Option<Vec<String>>,
    /// Time limits.
    pub(crate) timeouts: TimeoutsEntry,
    /// The probe of an idle provider.
    pub(crate) health: Option<HealthEntry>,
    /// Whether it is used.
    pub(crate) enabled: Option<bool>,
    /// Absolute paths per wire, for hosts where the URL rule does not hold.
    pub(crate) paths: PerWire,
    /// How it is asked on the Anthropic wire.
    pub(crate) anthropic_api: Option<AnthropicApi>,
    /// The betas of the Anthropic API that it takes, without their dates; the others are left out. All go there if left out.
    pub(crate) betas: Option<Vec<String>>,
    /// The header that names a session to it, so that it can keep the session where its prompt cache is.
    pub(crate) session_header: Option<String>,
    /// Appended to every model's name, such as `:nitro`.
    pub(crate) model_suffix: Option<String>,
    /// HTTP version towards it.
    pub(crate) http: Option<HttpVersion>,
    /// What becomes of `cache_control` on a foreign wire.
    pub(crate) cache_hints: Option<CacheHints>,
    /// Added to every request.
    pub(crate) headers: BTreeMap<String, String>,
    /// Merged into every request body.
    pub(crate) body: serde_json::Map<String, serde_json::Value>,
}

/// One URL for every wire, or one per wire.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(untagged)]
pub(crate) enum BaseUrlEntry {
    /// For every wire.
    One(#[schemars(extend("format" = "lingate-url"))] String),
    /// One per wire.
    PerWire(UrlPerWire),
}

/// A URL per wire.
#[derive(Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UrlPerWire {
    /// On the Anthropic wire.
    #[schemars(extend("format" = "lingate-url"))]
    anthropic: Option<String>,
    /// On the Chat wire.
    #[schemars(extend("format" = "lingate-url"))]
    chat: Option<String>,
    /// On the Responses wire.
    #[schemars(extend("format" = "lingate-url"))]
    responses: Option<String>,
    /// On the Gemini wire.
    #[schemars(extend("format" = "lingate-url"))]
    gemini: Option<String>,
}

/// A text per wire.
#[derive(Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PerWire {
    /// On the Anthropic wire.
    anthropic: Option<String>,
    /// On the Chat wire.
    chat: Option<String>,
    /// On the Responses wire.
    responses: Option<String>,
    /// On the Gemini wire.
    gemini: Option<String>,
}

impl BaseUrlEntry {
    /// Changes every URL.
    pub(crate) fn each(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::One(text) => change(text),
            Self::PerWire(urls) => [
                &mut urls.anthropic,
                &mut urls.chat,
                &mut urls.responses,
                &mut urls.gemini,
            ]
            .into_iter()
            .flatten()
            .for_each(change),
        }
    }
}

impl UrlPerWire {
    pub(crate) fn get(&self, wire: Wire) -> Option<&str> {
        match wire {
            Wire::Anthropic => self.anthropic.as_deref(),
            Wire::Chat => self.chat.as_deref(),
            Wire::Responses => self.responses.as_deref(),
            Wire::Gemini => self.gemini.as_deref(),
        }
    }
}

impl PerWire {
    /// Whether there is one for any wire.
    pub(crate) fn is_any(&self) -> bool {
        Wire::ALL.into_iter().any(|wire| self.get(wire).is_some())
    }

    /// Changes every text.
    pub(crate) fn each(&mut self, change: &mut dyn FnMut(&mut String)) {
        [
            &mut self.anthropic,
            &mut self.chat,
            &mut self.responses,
            &mut self.gemini,
        ]
        .into_iter()
        .flatten()
        .for_each(change);
    }

    pub(crate) fn get(&self, wire: Wire) -> Option<&str> {
        match wire {
            Wire::Anthropic => self.anthropic.as_deref(),
            Wire::Chat => self.chat.as_deref(),
            Wire::Responses => self.responses.as_deref(),
            Wire::Gemini => self.gemini.as_deref(),
        }
    }
}

/// Time limits of one attempt.
#[derive(Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TimeoutsEntry {
    /// To connect, TLS included; 3s if left out.
    pub(crate) connect: Option<DurationText>,
    /// To the response's headers; 120s if left out.
    pub(crate) headers: Option<LimitText>,
    /// To the first content; 120s if left out.
    pub(crate) first_content: Option<LimitText>,
    /// Between two pieces of the answer; 120s if left out.
    pub(crate) idle: Option<LimitText>,
}

/// The probe of an idle provider.
#[derive(Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthEntry {
    /// Time without a request after which it is probed, and between two probes; 60s if left out.
    pub(crate) interval: Option<DurationText>,
    /// What is asked for, with the provider's key; the list of models if left out.
    pub(crate) path: Option<String>,
}

/// A wire's name.
#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WireName {
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Responses.
    Responses,
    /// Google Gemini.
    Gemini,
}

impl From<WireName> for Wire {
    fn from(name: WireName) -> Self {
        match name {
            WireName::Chat => Self::Chat,
            WireName::Anthropic => Self::Anthropic,
            WireName::Responses => Self::Responses,
            WireName::Gemini => Self::Gemini,
        }
    }
}
