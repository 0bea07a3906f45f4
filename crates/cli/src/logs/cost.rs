//! `lingate cost`: what was spent.

use lingate_config::Environment;

use super::{failed, open, stats, without_texts};
use crate::args::Cost;
use crate::failure::Failure;

/// Counting tokens costs nothing.
const NO_COUNTS: [&str; 2] = ["-path:*/count_tokens", "-path:*:countTokens"];

/// Sums by day, or by what was asked for.
pub(crate) fn run(args: &Cost, environment: &dyn Environment) -> Result<(), Failure> {
    let mut words = args.filter.clone();
    words.extend(args.since.iter().map(|since| format!("since:{since}")));
    words.extend(NO_COUNTS.map(str::to_owned));
    let filter = without_texts(&words, "cost")?;
    let reader = open(&args.file, environment)?;
    let by = args.by.by();
    let sums = reader
        .stats(&filter, stats::by(by), 0, args.limit)
        .map_err(|error| failed(&error))?;
    stats::show(&sums, by.name(), args.format.json)
}
