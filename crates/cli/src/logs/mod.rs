//! `lingate logs` and `lingate cost`: the record, from the terminal.
//!
//! They read the files, so they work with the gateway running, ended or dead.

pub(crate) mod answer;
mod cost;
mod damaged;
mod diff;
mod export;
mod functions;
mod grid;
mod list;
mod prune;
mod replay;
mod rows;
pub(crate) mod screen;
mod search;
mod select;
mod show;
mod stats;
mod tail;

use std::path::PathBuf;
use std::process::ExitCode;

use lingate_config::{Config, Environment, SystemEnvironment};
use lingate_store::{Error, Reader};

use crate::args::{ConfigFile, LogsCommand};
use crate::configuration::{Listen, load};
use crate::failure::Failure;

pub(crate) use cost::run as cost;
use select::{filter, named, without_texts};

/// Does what `lingate logs` was asked.
pub(crate) fn run(
    command: LogsCommand,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        LogsCommand::List(args) => list::run(&args, environment).map(done),
        LogsCommand::Show(args) => show::run(&args, environment).map(done),
        LogsCommand::Search(args) => search::run(&args, environment),
        LogsCommand::Tail(args) => tail::run(&args, environment).map(done),
        LogsCommand::Stats(args) => stats::run(&args, environment).map(done),
        LogsCommand::Replay(args) => replay::run(&args, environment),
        LogsCommand::Functions(args) => functions::run(&args, environment).map(done),
        LogsCommand::Diff(args) => diff::run(&args, environment).map(done),
        LogsCommand::Export(args) => export::run(&args, environment).map(done),
        LogsCommand::Prune(args) => prune::run(&args, environment).map(done),
    }
}

/// The configuration, and where its record lies.
fn place(file: &ConfigFile, environment: &dyn Environment) -> Result<(Config, PathBuf), Failure> {
    let config = load(file.config.as_deref(), Listen::default(), environment)?.config;
    let dir = config.record.dir.clone().ok_or_else(|| {
        Failure::usage("there is no home directory that a record could be kept in")
            .hint("set `record.dir`")
    })?;
    Ok((config, dir))
}

/// Opens the record for reading.
fn open(file: &ConfigFile, environment: &dyn Environment) -> Result<Reader, Failure> {
    let (_, dir) = place(file, environment)?;
    Reader::open(&dir).map_err(|error| failed(&error))
}

fn failed(error: &Error) -> Failure {
    let Error::Missing(path) = error else {
        return Failure::problem(error.to_string());
    };
    Failure::problem(format!("nothing has been recorded in {}", path.display())).hint(
        "`lingate serve` and `lingate run` record every request, unless `record.bodies` is \"off\"",
    )
}
