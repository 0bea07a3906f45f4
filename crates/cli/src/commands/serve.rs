//! `lingate serve`: the gateway in the foreground, or, as `run` starts it, in the background.

use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lingate_config::{Config, LogFormat, LogLevel, SystemEnvironment};
use lingate_gateway::{BindError, Gateway, Handle, Options, Outcome};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{VERSION, ready, state_directory};
use crate::args::Serve;
use crate::background::{self, Entry, Registration};
use crate::configuration::{CommandLine, Listen};
use crate::failure::Failure;
use crate::log_fields::LogFields;
use crate::log_lines::LogLines;
use crate::log_time::{self, LogTime};
use crate::output;
use crate::port_owner::port_owner;
use crate::recording::{self, Recording};
use crate::service_manager::{self, Notifier};
use crate::signals::Signals;

/// How long a gateway that `run` started stays for the next session.
const STAYS: Duration = Duration::from_secs(5 * 60);

/// When a gateway that is ready has also done what it does once behind that: the first probes, a look whether the
/// configuration has changed since it was read.
const START: Duration = Duration::from_millis(500);

/// Serves until a signal, or whoever may end it, says so.
pub(crate) async fn run(args: Serve, environment: &SystemEnvironment) -> Result<ExitCode, Failure> {
    if args.background {
        // Out of the launcher's session: what its terminal sends is not for us. Fails only if we are out already.
        let _ = rustix::process::setsid();
    }
    let mut signals = Signals::listen()
        .map_err(|error| Failure::problem(format!("cannot await signals: {error}")))?;
    let notifier = Notifier::of(environment);
    let handed = service_manager::listener()?;
    let listen = listen(&args, handed.as_ref())?;
    let command_line = CommandLine::new(args.file.config.clone(), listen);
    let loaded = (command_line.load()).map_err(|problems| Failure::usage(problems.to_string()))?;
    // Ends after everything that may still log.
    let log = start_log(&loaded.config)?;
    for warning in &loaded.config.warnings {
        tracing::warn!("{warning}");
    }

    let config = Arc::new(loaded.config);
    // Ends after the record: who waits for this gateway's end may want that.
    let mut registration;
    // Ends after everything that may still record.
    let mut recording = Recording::open(&config)?;
    let recorder = recording.recorder();
    let options = Options {
        recorder: recorder.clone(),
        spent: recording.spent(),
        version: VERSION,
        config_hash: loaded.fingerprint.clone(),
        idle_exit: args.background.then_some(STAYS),
        listener: handed.map(Arc::new),
        source: Some(Arc::new(command_line)),
        files: loaded.files,
        state: state_file(config.sources.file.as_deref(), environment),
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
    registration = register(&entry, environment);
    output::line(&ready::line(&config, &entry.url()))?;
    notifier.ready();

    let shutdown = CancellationToken::new();
    let handle = gateway.handle();
    let mut serving = std::pin::pin!(gateway.run(shutdown.clone()));
    let has_served = tokio::select! {
        () = &mut serving => true,
        () = signals.end(&handle, &notifier) => {
            shutdown.cancel();
            false
        }
        () = follow(&handle, registration.as_mut(), &log, &mut recording) => false,
        () = recording::tick(recorder) => false,
        () = give_back_what_the_start_needed() => false,
    };
    // From here on nobody should join it.
    registration.iter_mut().for_each(Registration::withdraw);
    if has_served {
        return Ok(ExitCode::SUCCESS);
    }
    notifier.stopping();
    (log.lines).say("ending once running requests are done; again to end at once");
    tokio::select! {
        () = &mut serving => Ok(ExitCode::SUCCESS),
        signal = signals.next_end() => {
            handle.end_now().await;
            Ok(ExitCode::from(128 + signal))
        }
    }
}

/// Once, and does not end.
async fn give_back_what_the_start_needed() {
    tokio::time::sleep(START).await;
    if let Err(error) = lingate_pages::unmap_code() {
        tracing::debug!("what only the start needed stays in memory: {error}");
    }
    std::future::pending().await
}

/// Where it listens, as the command line or the socket that was handed over has it.
fn listen(args: &Serve, handed: Option<&TcpListener>) -> Result<Listen, Failure> {
    let Some(handed) = handed else {
        return Ok(Listen {
            address: args.listen.clone(),
            port: args.port,
        });
    };
    if args.listen.is_some() || args.port.is_some() {
        return Err(Failure::usage(
            "`--listen` and `--port` cannot be used with a socket that was handed over (`LISTEN_FDS`)",
        ));
    }
    let address = handed.local_addr().map_err(|error| {
        Failure::problem(format!(
            "the socket that was handed over has no address: {error}"
        ))
    })?;
    Ok(Listen {
        address: Some(address.to_string()),
        port: None,
    })
}

/// Where what is known of providers outlives the process: one file for each configuration file.
fn state_file(config: Option<&Path>, environment: &SystemEnvironment) -> Option<PathBuf> {
    let directory = state_directory(environment).ok()?;
    let config = config.map_or(&b""[..], |path| path.as_os_str().as_encoded_bytes());
    let digest = Sha256::digest(config);
    let name: String = (digest.iter().take(8))
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(directory.file(&format!("health-{name}.json")))
}

/// Does what a reload means outside the gateway: the entry that others find it by, the level of the log, the record.
async fn follow(
    handle: &Handle,
    mut registration: Option<&mut Registration>,
    log: &Log,
    recording: &mut Recording,
) {
    let mut in_force = handle.in_force();
    while in_force.changed().await.is_ok() {
        let now = in_force.borrow_and_update().clone();
        if now
            .last
            .as_ref()
            .is_none_or(|last| last.outcome != Outcome::Applied)
        {
            continue;
        }
        log.set(&now.config);
        recording.follow(&now.config);
        if let Some(registration) = registration.as_deref_mut()
            && let Err(error) = registration.update(&now.hash, now.config.sources.file.as_deref())
        {
            tracing::warn!("`lingate run` may not find this gateway any more: {error}");
        }
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

/// The log, from its start to its last line.
struct Log {
    /// Changes what is logged.
    set: Box<dyn Fn(EnvFilter) + Send + Sync>,
    format: LogFormat,
    lines: Arc<LogLines>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines.end();
    }
}

impl Log {
    fn set(&self, config: &Config) {
        (self.set)(log_filter(config));
        if config.log.format != self.format {
            tracing::warn!("`log.format` is another: that needs a restart");
        }
    }
}

fn log_filter(config: &Config) -> EnvFilter {
    let level = match config.log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    EnvFilter::new(directives(level))
}

/// Of our crates what the level says.
fn directives(level: &str) -> String {
    // Of the libraries only what someone should look at: their chatter may hold header values.
    let ours = [
        "lingate",
        "lingate_config",
        "lingate_gateway",
        "lingate_pages",
        "lingate_price",
        "lingate_quirk",
        "lingate_route",
        "lingate_store",
        "lingate_wire",
    ];
    let ours = ours.map(|target| format!("{target}={level}")).join(",");
    format!("warn,{ours}")
}

fn start_log(config: &Config) -> Result<Log, Failure> {
    let format = config.log.format;
    let lost = move |n_lost| missing(format, n_lost);
    let lines = LogLines::to(io::stderr(), lost)
        .map_err(|error| Failure::problem(format!("cannot start a thread: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(log_filter(config))
        .with_timer(LogTime)
        .with_writer(Arc::clone(&lines));
    let set: Box<dyn Fn(EnvFilter) + Send + Sync> = match format {
        LogFormat::Text => {
            let log = log
                .fmt_fields(LogFields)
                .with_ansi(io::stderr().is_terminal())
                .with_target(false)
                .with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
        LogFormat::Json => {
            let log = log
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
    };
    Ok(Log { set, format, lines })
}

/// The line that stands where others are missing.
fn missing(format: LogFormat, n_lost: u64) -> String {
    let at = log_time::now();
    let message = format!(
        "{n_lost} lines of the log are missing here: nobody read it in time, or it could not be written"
    );
    match format {
        LogFormat::Text => format!("{at}  WARN {message}\n"),
        LogFormat::Json => {
            format!("{{\"timestamp\":\"{at}\",\"level\":\"WARN\",\"message\":\"{message}\"}}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_ours_is_logged() {
        let filter = directives("info");
        let manifest = include_str!("../../Cargo.toml");
        let names = manifest
            .lines()
            .take_while(|line| *line != "[dev-dependencies]")
            .filter_map(|line| line.split(['.', ' ']).next())
            .filter(|name| name.starts_with("lingate-"));
        let mut count = 0;
        for name in names {
            let target = name.replace('-', "_");
            assert!(
                filter.contains(&format!("{target}=info")),
                "{target}: {filter}"
            );
            count += 1;
        }
        assert!(count > 3, "{count}");
    }
}
