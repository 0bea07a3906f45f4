//! What every connection of a gateway shares.

use std::sync::Arc;

use lingate_config::Config;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exchange::learnt::Learnt;
use crate::exchange::policy::Schemas;
use crate::exchange::policy::accuracy::Accuracy;
use crate::front::admission::Admission;
use crate::front::control::Control;
use crate::front::limits::Limits;
use crate::lane::calibration::Calibration;
use crate::metrics::Metrics;
use crate::routes::Routes;
use crate::tokens::Counter;
use crate::upstream::client::Clients;
use crate::upstream::health::Health;

/// State of one gateway process.
pub(crate) struct Shared {
    pub config: Arc<Config>,
    /// What is asked in place of `config.routes`.
    pub routes: Routes,
    pub clients: Clients,
    pub metrics: Arc<Metrics>,
    pub calibration: Arc<Calibration>,
    pub counter: Counter,
    pub learnt: Learnt,
    /// What is known of targets, keys and sessions.
    pub health: Arc<Health>,
    /// Schemas of clients' tools, compiled.
    pub schemas: Arc<Schemas>,
    pub accuracy: Accuracy,
    pub control: Control,
    /// Every task is spawned here, so that a shutdown can wait for it.
    pub tasks: TaskTracker,
    /// Cancelled when the gateway is to end: no new connections, running exchanges go on.
    pub stopping: CancellationToken,
    pub limits: Limits,
    /// The room for connections.
    pub admission: Admission,
}
