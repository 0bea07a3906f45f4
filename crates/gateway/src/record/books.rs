//! Where exchanges are recorded, and what they cost.

use std::sync::{Arc, PoisonError, RwLock};

use lingate_config::{Config, Kind};
use lingate_price::{Price, Rates, Table, bundled};
use lingate_route::Candidate;
use lingate_store::{Recorder, Spent};
use lingate_wire::turn::{Failure, FailureKind};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::exchange::upstream::Upstream;
use crate::govern::Ledger;

/// What the drafts of a process share.
#[derive(Default)]
pub(crate) struct Books {
    /// None where nothing is recorded.
    pub recorder: Option<Recorder>,
    /// Cancelled when what still runs is ended by force, not by its client.
    pub ending: CancellationToken,
    /// What was spent.
    pub ledger: Arc<Ledger>,
    /// In place of the bundled table.
    table: RwLock<Option<Arc<Table>>>,
}

/// A model's price, and where it is from.
#[derive(Debug, Clone)]
pub(crate) struct Priced {
    pub price: Price,
    /// The table's version, `configuration`, or `built in`.
    pub table: String,
}

impl Books {
    /// Books that begin with what was `spent` before.
    pub(crate) fn new(recorder: Option<Recorder>, spent: &Spent) -> Self {
        Self {
            recorder,
            ending: CancellationToken::new(),
            ledger: Arc::new(Ledger::of(spent, clock::wall())),
            table: RwLock::default(),
        }
    }

    /// Why requests are refused, if they are: nothing can be recorded, and the configuration wants a record of everything.
    pub(crate) fn refuses(&self) -> Option<Failure> {
        let why = self.recorder.as_ref()?.refuses()?;
        Some(Failure::new(
            FailureKind::Overloaded,
            format!("{why}, and `record.fail_closed` asks that nothing goes unrecorded"),
        ))
    }

    /// Prices are asked from this table from here on, or again from the bundled one.
    pub(crate) fn set_table(&self, table: Option<Table>) {
        let mut held = self.table.write().unwrap_or_else(PoisonError::into_inner);
        *held = table.map(Arc::new);
    }

    /// What an upstream asks: what the configuration says of the model, else the table; the demo asks nothing. `None` is
    /// "unpriced".
    pub(crate) fn price(
        &self,
        config: &Config,
        candidate: &Candidate,
        upstream: &Upstream<'_>,
    ) -> Option<Priced> {
        let settings = config.model_settings(candidate);
        if let Some(rates) = settings.and_then(|settings| settings.price) {
            return Some(Priced {
                price: Price::of(rates),
                table: "configuration".to_owned(),
            });
        }
        if upstream.provider.kind == Kind::Demo {
            return Some(Priced {
                price: Price::of(Rates::default()),
                table: "built in".to_owned(),
            });
        }
        let preset = upstream.provider.preset?;
        let held = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let table = held.as_deref().unwrap_or_else(|| bundled());
        let price = table.price(&preset.name, &upstream.model)?;
        Some(Priced {
            price: price.clone(),
            table: table.version.clone(),
        })
    }
}
