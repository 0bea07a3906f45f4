//! One provider: the user's entry over its preset, its keys, and the URLs that follow.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};
use lingate_wire::Wire;

use super::Inputs;
use super::bases::{Bases, endpoints, host_and_port, of_host, speaks, warn_about_hosts};
use super::headers::headers;
use super::keys::{EnvironmentKey, labelled};
use super::{options, variables};
use crate::document::home_expanded;
use crate::file::ProviderEntry;
use crate::gcp::{self, GcpCredentialError};
use crate::preset::Preset;
use crate::provider::{Health, KeyRef, Kind, Provider, Timeouts};
use crate::proxy::Proxy;
use crate::report::{Report, did_you_mean, list};
use crate::settings::Auth;
use crate::url::BaseUrl;

const HEALTH_INTERVAL: Duration = Duration::from_secs(60);
/// A shorter one would be a nuisance.
const LEAST_HEALTH_INTERVAL: Duration = Duration::from_millis(100);
const CONNECT: Duration = Duration::from_secs(3);
const WAIT: Duration = Duration::from_secs(120);

/// What is known about a provider before its preset is looked at.
pub(super) struct Given<'a> {
    pub(super) id: &'a str,
    pub(super) entry: &'a ProviderEntry,
    pub(super) preset: Option<&'static Preset>,
    pub(super) keys: Vec<KeyRef>,
}

/// Resolves one provider. What is wrong with it is reported.
pub(super) fn provider(
    given: Given<'_>,
    found: &[EnvironmentKey],
    inputs: &Inputs<'_>,
    report: &mut Report,
) -> Provider {
    let Given {
        id,
        entry,
        preset,
        keys,
    } = given;
    let path = |key| ["providers", id, key];
    let enabled = entry.enabled.unwrap_or(true);

    let own_base = entry.base_url.as_ref();
    let mut keys = match keys.is_empty() && entry.auth != Some(Auth::Client) {
        true => environment_keys(entry, preset, found),
        false => keys,
    };
    let preset = of_keys(id, preset, own_base.is_some(), &keys, report);
    let base = &variables::filled(id, entry, preset, inputs, report);
    let local = preset.is_some_and(|preset| preset.local);

    let bases = own_base
        .or(base.base_url.as_ref())
        .map(Bases::new)
        .unwrap_or_default();
    let speaks = speaks(entry, preset, &bases);
    let mut endpoints = endpoints(id, entry, base, &bases, &speaks, report);
    if own_base.is_none() && inputs.from_env {
        endpoints.extend(environment_endpoints(id, preset, inputs, report));
    }

    let auth = entry.auth.or(base.auth).unwrap_or(
        match (keys.is_empty(), speaks.contains(&Wire::Anthropic)) {
            (true, _) => Auth::None,
            (false, true) => Auth::Both,
            // Google's own header; the other wires of such a provider get a bearer.
            (false, false) if speaks.contains(&Wire::Gemini) => Auth::XApiKey,
            (false, false) => Auth::Bearer,
        },
    );
    // A local server asks for no key, but takes one that is given.
    let auth = if local && auth == Auth::None && !keys.is_empty() {
        Auth::Bearer
    } else {
        auth
    };
    if auth == Auth::Gcp {
        keys = credentials(id, keys, enabled, inputs, report);
    }
    match auth {
        Auth::None | Auth::Client => keys.clear(),
        Auth::Bearer | Auth::XApiKey | Auth::Both | Auth::Gcp if keys.is_empty() && enabled => {
            no_key(id, preset, &bases, found, report);
        }
        Auth::Bearer | Auth::XApiKey | Auth::Both | Auth::Gcp => {}
    }
    warn_about_hosts(id, &bases, !keys.is_empty(), preset, report);

    // Under a name of the user's own a host is still the host that its preset knows.
    let known = preset.or_else(|| of_host(&bases));
    let quirks = entry
        .quirks
        .as_ref()
        .or_else(|| known?.provider.quirks.as_ref())
        .cloned()
        .unwrap_or_default();
    check_quirks(id, entry, inputs.options.quirks, report);

    let limit = |own: Option<crate::value::LimitText>, preset: Option<crate::value::LimitText>| {
        let wait = if local { None } else { Some(WAIT) };
        own.or(preset).map_or(wait, |limit| limit.0)
    };
    let (own, theirs) = (&entry.timeouts, &base.timeouts);
    let mut all_headers = headers(&base.headers, &path("headers"), report);
    // What a preset holds is public, and may stand in a message.
    (all_headers.values_mut()).for_each(|value| value.set_sensitive(false));
    all_headers.extend(headers(&entry.headers, &["providers", id], report));
    let asked = match inputs.from_env && enabled {
        true => options::asked(id, preset, inputs, report),
        false => options::Asked::default(),
    };
    let body = options::merged(base.body.clone(), &asked.body);
    let body = options::merged(body, &entry.body);
    let model_suffix = entry.model_suffix.clone().or(asked.model_suffix);
    let session_header = entry
        .session_header
        .as_ref()
        .or(base.session_header.as_ref());
    let session_header = session_header.and_then(|name| session_name(id, name, report));
    // Where the rule for URLs does not hold, neither does the one for their lists of models.
    let lists = |wire: &&Wire| base.paths.get(**wire).is_none();
    let proxy = own_proxy(id, entry, report)
        .map(Arc::new)
        .or_else(|| inputs.proxy.clone());
    let ca_file = entry.ca_file.as_deref().filter(|file| !file.is_empty());

    Provider {
        id: id.to_owned(),
        kind: Kind::Upstream,
        preset: known,
        display_name: preset.map_or(id, |preset| &preset.display_name).to_owned(),
        enabled,
        auth,
        keys: labelled(id, keys),
        pool: entry.pool.or(base.pool).unwrap_or_default(),
        billing: (entry.billing).or_else(|| known?.provider.billing),
        concurrency: entry.concurrency.or(base.concurrency),
        proxy,
        ca_file: ca_file.map(|file| home_expanded(file, inputs.environment)),
        quirks,
        timeouts: Timeouts {
            connect: own
                .connect
                .or(theirs.connect)
                .map_or(CONNECT, |limit| limit.0),
            headers: limit(own.headers, theirs.headers),
            first_content: limit(own.first_content, theirs.first_content),
            idle: limit(own.idle, theirs.idle),
        },
        has_deadline: !local,
        health: entry.health.clone().map(|health| Health {
            interval: health.interval.map_or(HEALTH_INTERVAL, |interval| {
                interval.0.max(LEAST_HEALTH_INTERVAL)
            }),
            path: health.path,
        }),
        http: entry.http.or(base.http).unwrap_or_default(),
        cache_hints: entry.cache_hints.or(base.cache_hints),
        anthropic_api: entry
            .anthropic_api
            .or(base.anthropic_api)
            .unwrap_or_default(),
        betas: entry.betas.clone().or_else(|| base.betas.clone()),
        session_header,
        model_suffix: model_suffix
            .or_else(|| base.model_suffix.clone())
            .unwrap_or_default(),
        headers: all_headers,
        body,
        models_url: speaks
            .first()
            .filter(lists)
            .and_then(|wire| bases.of(*wire)?.models()),
        hosts: endpoints.values().filter_map(host_and_port).collect(),
        endpoints,
        speaks,
    }
}

/// The proxy that the file names for it.
fn own_proxy(id: &str, entry: &ProviderEntry, report: &mut Report) -> Option<Proxy> {
    let url = entry.proxy.as_deref().filter(|url| !url.is_empty())?;
    let proxy = Proxy::own(url).map_err(|error| {
        // Not shown: it may hold a password.
        let hint = "write it like `http://proxy.example.com:3128`".to_owned();
        let message = format!("`providers.{id}.proxy` {error}");
        report.error(&["providers", id, "proxy"], message, Some(hint));
    });
    proxy.ok()
}

/// Endpoints that the environment names whole.
fn environment_endpoints(
    id: &str,
    preset: Option<&'static Preset>,
    inputs: &Inputs<'_>,
    report: &mut Report,
) -> Vec<(Wire, Uri)> {
    let named = preset.iter().flat_map(|preset| &preset.endpoint_env);
    let mut endpoints = Vec::new();
    for (wire, variable) in named {
        let Some(text) = inputs.environment.var(variable) else {
            continue;
        };
        let wire = Wire::from(*wire);
        match BaseUrl::parse(&text).map(|base| base.endpoint(wire)) {
            Ok(Some(endpoint)) => endpoints.push((wire, endpoint)),
            Ok(None) | Err(_) => {
                let hint = "write it like `https://api.example.com/v1/chat/completions`".to_owned();
                let message = format!("environment variable {variable} is not a URL");
                report.error(&["providers", id], message, Some(hint));
            }
        }
    }
    endpoints
}

/// The credentials that the keys are or lead to; with none, what the machine itself has.
fn credentials(
    id: &str,
    keys: Vec<KeyRef>,
    enabled: bool,
    inputs: &Inputs<'_>,
    report: &mut Report,
) -> Vec<KeyRef> {
    let mut refused = |origin: &str, error: GcpCredentialError| {
        let message = format!("the key of provider `{id}` from {origin}: {error}");
        let hint = "give a service account's file, or what stands in it".to_owned();
        report.error(&["providers", id, "api_key"], message, Some(hint));
    };
    if keys.is_empty() && enabled && inputs.from_env {
        return match gcp::ambient(inputs.environment) {
            Ok((secret, origin)) => vec![KeyRef {
                secret,
                origin,
                label: String::new(),
                id: 0,
            }],
            Err(error) => {
                refused("`gcloud auth application-default login`", error);
                Vec::new()
            }
        };
    }
    let read = |key: KeyRef| match gcp::read(key.secret.expose(), inputs.environment) {
        Ok(secret) => KeyRef { secret, ..key },
        Err(error) => {
            refused(&key.origin, error);
            key
        }
    };
    keys.into_iter().map(read).collect()
}

fn session_name(id: &str, name: &str, report: &mut Report) -> Option<HeaderName> {
    let header = HeaderName::try_from(name).ok();
    if header.is_none() {
        let message = format!("`{name}` is not a header's name");
        report.error(&["providers", id, "session_header"], message, None);
    }
    header
}

/// Keys under the variables of the provider's preset. They are the preset's own secrets: a base URL elsewhere gets
/// them only if the file says so.
fn environment_keys(
    entry: &ProviderEntry,
    preset: Option<&'static Preset>,
    found: &[EnvironmentKey],
) -> Vec<KeyRef> {
    let Some(preset) = preset else {
        return Vec::new();
    };
    if let Some(base) = &entry.base_url
        && !Bases::new(base)
            .all()
            .all(|base| preset.owns_host(&base.host()))
    {
        return Vec::new();
    }
    let own = found
        .iter()
        .filter(|key| key.preset.name == preset.name || preset.env.contains(&key.variable));
    let (belongs, other): (Vec<_>, Vec<_>) = own.partition(|key| key.preset.name == preset.name);
    // A key of another kind under this preset's variable still serves, at its own URL, if it is the only one.
    let chosen = if belongs.is_empty() && entry.base_url.is_none() {
        other
    } else {
        belongs
    };
    chosen.into_iter().map(EnvironmentKey::to_key).collect()
}

/// The preset that the keys' prefix says, unless the user chose the URL. Keys of two kinds cannot share a provider:
/// each is refused where the other is valid.
fn of_keys(
    id: &str,
    preset: Option<&'static Preset>,
    own_base: bool,
    keys: &[KeyRef],
    report: &mut Report,
) -> Option<&'static Preset> {
    let preset = preset?;
    if own_base {
        return Some(preset);
    }
    let mut kinds = keys.iter().map(|key| preset.of_key(key.secret.expose()));
    let first = kinds.next().unwrap_or(preset);
    let Some(second) = kinds.find(|kind| kind.name != first.name) else {
        return Some(first);
    };
    let message = format!(
        "provider `{id}` has keys of `{}` and of `{}`",
        first.name, second.name
    );
    let other = if first.name == preset.name {
        second
    } else {
        first
    };
    let hint = format!("move those of `{0}` to `[providers.{0}]`", other.name);
    report.error(&["providers", id, "api_keys"], message, Some(hint));
    Some(preset)
}

/// Says how the provider can get a key.
fn no_key(
    id: &str,
    preset: Option<&Preset>,
    bases: &Bases,
    found: &[EnvironmentKey],
    report: &mut Report,
) {
    let variables: Vec<&str> = preset
        .map(|preset| preset.env.iter().map(String::as_str).collect())
        .unwrap_or_default();
    let withheld = found
        .iter()
        .find(|key| variables.contains(&key.variable.as_str()));
    let foreign = bases
        .all()
        .find(|base| preset.is_some_and(|preset| !preset.owns_host(&base.host())));
    let hint = match (withheld, foreign) {
        (Some(key), Some(base)) => format!(
            "`{}` is not sent to {}, which is not the provider's own host; to send it, write `api_key = \"${{{}}}\"`",
            key.variable,
            base.host(),
            key.variable
        ),
        (None, Some(base)) => format!(
            "write `api_key`; keys of the environment are not sent to {}, which is not the provider's own host",
            base.host()
        ),
        _ if variables.is_empty() => "write `api_key`, or `auth = \"none\"`".to_owned(),
        _ => format!(
            "set {}, write `api_key`, or write `enabled = false`",
            list(&variables)
        ),
    };
    report.error(
        &["providers", id, "api_key"],
        format!("no key for provider `{id}`"),
        Some(hint),
    );
}

fn check_quirks(id: &str, entry: &ProviderEntry, known: &[&str], report: &mut Report) {
    if known.is_empty() {
        return;
    }
    for (index, quirk) in entry.quirks.iter().flatten().enumerate() {
        if !known.contains(&quirk.as_str()) {
            let hint = did_you_mean(quirk, known.iter().copied())
                .or_else(|| Some("`lingate quirks` lists them".to_owned()));
            let index = index.to_string();
            report.error(
                &["providers", id, "quirks", &index],
                format!("no quirk `{quirk}`"),
                hint,
            );
        }
    }
}
