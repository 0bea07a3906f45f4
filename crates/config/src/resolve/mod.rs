//! From the file's types to the configuration: presets, environment and defaults filled in, references checked.

mod bases;
mod headers;
mod keys;
mod models;
mod options;
mod provider;
mod providers;
mod references;
mod routes;
mod server;
mod variables;

pub(crate) use bases::Bases;
pub(crate) use options::environment_options;

use std::sync::Arc;

use crate::config::{Config, Failover, FoundKey, Log, Sources};
use crate::document::Node;
use crate::environment::Environment;
use crate::file::File;
use crate::load::LoadOptions;
use crate::proxy::Proxy;
use crate::report::Report;

/// What every part of the resolution looks at.
pub(crate) struct Inputs<'a> {
    pub(crate) document: &'a Node,
    pub(crate) options: &'a LoadOptions<'a>,
    pub(crate) environment: &'a dyn Environment,
    /// Whether provider settings of the environment count.
    pub(crate) from_env: bool,
    /// The environment's proxy.
    pub(crate) proxy: Option<Arc<Proxy>>,
}

/// Resolves `file`; what is wrong is reported, and something harmless stands in for it.
pub(crate) fn resolve(
    file: File,
    document: &Node,
    options: &LoadOptions<'_>,
    environment: &dyn Environment,
    report: &mut Report,
) -> Config {
    let inputs = Inputs {
        document,
        options,
        environment,
        from_env: file.from_env,
        proxy: environment_proxy(environment, report),
    };
    let providers = providers::providers(&file, &inputs, report);
    let keys = server::client_keys(&file);
    let server = server::server(&file, &inputs, &keys, &providers, report);
    let models = models::settings(&file, environment, report);
    let (routes, default_chosen) = routes::routes(&file, &providers, report);
    let breaker = &file.failover.breaker;
    Config {
        server,
        keys,
        budget: server::budget(&file.budget),
        loops: server::loops(&file),
        record: server::record(&file, &inputs, report),
        routes,
        failover: Failover {
            attempts: file.failover.attempts,
            deadline: file.failover.deadline.0,
            breaker: crate::config::Breaker {
                consecutive: breaker.consecutive,
                ratio: breaker.ratio,
                window: breaker.window.0,
                open: breaker.open.0,
                open_max: breaker.open_max.0,
            },
        },
        log: Log {
            level: file.log.level,
            format: file.log.format,
        },
        sources: Sources {
            file: None,
            keys: found_keys(&providers),
            default_chosen,
        },
        providers,
        proxy: inputs.proxy,
        warnings: Vec::new(),
        models,
    }
}

/// A proxy that cannot be used is none, as for other programs, but is told.
fn environment_proxy(environment: &dyn Environment, report: &mut Report) -> Option<Arc<Proxy>> {
    let (name, proxy) = Proxy::of_environment(environment)?;
    let told = proxy.map_err(|error| {
        // Not shown: it may hold a password.
        let message = format!("environment variable {name} {error}; no proxy is used");
        report.warn(
            &[],
            message,
            Some("write it like `http://proxy.example.com:3128`".to_owned()),
        );
    });
    told.ok().map(Arc::new)
}

fn found_keys(providers: &[crate::provider::Provider]) -> Vec<FoundKey> {
    let keys = providers.iter().flat_map(|provider| {
        let enabled = provider.enabled.then_some(provider);
        enabled.into_iter().flat_map(|provider| {
            provider.keys.iter().map(|key| FoundKey {
                provider: provider.id.clone(),
                label: key.label.clone(),
                origin: key.origin.clone(),
            })
        })
    });
    keys.collect()
}
