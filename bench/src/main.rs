//! What the gateway costs, beside a bare forwarder, nginx and no proxy at all.
//!
//! `cargo xtask bench` builds and runs this. Everything is on loopback. The measured process has one core for itself,
//! upstream and load share another; windows of the subjects are interleaved, so that what else the machine does meets
//! all of them alike, and ratios are medians of ratios within a round.

mod answers;
mod case;
mod forward;
mod idle;
mod instructions;
mod limits;
mod load;
mod process;
mod question;
mod report;
mod rounds;
mod subject;
mod upstream;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

use rounds::Plan;

const USAGE: &str = "options: --lingate FILE (else the one beside this program), --rounds N, --window MS, --only TEXT \
                     (cases whose name contains it), --no-callgrind, --hold (fail where more is taken than was), --idle (only what an idle text quirk costs)";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [command, upstream] if command == "forward" => forward::run(upstream.parse()?),
        options => run(options),
    }
}

fn run(options: &[String]) -> anyhow::Result<()> {
    let mut lingate: PathBuf = std::env::current_exe()?.with_file_name("lingate");
    let mut plan = Plan::default();
    let mut wants_instructions = true;
    let mut is_held = false;
    let mut is_about_idle = false;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || {
            options
                .next()
                .with_context(|| format!("`{option}` needs a value"))
        };
        match option.as_str() {
            "--lingate" => lingate = value()?.into(),
            "--rounds" => plan.rounds = value()?.parse()?,
            "--window" => plan.window = Duration::from_millis(value()?.parse()?),
            "--only" => plan.only = Some(value()?.clone()),
            "--no-callgrind" => wants_instructions = false,
            "--hold" => is_held = true,
            "--idle" => is_about_idle = true,
            _ => bail!("`{option}` is no option; {USAGE}"),
        }
    }
    // Before the runtime starts, so that every thread of this process stays here.
    process::pin_self(process::LOAD_CORE)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if is_about_idle {
            return idle::run(&lingate).await;
        }
        let measured = rounds::run(&lingate, &plan).await?;
        let instructions = if wants_instructions {
            instructions::run(&lingate, &plan).await?
        } else {
            Vec::new()
        };
        print!("{}", report::markdown(&measured, &instructions));
        if is_held {
            limits::hold(&plan.cases(), &measured.footprint, &instructions)?;
        }
        Ok(())
    })
}
