//! `lingate logs replay`: recorded exchanges once more, against a gateway or, with `--offline`, against this build alone.

mod curl;
mod offline;
mod online;
mod request;
mod sent;
mod summary;

use std::process::ExitCode;

use lingate_config::SystemEnvironment;
use lingate_store::{Filter, Page, Reader};
use uuid::Uuid;

use super::{failed, filter, named, open};
use crate::args::{LogsReplay, ReplayOutput};
use crate::failure::Failure;

/// Rows that are looked up at a time.
const PAGE: usize = 200;

/// Runs exchanges again. 1 means that something changed, or failed.
pub(super) fn run(args: &LogsReplay, environment: &SystemEnvironment) -> Result<ExitCode, Failure> {
    if args.offline {
        return offline::run(args, environment);
    }
    let is_everything = args.what.is_empty() && !args.errors_only && args.endpoint.is_none();
    let is_sent = !args.dry_run && args.output.is_none();
    if is_everything && is_sent {
        return Err(Failure::usage("which exchanges are to be sent again?")
            .hint("name ids, as `lingate logs list` shows them, or a filter: `status:5xx since:2h`")
            .hint("`--offline` runs everything against this build, and sends nothing"));
    }
    let reader = open(&args.file, environment)?;
    let chosen = Chosen::of(args, &reader)?;
    match args.output {
        Some(ReplayOutput::Curl) => curl::print(args, &reader, chosen, environment),
        Some(ReplayOutput::Json) => request::print(args, &reader, chosen),
        Some(ReplayOutput::Summary) => summary::print(&reader, chosen, args.format.json),
        None if args.dry_run => request::tell(args, &reader, chosen, environment),
        None => online::run(args, &reader, chosen, environment),
    }
}

/// The exchanges that are meant, newest first; looked up as they are asked for.
struct Chosen {
    ids: Vec<Uuid>,
    /// None where ids were named.
    filter: Option<Filter>,
    before: Option<Uuid>,
    /// How many more are wanted.
    left: usize,
    /// Whether somebody named them one by one.
    is_named: bool,
}

impl Chosen {
    fn of(args: &LogsReplay, reader: &Reader) -> Result<Self, Failure> {
        let is_filter = |word: &&String| word.contains(':');
        let (mut words, ids): (Vec<_>, Vec<_>) = args.what.iter().partition(is_filter);
        if !words.is_empty() && !ids.is_empty() {
            return Err(Failure::usage(format!(
                "`{}` is an id and `{}` a filter: name the one or the other",
                ids.first().map_or("", |id| id.as_str()),
                words.first().map_or("", |word| word.as_str()),
            )));
        }
        let is_named = !ids.is_empty();
        let errors = "is:error".to_owned();
        words.extend(args.errors_only.then_some(&errors));
        let path = args.endpoint.as_ref().map(|part| format!("path:{part}"));
        words.extend(path.as_ref());
        let words: Vec<String> = words.into_iter().cloned().collect();
        let mut ids = ids
            .into_iter()
            .map(|id| named(reader, id))
            .collect::<Result<Vec<_>, _>>()?;
        if is_named && (args.errors_only || args.endpoint.is_some()) {
            return Err(Failure::usage(
                "`--errors-only` and `--endpoint` choose among all exchanges; with ids there is nothing to choose",
            ));
        }
        ids.reverse();
        Ok(Self {
            ids,
            filter: (!is_named).then(|| filter(&words)).transpose()?,
            before: None,
            left: args.limit.unwrap_or(usize::MAX),
            is_named,
        })
    }

    /// The next one.
    fn next(&mut self, reader: &Reader) -> Result<Option<Uuid>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.ids.is_empty()
            && let Some(filter) = &self.filter
        {
            let page = Page {
                before: self.before,
                limit: PAGE.min(self.left),
                skip: 0,
            };
            let listing = reader.list(filter, page).map_err(|error| failed(&error))?;
            self.before = listing.next;
            self.ids = listing.items.iter().rev().map(|row| row.id).collect();
            if self.before.is_none() {
                self.filter = None;
            }
        }
        let next = self.ids.pop();
        self.left -= usize::from(next.is_some());
        Ok(next)
    }
}
