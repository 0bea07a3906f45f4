//! Provider keys: where they come from, and which provider they belong to.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::LOCAL_TOKEN_PREFIX;
use crate::document::{Node, Origin, Text};
use crate::environment::Environment;
use crate::preset::{Preset, presets};
use crate::provider::KeyRef;
use crate::report::Report;
use crate::secret::Secret;

/// A key of the environment, under a preset's variable.
pub(super) struct EnvironmentKey {
    /// The preset the key belongs to, which its prefix may decide.
    pub(super) preset: &'static Preset,
    /// Whether the variable's own preset adds providers by itself.
    pub(super) auto: bool,
    pub(super) variable: String,
    pub(super) key: String,
}

/// Every key found under a preset's variables, in the presets' order.
pub(super) fn from_environment(environment: &dyn Environment) -> Vec<EnvironmentKey> {
    let variables = presets()
        .iter()
        .flat_map(|preset| preset.env.iter().map(move |variable| (preset, variable)));
    let keys = variables.filter_map(|(preset, variable)| {
        let key = environment.var(variable)?.trim().to_owned();
        // After `eval "$(lingate env)"` a client's variable holds our own token.
        let usable = !key.is_empty() && !key.starts_with(LOCAL_TOKEN_PREFIX);
        usable.then(|| EnvironmentKey {
            preset: preset.of_key(&key),
            auto: preset.auto && super::variables::are_set(preset, environment),
            variable: variable.clone(),
            key,
        })
    });
    keys.collect()
}

/// `api_key` and `api_keys` of the provider's entry, in this order.
pub(super) fn from_file(id: &str, document: &Node, report: &Report) -> Vec<KeyRef> {
    let path = ["providers", id, "api_key"];
    let one = document
        .text(&path)
        .into_iter()
        .map(|text| (text, report.place(&path)));
    let list_path = ["providers", id, "api_keys"];
    let nodes = match document.get(&list_path) {
        Some(Node::List(nodes)) => nodes.as_slice(),
        _ => &[],
    };
    let several = nodes
        .iter()
        .enumerate()
        .filter_map(|(index, node)| match node {
            Node::Text(text) => {
                let index = index.to_string();
                Some((
                    text,
                    report.place(&[list_path.as_slice(), &[index.as_str()]].concat()),
                ))
            }
            _ => None,
        });
    let given = one
        .chain(several)
        .filter(|(text, _)| !text.expanded.trim().is_empty());
    given
        .map(|(text, place)| KeyRef {
            secret: Secret::new(text.expanded.trim().to_owned()),
            origin: origin(text, place.map(|place| place.to_string())),
            label: String::new(),
            id: 0,
        })
        .collect()
}

/// `environment variable NAME (lingate.toml:12)`.
fn origin(text: &Text, place: Option<String>) -> String {
    let place = place.unwrap_or_else(|| "the configuration".to_owned());
    match &text.origin {
        Some(Origin::Variable(name)) => format!("environment variable {name} ({place})"),
        Some(Origin::File(path)) => format!("file {} ({place})", Path::new(path).display()),
        None => place,
    }
}

impl EnvironmentKey {
    pub(super) fn to_key(&self) -> KeyRef {
        KeyRef {
            secret: Secret::new(self.key.clone()),
            origin: format!("environment variable {}", self.variable),
            label: String::new(),
            id: 0,
        }
    }
}

/// Drops repeated keys and labels the others `id#1`, `id#2`, ...
pub(super) fn labelled(id: &str, keys: Vec<KeyRef>) -> Vec<KeyRef> {
    let mut labelled: Vec<KeyRef> = Vec::new();
    for key in keys {
        if labelled
            .iter()
            .any(|known| known.secret.expose() == key.secret.expose())
        {
            continue;
        }
        let label = format!("{id}#{}", labelled.len() + 1);
        let hash = key_id(id, &key.secret);
        labelled.push(KeyRef {
            label,
            id: hash,
            ..key
        });
    }
    labelled
}

/// Stays the same wherever the key is found; gives nothing of it away.
fn key_id(provider: &str, key: &Secret) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"lingate provider key\0");
    hash.update(provider.as_bytes());
    hash.update([0]);
    hash.update(key.expose().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    digest
        .iter()
        .take(8)
        .fold(0, |id, byte| (id << 8) | u64::from(*byte))
}
