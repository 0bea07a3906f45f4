//! Provider presets: the files of `providers/`, embedded. Everything the gateway knows about one provider is here
//! as data; no other code names one.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::file::{BaseUrlEntry, Ordered, ProviderEntry, WireName};
use crate::settings::Modality;
use crate::url::BaseUrl;

/// File name and text of every preset, written by the build script.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let mut presets: Vec<Preset> = SOURCES
        .iter()
        .filter_map(|(name, text)| parse(name, text).ok())
        .collect();
    presets.sort_by_key(|preset| preset.rank);
    presets
});

/// What is known about a provider before the user says anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The id of a provider of this preset.
    #[serde(skip)]
    pub name: String,
    /// The provider's name as people write it.
    pub display_name: String,
    /// Its API documentation.
    pub docs: String,
    /// Where keys are made; none if it needs none.
    #[serde(default)]
    pub key_page: Option<String>,
    /// Place among the presets: with several keys in the environment, the first names the default model.
    pub rank: u32,
    /// Variables that may hold its key, in order of preference.
    #[serde(default)]
    pub env: Vec<String>,
    /// Whether such a key in the environment is enough to add the provider.
    #[serde(default = "yes")]
    pub auto: bool,
    /// A server on the user's own machine or network: needs no key, gets no time limits.
    #[serde(default)]
    pub local: bool,
    /// Hosts beside the base URL's that are the provider's own; `*` is part of one label.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// What a 403 says, in lower case, if it refuses the client's `User-Agent` and not the key.
    #[serde(default)]
    pub agent_refusals: Vec<String>,
    /// Keys of this prefix belong to the named preset.
    #[serde(default)]
    pub redirect_keys: BTreeMap<String, String>,
    /// Keys, and tokens of a login, that begin like this belong to a subscription.
    #[serde(default)]
    pub subscription_keys: Vec<String>,
    /// The model for unknown names; `*` keeps the asked name.
    #[serde(default)]
    pub default_model: Option<String>,
    /// The model for background requests.
    #[serde(default)]
    pub small_model: Option<String>,
    /// Its names in price tables that others keep (LiteLLM's, models.dev's).
    #[serde(default)]
    pub price_names: Vec<String>,
    /// When the facts were last checked, `YYYY-MM-DD`.
    pub as_of: String,
    /// The same keys a user writes.
    pub(crate) provider: ProviderEntry,
    /// What its addresses leave open, as `{name}`; a variable may be told by an earlier one.
    #[serde(default)]
    pub(crate) variables: Ordered<Variable>,
    /// Variables of the environment that name a whole endpoint.
    #[serde(default)]
    pub(crate) endpoint_env: BTreeMap<WireName, String>,
    /// Variables of the environment that shape requests, by name.
    #[serde(default)]
    pub(crate) options: Ordered<EnvironmentOption>,
    /// Facts by the model's name at the provider, in the order they are listed.
    #[serde(default)]
    pub(crate) facts: Ordered<ModelFacts>,
}

/// Something an address leaves open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    /// What it is, for messages.
    #[serde(default)]
    pub(crate) about: String,
    /// Variables of the environment that may hold it, in order of preference.
    #[serde(default)]
    pub(crate) env: Vec<String>,
    /// What other systems call it, for imports.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// What it is if nobody says.
    #[serde(default)]
    pub(crate) default: Option<String>,
    /// The variable that decides it.
    #[serde(default)]
    pub(crate) by: Option<String>,
    /// What it is by the value of that one; `*` is any other.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, String>,
}

/// What a variable of the environment changes in requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvironmentOption {
    /// The member of the body it sets, `outer.inner` for one of an object; without it, the ending of the model's name.
    #[serde(default)]
    pub(crate) body: Option<String>,
    /// How it is read.
    pub(crate) kind: OptionKind,
    /// The words it may be.
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

/// How a variable's text is read.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OptionKind {
    /// Items between commas.
    List,
    /// `true` or `false`.
    Flag,
    /// One of the known words.
    Word,
}

const fn yes() -> bool {
    true
}

/// What is known about a model at a provider, as of its preset's date.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelFacts {
    /// Its published name.
    pub name: Option<String>,
    /// Context window in tokens.
    pub context: Option<u64>,
    /// Output limit in tokens.
    pub max_output: Option<u64>,
    /// What it reads; empty if unknown.
    pub input: Vec<Modality>,
    /// Whether it thinks.
    pub thinking: Option<ThinkingFact>,
    /// When this was last checked, `YYYY-MM-DD`.
    #[serde(skip)]
    pub as_of: String,
}

/// Whether a model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingFact {
    /// As it is asked.
    Optional,
    /// Whatever it is asked.
    Always,
    /// Not at all.
    Never,
}

/// Every preset, in order of rank.
#[must_use]
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

/// The preset of that name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.name == name)
}

impl Preset {
    /// Facts about its models, in the order they are listed.
    pub fn models(&self) -> impl Iterator<Item = (&str, &ModelFacts)> {
        self.facts.iter()
    }

    /// The preset that keys like `key` belong to: itself, unless the key's prefix says otherwise.
    pub(crate) fn of_key(&'static self, key: &str) -> &'static Self {
        let redirect = self
            .redirect_keys
            .iter()
            .find(|(prefix, _)| key.starts_with(prefix.as_str()));
        redirect.and_then(|(_, name)| preset(name)).unwrap_or(self)
    }

    /// Its base URLs.
    pub(crate) fn bases(&self) -> Vec<BaseUrl> {
        let texts: Vec<&str> = match &self.provider.base_url {
            None => Vec::new(),
            Some(BaseUrlEntry::One(text)) => vec![text],
            Some(BaseUrlEntry::PerWire(urls)) => {
                let wires = lingate_wire::Wire::ALL;
                wires
                    .into_iter()
                    .filter_map(|wire| urls.get(wire))
                    .collect()
            }
        };
        texts
            .into_iter()
            .filter_map(|text| BaseUrl::parse(text).ok())
            .collect()
    }

    /// Whether `host` is one of those beside the base URL's.
    pub(crate) fn is_also_at(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| is_host(own, host))
    }

    /// Whether `host` is one of the provider's own. Whole names only: `api.example.com.evil.test` is not
    /// `api.example.com`.
    pub(crate) fn owns_host(&self, host: &str) -> bool {
        self.is_also_at(host) || self.bases().iter().any(|base| base.host() == host)
    }
}

/// Whether `host` is `own`, in which one `*` stands for letters, digits and `-`.
fn is_host(own: &str, host: &str) -> bool {
    let Some((before, behind)) = own.split_once('*') else {
        return own == host;
    };
    let middle = host
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(behind));
    let in_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    middle.is_some_and(|middle| !middle.is_empty() && middle.chars().all(in_label))
}

fn parse(name: &str, text: &str) -> Result<Preset, toml::de::Error> {
    let mut preset: Preset = toml::from_str(text)?;
    name.clone_into(&mut preset.name);
    for (_, facts) in &mut preset.facts.0 {
        facts.as_of.clone_from(&preset.as_of);
    }
    Ok(preset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_preset() {
        for (name, text) in SOURCES {
            let preset =
                parse(name, text).unwrap_or_else(|error| panic!("providers/{name}.toml: {error}"));
            assert_eq!(preset.as_of.len(), "2026-11-21".len(), "{name}");
            assert!(preset.provider.base_url.is_some(), "{name}");
            assert!(preset.local || preset.key_page.is_some(), "{name}");
            assert!(preset.provider.speaks.is_some(), "{name}");
            for target in preset.redirect_keys.values() {
                assert!(super::preset(target).is_some(), "{name}: {target}");
            }
        }
        assert_eq!(presets().len(), SOURCES.len());
    }

    #[test]
    fn hosts_are_whole_labels() {
        for (own, host, expected) in [
            ("api.h.ai", "api.h.ai", true),
            ("api.h.ai", "api.h.ai.evil.test", false),
            ("*-api.h.ai", "eu-1-api.h.ai", true),
            ("*-api.h.ai", "-api.h.ai", false),
            ("*.h.ai", "a.h.ai", true),
            ("*.h.ai", "evil.test.h.ai", false),
            ("api.*.h.ai", "api.eu.h.ai", true),
            ("api.*.h.ai", "api.eu.h.ai.evil.test", false),
        ] {
            assert_eq!(is_host(own, host), expected, "{own} {host}");
        }
    }

    /// A placeholder without a variable would be sent as it is.
    #[test]
    fn placeholders_have_variables() {
        for (name, text) in SOURCES {
            let preset = preset(name).unwrap_or_else(|| panic!("{name}"));
            let known: Vec<&str> = preset.variables.iter().map(|(known, _)| known).collect();
            let in_code = |line: &&str| !line.trim_start().starts_with('#');
            for line in text.lines().filter(in_code) {
                for piece in line.split('{').skip(1) {
                    let word = piece.split('}').next().unwrap_or_default();
                    let is_word = !word.is_empty() && word.chars().all(char::is_alphanumeric);
                    assert!(!is_word || known.contains(&word), "{name}: {{{word}}}");
                }
            }
            for (variable, told) in preset.variables.iter() {
                let has_value = !told.env.is_empty() || told.default.is_some();
                assert_eq!(told.by.is_none(), has_value, "{name}: {variable}");
            }
        }
    }

    #[test]
    fn ranks_differ() {
        let ranks: Vec<u32> = presets().iter().map(|preset| preset.rank).collect();
        assert!(ranks.is_sorted_by(|left, right| left < right), "{ranks:?}");
    }
}
