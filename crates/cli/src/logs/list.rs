//! `lingate logs list`: the newest exchanges that fit.

use lingate_config::Environment;
use lingate_store::Page;

use super::{failed, filter, named, open, rows};
use crate::args::LogsList;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &LogsList, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = filter(&args.filter)?;
    let reader = open(&args.file, environment)?;
    let before = args.before.as_deref();
    let page = Page {
        before: before.map(|id| named(&reader, id)).transpose()?,
        limit: args.limit,
        skip: 0,
    };
    if filter.texts().next().is_some() {
        return Err(Failure::usage("`logs list` looks at no bodies")
            .hint("`lingate logs search` finds texts in them"));
    }
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
