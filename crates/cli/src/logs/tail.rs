//! `lingate logs tail`: exchanges as they end.

use std::time::Duration;

use lingate_config::Environment;
use lingate_store::{Exchange, Filter, MAX_PAGE, Reader};

use super::screen::Screen;
use super::{failed, open, rows, without_texts};
use crate::args::LogsTail;
use crate::failure::Failure;
use crate::output;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(250);

/// Runs until it is interrupted, or its reader is gone.
pub(super) fn run(args: &LogsTail, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = without_texts(&args.filter, "logs tail")?;
    let reader = open(&args.file, environment)?;
    let screen = Screen::stdout(environment);
    let mut seen = reader.last_closed().map_err(|error| failed(&error))?;
    loop {
        for exchange in ended(&reader, &filter, &mut seen)? {
            if args.format.json {
                output::json_lines([exchange])?;
            } else {
                output::line(&rows::shown_line(&exchange, screen))?;
            }
        }
        std::thread::sleep(EVERY);
    }
}

/// What fits of what has ended since; a page at most.
fn ended(reader: &Reader, filter: &Filter, seen: &mut i64) -> Result<Vec<Exchange>, Failure> {
    let last = reader.last_closed().map_err(|error| failed(&error))?;
    let ended = reader
        .tail(filter, *seen, last, MAX_PAGE)
        .map_err(|error| failed(&error))?;
    *seen = match ended.last() {
        Some(exchange) if ended.len() == MAX_PAGE => exchange.closed,
        _ => last,
    };
    Ok(ended)
}
