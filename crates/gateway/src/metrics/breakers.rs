//! How the configured targets stand, read when metrics are asked for.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use lingate_route::health::Standing;
use lingate_route::{Scope, Table};

use super::{Metrics, TargetLabels};
use crate::shared::Shared;
use crate::{clock, govern};

/// A target by its provider and model.
type Name = (String, String);

/// It is asked like any other.
const CLOSED: i64 = 0;
/// The next request shows whether it is well again.
const HALF_OPEN: i64 = 1;
/// It is left alone.
const OPEN: i64 = 2;

/// The OpenMetrics text of this moment.
pub(crate) fn text(shared: &Shared) -> String {
    let metrics = &shared.metrics;
    // Gauges that are read are emptied first: one reader at a time.
    let scraped = metrics.scraped.lock();
    let _one_at_a_time = scraped.unwrap_or_else(PoisonError::into_inner);
    metrics.breakers.clear();
    let (reports, _) = shared.health.targets();
    let mut states: BTreeMap<Name, i64> = configured(&shared.config.routes);
    for report in reports {
        let state = match report.standing {
            _ if report.missing.is_some() => OPEN,
            Standing::Ready => CLOSED,
            Standing::Probe => HALF_OPEN,
            Standing::Open(_) => OPEN,
        };
        // A model that a client named is none of the configuration's.
        if let Some(own) = states.get_mut(&(report.provider, report.model)) {
            *own = state;
        }
    }
    for ((provider, model), state) in states {
        let labels = TargetLabels { provider, model };
        metrics.breakers.get_or_create(&labels).set(state);
    }
    govern::measure(shared, clock::wall());
    metrics.text()
}

/// Every target that the configuration names, closed.
fn configured(table: &Table) -> BTreeMap<Name, i64> {
    let scopes = table.profiles.values().chain([&table.global]);
    let of_scope = |scope: &Scope| -> Vec<Name> {
        let models = scope.models.iter().flat_map(|model| &model.targets);
        let targets = models.map(|target| (target.provider.to_string(), target.model.to_string()));
        let names = scope.default.iter().chain(&scope.small);
        let direct = names.filter_map(|name| {
            let (provider, model) = name.split_once('/')?;
            let is_known = table.providers.iter().any(|own| *own.id == *provider);
            let is_target = is_known && model != "*";
            is_target.then(|| (provider.to_owned(), model.to_owned()))
        });
        targets.chain(direct).collect()
    };
    let names = scopes.flat_map(of_scope);
    names.map(|name| (name, CLOSED)).collect()
}

impl Metrics {
    /// What [`text`] fills, empty: for the reference page.
    pub(super) fn name_breakers(&self) {
        drop(self.breakers.get_or_create(&TargetLabels::default()));
    }
}
