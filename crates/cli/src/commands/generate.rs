//! `lingate completions`, `lingate man` and `lingate config schema`: what is generated from the definitions.

use clap::CommandFactory;
use lingate_config::Config;

use crate::args::{Cli, Completions};
use crate::failure::Failure;
use crate::output;

/// Prints the completion script of a shell.
pub(crate) fn completions(args: Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lingate", &mut script);
    print(script)
}

/// Prints the manual: a page for the program, then one for each command.
pub(crate) fn man() -> Result<(), Failure> {
    let mut pages = Vec::new();
    let mut command = Cli::command();
    command.build();
    render(&command, &mut pages)?;
    print(pages)
}

/// Prints the JSON Schema of the configuration file.
pub(crate) fn schema() -> Result<(), Failure> {
    output::line(&format!("{:#}", Config::schema()))
}

fn render(command: &clap::Command, pages: &mut Vec<u8>) -> Result<(), Failure> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let page = clap_mangen::Man::new(command.clone()).title(name.to_uppercase());
    page.render(pages)
        .map_err(|error| Failure::problem(format!("cannot write the manual: {error}")))?;
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    for command in shown.filter(|command| command.get_name() != "help") {
        render(command, pages)?;
    }
    Ok(())
}

fn print(text: Vec<u8>) -> Result<(), Failure> {
    let text = String::from_utf8(text).map_err(|error| Failure::problem(error.to_string()))?;
    output::write(&text)
}
