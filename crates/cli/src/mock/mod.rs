//! `lingate mock`: a provider that is none, on loopback. It answers from a cassette as the providers did, at their pace,
//! or from a script; faults can be added to either.
//!
//! ```text
//! request ─ asked ─▶ library (cassette) ─┐
//!                    scripted ───────────┴▶ answer ─ fault ─▶ server ─▶ client
//! ```

mod answer;
mod asked;
mod fault;
mod faulty;
mod library;
mod models;
mod pace;
mod scripted;
mod server;

use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::library::Library;
use self::server::Mock;
use crate::args;
use crate::cassette;
use crate::failure::Failure;
use crate::output;

pub(crate) use fault::{Fault, LIST};
pub(crate) use pace::Pace;

/// Serves until it is interrupted, then says what was asked.
pub(crate) async fn run(args: args::Mock) -> Result<ExitCode, Failure> {
    let recorded = args.cassette.as_deref().map(cassette::read).transpose()?;
    let library = recorded
        .as_ref()
        .map(|(_, exchanges)| Library::of(exchanges));
    if let Some(library) = &library {
        check(library)?;
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| cannot_wait(&error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| cannot_wait(&error))?;
    let listener = bind(args.listen).await?;
    let address = listener.local_addr();
    let address = address.map_err(|error| Failure::problem(format!("cannot listen: {error}")))?;
    let plays = match (&library, &args.cassette) {
        (Some(library), Some(path)) => format!("{} from {}", library.summary(), path.display()),
        _ => "scripted answers".to_owned(),
    };
    let faults: Vec<_> = args.faults.iter().map(ToString::to_string).collect();
    let faults = match faults.is_empty() {
        true => String::new(),
        false => format!(" | faults: {}", faults.join(" ")),
    };
    output::line(&output::plain(&format!(
        "lingate mock ready http://{address} | {plays}{faults} | use it: base_url = \"http://{address}\" under [providers.NAME]"
    )))?;
    let mock = Mock::new(library, args.faults, args.speed);
    tokio::select! {
        () = server::serve(&listener, &mock) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    output::say(&mock.summary());
    Ok(ExitCode::SUCCESS)
}

/// What was recorded is somebody's conversation: it is served to this machine alone.
async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    if !listen.ip().is_loopback() {
        return Err(
            Failure::usage(format!("`{listen}` can be reached from other machines"))
                .hint("`mock` asks nobody for a key: it listens on 127.0.0.1 or [::1] alone"),
        );
    }
    TcpListener::bind(listen).await.map_err(|error| {
        Failure::problem(format!("cannot listen on {listen}: {error}"))
            .hint("port 0 takes any free one")
    })
}

fn check(library: &Library) -> Result<(), Failure> {
    if library.is_empty() {
        return Err(
            Failure::usage("no exchange of the cassette holds what a provider answered")
                .hint("bodies are kept with `record.bodies = \"full\"`"),
        );
    }
    Ok(())
}

fn cannot_wait(error: &std::io::Error) -> Failure {
    Failure::problem(format!("cannot await signals: {error}"))
}
