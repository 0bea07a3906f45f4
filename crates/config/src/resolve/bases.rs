//! A provider's base URLs: the wires they speak, and where requests go.

use std::collections::BTreeMap;

use http::Uri;
use lingate_wire::Wire;

use crate::file::{BaseUrlEntry, ProviderEntry};
use crate::preset::{Preset, presets};
use crate::provider::is_private;
use crate::report::Report;
use crate::url::BaseUrl;

/// Base URLs as given: one for all wires, or one per wire.
#[derive(Default)]
pub(crate) struct Bases {
    one: Option<BaseUrl>,
    per_wire: BTreeMap<Wire, BaseUrl>,
}

impl Bases {
    pub(crate) fn new(entry: &BaseUrlEntry) -> Self {
        match entry {
            BaseUrlEntry::One(text) => Self {
                one: BaseUrl::parse(text).ok(),
                per_wire: BTreeMap::new(),
            },
            BaseUrlEntry::PerWire(urls) => {
                let parsed = |wire| Some((wire, BaseUrl::parse(urls.get(wire)?).ok()?));
                Self {
                    one: None,
                    per_wire: Wire::ALL.into_iter().filter_map(parsed).collect(),
                }
            }
        }
    }

    pub(crate) fn of(&self, wire: Wire) -> Option<&BaseUrl> {
        self.per_wire.get(&wire).or(self.one.as_ref())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &BaseUrl> {
        self.one.iter().chain(self.per_wire.values())
    }
}

/// The preset whose own host every URL names. A local preset's host says nothing: anything may run there.
pub(super) fn of_host(bases: &Bases) -> Option<&'static Preset> {
    let hosts: Vec<String> = bases.all().map(BaseUrl::host).collect();
    let owns_all =
        |preset: &&Preset| !preset.local && hosts.iter().all(|host| preset.owns_host(host));
    presets()
        .iter()
        .find(owns_all)
        .filter(|_| !hosts.is_empty())
}

/// As the file says, else as the preset says, else what the URL shows.
pub(super) fn speaks(entry: &ProviderEntry, preset: Option<&Preset>, bases: &Bases) -> Vec<Wire> {
    let wires = |names: &Vec<crate::file::WireName>| {
        names.iter().copied().map(Wire::from).collect::<Vec<_>>()
    };
    if let Some(names) = entry.speaks.as_ref().filter(|names| !names.is_empty()) {
        return wires(names);
    }
    let of_preset = |preset: &Preset| {
        preset
            .provider
            .speaks
            .as_ref()
            .map(wires)
            .unwrap_or_default()
    };
    let theirs = preset.map(of_preset).unwrap_or_default();
    if entry.base_url.is_none() {
        return theirs;
    }
    let Some(base) = &bases.one else {
        let listed: Vec<Wire> = theirs
            .into_iter()
            .filter(|wire| bases.of(*wire).is_some())
            .collect();
        let every = || {
            Wire::ALL
                .into_iter()
                .filter(|wire| bases.of(*wire).is_some())
                .collect()
        };
        return if listed.is_empty() { every() } else { listed };
    };
    if let Some(wire) = base.wire_in_path() {
        return vec![wire];
    }
    if !theirs.is_empty() {
        return theirs;
    }
    // A host that a preset knows, under the path it knows.
    let known = presets()
        .iter()
        .filter(|preset| !preset.local)
        .find(|preset| {
            let under =
                |own: &BaseUrl| own.host() == base.host() && base.root().starts_with(own.root());
            preset.bases().iter().any(under) || preset.is_also_at(&base.host())
        });
    known.map_or_else(|| vec![Wire::Chat], of_preset)
}

/// Where requests of each spoken wire go.
pub(super) fn endpoints(
    id: &str,
    entry: &ProviderEntry,
    preset: &ProviderEntry,
    bases: &Bases,
    speaks: &[Wire],
    report: &mut Report,
) -> BTreeMap<Wire, Uri> {
    let mut endpoints = BTreeMap::new();
    if bases.all().next().is_none() {
        return endpoints;
    }
    // A host alone, such as a proxy's, stands before the preset's paths; a URL with a path of its own replaces them.
    let takes_paths = |base: &BaseUrl| entry.base_url.is_none() || base.root().is_empty();
    for &wire in speaks {
        let Some(base) = bases.of(wire) else {
            let message = format!("provider `{id}` speaks `{wire}` but has no base URL for it");
            let hint = format!("add `base_url.{wire}`, or take `{wire}` out of `speaks`");
            report.error(&["providers", id, "base_url"], message, Some(hint));
            continue;
        };
        let own = entry.paths.get(wire);
        let endpoint = match own.or_else(|| preset.paths.get(wire).filter(|_| takes_paths(base))) {
            Some(path) => base.with_path(path),
            None => base.endpoint(wire),
        };
        match endpoint {
            Some(endpoint) => {
                endpoints.insert(wire, endpoint);
            }
            None => {
                let message = format!("`providers.{id}.paths.{wire}` is not a path");
                let hint = "write it from the root: `/api/v1/messages`".to_owned();
                report.error(
                    &["providers", id, "paths", wire.name()],
                    message,
                    Some(hint),
                );
            }
        }
    }
    endpoints
}

/// Says what is odd about where requests go.
pub(super) fn warn_about_hosts(
    id: &str,
    bases: &Bases,
    has_key: bool,
    preset: Option<&Preset>,
    report: &mut Report,
) {
    for base in bases.all() {
        let host = base.host();
        let path = ["providers", id, "base_url"];
        if base.is_plain() && has_key && !is_private(&host) {
            report.warn(
                &path,
                format!("provider `{id}` sends its key to {host} unencrypted"),
                Some("use `https://`".to_owned()),
            );
        }
        let owned = preset.is_some_and(|preset| preset.owns_host(&host))
            || presets().iter().any(|preset| preset.owns_host(&host));
        let looks_like = presets().iter().flat_map(Preset::bases).find(|known| {
            let known = known.host();
            !is_private(&known) && host.contains(&known)
        });
        if let (false, Some(known)) = (owned, looks_like) {
            let message = format!(
                "provider `{id}` sends requests to {host}, which is not {}",
                known.host()
            );
            report.warn(&path, message, None);
        }
    }
}

/// Host and port of a URL.
pub(super) fn host_and_port(uri: &Uri) -> Option<(String, u16)> {
    let base = BaseUrl::parse(&uri.to_string()).ok()?;
    Some((base.host(), base.port()))
}
