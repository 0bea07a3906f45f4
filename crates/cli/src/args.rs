//! The command line: names, options and their help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use http::{HeaderName, HeaderValue};
use lingate_wire::{UnknownWire, Wire};

use crate::client::{Client, Shell};

mod logs;
mod mock;

pub(crate) use logs::*;
pub(crate) use mock::Mock;

/// A gateway that lets every coding agent speak to every model.
#[derive(Parser)]
#[command(
    name = "lingate",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Begin with `lingate run -- claude`, or `lingate serve` and, in another terminal, \
    `eval \"$(lingate env)\"`.\n\nExit codes: 0 ok, 1 found problems, 2 wrong usage or configuration."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the gateway in the foreground
    Serve(Serve),
    /// Run a client through the gateway, which is started if none runs
    Run(Run),
    /// Print the variables that point a client at the gateway
    Env(Env),
    /// Validate the configuration, without any network, and show what it leads to
    Check(Report),
    /// Say what would become of one request, with nothing sent
    Explain(Explain),
    /// Look for what stands in the way, online; each finding with its cause and what to do
    Doctor(Doctor),
    /// Measure how well a provider serves a model's tool calls, and what is repaired
    Verify(Verify),
    /// Write a commented configuration from the keys in the environment
    Init(Init),
    /// Write a configuration out of another system's files, and say what did not carry over
    Import(Import),
    /// Show which gateways run, since when and with which configuration
    Status(Report),
    /// Switch the default model of every live session
    Use(Use),
    /// End the gateway after its sessions
    Stop(Stop),
    /// Read the record: what was asked, what was answered, what was changed
    #[command(subcommand)]
    Logs(LogsCommand),
    /// Be a provider on loopback that answers from a cassette or a script, with faults on request
    Mock(Mock),
    /// Show what was spent
    Cost(Cost),
    /// Print one line about a session, for Claude Code's status line
    Statusline(Statusline),
    /// Make, list and remove the keys that clients show
    #[command(subcommand)]
    Keys(KeysCommand),
    /// List the providers
    Providers(Providers),
    /// List the models that can be asked for
    Models(Models),
    /// List the repairs of what models and hosts get wrong
    Quirks(Format),
    /// Tell about the configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script
    Completions(Completions),
    /// Print the manual page
    Man,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the JSON Schema of the configuration file
    Schema,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, print it this once and write its hash into the configuration file
    Add(KeyName),
    /// List the keys' names and limits
    List(Report),
    /// Remove a key from the configuration file
    Remove(KeyName),
}

/// A client key of the configuration file.
#[derive(Args)]
pub(crate) struct KeyName {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Whose key: letters, digits, `-` and `_`
    #[arg(value_parser = key_name)]
    pub(crate) name: String,
}

/// Which configuration.
#[derive(Args)]
pub(crate) struct ConfigFile {
    /// Configuration file; else $LINGATE_CONFIG, else lingate/lingate.toml under $XDG_CONFIG_HOME or ~/.config
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// For whom output is written.
#[derive(Args)]
pub(crate) struct Format {
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// A command that reads the configuration and prints.
#[derive(Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What the status line is made from.
#[derive(Args)]
#[command(
    after_help = "In Claude Code's settings.json:\n\n  \"statusLine\": { \"type\": \"command\", \"command\": \"lingate statusline\" }\n\n\
    It reads the JSON object that Claude Code hands it on standard input, and never fails. NO_COLOR is respected."
)]
pub(crate) struct Statusline {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Providers {
    #[command(flatten)]
    pub(crate) report: Report,
    /// Show how those of the running gateways stand
    #[arg(long)]
    pub(crate) live: bool,
    #[command(subcommand)]
    pub(crate) action: Option<ProviderAction>,
}

#[derive(Subcommand)]
pub(crate) enum ProviderAction {
    /// Send a provider nothing new; what runs there goes on
    Drain(LiveProvider),
    /// Use a provider again, with nothing held against it
    Enable(LiveProvider),
    /// Ask a provider now how it is, with each of its keys; costs nothing
    Probe(LiveProvider),
}

/// A provider of a running gateway.
#[derive(Args)]
pub(crate) struct LiveProvider {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// The provider's id
    #[arg(value_name = "PROVIDER")]
    pub(crate) id: String,
    /// At every gateway of this user
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Address to listen on, instead of the configured one
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) listen: Option<String>,
    /// Port to listen on, instead of the address's; 0 takes any free one
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// Started by `run`: leaves the terminal, takes another port if the configured one is busy, ends after its
    /// last session
    #[arg(long, hide = true)]
    pub(crate) background: bool,
    /// Where standard error goes, for `status` to say
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "The exit code is the client's own; 128 and the signal's number if a signal ended it, 127 if \
    there is no such command."
)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Use the models of this profile
    #[arg(long, short, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Model the client asks for
    #[arg(long, short, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Model the client asks for in background work
    #[arg(long, value_name = "NAME")]
    pub(crate) small: Option<String>,
    /// The client and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<OsString>,
}

#[derive(Args)]
pub(crate) struct Env {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Whose variables
    #[arg(long, value_enum, default_value_t = EnvClient::Claude)]
    pub(crate) client: EnvClient,
    /// Shell to print for; else the one $SHELL names
    #[arg(long, value_enum)]
    pub(crate) shell: Option<Shell>,
    /// Use the models of this profile
    #[arg(long, short, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Say what each variable is for
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print what removes the variables again
    #[arg(long)]
    pub(crate) unset: bool,
}

/// The clients that variables are enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvClient {
    /// Claude Code
    Claude,
    /// Codex
    Codex,
    /// Clients of the OpenAI SDKs, aider
    Openai,
    /// Gemini CLI
    Gemini,
}

impl From<EnvClient> for Client {
    fn from(client: EnvClient) -> Self {
        match client {
            EnvClient::Claude => Self::Claude,
            EnvClient::Codex => Self::Codex,
            EnvClient::Openai => Self::Openai,
            EnvClient::Gemini => Self::Gemini,
        }
    }
}

#[derive(Args)]
pub(crate) struct Init {
    /// File to write; else the one that `serve` and `run` look for
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Print it instead
    #[arg(long, conflicts_with_all = ["config", "force"])]
    pub(crate) stdout: bool,
}

#[derive(Args)]
pub(crate) struct Import {
    /// Whose files they are
    #[arg(value_parser = import_formats())]
    pub(crate) from: String,
    /// Its files, such as config.json; `docs/import.md` says which
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// File to write, which is never replaced; else it is printed
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Move the keys into files of this directory that only you can read, instead of naming variables to set
    #[arg(long, value_name = "DIR")]
    pub(crate) key_files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Format,
}

fn import_formats() -> PossibleValuesParser {
    lingate_config::import::Format::ALL
        .map(|(name, _)| name)
        .into()
}

#[derive(Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Do not wait for sessions, only for the requests under way
    #[arg(long)]
    pub(crate) now: bool,
    /// End every gateway of yours, whatever its configuration
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
#[command(
    after_help = "The switch lasts as long as the gateway runs. Names that a model, an alias or a rule of the \
    configuration serves stay where they are."
)]
pub(crate) struct Use {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Model, alias, `provider/model`, or `provider/*` for the name that is asked
    #[arg(required_unless_present = "reset", conflicts_with = "reset")]
    pub(crate) model: Option<String>,
    /// Go back to the configured default
    #[arg(long)]
    pub(crate) reset: bool,
    /// Switch every gateway of yours, whatever its configuration
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) report: Report,
    /// Request body; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) body: PathBuf,
    /// Wire of the client; else the one the body shows
    #[arg(long, value_name = "WIRE", value_parser = wire)]
    pub(crate) wire: Option<Wire>,
    /// As if under this profile's path
    #[arg(long, short, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// As if sent with this header; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) report: Report,
    /// Also ask each provider in use for a reply of one token, which costs a little
    #[arg(long)]
    pub(crate) spend: bool,
}

#[derive(Args)]
#[command(
    after_help = "Every case is one request, which the provider bills. Exit code 1 if nothing is answered or a \
    threshold is missed."
)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) report: Report,
    /// Who is asked; any other name of a model means its first target
    #[arg(value_name = "PROVIDER/MODEL")]
    pub(crate) model: String,
    /// Requests to send, one Chat body a line, also in the K2 Vendor Verifier's files; else about 50 of our own
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
    /// Results of another run, ours or the K2 Vendor Verifier's, that tell when a call is right; else what the cases say
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: Option<PathBuf>,
    /// Send the first N cases only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) requests: Option<usize>,
    /// Requests under way at a time
    #[arg(long, value_name = "N", default_value = "4", value_parser = at_least_one)]
    pub(crate) concurrency: usize,
    /// Ask for streams, for whole replies, for both, or as each case has it
    #[arg(long, value_enum, default_value_t = Streaming::AsIs)]
    pub(crate) stream: Streaming,
    /// Judge the replies as the provider sent them, instead of as lingate repairs them
    #[arg(long)]
    pub(crate) raw: bool,
    /// Add each result to this file as it comes; cases that it has a reply to are not sent again
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Least call-trigger F1, from 0 to 1
    #[arg(long, value_name = "F1", value_parser = share)]
    pub(crate) min_f1: Option<f64>,
    /// Least schema accuracy, from 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) min_schema: Option<f64>,
}

/// How replies are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Streaming {
    /// As each case has it
    AsIs,
    /// Streamed
    Yes,
    /// Whole
    No,
    /// Each case twice
    Both,
}

#[derive(Args)]
pub(crate) struct Models {
    #[command(flatten)]
    pub(crate) report: Report,
    /// List the models of this profile
    #[arg(long, short, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

#[derive(Args)]
pub(crate) struct Completions {
    /// Shell to print for
    #[arg(value_enum, action = ArgAction::Set)]
    pub(crate) shell: clap_complete::Shell,
}

fn wire(text: &str) -> Result<Wire, String> {
    text.parse().map_err(|error: UnknownWire| error.to_string())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write it as NAME=VALUE, such as `x-session-id=1`")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = value
        .parse()
        .map_err(|_| "the value holds characters that a header cannot carry".to_owned())?;
    Ok((name, value))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it is a whole number, 1 or more".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "it is a number from 0 to 1, such as 0.95".to_owned())
}

fn key_name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !text.is_empty() && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("use letters, digits, `-` and `_`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_are_checked_before_anything_is_done() {
        let check = |line: &str, is_right: bool| {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert_eq!(parsed.is_ok(), is_right, "{line}");
        };
        check("lingate keys add alice", true);
        check("lingate keys add a.b", false);
        check("lingate keys add", false);
        check("lingate use kimi", true);
        check("lingate use --reset", true);
        check("lingate use", false);
        check("lingate use kimi --reset", false);
        check("lingate explain -", true);
        check("lingate explain f.json --wire chat --header a=b=c", true);
        check("lingate verify p/m --min-f1 0.8 --min-schema 1", true);
        check("lingate verify", false);
        check("lingate verify p/m --min-f1 80", false);
        check("lingate verify p/m --min-schema x", false);
        check("lingate verify p/m --concurrency 0", false);
        check("lingate verify p/m --requests 0", false);
        check("lingate verify p/m --stream maybe", false);
        check("lingate explain f.json --wire soap", false);
        check("lingate explain f.json --header a", false);
        check("lingate explain f.json --header a:b=c", false);
    }

    #[test]
    fn what_follows_the_client_is_the_clients() {
        let check = |line: &str, model: Option<&str>, command: &[&str]| {
            let cli =
                Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}"));
            let Command::Run(run) = cli.command else {
                panic!("{line}");
            };
            assert_eq!(run.model.as_deref(), model, "{line}");
            assert_eq!(run.command, command, "{line}");
        };
        check("lingate run claude", None, &["claude"]);
        check("lingate run -- claude -p hi", None, &["claude", "-p", "hi"]);
        check(
            "lingate run --model kimi -- claude --model x",
            Some("kimi"),
            &["claude", "--model", "x"],
        );
        check(
            "lingate run -m kimi claude --model x --",
            Some("kimi"),
            &["claude", "--model", "x", "--"],
        );
        assert!(Cli::try_parse_from(["lingate", "run"]).is_err());
    }
}
