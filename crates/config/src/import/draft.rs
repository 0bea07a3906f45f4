//! What an import has found so far, in our own terms.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

use lingate_wire::Wire;

use super::{FoundSecret, Note};
use crate::preset::{Preset, presets};
use crate::resolve::Bases;
use crate::secret::Secret;
use crate::url::BaseUrl;

/// Of an address that cannot be used; it is not shown, because it may hold a password.
pub(super) const NO_URL: &str = "is not an `https://` or `http://` address without a password";
/// Of an address with more behind `?` than is known to be harmless.
pub(super) const CUT: &str = "what stands behind `?` in the address is left out, for it may be a key: keys go into `api_key`, anything else into `headers`";
/// Parameters of a query that hold a key.
const KEY_PARAMETERS: [&str; 5] = ["key", "api_key", "api-key", "token", "access_token"];
/// The one parameter that is known to hold none: Azure's version of an API.
const KEPT_PARAMETER: &str = "api-version";

/// A configuration in the making. Values in `extra` are TOML already.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) default: Option<String>,
    pub(super) small: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) attempts: Option<u32>,
    pub(super) client_keys: Vec<(String, String)>,
    pub(super) providers: Vec<DraftProvider>,
    pub(super) models: Vec<DraftModel>,
    pub(super) aliases: Vec<(String, String)>,
    /// Condition, as TOML, and what is used then.
    pub(super) rules: Vec<(String, String)>,
    pub(super) secrets: Vec<FoundSecret>,
    pub(super) notes: Vec<Note>,
}

pub(super) struct DraftProvider {
    pub(super) id: String,
    /// Named only if it is not the id.
    pub(super) preset: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) speaks: Option<Wire>,
    /// References to variables.
    pub(super) keys: Vec<String>,
    pub(super) extra: Vec<(&'static str, String)>,
}

#[derive(Default)]
pub(super) struct DraftModel {
    pub(super) profile: Option<String>,
    pub(super) name: String,
    pub(super) targets: Vec<(String, u32)>,
    pub(super) extra: Vec<(&'static str, String)>,
}

/// A provider as a source describes it.
pub(super) struct Found<'a> {
    /// What it is called there.
    pub(super) name: &'a str,
    pub(super) url: &'a str,
    /// Where that stands.
    pub(super) url_place: &'a str,
    /// What is spoken there, if the source says so.
    pub(super) wire: Option<Wire>,
    /// Its key, and where that stands.
    pub(super) key: Option<(&'a str, String)>,
}

/// An address as it may stand in a configuration.
pub(super) struct Address<'a> {
    pub(super) url: String,
    /// A key out of its query.
    key: Option<&'a str>,
    /// Whether something of the query is left out.
    pub(super) is_cut: bool,
}

impl<'a> Address<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (url, query) = text.split_once('?').unwrap_or((text, ""));
        let mut address = Self {
            url: url.to_owned(),
            key: None,
            is_cut: false,
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            if name == KEPT_PARAMETER {
                address.url = format!("{url}?{parameter}");
                continue;
            }
            address.is_cut = true;
            if KEY_PARAMETERS.contains(&name) && !value.is_empty() {
                address.key = Some(value);
            }
        }
        address
    }
}

impl Draft {
    pub(super) fn note(&mut self, place: String, text: impl Into<String>) {
        self.notes.push(Note {
            place,
            text: text.into(),
        });
    }

    /// Adds a provider at a URL, or finds the one that is there already; its id. None if the URL is none.
    pub(super) fn provider_at(&mut self, found: &Found<'_>) -> Option<String> {
        let address = Address::of(found.url);
        let base = BaseUrl::parse(&address.url).ok()?;
        if address.is_cut {
            self.note(found.url_place.to_owned(), CUT);
        }
        let wire = found
            .wire
            .or_else(|| base.wire_in_path())
            .unwrap_or(Wire::Chat);
        let preset = preset_at(&base, wire, found.name);
        let host = match preset {
            Some(preset) => preset.name.clone(),
            None => base.host(),
        };
        let name = if found.name.is_empty() {
            &host
        } else {
            found.name
        };
        let same = |provider: &&DraftProvider| match preset {
            Some(preset) => provider.is_of(preset),
            None => {
                provider.base_url.as_deref() == Some(&address.url) && provider.speaks == Some(wire)
            }
        };
        let known = self
            .providers
            .iter()
            .find(same)
            .map(|known| known.id.clone());
        let id = known.unwrap_or_else(|| {
            let id = self.free_id(name, preset);
            self.providers.push(DraftProvider {
                preset: preset
                    .map(|preset| preset.name.clone())
                    .filter(|name| *name != id),
                base_url: preset.is_none().then(|| address.url.clone()),
                speaks: preset.is_none().then_some(wire),
                keys: Vec::new(),
                extra: Vec::new(),
                id: id.clone(),
            });
            id
        });
        // A server of one's own has no key; what stands there is there because something had to.
        let in_query = address.key.map(|key| (key, found.url_place.to_owned()));
        if let Some((key, place)) = found.key.clone().or(in_query)
            && preset.is_none_or(|preset| !preset.local)
        {
            self.add_key(&id, preset, key, place);
        }
        Some(id)
    }

    /// Adds a provider that a preset knows, or finds it; its id.
    pub(super) fn provider_of(
        &mut self,
        preset: &'static Preset,
        key: Option<(&str, String)>,
    ) -> String {
        if !self.providers.iter().any(|known| known.is_of(preset)) {
            self.providers.push(DraftProvider {
                id: preset.name.clone(),
                preset: None,
                base_url: None,
                speaks: None,
                keys: Vec::new(),
                extra: Vec::new(),
            });
        }
        if let Some((key, place)) = key {
            self.add_key(&preset.name, Some(preset), key, place);
        }
        preset.name.clone()
    }

    fn add_key(&mut self, id: &str, preset: Option<&Preset>, key: &str, place: String) {
        let own = format!("{}_API_KEY", shouted(id));
        let variable = preset.and_then(|preset| preset.env.first()).cloned();
        let reference = self.reference(&variable.unwrap_or(own), key, place);
        if let Some(provider) = self.provider(id)
            && !provider.keys.contains(&reference)
        {
            provider.keys.push(reference);
        }
    }

    pub(super) fn provider(&mut self, id: &str) -> Option<&mut DraftProvider> {
        self.providers.iter_mut().find(|provider| provider.id == id)
    }

    /// What stands for a key in the configuration: the variable that it names, or one that it is moved to.
    pub(super) fn reference(&mut self, variable: &str, key: &str, place: String) -> String {
        if let Some(reference) = as_reference(key) {
            return reference;
        }
        let same = |secret: &&FoundSecret| secret.value.expose() == key;
        if let Some(known) = self.secrets.iter().find(same) {
            return format!("${{{}}}", known.variable);
        }
        let taken = |name: &str| self.secrets.iter().any(|secret| secret.variable == name);
        let numbered = (2..).map(|n| format!("{variable}_{n}"));
        let name = std::iter::once(variable.to_owned())
            .chain(numbered)
            .find(|name| !taken(name))
            .unwrap_or_default();
        self.secrets.push(FoundSecret {
            variable: name.clone(),
            value: Secret::new(key.to_owned()),
            place,
        });
        format!("${{{name}}}")
    }

    /// A key that clients have to show: its hash stands in the configuration.
    pub(super) fn client_key(&mut self, name: &str, key: &str, place: String) {
        if as_reference(key).is_some() {
            let text = "clients' keys are kept as hashes: make one with `lingate keys add NAME`";
            self.note(place, text);
            return;
        }
        let mut hash = String::from("sha256:");
        for byte in Sha256::digest(key.as_bytes()) {
            // Writing to a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        self.client_keys.push((name.to_owned(), hash));
    }

    /// The model of that name and profile; made if there is none.
    pub(super) fn model(&mut self, profile: Option<&str>, name: &str) -> &mut DraftModel {
        let is = |model: &DraftModel| model.name == name && model.profile.as_deref() == profile;
        let at = self.models.iter().position(is).unwrap_or_else(|| {
            self.models.push(DraftModel {
                profile: profile.map(str::to_owned),
                name: name.to_owned(),
                ..DraftModel::default()
            });
            self.models.len() - 1
        });
        // The index was found or made just now.
        #[expect(
            clippy::indexing_slicing,
            reason = "the index was found or made just now"
        )]
        &mut self.models[at]
    }

    /// Where the gateway listens: the port is kept, another address than loopback is not.
    pub(super) fn listen_on(&mut self, host: Option<(&str, String)>, port: Option<f64>) {
        if let Some((host, place)) = host
            && !matches!(host, "127.0.0.1" | "localhost" | "::1")
        {
            let text = "the gateway stays on loopback: listening elsewhere needs `[keys]` and `server.hosts` first";
            self.note(place, text);
        }
        if let Some(port) = port {
            self.listen = Some(format!("127.0.0.1:{port}"));
        }
    }

    fn free_id(&self, name: &str, preset: Option<&Preset>) -> String {
        let id = slug(name);
        let is_other_preset = |id: &str| {
            let known = presets().iter().any(|known| known.name == id) || id == crate::DEMO;
            known && preset.is_none_or(|preset| preset.name != id)
        };
        let is_taken =
            |id: &String| is_other_preset(id) || self.providers.iter().any(|known| known.id == *id);
        let numbered = (2..).map(|n| format!("{id}-{n}"));
        let mut ids = std::iter::once(id.clone()).chain(numbered);
        ids.find(|id| !is_taken(id)).unwrap_or_default()
    }
}

impl DraftProvider {
    fn is_of(&self, preset: &Preset) -> bool {
        let own = self.preset.as_ref().unwrap_or(&self.id);
        self.base_url.is_none() && *own == preset.name
    }

    /// Whether it is so now; what was set first stays.
    pub(super) fn set(&mut self, key: &'static str, value: String) -> bool {
        match self.extra.iter().find(|(known, _)| *known == key) {
            Some((_, known)) => *known == value,
            None => {
                self.extra.push((key, value));
                true
            }
        }
    }
}

impl DraftModel {
    pub(super) fn serve(&mut self, target: String, weight: u32) {
        if !self.targets.iter().any(|(known, _)| *known == target) {
            self.targets.push((target, weight));
        }
    }

    pub(super) fn set(&mut self, key: &'static str, value: String) {
        if !self.extra.iter().any(|(known, _)| *known == key) {
            self.extra.push((key, value));
        }
    }
}

/// The preset whose own endpoint of that wire this is. At a port of the machine anything may run: there the name counts too.
fn preset_at(base: &BaseUrl, wire: Wire, name: &str) -> Option<&'static Preset> {
    let endpoint = base.endpoint(wire)?;
    presets().iter().find(|preset| {
        let bases = preset.provider.base_url.as_ref().map(Bases::new);
        let Some(own) = bases.as_ref().and_then(|bases| bases.of(wire)) else {
            return false;
        };
        if preset.local {
            let is_here = crate::provider::is_loopback(&base.host());
            return is_here && own.port() == base.port() && slug(name) == preset.name;
        }
        own.endpoint(wire).as_ref() == Some(&endpoint)
    })
}

/// The preset that another system calls so; presets know their names elsewhere.
pub(super) fn preset_called(name: &str) -> Option<&'static Preset> {
    let by_name = presets().iter().find(|preset| preset.name == name);
    by_name.or_else(|| {
        let known = |preset: &&Preset| preset.price_names.iter().any(|known| known == name);
        presets().iter().find(known)
    })
}

/// `$VAR`, `$VAR/suffix`, `${VAR}` and `os.environ/VAR` as `${VAR}`.
pub(super) fn as_reference(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = text.strip_prefix("os.environ/") {
        return is_name(name).then(|| format!("${{{name}}}"));
    }
    let rest = text.strip_prefix('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        let name = inner.strip_suffix('}')?;
        return is_name(name).then(|| format!("${{{name}}}"));
    }
    let (name, suffix) = match rest.split_once('/') {
        Some((name, suffix)) => (name, format!("/{suffix}")),
        None => (rest, String::new()),
    };
    is_name(name).then(|| format!("${{{name}}}{suffix}"))
}

/// A name as a provider's id.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_ascii_lowercase().chars() {
        if c.is_ascii_alphanumeric() || c == '_' || c == '.' {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() {
        "provider".to_owned()
    } else {
        slug.to_owned()
    }
}

fn shouted(id: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = id.chars().map(letter).collect();
    // A variable's name does not begin with a digit.
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("KEY_{name}")
    } else {
        name
    }
}
