//! `lingate logs list`: the newest exchanges that fit.

use lingate_config::Environment;
use lingate_store::Page;

use super::grid::grid;
use super::screen::Screen;
use super::{failed, named, open, rows, without_texts};
use crate::args::LogsList;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &LogsList, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = without_texts(&args.filter, "logs list")?;
    let reader = open(&args.file, environment)?;
    let before = args.before.as_deref();
    let page = Page {
        before: before.map(|id| named(&reader, id)).transpose()?,
        limit: args.limit,
        skip: 0,
    };
    let listing = reader.list(&filter, page).map_err(|error| failed(&error))?;
    if args.format.json {
        output::json_lines(&listing.items)?;
    } else if listing.items.is_empty() {
        output::say(nothing(args.filter.is_empty() && before.is_none()));
    } else {
        let screen = Screen::stdout(environment);
        let rows: Vec<_> = (listing.items.iter())
            .map(|exchange| rows::row(exchange, screen))
            .collect();
        output::write(&grid(screen, &rows::HEAD, &rows))?;
    }
    if let Some(next) = listing.next {
        output::say(&format!("there is more: `--before {next}`"));
    }
    Ok(())
}

/// Why a list is empty.
pub(super) const fn nothing(is_everything: bool) -> &'static str {
    match is_everything {
        true => "nothing has been recorded yet",
        false => "no exchange fits",
    }
}
