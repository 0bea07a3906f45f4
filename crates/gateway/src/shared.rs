//! What an exchange holds from its head to its end: one generation of the configuration, and the process it is in force
//! in.
//!
//! A generation never changes. A reload, or a switch of the default model, makes the next one whole and puts it in the
//! place of the last (`generations.rs`); what runs goes on with the one it began with. So no reply is made from two
//! configurations, and nothing that was derived from one outlives it.

use std::ops::Deref;
use std::sync::Arc;

use lingate_config::Config;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::exchange::histories::Histories;
use crate::exchange::learnt::Learnt;
use crate::exchange::policy::Schemas;
use crate::exchange::policy::accuracy::Accuracy;
use crate::exchange::upstreams::Upstreams;
use crate::front::admission::Admission;
use crate::front::control::Control;
use crate::front::limits::Limits;
use crate::front::queue::Queues;
use crate::gateway::Options;
use crate::lane::calibration::Calibration;
use crate::metrics::Metrics;
use crate::record::Books;
use crate::replay::Script;
use crate::routes::Routes;
use crate::tokens::Counter;
use crate::upstream::client::{Clients, TlsError};
use crate::upstream::health::Health;
use crate::upstream::probing::Probes;

/// One configuration in force, with everything that is derived from it.
pub(crate) struct Shared {
    /// State of the gateway that outlives its configurations; reached as if it were this one's own.
    pub process: Arc<Process>,
    pub config: Arc<Config>,
    /// Names the configuration and everything it was read from.
    pub hash: String,
    /// What is asked in place of `config.routes`.
    pub routes: Routes,
    pub clients: Clients,
    pub upstreams: Upstreams,
    /// Counts from 1.
    pub number: u64,
    /// What is played in place of providers: only where a recorded exchange is run again.
    pub script: Option<Arc<Script>>,
}

/// State of one gateway process.
pub(crate) struct Process {
    pub metrics: Arc<Metrics>,
    /// Where exchanges are recorded, and what they cost.
    pub books: Books,
    pub calibration: Arc<Calibration>,
    pub counter: Counter,
    pub learnt: Learnt,
    /// Requests that the next ones of their sessions are compared with.
    pub histories: Histories,
    /// What is known of targets, keys and sessions.
    pub health: Arc<Health>,
    /// What probes of them found.
    pub probes: Probes,
    /// Places where only so many requests may be at a time.
    pub queues: Arc<Queues>,
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
    /// What the API holds.
    pub admin: Admin,
}

impl Process {
    /// One that knows nothing yet of anybody.
    pub(crate) fn new(config: &Config, options: &Options) -> Self {
        Self {
            metrics: Arc::new(match &options.recorder {
                Some(recorder) => Metrics::new().recording(recorder.clone()),
                None => Metrics::new(),
            }),
            books: Books::new(options.recorder.clone(), &options.spent),
            calibration: Arc::default(),
            counter: Counter::default(),
            learnt: Learnt::default(),
            histories: Histories::default(),
            health: Arc::new(Health::of(config)),
            probes: Probes::default(),
            queues: Arc::default(),
            schemas: Arc::default(),
            accuracy: Accuracy::default(),
            control: Control::new(options.version, options.instance.clone()),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            admission: Admission::new(&options.limits),
            admin: Admin::new(options.recorder.as_ref()),
            limits: options.limits,
        }
    }
}

impl Shared {
    /// The first generation of a process.
    pub(crate) fn first(
        process: Arc<Process>,
        config: Arc<Config>,
        hash: String,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            routes: Routes::of(&config),
            clients: Clients::of(&config)?,
            process,
            config,
            hash,
            number: 1,
            script: None,
            upstreams: Upstreams::default(),
        })
    }

    /// The generation of another configuration. Connections to providers go on where they are made the same way, and so
    /// does a switched default, as long as it leads somewhere.
    pub(crate) fn after(&self, config: Arc<Config>, hash: String) -> Result<Self, TlsError> {
        Ok(Self {
            process: Arc::clone(&self.process),
            routes: self.routes.carried_to(&config),
            clients: self.clients.carried_to(&config)?,
            config,
            hash,
            number: self.number + 1,
            script: None,
            upstreams: Upstreams::default(),
        })
    }

    /// The same configuration with other routes.
    pub(crate) fn with_routes(&self, routes: Routes) -> Self {
        Self {
            process: Arc::clone(&self.process),
            config: Arc::clone(&self.config),
            hash: self.hash.clone(),
            routes,
            clients: self.clients.clone(),
            number: self.number,
            script: None,
            upstreams: Upstreams::default(),
        }
    }

    /// For one recorded exchange, which reaches nobody.
    pub(crate) fn replaying(config: Arc<Config>, script: Script) -> Self {
        let process = Process::new(&config, &Options::default());
        Self {
            routes: Routes::of(&config),
            clients: Clients::none(),
            process: Arc::new(process),
            config,
            hash: String::new(),
            number: 1,
            script: Some(Arc::new(script)),
            upstreams: Upstreams::default(),
        }
    }
}

impl Deref for Shared {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
