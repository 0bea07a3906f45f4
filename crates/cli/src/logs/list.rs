//! `lingate logs list`: the newest exchanges that fit.

use lingate_config::Environment;
use lingate_store::Page;

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
        return output::json_lines(&listing.items);
    }
    let rows: Vec<_> = listing.items.iter().map(rows::row).collect();
    output::table(rows::HEAD, &rows)?;
    if let Some(next) = listing.next {
        output::say(&format!("there is more: `--before {next}`"));
    }
    Ok(())
}
