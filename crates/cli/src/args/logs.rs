//! What `lingate logs` and `lingate cost` can be told.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{Args, Subcommand, ValueEnum};

use lingate_store::MAX_PAGE;

use super::{ConfigFile, Format};

#[derive(Subcommand)]
pub(crate) enum LogsCommand {
    /// List the newest exchanges
    List(LogsList),
    /// Show one exchange, or a body of it
    Show(LogsShow),
    /// Find texts in bodies
    Search(LogsSearch),
    /// Print exchanges as they end
    Tail(LogsTail),
    /// Add up exchanges
    Stats(LogsStats),
    /// Run exchanges again, against a gateway or offline
    Replay(LogsReplay),
    /// Count the tools that models called, and what came of it
    Functions(LogsFunctions),
    /// Compare two exchanges: what is new, what it did to the prompt cache, how the answers differ
    Diff(LogsDiff),
    /// Write exchanges with their bodies into a file, or a cassette for `lingate mock`
    Export(LogsExport),
    /// Delete what is too old or too much
    Prune(LogsPrune),
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct LogsList {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value = "50", value_parser = page())]
    pub(crate) limit: usize,
    /// Only what came before this exchange
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
    /// What they are like: `status:5xx model:kimi since:2h`
    pub(crate) filter: Vec<String>,
}

#[derive(Args)]
pub(crate) struct LogsShow {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Print this body instead, byte for byte
    #[arg(long, value_parser = PossibleValuesParser::new(BODIES))]
    pub(crate) body: Option<String>,
    /// Leave nothing out and shorten nothing; to a terminal, too, a body goes byte for byte
    #[arg(long)]
    pub(crate) raw: bool,
    /// The body of this attempt, from 1; else of the last
    #[arg(long, value_name = "N", requires = "body")]
    pub(crate) attempt: Option<u16>,
    /// The exchange's id, or its beginning; `last` is the newest
    pub(crate) id: String,
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct LogsSearch {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Look only at these bodies
    #[arg(long = "in", value_name = "BODY", value_parser = PossibleValuesParser::new(BODIES))]
    pub(crate) kinds: Vec<String>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value = "20", value_parser = page())]
    pub(crate) limit: usize,
    /// Only what came before this exchange
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
    /// Seconds after which the search stops and says where
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub(crate) timeout: u64,
    /// Texts, all of which some body holds, and what the exchange is like
    #[arg(required = true)]
    pub(crate) filter: Vec<String>,
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct LogsTail {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// What they are like
    pub(crate) filter: Vec<String>,
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct LogsStats {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// By what they are added up
    #[arg(long, value_enum, default_value_t = StatsBy::Model)]
    pub(crate) by: StatsBy,
    /// At most so many groups, up to 1000
    #[arg(long, value_name = "N", default_value = "50", value_parser = page())]
    pub(crate) limit: usize,
    /// What they are like
    pub(crate) filter: Vec<String>,
}

/// By what exchanges are added up.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StatsBy {
    Hour,
    Day,
    Week,
    Month,
    Model,
    Provider,
    Session,
    Key,
    Class,
    Status,
    Tool,
    Quirk,
}

impl StatsBy {
    /// As it is written on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Session => "session",
            Self::Key => "key",
            Self::Class => "class",
            Self::Status => "status",
            Self::Tool => "tool",
            Self::Quirk => "quirk",
        }
    }
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct LogsReplay {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Send nothing: run the stored replies of providers through this build, and tell whose client would get something else
    #[arg(long)]
    pub(crate) offline: bool,
    /// The gateway that is asked; else the one that runs
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// Ask for this model instead
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Only what did not go well
    #[arg(long)]
    pub(crate) errors_only: bool,
    /// Only where the path holds this
    #[arg(long, value_name = "PART")]
    pub(crate) endpoint: Option<String>,
    /// At most so many, the newest; else all
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print instead of sending: commands, requests as JSON, or what it all amounts to
    #[arg(long, value_enum, conflicts_with = "dry_run")]
    pub(crate) output: Option<ReplayOutput>,
    /// With the client's own name, session and description of itself, instead of `lingate`
    #[arg(long)]
    pub(crate) as_recorded: bool,
    /// Ids, or what the exchanges are like
    #[arg(value_name = "ID|FILTER")]
    pub(crate) what: Vec<String>,
}

/// What is printed in place of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayOutput {
    /// Commands for a shell; the key is `$LINGATE_KEY`
    Curl,
    /// One request a line
    Json,
    /// Totals, wires, errors and the first pairs
    Summary,
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct LogsFunctions {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Apart by what they were asked of
    #[arg(long, value_enum, default_value_t = FunctionsBy::Tool)]
    pub(crate) by: FunctionsBy,
    /// Look at so many exchanges, the newest
    #[arg(long, value_name = "N", default_value = "1000", value_parser = count())]
    pub(crate) limit: usize,
    /// Seconds after which it stops looking
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub(crate) timeout: u64,
    /// What they are like
    pub(crate) filter: Vec<String>,
}

/// By what calls are told apart.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FunctionsBy {
    /// The tool alone
    Tool,
    /// The model that called it, as its provider knows it
    Model,
    /// The provider
    Provider,
}

#[derive(Args)]
pub(crate) struct LogsDiff {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// An exchange, by its id or the beginning of it; alone, it is compared with the turn before
    #[arg(value_name = "A")]
    pub(crate) first: String,
    /// The exchange that it is compared with
    #[arg(value_name = "B")]
    pub(crate) second: Option<String>,
}

#[derive(Args)]
#[command(
    after_help = "Secrets are masked again with the keys that are configured now. What is written still holds prompts, files \
    and answers: look at it before you share it. A name that ends in .zst is compressed; nothing is replaced.",
    group = clap::ArgGroup::new("file").args(["output", "cassette"])
)]
pub(crate) struct LogsExport {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Write a cassette, which `lingate mock` plays back
    #[arg(long, value_name = "FILE")]
    pub(crate) cassette: Option<PathBuf>,
    /// Write one JSON object a line here, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace letters and digits of texts; their lengths and everything's shape stay
    #[arg(long)]
    pub(crate) redact_texts: bool,
    /// The newest N of those that fit
    #[arg(long, value_name = "N", default_value = "1000", value_parser = count())]
    pub(crate) limit: usize,
    /// Ids or their beginnings, or what the exchanges are like
    #[arg(value_name = "ID|FILTER")]
    pub(crate) filter: Vec<String>,
}

#[derive(Args)]
pub(crate) struct LogsPrune {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Keep this many days, instead of `record.keep_days`
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u32>,
    /// Keep this many bytes, instead of `record.keep_bytes`
    #[arg(long, value_name = "N")]
    pub(crate) bytes: Option<u64>,
}

#[derive(Args)]
#[command(after_help = FILTER_HELP)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Only from here on: `2h`, `7d`, `2026-11-01`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// At most so many groups, up to 1000
    #[arg(long, value_name = "N", default_value = "50", value_parser = page())]
    pub(crate) limit: usize,
    /// By what it is added up
    #[arg(value_enum, default_value_t = CostBy::Day)]
    pub(crate) by: CostBy,
    /// Of which exchanges
    pub(crate) filter: Vec<String>,
}

/// By what costs are added up.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CostBy {
    Day,
    Week,
    Month,
    Session,
    Model,
    Provider,
}

impl CostBy {
    /// The same among all sums.
    pub(crate) const fn by(self) -> StatsBy {
        match self {
            Self::Day => StatsBy::Day,
            Self::Week => StatsBy::Week,
            Self::Month => StatsBy::Month,
            Self::Session => StatsBy::Session,
            Self::Model => StatsBy::Model,
            Self::Provider => StatsBy::Provider,
        }
    }
}

/// 1 or more.
fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// As many as a page holds.
fn page() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=MAX_PAGE as u64)
}

/// The bodies of an exchange.
const BODIES: [&str; 4] = [
    "client-request",
    "provider-request",
    "provider-response",
    "client-response",
];

const FILTER_HELP: &str = "A filter is words that must all hold: `status:5xx model:kimi tool:Bash session:1f0c since:2h cost:>0.1 \
    -is:stream \"said this\"`. A `-` in front turns a word round; texts without a colon are looked for in bodies.";
