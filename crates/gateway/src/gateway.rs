//! A running gateway, from bind to drain.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lingate_config::{Config, Problems};
use lingate_store::{Recorder, Spent};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::exchange::unused;
use crate::front::control::Control;
use crate::front::limits::Limits;
use crate::front::listener;
use crate::generations::{Generations, InForce, Source, Trigger};
use crate::record::prices;
use crate::shared::{Process, Shared};
use crate::upstream::client::TlsError;
use crate::upstream::probing;
use crate::upstream::saved;
use crate::watch::watch;

/// Longest wait for what is ended by force.
const FORCED_END: Duration = Duration::from_secs(2);

/// What a gateway is told beside its configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// In place of `server.listen`; port 0 lets the system choose.
    pub listen: Option<SocketAddr>,
    /// Of the program.
    pub version: &'static str,
    /// Names the configuration, so that a launcher can tell whether a running gateway is the one it means.
    pub config_hash: String,
    /// Shown by those who may end this gateway; minted if left out.
    pub instance: Option<String>,
    /// Ends the gateway when no lease has been held for this long.
    pub idle_exit: Option<Duration>,
    /// How long a client may take to say what it wants.
    pub limits: Limits,
    /// Where exchanges are recorded; without, they are not.
    pub recorder: Option<Recorder>,
    /// What was spent before: budgets go on from there.
    pub spent: Spent,
    /// A socket that listens already, in place of one of our own.
    pub listener: Option<Arc<std::net::TcpListener>>,
    /// Where the configuration is read again; without, it is the same until the end.
    pub source: Option<Arc<dyn Source>>,
    /// The file in which what is known of providers outlives the process; without, it does not.
    pub state: Option<PathBuf>,
    /// The files it was read from, whose change reloads it; only with a source.
    pub files: Vec<PathBuf>,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A provider points at the gateway itself.
    #[error("{0}")]
    OwnListener(Problems),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A gateway whose listener is bound.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    generations: Arc<Generations>,
    idle_exit: Option<Duration>,
    state: Option<PathBuf>,
}

impl Gateway {
    /// Binds the listener.
    ///
    /// # Errors
    /// If the address is taken or not ours, a provider points at it, or TLS cannot be set up.
    pub async fn bind(config: Arc<Config>, options: Options) -> Result<Self, BindError> {
        let listen = options.listen.unwrap_or(config.server.listen);
        let refused = |source| BindError::Listen { listen, source };
        let process = Arc::new(Process::new(&config, &options));
        let first = Shared::first(process, Arc::clone(&config), options.config_hash)?;
        let listener = match &options.listener {
            Some(listener) => adopted(listener).map_err(refused)?,
            None => TcpListener::bind(listen).await.map_err(refused)?,
        };
        let address = listener.local_addr().map_err(refused)?;
        config
            .refuse_own_listener(address)
            .map_err(BindError::OwnListener)?;
        if let Some(state) = &options.state {
            saved::take_up(&first.process, state);
        }
        let generations = Generations::new(first, address, options.source, options.files);
        Ok(Self {
            listener,
            address,
            generations: Arc::new(generations),
            idle_exit: options.idle_exit,
            state: options.state,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What those show who may end it.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.generations.process.control.instance
    }

    /// Reaches it while it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.generations))
    }

    /// Serves until `shutdown` is cancelled, `POST /api/stop`, or nobody holds a lease any more; then lets running
    /// exchanges end, for `server.drain` at most.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self {
            listener,
            address: _,
            generations,
            idle_exit,
            state,
        } = self;
        let process = Arc::clone(&generations.process);
        if generations.files().borrow().is_empty() {
            tracing::debug!("no file is watched for changes");
        } else {
            process.tasks.spawn(watch(Arc::clone(&generations)));
        }
        process
            .tasks
            .spawn(probing::probe_idle(Arc::clone(&generations)));
        if let Some(state) = &state {
            let keeping = saved::keep(Arc::clone(&generations), state.clone());
            process.tasks.spawn(keeping);
        }
        process.tasks.spawn(prices::keep(Arc::clone(&generations)));
        process.tasks.spawn(unused::forget(Arc::clone(&process)));
        tokio::select! {
            () = listener::accept(&listener, &generations) => {}
            () = shutdown.cancelled() => {}
            () = unneeded(&process.control, idle_exit) => tracing::info!("no session left, ending"),
        }
        process.stopping.cancel();
        drop(listener);
        process.tasks.close();
        let leave = || {
            if let Some(state) = &state {
                saved::leave(&process, &generations.current().config, state);
            }
        };
        // For who takes over at once; and again when the last requests have said what they had to say.
        leave();
        let drain = generations.current().config.server.drain;
        let drained = tokio::time::timeout(drain, process.tasks.wait()).await;
        if drained.is_err() {
            tracing::warn!("ending with exchanges under way: `server.drain` is over");
            end_by_force(&process).await;
        }
        leave();
    }
}

/// Ends what still runs. Each exchange lets go of its draft, so that it is recorded as far as it came.
async fn end_by_force(process: &Process) {
    process.books.ending.cancel();
    let _ = tokio::time::timeout(FORCED_END, process.tasks.wait()).await;
}

/// Resolves when no lease has been held for the time agreed.
async fn unneeded(control: &Control, limit: Option<Duration>) {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let mut leases = control.leases();
    loop {
        let is_held = leases.wait_for(|&count| count > 0);
        if tokio::time::timeout(limit, is_held).await.is_err() {
            return;
        }
        if leases.wait_for(|&count| count == 0).await.is_err() {
            return;
        }
    }
}

/// A socket that somebody else bound, and keeps.
fn adopted(listener: &std::net::TcpListener) -> io::Result<TcpListener> {
    let listener = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Reaches a gateway that runs.
#[derive(Clone)]
pub struct Handle(Arc<Generations>);

impl Handle {
    /// Reads the configuration again and puts it in force, if nothing is wrong with it.
    pub async fn reload(&self, trigger: Trigger) -> InForce {
        self.0.reload(trigger).await
    }

    /// Ends what runs, without waiting for it to be done.
    pub async fn end_now(&self) {
        end_by_force(&self.0.process).await;
    }

    /// Follows what is in force.
    #[must_use]
    pub fn in_force(&self) -> tokio::sync::watch::Receiver<InForce> {
        self.0.told()
    }
}
