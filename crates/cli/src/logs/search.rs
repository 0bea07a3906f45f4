//! `lingate logs search`: texts in bodies.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lingate_config::Environment;
use lingate_store::{BodyKind, Page, Search};

use super::screen::{Screen, Tone};
use super::{failed, filter, named, open, rows};
use crate::args::LogsSearch;
use crate::failure::Failure;
use crate::output;

/// Ends with 1 if nothing was found, as `grep` does.
pub(super) fn run(args: &LogsSearch, environment: &dyn Environment) -> Result<ExitCode, Failure> {
    let filter = filter(&args.filter)?;
    let reader = open(&args.file, environment)?;
    let kinds = args.kinds.iter().filter_map(|name| BodyKind::named(name));
    let before = args.before.as_deref();
    let search = Search {
        filter,
        kinds: kinds.collect(),
        page: Page {
            before: before.map(|id| named(&reader, id)).transpose()?,
            limit: args.limit,
            skip: 0,
        },
    };
    #[expect(clippy::disallowed_methods, reason = "a search has real time")]
    let began = Instant::now();
    let patience = Duration::from_secs(args.timeout);
    let mut expired = || began.elapsed() > patience;
    let hits = reader
        .search(&search, &mut expired)
        .map_err(|error| failed(&error))?;
    if args.format.json {
        output::json_lines(&hits.items)?;
    } else {
        let screen = Screen::stdout(environment);
        for found in &hits.items {
            output::line(&rows::shown_line(&found.exchange, screen))?;
            if let Some(kind) = found.kind {
                let kind = screen.paint(Tone::Faint, &format!("{}:", kind.name()));
                let excerpt = screen.paint(Tone::Plain, &found.excerpt);
                output::line(&format!("    {kind} {excerpt}"))?;
            }
        }
        if hits.items.is_empty() && !hits.truncated {
            output::say(&format!("nothing found in {} exchanges", hits.searched));
        }
    }
    if let Some(next) = hits.next {
        let why = match hits.truncated {
            true => format!("time is up after {} exchanges", hits.searched),
            false => "there may be more".to_owned(),
        };
        output::say(&format!("{why}: go on with `--before {next}`"));
    }
    Ok(match hits.items.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
