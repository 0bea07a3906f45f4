//! `lingate logs` and `lingate cost`: the record, from the terminal.
//!
//! They read the files, so they work with the gateway running, ended or dead.

mod cost;
mod list;
mod prune;
mod replay;
mod rows;
mod search;
mod show;
mod stats;
mod tail;

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use lingate_config::{Config, Environment, SystemEnvironment};
use lingate_store::{Error, Filter, Reader};
use uuid::Uuid;

use crate::args::{ConfigFile, LogsCommand};
use crate::configuration::{Listen, load};
use crate::failure::Failure;

pub(crate) use cost::run as cost;

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
    Reader::open(&dir).map_err(|error| match error {
        Error::Missing(path) => {
            Failure::problem(format!("nothing has been recorded in {}", path.display()))
                .hint("`lingate serve` and `lingate run` record every request, unless `record.bodies` is \"off\"")
        }
        error => failed(&error),
    })
}

fn failed(error: &Error) -> Failure {
    Failure::problem(error.to_string())
}

/// The words of a filter, as one.
fn filter(words: &[String]) -> Result<Filter, Failure> {
    // A word that the shell gave whole is one text, blanks and all.
    let quoted = words.iter().map(|word| {
        let is_text = word.contains(char::is_whitespace) && !word.contains(['"', ':']);
        match is_text {
            true => format!("\"{word}\""),
            false => word.clone(),
        }
    });
    let text = quoted.collect::<Vec<_>>().join(" ");
    Filter::parse(&text, Timestamp::now()).map_err(|error| Failure::usage(error.to_string()))
}

/// A filter for what looks at rows alone.
fn without_texts(words: &[String], command: &str) -> Result<Filter, Failure> {
    let filter = filter(words)?;
    if filter.texts().next().is_some() {
        return Err(Failure::usage(format!("`{command}` looks at no bodies"))
            .hint("a word without a colon is a text; `model:kimi` is a filter by model")
            .hint("`lingate logs search` finds texts in bodies"));
    }
    Ok(filter)
}

/// The exchange whose id is, or begins with, `id`.
fn named(reader: &Reader, id: &str) -> Result<Uuid, Failure> {
    let found = reader.named(id).map_err(|error| failed(&error))?;
    found.ok_or_else(|| {
        Failure::problem(format!(
            "no exchange, or more than one, has an id that begins with `{id}`"
        ))
        .hint("`lingate logs list` shows ids; a reply's id is in its header `x-lingate-id`")
    })
}
