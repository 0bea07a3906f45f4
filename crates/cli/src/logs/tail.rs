//! `lingate logs tail`: exchanges as they end.

use std::collections::HashSet;
use std::time::Duration;

use lingate_config::Environment;
use lingate_store::{MAX_PAGE, Page};

use super::{failed, filter, open, rows};
use crate::args::LogsTail;
use crate::failure::Failure;
use crate::output;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(250);

/// Runs until it is interrupted, or its reader is gone.
pub(super) fn run(args: &LogsTail, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = filter(&args.filter)?;
    let reader = open(&args.file, environment)?;
    let mut seen = reader.last_closed().map_err(|error| failed(&error))?;
    loop {
        let mut ended = reader.tail(seen, MAX_PAGE).map_err(|error| failed(&error))?;
        if let Some(last) = ended.last() {
            seen = last.closed;
        }
        if !ended.is_empty() && !filter.terms.is_empty() {
            let page = Page {
                limit: MAX_PAGE,
                ..Page::default()
            };
            let fitting = reader.list(&filter, page).map_err(|error| failed(&error))?;
            let fitting: HashSet<_> = fitting.items.iter().map(|item| item.id).collect();
            ended.retain(|exchange| fitting.contains(&exchange.id));
        }
        for exchange in &ended {
            if args.format.json {
                output::json_lines([exchange])?;
            } else {
                output::line(&rows::line(exchange))?;
            }
        }
        std::thread::sleep(EVERY);
    }
}
