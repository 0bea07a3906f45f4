//! `lingate logs prune`: deletes what is too old or too much.

use std::time::Duration;

use jiff::Timestamp;
use lingate_config::Environment;
use lingate_store::prune;
use serde_json::json;

use super::{failed, place};
use crate::args::LogsPrune;
use crate::failure::Failure;
use crate::output;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(args: &LogsPrune, environment: &dyn Environment) -> Result<(), Failure> {
    let (config, dir) = place(&args.file, environment)?;
    let days = args.days.unwrap_or(config.record.keep_days);
    let bytes = args.bytes.unwrap_or(config.record.keep_bytes);
    let before = Timestamp::now()
        .checked_sub(DAY * days)
        .map_err(|error| Failure::usage(format!("`--days {days}`: {error}")))?;
    let deleted = prune(&dir, before, bytes).map_err(|error| failed(&error))?;
    if args.format.json {
        let deleted = json!({
            "rows": deleted.rows,
            "segments": deleted.segments,
            "bytes": deleted.bytes,
            "staying": deleted.staying,
        });
        return output::json_lines([deleted]);
    }
    output::line(&format!(
        "{} exchanges and {} files deleted, {} bytes",
        deleted.rows, deleted.segments, deleted.bytes
    ))?;
    if deleted.staying > 0 {
        output::say(&format!(
            "{} files with bodies from before then stay: they hold later ones, too, or a gateway writes to them; \
             they go when the last body in them is that old",
            deleted.staying
        ));
    }
    Ok(())
}
