//! One file a command.

mod check;
pub(crate) mod chosen;
mod doctor;
mod env;
mod explain;
mod generate;
mod import;
mod init;
mod keys;
mod live;
mod models;
mod providers;
mod quirks;
mod ready;
mod routes;
mod run;
mod serve;
mod session;
mod status;
mod statusline;
mod stop;
mod switch;

use std::future::Future;
use std::process::ExitCode;

use lingate_config::SystemEnvironment;
use tokio::runtime;

use crate::args::{self, Cli, Command, ConfigCommand};
use crate::background::StateDirectory;
use crate::failure::Failure;
use crate::verify;
use crate::{logs, mock};

/// The version this program was built as.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let environment = SystemEnvironment;
    let done = |()| ExitCode::SUCCESS;
    match cli.command {
        Command::Serve(args) => wait(serve::run(args, &environment), Threads::Many)?,
        Command::Run(args) => wait(run::run(args, &environment), Threads::One)?,
        Command::Env(args) => env::run(args, &environment).map(done),
        Command::Status(args) => wait(status::run(args, &environment), Threads::One)?,
        Command::Stop(args) => wait(stop::run(args, &environment), Threads::One)?.map(done),
        Command::Use(args) => wait(switch::run(args, &environment), Threads::One)?.map(done),
        Command::Check(args) => check::run(args, &environment),
        Command::Explain(args) => wait(explain::run(args, &environment), Threads::One)?,
        Command::Doctor(args) => wait(doctor::run(args, environment), Threads::Many)?,
        Command::Verify(args) => wait(verify::run(args, environment), Threads::Many)?,
        Command::Logs(command) => logs::run(command, &environment),
        Command::Mock(args) => wait(mock::run(args), Threads::One)?,
        Command::Cost(args) => logs::cost(&args, &environment).map(done),
        Command::Statusline(args) => statusline::run(&args, &environment).map(done),
        Command::Keys(command) => keys::run(command, &environment).map(done),
        Command::Import(args) => import::run(args, &environment),
        Command::Init(args) => init::run(args, &environment).map(done),
        Command::Providers(args::Providers {
            action: Some(action),
            ..
        }) => wait(live::act(action, &environment), Threads::One)?.map(done),
        Command::Providers(args) if args.live => {
            wait(live::run(args.report, &environment), Threads::One)?.map(done)
        }
        Command::Providers(args) => providers::run(args.report, &environment).map(done),
        Command::Models(args) => models::run(args, &environment).map(done),
        Command::Quirks(format) => quirks::run(format).map(done),
        Command::Config(ConfigCommand::Schema) => generate::schema().map(done),
        Command::Completions(args) => generate::completions(args).map(done),
        Command::Man => generate::man().map(done),
    }
}

enum Threads {
    One,
    Many,
}

/// Drives a command to its end, and waits for nothing else: a thread that is stuck in a system call must not keep a
/// person from the prompt.
fn wait<T>(command: impl Future<Output = T>, threads: Threads) -> Result<T, Failure> {
    let mut builder = match threads {
        Threads::One => runtime::Builder::new_current_thread(),
        Threads::Many => runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build();
    let runtime = runtime.map_err(|error| Failure::problem(format!("cannot start: {error}")))?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    Ok(result)
}

/// Where gateways of this user leave their traces.
pub(crate) fn state_directory(environment: &SystemEnvironment) -> Result<StateDirectory, Failure> {
    StateDirectory::of(environment).ok_or_else(|| {
        Failure::problem("there is no directory to keep track of gateways in")
            .hint("set `HOME` or `XDG_STATE_HOME`")
    })
}
