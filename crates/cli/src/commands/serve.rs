//! `lingate serve`: the gateway in the foreground, or, as `run` starts it, in the background.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lingate_config::{Config, LogFormat, LogLevel, SystemEnvironment};
use lingate_gateway::{BindError, Gateway, Options};
use tokio::signal::unix::{self, SignalKind};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{VERSION, ready, state_directory};
use crate::args::Serve;
use crate::background::{self, Entry, Registration};
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::log_fields::LogFields;
use crate::output;
use crate::port_owner::port_owner;

/// How long a gateway that `run` started stays for the next session.
const STAYS: Duration = Duration::from_secs(5 * 60);

/// Serves until a signal, or whoever may end it, says so.
pub(crate) async fn run(args: Serve, environment: &SystemEnvironment) -> Result<ExitCode, Failure> {
    if args.background {
        // Out of the launcher's session: what its terminal sends is not for us. Fails only if we are out already.
        let _ = rustix::process::setsid();
    }
    let mut signals = Signals::listen()
        .map_err(|error| Failure::problem(format!("cannot await signals: {error}")))?;
    let listen = Listen {
        address: args.listen.clone(),
        port: args.port,
    };
    let loaded = load(args.file.config.as_deref(), listen, environment)?;
    start_log(&loaded.config);
    for warning in &loaded.config.warnings {
        tracing::warn!("{warning}");
    }

    let config = Arc::new(loaded.config);
    let options = Options {
        version: VERSION,
        config_hash: loaded.fingerprint.clone(),
        idle_exit: args.background.then_some(STAYS),
        ..Options::default()
    };
    let gateway = bind(&config, options, args.background).await?;
    let entry = Entry {
        instance: gateway.instance().to_owned(),
        pid: std::process::id(),
        address: gateway.local_addr(),
        version: VERSION.to_owned(),
        fingerprint: loaded.fingerprint,
        config: config.sources.file.clone(),
        background: args.background,
        log: args.log_file,
    };
    let registration = register(&entry, environment);
    output::line(&ready::line(&config, &entry.url()))?;

    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(gateway.run(shutdown.clone()));
    tokio::select! {
        () = &mut serving => return Ok(ExitCode::SUCCESS),
        _ = signals.next() => shutdown.cancel(),
    }
    // From here on nobody should join it.
    drop(registration);
    output::say("ending once running requests are done; again to end at once");
    tokio::select! {
        () = &mut serving => Ok(ExitCode::SUCCESS),
        signal = signals.next() => Ok(ExitCode::from(128 + signal)),
    }
}

/// Binds the listener. In the background any free port will do if the configured one is taken: the launcher hands
/// the address on.
async fn bind(config: &Arc<Config>, options: Options, any_port: bool) -> Result<Gateway, Failure> {
    let bound = Gateway::bind(Arc::clone(config), options.clone()).await;
    let bound = match bound {
        Err(error) if any_port && is_taken(&error) => {
            let listen = SocketAddr::new(config.server.listen.ip(), 0);
            let options = Options {
                listen: Some(listen),
                ..options
            };
            Gateway::bind(Arc::clone(config), options).await
        }
        bound => bound,
    };
    bound.map_err(|error| cannot_bind(&error))
}

fn is_taken(error: &BindError) -> bool {
    matches!(error, BindError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
}

fn cannot_bind(error: &BindError) -> Failure {
    match error {
        BindError::Listen { listen, .. } if is_taken(error) => {
            let owner = port_owner(*listen);
            let owner = owner.map_or_else(
                || "a process that cannot be seen from here".to_owned(),
                |owner| owner.to_string(),
            );
            Failure::problem(format!("{listen} is in use by {owner}"))
                .hint("`lingate status` shows the gateways of yours that run")
                .hint("`--port N` takes another port, `--port 0` any free one")
        }
        BindError::OwnListener(problems) => Failure::usage(problems.to_string()),
        BindError::Listen { .. } | BindError::Tls(_) => Failure::problem(error.to_string()),
    }
}

/// A gateway that cannot be entered serves all the same; it only cannot be found.
fn register(entry: &Entry, environment: &SystemEnvironment) -> Option<Registration> {
    let registration = state_directory(environment).and_then(|directory| {
        background::register(&directory, entry).map_err(|error| {
            Failure::problem(format!(
                "cannot write to `{}`: {error}",
                directory.path().display()
            ))
        })
    });
    registration
        .inspect_err(|failure| {
            tracing::warn!(
                "`lingate run`, `status` and `stop` will not find this gateway: {failure}"
            )
        })
        .ok()
}

fn start_log(config: &Config) {
    let level = match config.log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Of the libraries only what someone should look at: their chatter may hold header values.
    let ours = [
        "lingate",
        "lingate_config",
        "lingate_gateway",
        "lingate_quirk",
        "lingate_route",
        "lingate_wire",
    ];
    let ours = ours.map(|target| format!("{target}={level}")).join(",");
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("warn,{ours}")))
        .with_writer(io::stderr);
    match config.log.format {
        LogFormat::Text => log
            .fmt_fields(LogFields::default())
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .init(),
        LogFormat::Json => log.json().flatten_event(true).with_target(false).init(),
    }
}

/// The signals that end a gateway.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        u8::try_from(kind.as_raw_value()).unwrap_or_default()
    }
}
